#include "client.h"
#include "inherited.h"
#include "memory.h"
#include "notation.h"
#include "peer.h"
#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct client client;
static int gift[2]; /* [0] is sent, [1] shows what becomes of it */

static void begin(void)
{
    broker_start();
    client_open_for_fds(&client);
    unix_pair(gift);
}

static void end(void)
{
    client_close(&client);
    broker_end();
    close(gift[0]);
    close(gift[1]);
}

/* Nobody has the other end any more. */
static void expect_closed(int other_end)
{
    close(gift[0]);
    gift[0] = dup(gift[1]);
    peer_expect_end(broker_loop, other_end);
}

static void expect_works(uint64_t id)
{
    char pattern[64];
    peer_send(broker_loop, gift[1], "hello", 5);
    snprintf(pattern, sizeof pattern, "[2,'socket.data',[%u,x'68656c6c6f']]", (unsigned)id);
    client_expect(&client, pattern);
}

/* ---- claiming ---- */

START_TEST(a_descriptor_becomes_a_socket)
{
    begin();
    client_send_fds(&client, gift, 1, "[0,1,'socket.create',[1,{'fd':0}]]");
    client_expect(&client, "[1,1,nil,{'id':1}]");
    expect_works(1);
    client_ask(&client, "[0,2,'session.info',[0]]", "[1,2,nil,{*'fdsReceived':1*");
    client_close(&client);
    expect_closed(gift[1]);
    end();
}
END_TEST

START_TEST(the_broker_chooses_the_id)
{
    begin();
    client_send_fds(&client, gift, 1, "[0,1,'socket.create',[0,{'fd':0}]]");
    client_expect(&client, "[1,1,nil,{'id':2}]");
    expect_works(2);
    end();
}
END_TEST

START_TEST(it_may_come_before_the_frame_that_names_it)
{
    begin();
    client_send_fds(&client, gift, 1, "[0,1,'session.ping',[0]]");
    client_expect(&client, "[1,1,nil,{}]");
    client_ask(&client, "[0,2,'socket.create',[1,{'fd':0}]]", "[1,2,nil,{'id':1}]");
    expect_works(1);
    end();
}
END_TEST

START_TEST(it_does_not_come_behind_the_frame_that_names_it)
{
    begin();
    client_ask(&client, "[0,1,'socket.create',[1,{'fd':0}]]", "[1,1,{'code':'ERR_NB_FD'*'argument':'fd'*");
    client_send_fds(&client, gift, 1, "[0,2,'session.ping',[0]]");
    client_expect(&client, "[1,2,nil,{}]");
    client_ask(&client, "[0,3,'socket.create',[1,{'fd':0}]]", "[1,3,nil,{'id':1}]");
    expect_works(1);
    end();
}
END_TEST

/* What is wrong with one frame shifts no ordinal of the next. */
START_TEST(a_frame_that_is_refused_keeps_the_count)
{
    begin();
    client_send_fds(&client, gift + 1, 1, "[0,1,'socket.crate',[1,{'fd':0}]]");
    client_expect(&client, "[1,1,{'code':'ERR_NB_UNKNOWN_METHOD'*");
    client_send_fds(&client, gift, 1, "[0,2,'socket.create',[1,{'fd':1}]]");
    client_expect(&client, "[1,2,nil,{'id':1}]");
    expect_works(1);
    end();
}
END_TEST

START_TEST(to_claim_one_closes_those_before)
{
    int first[2], second[2];
    begin();
    unix_pair(first);
    unix_pair(second);
    client_send_fds(&client, (const int[]){first[0], second[0], gift[0]}, 3, "[2,'session.ping',[0]]");
    close(first[0]);
    close(second[0]);
    client_ask(&client, "[0,1,'socket.create',[1,{'fd':2}]]", "[1,1,nil,{'id':1}]");
    peer_expect_end(broker_loop, first[1]);
    peer_expect_end(broker_loop, second[1]);
    expect_works(1);
    client_ask(&client, "[0,2,'socket.create',[3,{'fd':1}]]", "[1,2,{'code':'ERR_NB_FD'*");
    client_ask(&client, "[0,3,'socket.create',[3,{'fd':2}]]", "[1,3,{'code':'ERR_NB_FD'*");
    close(first[1]);
    close(second[1]);
    end();
}
END_TEST

