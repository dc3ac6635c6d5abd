/* Only names that need no name server: literals, names of the test's own and, where the system knows it, localhost. */
#include "resolver.h"

#include "loop.h"
#include "memory.h"
#include "names.h"
#include "suite.h"
#include "turns.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static struct nb_runtime runtime;
static struct nb_loop *const loop = &runtime.loops[0];

struct asker {
    struct nb_actor actor;
    struct nb_lookup_answer last;
    unsigned answers;
};

static void receive(struct nb_actor *actor, struct nb_message **message)
{
    struct asker *asker = (struct asker *)actor;
    ck_assert_ptr_eq((*message)->class, &nb_lookup_answer_class);
    asker->last = *(struct nb_lookup_answer *)*message;
    asker->answers++;
}

static const struct nb_actor_class asker_class = {
    .name = "asker", .size = sizeof(struct asker), .receive = receive, .stop = nb_actor_finish};

static struct asker *asker;

static struct nb_lookup_line *line;
static uint64_t ticket;

static void begin_with(uint32_t max)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    ck_assert_int_eq(nb_resolver_start(), 0);
    asker = nb_actor_new(loop, &asker_class);
    ck_assert_ptr_nonnull(asker);
    line = nb_lookup_line_new(1000, max);
    ck_assert_ptr_nonnull(line);
}

static void begin(void)
{
    begin_with(100);
}

static void end(void)
{
    if (asker)
        nb_actor_stop(&asker->actor);
    ck_assert_uint_eq(nb_lookup_line_open(line), 0);
    nb_lookup_line_unref(line);
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    nb_resolver_finish();
    nb_runtime_finish(&runtime);
    ck_assert_uint_eq(nb_lookups_under_way(), 0);
}

static bool is_answered(void *context)
{
    const unsigned *count = context;
    return asker->answers >= (count ? *count : 1);
}

static void await_answers(unsigned count)
{
    turn_until(loop, is_answered, &count);
    ck_assert_uint_eq(asker->answers, count);
}

static struct nb_lookup *start_in(struct nb_lookup_line *where, const char *host)
{
    struct nb_lookup *lookup;
    ck_assert_int_eq(nb_lookup_start(&asker->actor, where, ++ticket, nb_slice_of(host), 0, 0, &lookup), 0);
    return lookup;
}

static const struct nb_lookup_answer *look_up(const char *host, int family, int hints)
{
    struct nb_lookup *lookup;
    asker->answers = 0;
    ck_assert_int_eq(
        nb_lookup_start(&asker->actor, line, ++ticket, nb_slice_of(host), family, hints, &lookup), 0);
    ck_assert_uint_eq(asker->answers, 0);
    await_answers(1);
    ck_assert_uint_eq(asker->last.ticket, ticket);
    ck_assert_uint_eq(nb_lookups_under_way(), 0);
    nb_lookup_end(loop, lookup);
    return &asker->last;
}

static void assert_one(const struct nb_lookup_answer *answer, const char *text)
{
    char found[NB_ENDPOINT_TEXT];
    ck_assert_int_eq(answer->status, 0);
    ck_assert_uint_eq(answer->count, 1);
    ck_assert_str_eq(nb_endpoint_format(&answer->addresses[0], found), text);
    ck_assert_uint_eq(answer->addresses[0].port, 0);
}

START_TEST(literals_are_found)
{
    begin();
    assert_one(look_up("127.0.0.1", 0, 0), "127.0.0.1");
    assert_one(look_up("::1", 0, 0), "::1");
    assert_one(look_up("::1", 6, 0), "::1");
    assert_one(look_up("127.0.0.1", 6, AI_V4MAPPED), "::ffff:127.0.0.1");
    end();
}
END_TEST

START_TEST(localhost_is_this_machine)
{
    begin();
    const struct nb_lookup_answer *answer = look_up("localhost", 4, 0);
    ck_assert_int_eq(answer->status, 0);
    ck_assert_uint_ge(answer->count, 1);
    for (unsigned i = 0; i < answer->count; i++) {
        ck_assert_uint_eq(answer->addresses[i].ip.family, 4);
        ck_assert_uint_eq(answer->addresses[i].ip.bytes[0], 127);
    }
    end();
}
END_TEST

START_TEST(a_name_that_is_none_is_not_found)
{
    begin();
    ck_assert_int_eq(look_up("not-numeric", 0, AI_NUMERICHOST)->status, UV_EAI_NONAME);
    ck_assert_uint_eq(asker->last.count, 0);
    ck_assert_int_lt(look_up("::1", 4, AI_NUMERICHOST)->status, 0);
    end();
}
END_TEST

START_TEST(names_that_are_too_short_or_long_are_not_found)
{
    char name[NB_HOST_MAX + 2] = "";
    begin();
    ck_assert_int_eq(look_up("", 0, 0)->status, UV_EAI_NONAME);
    memset(name, 'x', NB_HOST_MAX + 1);
    ck_assert_int_eq(look_up(name, 0, 0)->status, UV_EAI_NONAME);
    name[NB_HOST_MAX] = '\0';
    ck_assert_int_eq(look_up(name, 0, AI_NUMERICHOST)->status, UV_EAI_NONAME);
    end();
}
END_TEST

