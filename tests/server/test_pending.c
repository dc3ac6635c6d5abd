#include "memory.h"
#include "pending.h"
#include "suite.h"

#include <stdlib.h>
#include <uv.h>

/* The model: a plain list. */
enum { MODEL_MAX = 3000 };
static uint32_t model[MODEL_MAX];
static uint32_t model_count;

static int find_in_model(uint32_t msgid)
{
    for (uint32_t i = 0; i < model_count; i++)
        if (model[i] == msgid)
            return (int)i;
    return -1;
}

static void add_to_both(struct nb_pending *pending, uint32_t msgid)
{
    bool is_there = find_in_model(msgid) >= 0;
    ck_assert_int_eq(nb_pending_has(pending, msgid), is_there);
    ck_assert_int_eq(nb_pending_add(pending, msgid), is_there ? UV_EEXIST : 0);
    if (!is_there)
        model[model_count++] = msgid;
}

static void remove_from_both(struct nb_pending *pending, uint32_t msgid)
{
    int at = find_in_model(msgid);
    nb_pending_remove(pending, msgid);
    if (at >= 0)
        model[at] = model[--model_count];
}

/* That exactly the model's are there, is shown by adding them all, which is refused. */
static void compare_with_model(struct nb_pending *pending)
{
    ck_assert_uint_eq(pending->count, model_count);
    for (uint32_t i = 0; i < model_count; i++)
        ck_assert_int_eq(nb_pending_add(pending, model[i]), UV_EEXIST);
    ck_assert_uint_eq(pending->count, model_count);
}

/* choose picks numbers from a small range, so that they meet and collide. */
static void compare_at_random(unsigned seed, uint32_t (*choose)(void), unsigned most)
{
    struct nb_pending pending = {0};
    model_count = 0;
    srandom(seed);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t msgid = choose();
        if (random() % 2 && model_count < most)
            add_to_both(&pending, msgid);
        else
            remove_from_both(&pending, msgid);
        if (i % 500 == 0)
            compare_with_model(&pending);
    }
    compare_with_model(&pending);
    nb_pending_finish(&pending);
}

static uint32_t choose_small(void)
{
    return (uint32_t)random() % 24;
}

static uint32_t choose_multiples(void)
{
    return ((uint32_t)random() % 200) << 20;
}

static uint32_t choose_high(void)
{
    return UINT32_MAX - (uint32_t)random() % 600;
}

START_TEST(it_holds_what_a_plain_list_holds)
{
    for (unsigned seed = 0; seed < 5; seed++) {
        compare_at_random(seed, choose_small, 8);
        compare_at_random(seed, choose_multiples, 100);
        compare_at_random(seed, choose_high, 500);
    }
}
END_TEST

/* Numbers whose home is one of the last two slots of the smallest table, so that runs wrap around its end. */
static unsigned gather_wrapping(uint32_t *ret_msgids, unsigned count)
{
    unsigned found = 0;
    for (uint32_t msgid = 0; found < count; msgid++) {
        struct nb_pending alone = {0};
        ck_assert_int_eq(nb_pending_add(&alone, msgid), 0);
        if (alone.used[alone.capacity - 1] || alone.used[alone.capacity - 2])
            ret_msgids[found++] = msgid;
        nb_pending_finish(&alone);
    }
    return found;
}

/* Each one taken out of the wrapped run, in every order of two: the others stay findable. */
START_TEST(gaps_are_closed_across_the_end)
{
    enum { RUN = 7 };
    uint32_t msgids[RUN];
    gather_wrapping(msgids, RUN);
    for (unsigned first = 0; first < RUN; first++) {
        for (unsigned second = 0; second < RUN; second++) {
            struct nb_pending pending = {0};
            model_count = 0;
            for (unsigned i = 0; i < RUN; i++)
                add_to_both(&pending, msgids[i]);
            ck_assert_uint_eq(pending.capacity, 16);
            ck_assert(pending.used[0] && pending.used[pending.capacity - 1]); /* it does wrap */
            remove_from_both(&pending, msgids[first]);
            compare_with_model(&pending);
            remove_from_both(&pending, msgids[second]);
            compare_with_model(&pending);
            nb_pending_finish(&pending);
        }
    }
}
END_TEST

START_TEST(an_empty_set_has_nothing)
{
    struct nb_pending pending = {0};
    nb_pending_remove(&pending, 0);
    ck_assert_uint_eq(pending.count, 0);
    ck_assert_int_eq(nb_pending_add(&pending, 0), 0);
    ck_assert_int_eq(nb_pending_add(&pending, 0), UV_EEXIST);
    nb_pending_remove(&pending, 1);
    ck_assert_uint_eq(pending.count, 1);
    nb_pending_remove(&pending, 0);
    ck_assert_uint_eq(pending.count, 0);
    nb_pending_finish(&pending);
}
END_TEST

START_TEST(it_allocates_only_when_it_grows)
{
    struct nb_pending pending = {0};
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_int_eq(nb_pending_add(&pending, i), 0);
    uint64_t requests = nb_memory_requests();
    for (uint32_t i = 1000; i < 50000; i++) {
        nb_pending_remove(&pending, i - 1000);
        ck_assert_int_eq(nb_pending_add(&pending, i), 0);
    }
    ck_assert_uint_eq(nb_memory_requests(), requests);
    nb_pending_finish(&pending);
}
END_TEST

START_TEST(without_memory_it_stays_as_it_was)
{
    for (unsigned failing = 1; failing <= 2; failing++) {
        struct nb_pending pending = {0};
        nb_memory_fail_after(failing);
        ck_assert_int_eq(nb_pending_add(&pending, 5), UV_ENOMEM);
        model_count = 0;
        for (uint32_t i = 0; i < 8; i++)
            add_to_both(&pending, i * 7);
        nb_memory_fail_after(failing);
        ck_assert_int_eq(nb_pending_add(&pending, 1000), UV_ENOMEM);
        nb_memory_fail_after(0);
        compare_with_model(&pending);
        add_to_both(&pending, 1000);
        compare_with_model(&pending);
        nb_pending_finish(&pending);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        it_holds_what_a_plain_list_holds, gaps_are_closed_across_the_end,    an_empty_set_has_nothing,
        it_allocates_only_when_it_grows,  without_memory_it_stays_as_it_was, NULL,
    };
    return run_suite("pending", tests);
}