/* It is used up, whatever becomes of the command. */
START_TEST(one_that_is_named_in_vain_is_closed)
{
    begin();
    client_ask(&client, "[0,1,'socket.create',[1]]", "[1,1,nil,{'id':1}]");
    client_send_fds(&client, gift, 1, "[0,2,'server.listen',[1,{'fd':0}]]");
    client_expect(&client, "[1,2,{'code':'ERR_NB_WRONG_TARGET'*");
    expect_closed(gift[1]);
    client_ask(&client, "[0,3,'socket.create',[3,{'fd':0}]]", "[1,3,{'code':'ERR_NB_FD'*");
    end();
}
END_TEST

START_TEST(one_that_nobody_names_goes_with_the_session)
{
    begin();
    client_send_fds(&client, gift, 1, "[0,1,'session.ping',[0]]");
    client_expect(&client, "[1,1,nil,{}]");
    client_ask(&client, "[0,2,'session.close',[0]]", "[1,2,nil,{}]");
    expect_closed(gift[1]);
    end();
}
END_TEST

START_TEST(one_for_a_command_that_the_end_overtakes)
{
    begin();
    client_send(&client, "[2,'session.close',[0]]");
    client_send_fds(&client, gift, 1, "[2,'socket.create',[1,{'fd':0}]]");
    expect_closed(gift[1]);
    client_expect(&client, "end");
    end();
}
END_TEST

START_TEST(a_notification_claims_too)
{
    begin();
    client_send_fds(&client, gift, 1, "[2,'socket.create',[1,{'fd':0}]]");
    expect_works(1);
    client_send_fds(&client, gift + 1, 1, "[2,'server.listen',[99,{'fd':1}]]"); /* nobody's: dropped */
    client_ask(&client, "[0,1,'session.info',[0]]", "[1,1,nil,{*'fdsReceived':2*");
    end();
}
END_TEST

/* ---- sessions that did not agree on it ---- */

START_TEST(without_the_feature_they_are_dropped)
{
    broker_start();
    client_open(&client);
    unix_pair(gift);
    turn_until_quiet(broker_loop);
    int open_before = count_descriptors();
    client_send_fds(&client, gift, 1, "[0,1,'session.ping',[0]]");
    client_expect(&client, "[1,1,nil,{}]");
    ck_assert_int_eq(count_descriptors(), open_before);
    client_ask(&client, "[0,2,'socket.create',[1,{'fd':0}]]",
               "[1,2,{'code':'ERR_NB_NOT_NEGOTIATED'*'argument':'fd'*");
    client_ask(&client, "[0,3,'session.info',[0]]", "[1,3,nil,{*'fdsReceived':0*");
    expect_closed(gift[1]);
    end();
}
END_TEST

START_TEST(what_is_not_known_is_not_granted)
{
    broker_start();
    client_open(&client);
    unix_pair(gift);
    client_ask(&client, "[0,1,'session.hello',[0,{'features':['shm','fds','fdss']}]]",
               "[1,1,nil,{*'features':['fds'],*'maxFdsPerFrame':16,*'maxFdsUnclaimed':64*");
    end();
}
END_TEST

/* ---- too many ---- */

static int pool[300];

static void fill_pool(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pool[i] = gift[0];
}

START_TEST(more_than_fit_to_a_frame)
{
    begin();
    fill_pool(17);
    client_send_fds(&client, pool, 16, "[0,1,'session.ping',[0]]");
    client_expect(&client, "[1,1,nil,{}]");
    client_send_fds(&client, pool, 17, "[0,2,'session.ping',[0]]");
    client_expect(&client,
                  "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'limit':'maxFdsPerFrame'*'fatal':true}]]");
    client_expect(&client, "end");
    expect_closed(gift[1]);
    end();
}
END_TEST

START_TEST(as_many_as_a_message_can_have)
{
    begin();
    fill_pool(254);
    ck_assert_int_eq(send_with_fds(client.fd, "\x93", 1, pool, 254), -EINVAL);
    client_ask(&client, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]"); /* nothing of it came */
    client_send_fds(&client, pool, 253, "[0,2,'session.ping',[0]]");
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'limit':'maxFdsPerFrame'*");
    expect_closed(gift[1]);
    end();
}
END_TEST

START_TEST(more_than_may_wait)
{
    begin();
    fill_pool(16);
    for (unsigned i = 0; i < 4; i++) {
        client_send_fds(&client, pool, 16, "[0,1,'session.ping',[0]]");
        client_expect(&client, "[1,1,nil,{}]");
    }
    client_send_fds(&client, pool, 1, "[0,2,'session.ping',[0]]");
    client_expect(
        &client, "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'limit':'maxFdsUnclaimed'*'fatal':true}]]");
    client_expect(&client, "end");
    expect_closed(gift[1]);
    end();
}
END_TEST

