#include "client.h"
#include "memory.h"
#include "notation.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct client one, two;

/* ---- frames and answers ---- */

START_TEST(a_session_needs_no_hello)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.ping',[0,{'n':7}]]", "[1,1,nil,{'n':7}]");
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(hello_tells_who_is_there)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.hello',[0,{'protocol':9,'minProtocol':1,'client':{'name':'t'}}]]",
               "[1,1,nil,{'protocol':1,'broker':{'name':'netbroker',*'limits':{*'session':'s*");
    ck_assert_uint_eq(client_number(&one, "uid"), getuid());
    ck_assert_uint_eq(client_number(&one, "pid"), (uint64_t)getpid());
    ck_assert_uint_eq(client_number(&one, "maxSockets"), broker_limits.max_sockets);
    client_ask(&one, "[0,2,'session.hello',[0]]", "[1,2,{'code':'ERR_INVALID_ARG_VALUE'*");
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(a_hello_that_cannot_be_met_is_answered_and_the_session_goes_on)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.hello',[0,{'protocol':7,'minProtocol':2}]]",
               "[1,1,{'code':'ERR_NB_VERSION'*'supported':[1,1]*");
    client_ask(&one, "[0,2,'session.ping',[0]]", "[1,2,nil,{}]");
    client_open(&two);
    client_ask(&two, "[0,1,'session.hello',[0,{'events':'now and then'}]]",
               "[1,1,{'code':'ERR_INVALID_ARG_VALUE'*now and then*");
    client_ask(&two, "[0,2,'session.hello',[0]]", "[1,2,{'code':'ERR_INVALID_ARG_VALUE'*");
    client_close(&one);
    client_close(&two);
    broker_end();
}
END_TEST

START_TEST(features_are_granted_to_who_asks)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.hello',[0,{'features':['fly','flow','flow']}]]",
               "[1,1,nil,{*'features':['flow']*");
    client_ask(&one, "[0,2,'socket.credit',[1,5]]", "[1,2,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    client_open(&two);
    client_ask(&two, "[0,1,'socket.credit',[1,5]]", "[1,1,{'code':'ERR_NB_NOT_NEGOTIATED'*");
    client_send(&two, "[2,'socket.credit',[1,5]]");
    ck_assert(text_matches(client_receive(&two), "[2,'session.error',[0,{'code':'ERR_NB_NOT_NEGOTIATED'*"
                                                 "'method':'socket.credit','target':1*"));
    client_close(&one);
    client_close(&two);
    broker_end();
}
END_TEST

START_TEST(a_wrong_word_of_any_length_is_shown)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.hello',[0,{'events':'abcdefghijklmnopqrstuvwxyz012345'}]]",
               "[1,1,{'code':'ERR_INVALID_ARG_VALUE'*abcdefghij*");
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(frames_may_come_byte_by_byte)
{
    static const uint8_t ping[] = "\x94\x00\x05\xacsession.ping\x91\x00";
    broker_start();
    client_open(&one);
    for (size_t i = 0; i + 1 < sizeof ping; i++) {
        ck_assert(client_hears_nothing(&one));
        client_send_bytes(&one, ping + i, 1);
    }
    client_expect(&one, "[1,5,nil,{}]");
    client_close(&one);
    broker_end();
}
END_TEST

