#include "client.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { MANY = 8 << 20 };

static struct client client;
static int peer;
static uint8_t bytes[65536];

/* A session with socket 1, connected to peer. */
static void begin(uint32_t out_high, uint32_t out_low, const char *events)
{
    uint16_t port;
    broker_limits = (struct nb_limits)NB_LIMITS_DEFAULT;
    broker_limits.out_high = out_high;
    broker_limits.out_low = out_low;
    broker_start();
    client_open(&client);
    client_send(&client, "[0,1,'session.hello',[0,{'events':'%s'}]]", events);
    client_expect(&client, "[1,1,nil,*");
    int listener = peer_listen(&port);
    client_send(&client, "[0,2,'net.createConnection',[1,{'host':'127.0.0.1','port':%u}]]", port);
    peer = peer_accept(broker_loop, listener);
    close(listener);
    client_expect_soon(&client, "[1,2,nil,*");
}

static void end(void)
{
    close(peer);
    client_close(&client);
    broker_end();
}

static size_t queued(void)
{
    const struct nb_session *session = broker_session();
    return session->stream.queue.length + session->held.bytes.length + session->account->in_flight;
}

/* As much as goes without anybody reading at the other end of the session. */
static size_t fill_from_peer(void)
{
    size_t sent = 0;
    while (sent < MANY && poll(&(struct pollfd){peer, POLLOUT, 0}, 1, 0) > 0) {
        peer_send(broker_loop, peer, bytes, sizeof bytes);
        sent += sizeof bytes;
        turn_until_quiet(broker_loop);
    }
    return sent;
}

START_TEST(a_client_that_does_not_read_stops_the_sockets)
{
    enum { HIGH = 128 << 10, TURN = 4 * 65536 };
    begin(HIGH, HIGH / 4, "push");
    size_t sent = 0, got = 0;
    while (!broker_session()->account->gate_is_closed) {
        peer_send(broker_loop, peer, bytes, sizeof bytes);
        sent += sizeof bytes;
    }
    ck_assert_uint_le(queued(), HIGH + TURN + 4096);
    size_t before = queued();
    peer_send(broker_loop, peer, bytes, sizeof bytes);
    sent += sizeof bytes;
    ck_assert_uint_eq(queued(), before); /* no more is read */
    while (got < sent)
        got += client_receive_data(&client, bytes, sizeof bytes);
    ck_assert_uint_eq(got, sent);
    ck_assert(!broker_session()->account->gate_is_closed);
    end();
}
END_TEST

START_TEST(the_gate_opens_at_the_low_mark)
{
    enum { HIGH = 256 << 10, LOW = 16 << 10 };
    begin(HIGH, LOW, "push");
    size_t got = 0;
    while (!broker_session()->account->gate_is_closed)
        peer_send(broker_loop, peer, bytes, sizeof bytes);
    while (broker_session()->account->gate_is_closed) {
        ck_assert_uint_gt(queued(), LOW);
        got += client_receive_data(&client, bytes, sizeof bytes);
    }
    ck_assert_uint_gt(got, 0);
    end();
}
END_TEST

/* A client may send commands without reading answers, but not without end. */
START_TEST(a_client_that_never_reads_its_answers_is_not_read)
{
    enum { HIGH = 64 << 10 };
    unsigned sent = 0, got = 0;
    begin(HIGH, HIGH / 4, "push");
    while (!broker_session()->waits_for_client && sent < 100000)
        client_send(&client, "[0,%u,'session.ping',[0,{'text':'%0500d'}]]", 10 + sent++, 0);
    ck_assert_uint_lt(sent, 100000);
    ck_assert(broker_session()->waits_for_client);
    ck_assert_uint_le(queued(), 4 * HIGH + 512 * 600); /* the limit, and what one turn may start */
    for (; got < sent; got++)
        client_expect(&client, "[1,*,nil,{'text':*");
    ck_assert(!broker_session()->waits_for_client);
    client_ask(&client, "[0,5,'session.ping',[0]]", "[1,5,nil,{}]");
    end();
}
END_TEST

/* Events that are held until they are fetched do not keep the session from being read: the fetching has to get in. */
START_TEST(held_events_do_not_hold_up_the_poll_for_them)
{
    enum { PINGS = 30 };
    begin(4096, 1024, "poll");
    peer_send(broker_loop, peer, bytes, 2000);
    while (broker_session()->held.bytes.length < 2000)
        turn_until_quiet(broker_loop);
    for (unsigned i = 0; i < PINGS; i++)
        client_send(&client, "[0,%u,'session.ping',[0,{'text':'%010000d'}]]", 10 + i, 0);
    ck_assert(broker_session()->waits_for_client);
    for (unsigned i = 0; i < PINGS; i++)
        client_expect(&client, "[1,*,nil,{'text':*");
    client_ask(&client, "[0,3,'session.poll',[0]]", "[1,3,nil,[*['socket.data',[1,x(2000)]]]]");
    end();
}
END_TEST