START_TEST(more_than_the_process_can_open)
{
    struct rlimit before, limit;
    begin();
    fill_pool(8);
    client_ask(&client, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    int next = dup(gift[0]);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)next + 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    client_send_fds(&client, pool, 8, "[0,2,'session.ping',[0]]");
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_FD_TRUNCATED'*'fatal':true}]]");
    client_expect(&client, "end");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_closed(gift[1]);
    end();
}
END_TEST

/* A client that does not read its answers is not read either: what it has sent waits in the kernel. */
START_TEST(a_client_that_reads_no_answers)
{
    static char text[60000];
    memset(text, 'a', sizeof text - 1);
    broker_limits.out_high = 65536;
    broker_limits.out_low = 4096;
    begin();
    for (unsigned i = 0; i < 12; i++)
        client_send(&client, "[0,%u,'session.ping',[0,{'text':'%.*s'}]]", i, 16000, text);
    for (unsigned i = 0; i < 40; i++)
        client_send(&client, "[0,%u,'session.ping',[0,{'text':'%.*s'}]]", 100 + i, 16000, text);
    unsigned given = 0;
    while (send_with_fds(client.fd,
                         "\x93\x02\xac"
                         "session.ping"
                         "\x91\x00",
                         17, gift, 1) == 17 &&
           given < 200) {
        turn_until_quiet(broker_loop);
        given++;
    }
    ck_assert_ptr_nonnull(broker_session()->unclaimed);
    ck_assert_uint_le(broker_session()->unclaimed->count, 64);
    client_close(&client);
    expect_closed(gift[1]);
    end();
}
END_TEST

/* ---- what is refused ---- */

START_TEST(only_one_of_them)
{
    begin();
    client_ask(&client, "[0,1,'server.create',[1]]", "[1,1,nil,*");
    client_ask(&client, "[0,2,'server.listen',[1,{'fd':0,'fdName':'a'}]]",
               "[1,2,{'code':'ERR_INVALID_ARG_VALUE'*");
    client_ask(&client, "[0,3,'server.listen',[1,{'fd':0,'handle':{'server':1}}]]",
               "[1,3,{'code':'ERR_INVALID_ARG_VALUE'*");
    client_ask(&client, "[0,4,'net.createConnection',[3,{'fd':0,'port':1}]]",
               "[1,4,{'code':'ERR_INVALID_ARG_VALUE'*socket.create*'argument':'fd'*");
    client_ask(&client, "[0,5,'net.createConnection',[3,{'fdName':'a','port':1}]]",
               "[1,5,{'code':'ERR_INVALID_ARG_VALUE'*'argument':'fdName'*");
    end();
}
END_TEST

START_TEST(an_ordinal_is_a_number)
{
    begin();
    client_ask(&client, "[0,1,'socket.create',[1,{'fd':-1}]]",
               "[1,1,{'code':'ERR_OUT_OF_RANGE','message':'The value of \"fd\" is out of "
               "range.*'name':'RangeError'*");
    client_ask(&client, "[0,2,'socket.create',[1,{'fd':'a'}]]",
               "[1,2,{'code':'ERR_INVALID_ARG_TYPE','message':'The \"fd\" argument must be of type number.*");
    client_ask(&client, "[0,3,'socket.create',[1,{'fd':1.5}]]", "[1,3,{'code':'ERR_OUT_OF_RANGE'*");
    end();
}
END_TEST

START_TEST(a_handle_is_of_this_session)
{
    begin();
    client_ask(&client, "[0,1,'server.create',[1]]", "[1,1,nil,*");
    client_ask(&client, "[0,2,'socket.create',[3]]", "[1,2,nil,*");
    client_ask(&client, "[0,3,'server.listen',[1,{'handle':{}}]]",
               "[1,3,{'code':'ERR_INVALID_ARG_VALUE'*'argument':'handle'*");
    client_ask(&client, "[0,4,'server.listen',[1,{'handle':{'server':1,'socket':3}}]]",
               "[1,4,{'code':'ERR_INVALID_ARG_VALUE'*");
    client_ask(&client, "[0,5,'server.listen',[1,{'handle':{'server':5}}]]",
               "[1,5,{'code':'ERR_NB_NO_SUCH_TARGET'*'argument':'handle.server'*");
    client_ask(&client, "[0,6,'server.listen',[1,{'handle':{'server':3}}]]",
               "[1,6,{'code':'ERR_NB_WRONG_TARGET'*'argument':'handle.server'*");
    client_ask(&client, "[0,7,'server.listen',[1,{'handle':{'socket':1}}]]",
               "[1,7,{'code':'ERR_NB_WRONG_TARGET'*'argument':'handle.socket'*");
    client_ask(&client, "[0,8,'server.listen',[1,{'handle':{'socket':3}}]]",
               "[1,8,{'code':'ERR_INVALID_ARG_VALUE'*");
    end();
}
END_TEST

