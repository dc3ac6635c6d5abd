#include "client.h"
#include "notation.h"
#include "suite.h"
#include "turns.h"

#include <stdlib.h>
#include <uv.h>

static struct client client;

static void begin(void)
{
    broker_start();
    client_open(&client);
    client_ask(&client, "[0,1,'session.hello',[0,{'events':'poll'}]]", "[1,1,nil,*");
}

static void end(void)
{
    client_close(&client);
    broker_end();
}

/* A server whose listening, close and idle are three events. */
static void cause_events(void)
{
    client_ask(&client, "[0,100,'server.create',[1]]", "[1,100,nil,*");
    client_ask(&client, "[0,101,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]", "[1,101,nil,*");
    client_ask(&client, "[0,102,'server.close',[1]]", "[1,102,nil,*");
    client_ask(&client, "[0,103,'server.release',[1]]", "[1,103,nil,*");
}

START_TEST(events_are_held_until_they_are_fetched)
{
    begin();
    cause_events();
    client_ask(&client, "[0,2,'session.poll',[0]]",
               "[1,2,nil,[['server.listening',[1,{*}]],['server.close',[1,{}]],['session.idle',[0,{}]]]]");
    client_ask(&client, "[0,3,'session.poll',[0]]", "[1,3,nil,[]]");
    ck_assert(client_hears_nothing(&client));
    end();
}
END_TEST

/* What is wrong behind hello in one burst is an event like others. */
START_TEST(nothing_comes_unasked_behind_hello)
{
    struct nb_slice hello = notation("[0,1,'session.hello',[0,{'events':'poll'}]]");
    struct nb_slice bad = notation("[2,'no.such',[0]]");
    uint8_t bytes[256];
    memcpy(bytes, hello.data, hello.length);
    memcpy(bytes + hello.length, bad.data, bad.length);
    broker_start();
    client_open(&client);
    client_send_bytes(&client, bytes, hello.length + bad.length);
    client_expect(&client, "[1,1,nil,*");
    ck_assert(client_hears_nothing(&client));
    client_ask(&client, "[0,2,'session.poll',[0]]",
               "[1,2,nil,[['session.error',[0,{'code':'ERR_NB_UNKNOWN_METHOD'*");
    end();
    free((void *)hello.data);
    free((void *)bad.data);
}
END_TEST

START_TEST(as_many_as_asked_for)
{
    begin();
    cause_events();
    client_ask(&client, "[0,2,'session.poll',[0,{'max':2}]]",
               "[1,2,nil,[['server.listening',[1,{*}]],['server.close',[1,{}]]]]");
    client_ask(&client, "[0,3,'session.poll',[0,{'max':4000000000}]]", "[1,3,nil,[['session.idle',[0,{}]]]]");
    for (unsigned i = 0; i < 30; i++)
        cause_events();
    client_ask(&client, "[0,4,'session.poll',[0]]", "[1,4,nil,[*");
    client_ask(&client, "[0,5,'session.poll',[0]]", "[1,5,nil,[*['session.idle',[0,{}]]]]"); /* 64, then 26 */
    client_ask(&client, "[0,6,'session.poll',[0]]", "[1,6,nil,[]]");
    end();
}
END_TEST

/* Each bad notification is an event that no gate holds back. */
START_TEST(who_never_fetches_is_ended_at_a_bound)
{
    broker_limits.out_high = 4096;
    broker_limits.out_low = 1024;
    begin();
    for (unsigned i = 0; i < 400; i++)
        client_send(&client, "[2,'no.such',[0]]");
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_LIMIT'*'limit':'outHigh'*'fatal':true*");
    client_expect(&client, "end");
    end();
}
END_TEST

START_TEST(a_poll_waits_for_the_first)
{
    begin();
    client_ask(&client, "[0,2,'server.create',[1]]", "[1,2,nil,*");
    client_send(&client, "[0,3,'session.poll',[0,{'wait':60000}]]");
    ck_assert(client_hears_nothing(&client));
    client_send(&client, "[0,4,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]");
    client_expect(&client, "[1,4,nil,*");
    client_expect(&client, "[1,3,nil,[['server.listening',[1,{*}]]]]");
    end();
}
END_TEST

START_TEST(a_wait_ends)
{
    begin();
    uint64_t start = uv_hrtime();
    client_ask(&client, "[0,2,'session.poll',[0,{'wait':50}]]", "[1,2,nil,[]]");
    ck_assert_uint_ge(uv_hrtime() - start, 49 * UINT64_C(1000000));
    client_ask(&client, "[0,2,'session.poll',[0,{'wait':1}]]", "[1,2,nil,[]]");
    end();
}
END_TEST