START_TEST(too_many_held_events_stop_the_sockets)
{
    begin(128 << 10, 32 << 10, "poll");
    size_t sent = fill_from_peer(), got = 0;
    ck_assert(broker_session()->account->gate_is_closed);
    ck_assert_uint_le(queued(), (128 << 10) + 4 * 65536 + 4096);
    while (got < sent) { /* each poll makes room for more */
        client_ask(&client, "[0,3,'session.poll',[0,{'max':1,'wait':5000}]]", "[1,3,nil,[[*]]]");
        const char *bin = strstr(client.text, "x(");
        if (bin)
            got += strtoul(bin + 2, NULL, 10);
        else
            ck_assert_msg(strstr(client.text, "socket.data") == NULL, "%s", client.text);
    }
    ck_assert_uint_eq(got, sent);
    end();
}
END_TEST

/* Writes until the session waits, and the kernel takes nothing more for the peer. */
static size_t write_until_stuck(void)
{
    size_t sent = 0;
    do {
        while (!broker_session()->waits_for_relief) {
            client_send_write(&client, 1, bytes, sizeof bytes);
            sent += sizeof bytes;
            ck_assert_uint_le(sent, 64 << 20);
        }
        turn_for(broker_loop, 20);
    } while (!broker_session()->waits_for_relief);
    return sent;
}

/* Stuck peers use up what may be queued for them: the session is read again when half is out. */
START_TEST(too_much_unflushed_stops_the_session)
{
    begin(1 << 20, 256 << 10, "push");
    size_t sent = write_until_stuck();
    ck_assert_uint_le(broker_session()->account->unflushed, broker_limits.unflushed_high + sizeof bytes);
    ck_assert(!broker_session()->account->gate_is_closed); /* what is read may be what relieves it */
    uint64_t frames = broker_session()->frames_in;
    client_send(&client, "[0,9,'session.ping',[0]]");
    ck_assert_uint_eq(broker_session()->frames_in, frames);
    while (sent) {
        size_t part = sent < sizeof bytes ? sent : sizeof bytes;
        peer_read(broker_loop, peer, bytes, part);
        sent -= part;
    }
    client_expect_soon(&client, "[1,9,nil,{}]");
    ck_assert_uint_eq(broker_session()->account->unflushed, 0);
    end();
}
END_TEST

START_TEST(a_peer_that_stays_stuck_loses_its_socket)
{
    begin(1 << 20, 256 << 10, "push");
    broker_limits.stall_timeout = 100;
    write_until_stuck();
    client_expect_soon(&client, "[2,'socket.error',[1,{'code':'ERR_NB_STALLED'*");
    client_expect(&client, "[2,'socket.close',[1,{'hadError':true,*");
    client_send(&client, "[0,9,'session.ping',[0]]");
    client_expect_soon(&client, "[1,9,nil,{}]");
    end();
}
END_TEST

START_TEST(text_and_bytes_are_told_apart)
{
    begin(1 << 20, 256 << 10, "push");
    peer_send(broker_loop, peer, "a", 1);
    client_expect(&client, "[2,'socket.data',[1,x'61']]");
    client_ask(&client, "[0,3,'socket.setEncoding',[1,{'encoding':'utf8'}]]", "[1,3,nil,{}]");
    peer_send(broker_loop, peer, "b", 1);
    client_expect(&client, "[2,'socket.data',[1,'b']]");
    client_ask(&client, "[0,4,'socket.setEncoding',[1]]", "[1,4,nil,{}]");
    peer_send(broker_loop, peer, "c", 1);
    client_expect(&client, "[2,'socket.data',[1,x'63']]");
    end();
}
END_TEST

/* All that one turn has to say leaves together: frames are counted, and none is cut. */
START_TEST(frames_are_counted)
{
    begin(1 << 20, 256 << 10, "push");
    for (unsigned i = 0; i < 100; i++)
        client_send(&client, "[2,'session.ping',[0]]");
    client_send(&client, "[2,'session.fly',[0]]");
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_UNKNOWN_METHOD'*");
    client_ask(&client, "[0,3,'session.info',[0]]", "[1,3,nil,{*");
    ck_assert_uint_eq(client_number(&client, "framesIn"), 104);
    ck_assert_uint_eq(client_number(&client, "framesOut"),
                      5); /* hello, connect, ready, its answer, the error */
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_client_that_does_not_read_stops_the_sockets,
        the_gate_opens_at_the_low_mark,
        a_client_that_never_reads_its_answers_is_not_read,
        held_events_do_not_hold_up_the_poll_for_them,
        too_many_held_events_stop_the_sockets,
        too_much_unflushed_stops_the_session,
        a_peer_that_stays_stuck_loses_its_socket,
        text_and_bytes_are_told_apart,
        frames_are_counted,
        NULL,
    };
    return run_suite("session output", tests);
}