/* More than a turn starts; the answers come in order all the same. */
START_TEST(thousands_of_frames_in_one_go)
{
    enum { COUNT = 5000 };
    broker_start();
    client_open(&one);
    for (unsigned i = 0; i < COUNT; i++)
        client_send(&one, "[0,%u,'session.ping',[0,{'i':%u}]]", i, i);
    for (unsigned i = 0; i < COUNT; i++) {
        client_receive(&one);
        ck_assert_uint_eq(client_number(&one, "i"), i);
    }
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(answers_go_out_although_the_client_has_ended_its_side)
{
    broker_start();
    client_open(&one);
    for (unsigned i = 0; i < 2000; i++)
        client_send(&one, "[0,%u,'session.ping',[0,{'i':%u}]]", i, i);
    shutdown(one.fd, SHUT_WR);
    for (unsigned i = 0; i < 2000; i++)
        client_expect(&one, "[1,*,nil,{'i':*}]");
    client_expect(&one, "end");
    client_close(&one);
    broker_end();
}
END_TEST

/* ---- what breaks a session ---- */

static void expect_broken(const char *frame, const char *complaint)
{
    client_open(&one);
    client_send(&one, "%s", frame);
    client_send(&one, "[0,9,'session.ping',[0]]");
    client_expect(&one, complaint);
    ck_assert(strstr(one.text, "'fatal':true") != NULL);
    client_expect(&one, "end");
    client_close(&one);
}

START_TEST(malformed_frames_are_fatal)
{
    broker_limits.max_text = 256;
    broker_limits.max_elements = 64;
    broker_start();
    expect_broken("[]", "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*");
    expect_broken("7", "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*");
    expect_broken("<c1>", "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*");
    expect_broken("[0,1,'session.ping',[]]", "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*");
    expect_broken("<94 00 01 ac 73657373696f6e2e70696e67 92 00 91919191919191919191919191919191919100>",
                  "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'limit':'maxDepth'*");
    expect_broken("<94 00 01 ac 73657373696f6e2e70696e67 92 00 81 a161 dd00000041>",
                  "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'limit':'maxElements'*");
    expect_broken("<94 00 01 ac 73657373696f6e2e70696e67 92 00 81 a161 da0101>",
                  "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'limit':'maxText'*");
    expect_broken("<94 00 01 ac 73657373696f6e2e70696e67 92 00 c6ffffffff>",
                  "[2,'session.error',[0,{'code':'ERR_NB_*");
    broker_end();
}
END_TEST

START_TEST(a_msgid_that_is_still_open_is_fatal)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.hello',[0,{'events':'poll'}]]", "[1,1,nil,*");
    client_send(&one, "[0,2,'session.poll',[0,{'wait':60000}]]");
    ck_assert(client_hears_nothing(&one));
    client_send(&one, "[0,2,'session.ping',[0]]");
    client_expect(&one, "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'msgid':2*'fatal':true*");
    client_expect(&one, "end");
    client_close(&one);
    broker_end();
}
END_TEST

/* Whatever is wrong with the frame: two answers to one msgid must never be. */
START_TEST(a_refused_frame_is_a_second_use_of_its_msgid_too)
{
    static const char *const frames[] = {"[0,2,'no.such',[0]]",       "[0,2,'socket.write',[7,{}]]",
                                         "[0,2,'session.hello',[0]]", "[0,2,'socket.credit',[1,5]]",
                                         "[0,2,'session.ping',[1]]",  "[0,2,'socket.create',[2]]",
                                         "[0,2,'socket.info',[5]]"};
    broker_limits.max_pending = 1;
    broker_start();
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        client_open(&one);
        client_ask(&one, "[0,1,'session.hello',[0,{'events':'poll'}]]", "[1,1,nil,*");
        client_send(&one, "[0,2,'session.poll',[0,{'wait':60000}]]");
        client_ask(&one, "[0,3,'session.ping',[0]]", "[1,3,{'code':'ERR_NB_LIMIT'*");
        client_send(&one, "%s", frames[i]);
        client_expect(&one, "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'msgid':2*'fatal':true*");
        client_expect(&one, "end");
        client_close(&one);
    }
    broker_end();
}
END_TEST

static void send_in_one_go(const char *const *frames, size_t count)
{
    uint8_t bytes[1024];
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        struct nb_slice frame = notation(frames[i]);
        ck_assert_uint_le(length + frame.length, sizeof bytes);
        memcpy(bytes + length, frame.data, frame.length);
        length += frame.length;
        free((void *)frame.data);
    }
    client_send_bytes(&one, bytes, length);
}

/* It has made nothing, so the number is free for the next in the same burst. */
START_TEST(a_refused_creation_leaves_its_number_to_the_next)
{
    static const char *const pairs[][2] = {
        {"[0,1,'socket.create',[1,{'encoding':'nope'}]]", "[0,2,'socket.create',[1]]"},
        {"[0,1,'server.create',[1,{'readChunk':0}]]", "[0,2,'blockList.create',[1]]"},
        {"[0,1,'net.createConnection',[1,{'port':1,'family':5}]]", "[0,2,'server.create',[1]]"},
        {"[2,'net.createConnection',[1,{'port':1,'hints':9999}]]", "[0,2,'socket.create',[1]]"}};
    broker_start();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        client_open(&one);
        send_in_one_go(pairs[i], 2);
        client_expect(&one, i < 3 ? "[1,1,{'code':*" : "[2,'session.error',[0,{'code':*");
        client_expect(&one, "[1,2,nil,{'id':1}]");
        ck_assert(client_hears_nothing(&one));
        ck_assert_uint_eq(broker_session()->frames_in, 2);
        client_close(&one);
    }
    broker_end();
}
END_TEST