/* ---- inherited ones ---- */

START_TEST(an_inherited_one_by_its_name)
{
    begin();
    ck_assert(nb_inherited_add(nb_slice_of("web"), dup(gift[0])));
    client_ask(&client, "[0,1,'socket.create',[1,{'fdName':'web'}]]", "[1,1,nil,{'id':1}]");
    expect_works(1);
    client_ask(&client, "[0,2,'socket.create',[3,{'fdName':'web'}]]",
               "[1,2,{'code':'EEXIST','message':'open EEXIST'*'argument':'fdName'*");
    client_ask(&client, "[0,3,'socket.create',[3,{'fdName':'db'}]]",
               "[1,3,{'code':'ERR_NB_FD'*'db'*'argument':'fdName'*");
    nb_inherited_close();
    end();
}
END_TEST

START_TEST(an_inherited_one_needs_a_right)
{
    struct nb_rights rights = {0};
    broker_start();
    unix_pair(gift);
    ck_assert(nb_rights_parse("fd=web", &rights));
    ck_assert(nb_inherited_add(nb_slice_of("db"), dup(gift[1])));
    ck_assert(nb_inherited_add(nb_slice_of("web"), dup(gift[0])));
    client_open_as(&client, rights);
    client_ask(&client, "[0,1,'socket.create',[1,{'fdName':'db'}]]", "[1,1,{'code':'ERR_NB_POLICY'*");
    client_ask(&client, "[0,2,'socket.create',[1,{'fdName':'none'}]]", "[1,2,{'code':'ERR_NB_POLICY'*");
    client_ask(&client, "[0,3,'socket.create',[1,{'fdName':'web'}]]", "[1,3,nil,{'id':1}]");
    nb_inherited_close();
    end();
}
END_TEST

/* ---- splits ---- */

/* The frame in two pieces, the descriptor with either: it is there when the frame is whole. */
START_TEST(at_any_byte)
{
    struct nb_slice frame = notation("[0,7,'socket.create',[1,{'fd':0}]]");
    for (size_t split = 0; split < frame.length; split++) {
        for (unsigned piece = 0; piece < 2; piece++) {
            begin();
            if (split)
                ck_assert_int_eq(send_with_fds(client.fd, frame.data, split, gift, piece == 0), split);
            turn_until_quiet(broker_loop);
            unsigned count = !split || piece == 1;
            ck_assert_int_eq(send_with_fds(client.fd, frame.data + split, frame.length - split, gift, count),
                             frame.length - split);
            client_expect(&client, "[1,7,nil,{'id':1}]");
            expect_works(1);
            end();
        }
    }
    free((void *)frame.data);
}
END_TEST

/* The connection ends behind any byte: what came with it is closed. */
START_TEST(an_end_at_any_byte)
{
    struct nb_slice frame = notation("[0,7,'socket.create',[1,{'fd':0}]]");
    for (size_t length = 1; length <= frame.length; length++) {
        begin();
        ck_assert_int_eq(send_with_fds(client.fd, frame.data, length, gift, 1), length);
        if (length % 2)
            turn_until_quiet(broker_loop);
        client_close(&client);
        expect_closed(gift[1]);
        end();
    }
    free((void *)frame.data);
}
END_TEST

/*
 * Descriptors at random, in pieces of any size with any number of frames under
 * way: each command gets the very one that it names, or hears that it is not
 * there; what is left over is closed.
 */
enum { GIFTS = 48, ROUNDS = 60 };

static int near[GIFTS], far[GIFTS]; /* near[i] is sent as the i-th */
static bool is_taken[GIFTS];

static void send_slowly(struct nb_slice frame, const int *fds, unsigned count)
{
    for (size_t at = 0; at < frame.length;) {
        size_t length = 1 + (size_t)random() % (frame.length - at);
        ck_assert_int_eq(send_with_fds(client.fd, frame.data + at, length, fds, at ? 0 : count), length);
        if (random() % 2)
            turn_until_quiet(broker_loop);
        at += length;
    }
    free((void *)frame.data);
}

