/* Only names that need no name server: literals and, where the system knows it, localhost. */
#include "resolver.h"

#include "loop.h"
#include "memory.h"
#include "suite.h"
#include "turns.h"

#include <netdb.h>
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

static void begin(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    asker = nb_actor_new(loop, &asker_class);
    ck_assert_ptr_nonnull(asker);
}

static void end(void)
{
    if (asker)
        nb_actor_stop(&asker->actor);
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    nb_runtime_finish(&runtime);
    ck_assert_uint_eq(nb_lookups_under_way(), 0);
}

static bool is_answered(void *context)
{
    return asker->answers > 0;
}

static const struct nb_lookup_answer *look_up(const char *host, int family, int hints)
{
    static uint64_t ticket = 100;
    asker->answers = 0;
    ck_assert_int_eq(nb_lookup(&asker->actor, ++ticket, nb_slice_of(host), family, hints), 0);
    ck_assert_uint_eq(asker->answers, 0);
    turn_until(loop, is_answered, NULL);
    ck_assert_uint_eq(asker->answers, 1);
    ck_assert_uint_eq(asker->last.ticket, ticket);
    ck_assert_uint_eq(nb_lookups_under_way(), 0);
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

START_TEST(the_host_is_copied)
{
    char host[] = "127.0.0.1";
    begin();
    ck_assert_int_eq(nb_lookup(&asker->actor, 1, nb_slice_of(host), 0, 0), 0);
    memset(host, 'x', sizeof host);
    ck_assert_uint_eq(nb_lookups_under_way(), 1);
    turn_until(loop, is_answered, NULL);
    assert_one(&asker->last, "127.0.0.1");
    end();
}
END_TEST

static bool is_over(void *context)
{
    return nb_lookups_under_way() == 0;
}

START_TEST(the_asker_may_be_gone_before_the_answer)
{
    begin();
    ck_assert_int_eq(nb_lookup(&asker->actor, 1, nb_slice_of("127.0.0.1"), 0, 0), 0);
    nb_actor_stop(&asker->actor);
    asker = NULL;
    turn_until(loop, is_over, NULL);
    end();
}
END_TEST

START_TEST(the_loop_may_end_before_the_answer)
{
    begin();
    ck_assert_int_eq(nb_lookup(&asker->actor, 1, nb_slice_of("127.0.0.1"), 0, 0), 0);
    ck_assert_int_eq(nb_lookup(&asker->actor, 2, nb_slice_of(""), 0, 0), 0);
    end();
}
END_TEST

/* What it asks for first, its own two blocks, it can't do without; libuv's failure is an answer. */
START_TEST(without_memory_it_says_so)
{
    for (uint64_t failing = 1; failing <= 3; failing++) {
        begin();
        nb_memory_fail_after(failing);
        int status = nb_lookup(&asker->actor, failing, nb_slice_of("127.0.0.1"), 0, 0);
        ck_assert_int_eq(status, failing < 3 ? UV_ENOMEM : 0);
        turn_until_quiet(loop);
        ck_assert_uint_eq(asker->answers, failing == 3);
        ck_assert_int_eq(asker->last.status, failing == 3 ? UV_ENOMEM : 0);
        end();
    }
}
END_TEST

int main(void)
{
    return run_suite("resolver",
                     (const TTest *[]){literals_are_found, localhost_is_this_machine,
                                       a_name_that_is_none_is_not_found,
                                       names_that_are_too_short_or_long_are_not_found, the_host_is_copied,
                                       the_asker_may_be_gone_before_the_answer,
                                       the_loop_may_end_before_the_answer, without_memory_it_says_so, NULL});
}