START_TEST(a_name_with_nul_is_not_cut)
{
    struct nb_lookup *lookup;
    begin();
    struct nb_slice name = {(const uint8_t *)"127.0.0.1\0.example", 18};
    ck_assert_int_eq(nb_lookup_start(&asker->actor, line, 1, name, 0, 0, &lookup), 0);
    await_answers(1);
    ck_assert_int_eq(asker->last.status, UV_EAI_NONAME);
    nb_lookup_end(loop, lookup);
    end();
}
END_TEST

START_TEST(addresses_come_in_order_and_once)
{
    char text[NB_ENDPOINT_TEXT];
    names_set("many", "::1 127.0.0.3 ::1 127.0.0.2 127.0.0.3");
    begin();
    const struct nb_lookup_answer *answer = look_up("many", 0, 0);
    ck_assert_uint_eq(answer->count, 3);
    ck_assert_str_eq(nb_endpoint_format(&answer->addresses[0], text), "::1");
    ck_assert_str_eq(nb_endpoint_format(&answer->addresses[1], text), "127.0.0.3");
    ck_assert_str_eq(nb_endpoint_format(&answer->addresses[2], text), "127.0.0.2");
    assert_one(look_up("many", 6, 0), "::1");
    end();
}
END_TEST

START_TEST(no_more_than_sixteen_addresses)
{
    static char list[256];
    for (unsigned i = 1; i <= NB_LOOKUP_ADDRESSES + 2; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "127.0.1.%u ", i);
    names_set("crowd", list);
    names_set("nobody", "");
    begin();
    ck_assert_uint_eq(look_up("crowd", 0, 0)->count, NB_LOOKUP_ADDRESSES);
    ck_assert_int_eq(look_up("nobody", 0, 0)->status, UV_EAI_NODATA);
    end();
}
END_TEST

START_TEST(the_host_is_copied)
{
    char host[] = "127.0.0.1";
    begin();
    struct nb_lookup *lookup = start_in(line, host);
    memset(host, 'x', sizeof host - 1);
    await_answers(1);
    assert_one(&asker->last, "127.0.0.1");
    nb_lookup_end(loop, lookup);
    end();
}
END_TEST

static bool is_over(void *context)
{
    (void)context;
    return nb_lookups_under_way() == 0;
}

START_TEST(the_asker_may_be_gone_before_the_answer)
{
    begin();
    struct nb_lookup *lookup = start_in(line, "127.0.0.1");
    nb_actor_stop(&asker->actor);
    asker = NULL;
    turn_until(loop, is_over, NULL);
    nb_lookup_end(loop, lookup);
    end();
}
END_TEST

/* One is running, one waits, one has its answer on the way: the loop ends while the first is still held. */
START_TEST(the_loop_may_end_before_the_answer)
{
    names_hold();
    begin();
    struct nb_lookup *running = start_in(line, "slow");
    names_await_held(1);
    struct nb_lookup *answered = start_in(line, "");
    nb_lookup_end(loop, running);
    nb_lookup_end(loop, answered);
    nb_actor_stop(&asker->actor);
    nb_lookup_line_unref(line);
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    nb_runtime_finish(&runtime);
    ck_assert_uint_eq(nb_lookups_under_way(), 1);
    names_release();
    nb_resolver_finish();
    ck_assert_uint_eq(nb_lookups_under_way(), 0);
}
END_TEST

/* ---- giving up ---- */

START_TEST(a_lookup_that_waits_is_never_begun_once_it_is_ended)
{
    struct nb_lookup *lookups[5];
    names_hold();
    begin();
    for (unsigned i = 0; i < 5; i++)
        lookups[i] = start_in(line, i < 4 ? "slow" : "given-up");
    names_await_held(4);
    nb_lookup_end(loop, lookups[4]);
    ck_assert_uint_eq(nb_lookups_under_way(), 4);
    names_release();
    await_answers(4);
    ck_assert_uint_eq(names_begun("given-up"), 0);
    for (unsigned i = 0; i < 4; i++)
        nb_lookup_end(loop, lookups[i]);
    end();
}
END_TEST

START_TEST(a_lookup_that_runs_ends_for_nobody)
{
    names_hold();
    begin();
    struct nb_lookup *lookup = start_in(line, "slow");
    names_await_held(1);
    nb_lookup_end(loop, lookup);
    ck_assert_uint_eq(nb_lookup_line_open(line), 0);
    ck_assert_uint_eq(nb_lookups_under_way(), 1);
    names_release();
    turn_until(loop, is_over, NULL);
    turn_until_quiet(loop);
    ck_assert_uint_eq(asker->answers, 0);
    end();
}
END_TEST

/* ---- sharing the threads ---- */