START_TEST(one_poll_at_a_time)
{
    begin();
    client_send(&client, "[0,2,'session.poll',[0,{'wait':60000}]]");
    client_ask(&client, "[0,3,'session.poll',[0]]", "[1,3,{'code':'ERR_NB_BUSY'*");
    client_ask(&client, "[0,4,'session.ping',[0]]", "[1,4,nil,{}]");
    end();
}
END_TEST

START_TEST(arguments_are_checked)
{
    begin();
    client_ask(&client, "[0,2,'session.poll',[0,{'max':0}]]", "[1,2,{'code':'ERR_OUT_OF_RANGE'*");
    client_ask(&client, "[0,3,'session.poll',[0,{'wait':60001}]]", "[1,3,{'code':'ERR_OUT_OF_RANGE'*");
    client_ask(&client, "[0,4,'session.poll',[0,{'wait':-1}]]", "[1,4,{'code':'ERR_OUT_OF_RANGE'*");
    client_ask(&client, "[0,5,'session.poll',[0,{'wait':'soon'}]]", "[1,5,{'code':'ERR_INVALID_ARG_TYPE'*");
    end();
}
END_TEST

START_TEST(it_needs_the_poll_mode)
{
    broker_start();
    client_open(&client);
    client_ask(&client, "[0,1,'session.poll',[0]]", "[1,1,{'code':'ERR_NB_NOT_NEGOTIATED'*");
    end();
}
END_TEST

/* It would lose what it fetches. */
START_TEST(a_notification_fetches_nothing)
{
    begin();
    cause_events();
    client_send(&client, "[2,'session.poll',[0]]");
    client_send(&client, "[2,'session.poll',[0,{'wait':60000}]]");
    client_ask(&client, "[0,2,'session.poll',[0]]", "[1,2,nil,[['server.listening'*");
    end();
}
END_TEST

START_TEST(complaints_are_held_too)
{
    begin();
    client_send(&client, "[2,'session.fly',[0]]");
    ck_assert(client_hears_nothing(&client));
    client_ask(&client, "[0,2,'session.poll',[0]]",
               "[1,2,nil,[['session.error',[0,{'code':'ERR_NB_UNKNOWN_METHOD'*");
    client_send_bytes(&client, "\xc1", 1); /* but the last one could not be fetched any more */
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*'fatal':true*");
    client_expect(&client, "end");
    end();
}
END_TEST

START_TEST(an_open_poll_at_the_sessions_end)
{
    begin();
    client_send(&client, "[0,2,'session.poll',[0,{'wait':50}]]");
    client_send(&client, "[0,3,'session.close',[0]]");
    client_expect_soon(&client, "[1,3,nil,{}]");
    client_expect(&client, "end");
    turn_for(broker_loop, 80); /* over the poll's wait, while the session waits for the client to close */
    ck_assert_uint_eq(broker_session_count(), 1);
    end();
}
END_TEST

/* Its wait ends behind the session's last frame: nothing more is written, and the client can still read what there is. */
START_TEST(an_open_poll_when_the_session_breaks)
{
    begin();
    client_send(&client, "[0,2,'session.poll',[0,{'wait':50}]]");
    ck_assert(client_hears_nothing(&client));
    client_send_bytes(&client, "\xc1", 1);
    turn_for(broker_loop, 100);
    ck_assert_uint_eq(broker_session_count(), 1);
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*");
    client_expect(&client, "end");
    end();
}
END_TEST

START_TEST(a_client_that_goes_with_a_poll_open)
{
    begin();
    client_send(&client, "[0,2,'session.poll',[0,{'wait':60000}]]");
    turn_until_quiet(broker_loop);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        who_never_fetches_is_ended_at_a_bound,
        events_are_held_until_they_are_fetched,
        nothing_comes_unasked_behind_hello,
        as_many_as_asked_for,
        a_poll_waits_for_the_first,
        a_wait_ends,
        one_poll_at_a_time,
        arguments_are_checked,
        it_needs_the_poll_mode,
        a_notification_fetches_nothing,
        complaints_are_held_too,
        an_open_poll_at_the_sessions_end,
        an_open_poll_when_the_session_breaks,
        a_client_that_goes_with_a_poll_open,
        NULL,
    };
    return run_suite("session poll", tests);
}