START_TEST(a_live_id_in_the_same_burst_is_fatal)
{
    static const char *const frames[] = {"[0,1,'socket.create',[1]]", "[0,2,'server.create',[1]]",
                                         "[0,3,'server.listen',[1]]"};
    broker_start();
    client_open(&one);
    send_in_one_go(frames, 3);
    client_expect(&one, "[1,1,nil,{'id':1}]");
    client_expect(&one, "[2,'session.error',[0,{'code':'ERR_NB_ID_IN_USE'*'target':1*'fatal':true*");
    client_expect(&one, "end");
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(a_live_id_in_a_creation_is_fatal)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'socket.create',[1]]", "[1,1,nil,{'id':1}]");
    client_send(&one, "[0,2,'socket.create',[1]]");
    client_expect(&one, "[2,'session.error',[0,{'code':'ERR_NB_ID_IN_USE'*'target':1*'fatal':true*");
    client_expect(&one, "end");
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(one_session_does_not_disturb_another)
{
    broker_start();
    client_open(&one);
    client_open(&two);
    client_ask(&two, "[0,1,'socket.create',[1]]", "[1,1,nil,{'id':1}]");
    client_ask(&one, "[0,1,'socket.info',[1]]", "[1,1,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    client_send_bytes(&one, "\xc1", 1);
    client_expect(&one, "[2,'session.error'*");
    client_expect(&one, "end");
    client_ask(&two, "[0,2,'socket.info',[1]]", "[1,2,nil,{'readyState':'open'*");
    client_close(&one);
    client_close(&two);
    broker_end();
}
END_TEST

/* ---- the end ---- */

START_TEST(close_answers_first)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'server.create',[1]]", "[1,1,nil,{'id':1}]");
    client_ask(&one, "[0,2,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]", "[2,'server.listening'*");
    client_expect(&one, "[1,2,nil,*");
    client_ask(&one, "[0,3,'session.close',[0,{'ifIdle':true}]]", "[1,3,{'code':'ERR_NB_BUSY'*");
    client_ask(&one, "[0,4,'session.close',[0]]", "[1,4,nil,{}]");
    client_expect(&one, "end");
    client_close(&one);
    broker_end();
}
END_TEST

/* However many turns it takes to stop them. */
START_TEST(close_answers_first_for_many_actors)
{
    enum { SERVERS = 70 };
    int peers[SERVERS];
    broker_start();
    client_open(&one);
    for (unsigned i = 0; i < SERVERS; i++) {
        client_send(&one, "[0,1,'server.create',[%u]]", 2 * i + 1);
        client_send(&one, "[0,2,'server.listen',[%u,{'port':0,'host':'127.0.0.1'}]]", 2 * i + 1);
        client_expect_soon(&one, "[1,2,nil,*");
        peers[i] = peer_connect((uint16_t)client_number(&one, "port"));
        client_expect(&one, "[2,'server.connection'*");
        client_send(&one, "[0,%u,'server.close',[%u]]", 1000 + i, 2 * i + 1);
    }
    ck_assert(client_hears_nothing(&one));
    client_send(&one, "[0,3,'session.close',[0]]");
    for (unsigned i = 0; i < SERVERS; i++)
        client_expect(&one, "[1,1*");
    client_expect(&one, "[1,3,nil,{}]");
    client_expect(&one, "end");
    for (unsigned i = 0; i < SERVERS; i++)
        close(peers[i]);
    client_close(&one);
    broker_end();
}
END_TEST