START_TEST(a_session_has_no_more_than_its_lookups)
{
    struct nb_lookup *one, *two, *three = NULL;
    names_hold();
    begin_with(2);
    one = start_in(line, "slow");
    two = start_in(line, "slow");
    ck_assert_int_eq(nb_lookup_start(&asker->actor, line, 9, nb_slice_of("three"), 0, 0, &three), UV_ENOSPC);
    ck_assert_ptr_null(three);
    names_await_held(2);
    nb_lookup_end(loop, one);
    three = start_in(line, "127.0.0.1");
    await_answers(1);
    names_release();
    await_answers(2);
    nb_lookup_end(loop, two);
    nb_lookup_end(loop, three);
    turn_until(loop, is_over, NULL);
    end();
}
END_TEST

static void end_all(struct nb_lookup **lookups, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nb_lookup_end(loop, lookups[i]);
}

enum { QUARTER = NB_LOOKUP_THREADS / 4 };

START_TEST(slow_names_of_one_session_do_not_hold_up_another)
{
    struct nb_lookup *slow[NB_LOOKUP_THREADS];
    names_hold();
    begin();
    struct nb_lookup_line *other = nb_lookup_line_new(1000, 1);
    for (unsigned i = 0; i < NB_LOOKUP_THREADS; i++)
        slow[i] = start_in(line, "slow");
    names_await_held(QUARTER);
    struct nb_lookup *quick = start_in(other, "127.0.0.1");
    await_answers(1);
    ck_assert_uint_eq(asker->last.ticket, ticket);
    names_await_held(QUARTER);
    nb_lookup_end(loop, quick);
    nb_lookup_line_unref(other);
    names_release();
    await_answers(1 + NB_LOOKUP_THREADS);
    end_all(slow, NB_LOOKUP_THREADS);
    end();
}
END_TEST

START_TEST(slow_names_of_one_uid_do_not_hold_up_another)
{
    struct nb_lookup_line *lines[4], *other = nb_lookup_line_new(1001, 1);
    struct nb_lookup *slow[4 * QUARTER];
    names_hold();
    begin();
    for (unsigned i = 0; i < 4; i++)
        lines[i] = nb_lookup_line_new(1000, QUARTER);
    for (unsigned i = 0; i < 4 * QUARTER; i++)
        slow[i] = start_in(lines[i / QUARTER], "slow");
    names_await_held(3 * QUARTER);
    struct nb_lookup *quick = start_in(other, "127.0.0.1");
    await_answers(1);
    ck_assert_uint_eq(asker->last.ticket, ticket);
    names_release();
    await_answers(1 + 4 * QUARTER);
    end_all(slow, 4 * QUARTER);
    nb_lookup_end(loop, quick);
    for (unsigned i = 0; i < 4; i++)
        nb_lookup_line_unref(lines[i]);
    nb_lookup_line_unref(other);
    end();
}
END_TEST

START_TEST(a_line_outlives_its_session_while_a_lookup_runs)
{
    names_hold();
    begin();
    struct nb_lookup_line *other = nb_lookup_line_new(2000, 1);
    struct nb_lookup *lookup = start_in(other, "slow");
    names_await_held(1);
    nb_lookup_line_unref(other);
    nb_lookup_end(loop, lookup);
    names_release();
    turn_until(loop, is_over, NULL);
    end();
}
END_TEST

/* What it asks for first, its own two blocks, it can't do without; libuv's failure is an answer. */
START_TEST(without_memory_it_says_so)
{
    for (uint64_t failing = 1; failing <= 3; failing++) {
        struct nb_lookup *lookup = NULL;
        begin();
        nb_memory_fail_after(failing);
        int status = nb_lookup_start(&asker->actor, line, failing, nb_slice_of("127.0.0.1"), 0, 0, &lookup);
        ck_assert_int_eq(status, failing < 3 ? UV_ENOMEM : 0);
        turn_until(loop, is_over, NULL);
        turn_until_quiet(loop);
        ck_assert_uint_eq(asker->answers, failing == 3);
        ck_assert_int_eq(asker->last.status, failing == 3 ? UV_ENOMEM : 0);
        nb_lookup_end(loop, lookup);
        end();
    }
}
END_TEST

START_TEST(without_memory_there_is_no_line)
{
    begin();
    for (uint64_t failing = 1; failing <= 2; failing++) {
        nb_memory_fail_after(failing);
        ck_assert_ptr_null(nb_lookup_line_new(7, 1));
    }
    end();
}
END_TEST

int main(void)
{
    return run_suite(
        "resolver",
        (const TTest *[]){
            literals_are_found, localhost_is_this_machine, a_name_that_is_none_is_not_found,
            names_that_are_too_short_or_long_are_not_found, a_name_with_nul_is_not_cut,
            addresses_come_in_order_and_once, no_more_than_sixteen_addresses, the_host_is_copied,
            the_asker_may_be_gone_before_the_answer, the_loop_may_end_before_the_answer,
            a_lookup_that_waits_is_never_begun_once_it_is_ended, a_lookup_that_runs_ends_for_nobody,
            a_session_has_no_more_than_its_lookups, slow_names_of_one_session_do_not_hold_up_another,
            slow_names_of_one_uid_do_not_hold_up_another, a_line_outlives_its_session_while_a_lookup_runs,
            without_memory_it_says_so, without_memory_there_is_no_line, NULL});
}