/* The answer that is due for the claim of an ordinal, and what it changes. */
static bool may_claim(unsigned ordinal, unsigned sent, unsigned *first)
{
    if (ordinal < *first || ordinal >= sent)
        return false;
    *first = ordinal + 1;
    return is_taken[ordinal] = true;
}

static void expect_the_right_one(unsigned ordinal, unsigned id)
{
    uint8_t bytes[2] = {(uint8_t)ordinal, (uint8_t)id}, got[2];
    client_send_write(&client, id, bytes, sizeof bytes);
    peer_read(broker_loop, far[ordinal], got, sizeof got);
    ck_assert_mem_eq(got, bytes, sizeof bytes);
}

static void play_round(void)
{
    unsigned sent = 0, first = 0, id = 1;
    memset(is_taken, 0, sizeof is_taken);
    while (sent < GIFTS) {
        char frame[64];
        unsigned count = (unsigned)random() % 4, ordinal = first + (unsigned)random() % 6;
        if (count > GIFTS - sent)
            count = GIFTS - sent;
        snprintf(frame, sizeof frame, "[0,7,'socket.create',[%u,{'fd':%u}]]", id, ordinal);
        send_slowly(notation(frame), near + sent, count);
        sent += count;
        bool is_due = may_claim(ordinal, sent, &first);
        client_expect(&client, is_due ? "[1,7,nil,{'id':*" : "[1,7,{'code':'ERR_NB_FD'*");
        if (is_due)
            expect_the_right_one(ordinal, id);
        id += 2;
    }
}

START_TEST(at_random)
{
    srandom(4);
    for (unsigned round = 0; round < ROUNDS; round++) {
        begin();
        int ends[2];
        for (unsigned i = 0; i < GIFTS; i++) {
            unix_pair(ends);
            near[i] = ends[0];
            far[i] = ends[1];
        }
        play_round();
        for (unsigned i = 0; i < GIFTS; i++)
            close(near[i]);
        for (unsigned i = 0; i < GIFTS; i++)
            if (!is_taken[i] && i < broker_session()->unclaimed->first)
                peer_expect_end(broker_loop, far[i]);
        client_close(&client);
        for (unsigned i = 0; i < GIFTS; i++) {
            peer_expect_end(broker_loop, far[i]);
            close(far[i]);
        }
        end();
    }
}
END_TEST

/* ---- memory ---- */

START_TEST(without_memory_it_is_not_granted)
{
    broker_start();
    client_open(&client);
    unix_pair(gift);
    client_ask(&client, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    end();
    broker_start();
    client_open(&client);
    unix_pair(gift);
    turn_until_quiet(broker_loop);
    client_send(&client, "[0,1,'session.hello',[0,{'features':['fds']}]]");
    for (uint64_t failing = 1; failing < 8; failing++) {
        nb_memory_fail_after(failing);
        turn_until_quiet(broker_loop);
        nb_memory_fail_after(0);
        client_receive(&client);
        client_close(&client);
        client_open(&client);
        turn_until_quiet(broker_loop);
        client_send(&client, "[0,1,'session.hello',[0,{'features':['fds']}]]");
    }
    end();
}
END_TEST

int main(void)
{
    return run_suite("session_descriptors", (const TTest *[]){a_descriptor_becomes_a_socket,
                                                              the_broker_chooses_the_id,
                                                              it_may_come_before_the_frame_that_names_it,
                                                              it_does_not_come_behind_the_frame_that_names_it,
                                                              a_frame_that_is_refused_keeps_the_count,
                                                              to_claim_one_closes_those_before,
                                                              one_that_is_named_in_vain_is_closed,
                                                              one_that_nobody_names_goes_with_the_session,
                                                              one_for_a_command_that_the_end_overtakes,
                                                              a_notification_claims_too,
                                                              without_the_feature_they_are_dropped,
                                                              what_is_not_known_is_not_granted,
                                                              more_than_fit_to_a_frame,
                                                              as_many_as_a_message_can_have,
                                                              more_than_may_wait,
                                                              more_than_the_process_can_open,
                                                              a_client_that_reads_no_answers,
                                                              only_one_of_them,
                                                              an_ordinal_is_a_number,
                                                              a_handle_is_of_this_session,
                                                              an_inherited_one_by_its_name,
                                                              an_inherited_one_needs_a_right,
                                                              at_any_byte,
                                                              an_end_at_any_byte,
                                                              at_random,
                                                              without_memory_it_is_not_granted,
                                                              NULL});
}
