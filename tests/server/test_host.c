#include "client.h"
#include "memory.h"
#include "suite.h"
#include "turns.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 40 };

static struct client clients[MANY];

static void ping(struct client *client)
{
    client_ask(client, "[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
}

START_TEST(sessions_are_counted_while_they_last)
{
    broker_start();
    for (unsigned i = 0; i < MANY; i++) {
        client_open(&clients[i]);
        ck_assert_uint_eq(broker_load(), i + 1); /* on its way, too */
    }
    for (unsigned i = 0; i < MANY; i++)
        ping(&clients[i]);
    ck_assert_uint_eq(broker_session_count(), MANY);
    for (unsigned i = 0; i < MANY; i += 2)
        client_close(&clients[i]);
    ck_assert_uint_eq(broker_session_count(), MANY / 2);
    ck_assert_uint_eq(broker_load(), MANY / 2);
    for (unsigned i = 1; i < MANY; i += 2)
        ping(&clients[i]);
    broker_end();
    for (unsigned i = 1; i < MANY; i += 2) {
        client_expect(&clients[i], "end");
        client_close(&clients[i]);
    }
}
END_TEST

START_TEST(a_host_that_closes_ends_with_its_last_session)
{
    broker_start();
    client_open(&clients[0]);
    client_open(&clients[1]);
    ping(&clients[0]);
    ping(&clients[1]);
    broker_announce_closing("shutdown", 5000);
    client_expect(&clients[0], "[2,'session.closing',[0,{'reason':'shutdown','deadline':5000}]]");
    client_expect(&clients[1], "[2,'session.closing',[0,{'reason':'shutdown','deadline':5000}]]");
    client_close(&clients[0]);
    ping(&clients[1]); /* goes on until it has finished */
    client_close(&clients[1]);
    broker_wait_for_its_end();
}
END_TEST

START_TEST(an_empty_host_closes_at_once)
{
    broker_start();
    broker_announce_closing("shutdown", 5000);
    broker_wait_for_its_end();
}
END_TEST

/* A polling client is told when it asks. */
START_TEST(a_polling_session_fetches_the_notice)
{
    broker_start();
    client_open(&clients[0]);
    client_ask(&clients[0], "[0,1,'session.hello',[0,{'events':'poll'}]]", "[1,1,nil,*");
    client_send(&clients[0], "[0,2,'session.poll',[0,{'wait':60000}]]");
    ck_assert(client_hears_nothing(&clients[0]));
    broker_announce_closing("shutdown", 7);
    client_expect(&clients[0], "[1,2,nil,[['session.closing',[0,{'reason':'shutdown','deadline':7}]]]]");
    client_close(&clients[0]);
    broker_wait_for_its_end();
}
END_TEST

/* Each allocation on a newcomer's way fails in turn: it is let in, or its connection is closed. */
START_TEST(a_newcomer_without_memory_is_turned_away)
{
    for (unsigned failing = 1; failing <= 8; failing++) {
        broker_start();
        broker_grow_watchers();
        client_open(&clients[0]);
        nb_memory_fail_after(failing);
        turn_until_quiet(broker_loop);
        nb_memory_fail_after(0);
        client_send(&clients[0], "[0,1,'session.ping',[0]]");
        const char *text = client_receive(&clients[0]);
        ck_assert(strcmp(text, "end") == 0 || strcmp(text, "[1,1,nil,{}]") == 0);
        bool is_in = strcmp(text, "end") != 0;
        ck_assert(!is_in || broker_load() == 1); /* one that failed is counted until it has ended */
        client_open(&clients[1]);
        ping(&clients[1]);
        client_close(&clients[0]);
        client_close(&clients[1]);
        broker_end();
    }
}
END_TEST

/* A newcomer to a host that is gone: nothing of it is left. */
START_TEST(a_newcomer_to_nobody_is_closed)
{
    int pair[2];
    char byte;
    atomic_uint count = 0;
    broker_start();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct nb_newcomer *newcomer = nb_message_new(broker_loop, &nb_newcomer_class);
    newcomer->fd = pair[0];
    newcomer->places = (struct nb_places){&count, &count};
    nb_places_take(&newcomer->places);
    nb_send(broker_loop, NB_NOBODY, &newcomer->message);
    turn_until_quiet(broker_loop);
    ck_assert_uint_eq(atomic_load(&count), 0);
    ck_assert_int_eq(read(pair[1], &byte, 1), 0);
    close(pair[1]);
    broker_end();
}
END_TEST

/* Many sessions one after the other leave the host as it was. */
START_TEST(sessions_come_and_go)
{
    broker_start();
    for (unsigned i = 0; i < 500; i++) {
        client_open(&clients[0]);
        client_ask(&clients[0], "[0,1,'socket.create',[1]]", "[1,1,nil,{'id':1}]");
        client_close(&clients[0]);
    }
    turn_until_quiet(broker_loop);
    ck_assert_uint_eq(broker_session_count(), 0);
    ck_assert_uint_eq(broker_loop->actor_count, 1);
    broker_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        sessions_are_counted_while_they_last,
        a_host_that_closes_ends_with_its_last_session,
        an_empty_host_closes_at_once,
        a_polling_session_fetches_the_notice,
        a_newcomer_without_memory_is_turned_away,
        a_newcomer_to_nobody_is_closed,
        sessions_come_and_go,
        NULL,
    };
    return run_suite("host", tests);
}