/* Others get their turn meanwhile, and nothing stays. */
static void end_with_many_sockets(const char *last_frame)
{
    enum { SOCKETS = 1500, MOST_A_TURN = 150 };
    broker_start();
    client_open(&one);
    client_open(&two);
    for (unsigned i = 0; i < SOCKETS; i++)
        client_send(&one, "[2,'socket.create',[%u]]", 2 * i + 1);
    client_ask(&one, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    if (*last_frame)
        client_send(&one, "%s", last_frame);
    else
        client_close(&one);
    unsigned turns = 0, actors = broker_loop->actor_count;
    for (; broker_loop->actor_count > SOCKETS / 2; turns++) {
        uv_run(&broker_loop->uv, UV_RUN_NOWAIT);
        ck_assert_uint_le(actors - broker_loop->actor_count, MOST_A_TURN);
        actors = broker_loop->actor_count;
    }
    ck_assert_uint_gt(turns, 4);
    client_ask(&two, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    if (*last_frame)
        client_close(&one);
    client_close(&two);
    broker_end();
}

START_TEST(a_large_session_ends_in_slices)
{
    end_with_many_sockets("");
    end_with_many_sockets("[0,2,'session.close',[0]]");
    end_with_many_sockets("[7]");
}
END_TEST

/* The client goes while session.close is under way, and what it made behind that goes too. */
START_TEST(a_session_may_end_while_it_closes)
{
    broker_start();
    client_open(&one);
    for (unsigned i = 0; i < 600; i++)
        client_send(&one, "[2,'socket.create',[%u]]", 2 * i + 1);
    client_send(&one, "[0,1,'session.close',[0]]");
    client_send(&one, "[2,'socket.create',[3]]");
    client_send(&one, "[0,2,'session.close',[0]]");
    client_close(&one);
    broker_end();
}
END_TEST

/* The last frames wait for a client that reads late, and its own late frames do no harm. */
START_TEST(last_frames_reach_a_client_that_still_writes)
{
    static const char bytes[100000];
    broker_start();
    client_open(&one);
    for (unsigned i = 0; i < 300; i++)
        client_send(&one, "[0,%u,'session.ping',[0,{'i':%u}]]", i, i);
    client_send(&one, "[0,999,'session.close',[0]]");
    client_send_write(&one, 1, bytes, sizeof bytes);
    turn_until_quiet(broker_loop);
    for (unsigned i = 0; i < 300; i++)
        client_expect(&one, "[1,*");
    client_expect(&one, "[1,999,nil,{}]");
    client_expect(&one, "end");
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(a_client_that_never_reads_cannot_hold_the_end_up)
{
    broker_start();
    client_open(&one);
    for (unsigned i = 0; i < 20000 && poll(&(struct pollfd){one.fd, POLLOUT, 0}, 1, 0) > 0; i++) {
        client_send(&one, "[0,%u,'session.describe',[0]]", i);
        turn_until_quiet(broker_loop);
    }
    broker_end(); /* within its patience */
    client_close(&one);
}
END_TEST

START_TEST(a_client_that_is_gone_leaves_nothing)
{
    broker_start();
    client_open(&one);
    client_send(&one, "[0,1,'server.create',[1]]");
    client_send(&one, "[0,2,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]");
    client_expect_soon(&one, "[1,2,nil,*");
    client_send(&one, "[0,3,'net.createConnection',[3,{'port':%u,'host':'127.0.0.1'}]]",
                (unsigned)client_number(&one, "port"));
    client_send(&one, "[0,4,'net.createConnection',[5,{'port':1,'host':'localhost'}]]");
    client_send(&one, "[0,5,'socket.create',[7]]");
    client_expect_soon(&one, "[1,3,nil,*");
    client_send_bytes(&one, "\x94\x00", 2);
    client_close(&one);
    broker_end();
}
END_TEST

START_TEST(the_brokers_end_is_announced)
{
    broker_start();
    client_open(&one);
    client_ask(&one, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    broker_announce_closing("shutdown", 500);
    client_expect(&one, "[2,'session.closing',[0,{'reason':'shutdown','deadline':500}]]");
    client_ask(&one, "[0,2,'session.ping',[0]]", "[1,2,nil,{}]");
    client_close(&one);
    broker_wait_for_its_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_session_needs_no_hello,
        hello_tells_who_is_there,
        features_are_granted_to_who_asks,
        a_hello_that_cannot_be_met_is_answered_and_the_session_goes_on,
        a_wrong_word_of_any_length_is_shown,
        frames_may_come_byte_by_byte,
        thousands_of_frames_in_one_go,
        answers_go_out_although_the_client_has_ended_its_side,
        malformed_frames_are_fatal,
        a_msgid_that_is_still_open_is_fatal,
        a_refused_frame_is_a_second_use_of_its_msgid_too,
        a_refused_creation_leaves_its_number_to_the_next,
        a_live_id_in_the_same_burst_is_fatal,
        a_live_id_in_a_creation_is_fatal,
        one_session_does_not_disturb_another,
        close_answers_first,
        close_answers_first_for_many_actors,
        a_large_session_ends_in_slices,
        a_session_may_end_while_it_closes,
        last_frames_reach_a_client_that_still_writes,
        a_client_that_never_reads_cannot_hold_the_end_up,
        a_client_that_is_gone_leaves_nothing,
        the_brokers_end_is_announced,
        NULL,
    };
    return run_suite("session", tests);
}
