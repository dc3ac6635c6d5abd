/* In the steady state no frame costs a heap allocation: shown by counting. */
#include "client.h"
#include "memory.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

enum { MOST = 64 << 10, BURST = 16 };

static struct client client;
static int peer;
static uint8_t sent[MOST * BURST], received[MOST * BURST];

static void begin(void)
{
    uint16_t port;
    broker_start();
    client_open(&client);
    int listener = peer_listen(&port);
    client_send(&client, "[0,1,'net.createConnection',[1,{'host':'127.0.0.1','port':%u,'noDelay':true}]]",
                port);
    peer = peer_accept(broker_loop, listener);
    close(listener);
    client_expect_soon(&client, "[1,1,nil,*");
    srandom(1);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)random();
}

static void end(void)
{
    close(peer);
    client_close(&client);
    broker_end();
}

/* The bytes come back as socket.data, in as many frames as it may take. */
static void expect_back(size_t length)
{
    for (size_t got = 0; got < length;)
        got += client_receive_data(&client, received + got, length - got);
    ck_assert_mem_eq(received, sent, length);
}

/* count writes of that size to the peer, which sends all of it back. */
static void echo(size_t size, unsigned count)
{
    static uint8_t at_peer[MOST * BURST];
    for (unsigned i = 0; i < count; i++)
        client_send_write(&client, 1, sent + i * size, size);
    peer_read(broker_loop, peer, at_peer, size * count);
    peer_send(broker_loop, peer, at_peer, size * count);
    expect_back(size * count);
}

static void measure(size_t size, unsigned burst, unsigned rounds)
{
    for (unsigned i = 0; i < rounds / 10 + 10; i++)
        echo(size, burst);
    uint64_t before = nb_memory_requests();
    for (unsigned i = 0; i < rounds; i++)
        echo(size, burst);
    ck_assert_msg(nb_memory_requests() == before,
                  "%llu requests for memory in %u rounds of %u writes of %zu bytes",
                  (unsigned long long)(nb_memory_requests() - before), rounds, burst, size);
}

START_TEST(one_by_one)
{
    begin();
    measure(1, 1, 3000);
    measure(64, 1, 3000);
    measure(4 << 10, 1, 2000);
    measure(64 << 10, 1, 1000);
    end();
}
END_TEST

START_TEST(in_bursts)
{
    begin();
    measure(1, BURST, 300);
    measure(64, BURST, 300);
    measure(4 << 10, BURST, 200);
    measure(64 << 10, BURST, 60);
    end();
}
END_TEST

/* Requests: with an msgid to be noted and an answer to be sent. */
START_TEST(writes_that_are_answered)
{
    uint64_t before = 0;
    begin();
    for (unsigned i = 0; i < 3000; i++) {
        char byte;
        if (i == 300)
            before = nb_memory_requests();
        client_send(&client, "[0,%u,'socket.write',[1,x'00']]", i);
        client_expect(&client, "[1,*,nil,{'bytesWritten':*}]");
        peer_read(broker_loop, peer, &byte, 1);
    }
    ck_assert_uint_eq(nb_memory_requests(), before);
    end();
}
END_TEST

START_TEST(pings)
{
    uint64_t before = 0;
    begin();
    for (unsigned i = 0; i < 3000; i++) {
        if (i == 300)
            before = nb_memory_requests();
        client_send(&client, "[0,%u,'session.ping',[0,{'text':'0123456789'}]]", i);
        client_expect(&client, "[1,*,nil,{'text':'0123456789'}]");
    }
    ck_assert_uint_eq(nb_memory_requests(), before);
    end();
}
END_TEST

/* Several sockets of one session, each with its own peer. */
START_TEST(many_sockets)
{
    enum { SOCKETS = 20 };
    int peers[SOCKETS];
    uint16_t port;
    uint64_t before = 0;
    begin();
    int listener = peer_listen(&port);
    for (unsigned i = 0; i < SOCKETS; i++) {
        client_send(&client, "[0,2,'net.createConnection',[%u,{'host':'127.0.0.1','port':%u}]]", 2 * i + 3,
                    port);
        peers[i] = peer_accept(broker_loop, listener);
        client_expect_soon(&client, "[1,2,nil,*");
    }
    for (unsigned round = 0; round < 300; round++) {
        if (round == 30)
            before = nb_memory_requests();
        for (unsigned i = 0; i < SOCKETS; i++)
            client_send_write(&client, 2 * i + 3, sent, 300);
        for (unsigned i = 0; i < SOCKETS; i++) {
            uint8_t bytes[300];
            peer_read(broker_loop, peers[i], bytes, sizeof bytes);
            peer_send(broker_loop, peers[i], bytes, sizeof bytes);
        }
        for (size_t got = 0; got < SOCKETS * 300;)
            got += client_receive_data(&client, received, 300);
    }
    ck_assert_uint_eq(nb_memory_requests(), before);
    for (unsigned i = 0; i < SOCKETS; i++)
        close(peers[i]);
    close(listener);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {one_by_one, in_bursts, writes_that_are_answered, pings, many_sockets, NULL};
    return run_suite("allocation", tests);
}
