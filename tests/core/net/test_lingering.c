#include "lingering.h"
#include "suite.h"

#include <string.h>

enum { SOCKETS = 8 };

static struct nb_runtime runtime;
static struct nb_lingerer sockets[SOCKETS];
static char cuts[SOCKETS + 1]; /* digits, in their order */

static void cut(struct nb_lingerer *lingerer)
{
    ck_assert_ptr_null(lingerer->link);
    cuts[strlen(cuts)] = (char)('0' + (lingerer - sockets));
}

static void begin(uint32_t max_sockets, uint32_t max_bytes, unsigned loops)
{
    for (unsigned i = 0; i < loops; i++)
        runtime.loops[i].index = i;
    for (unsigned i = 0; i < SOCKETS; i++)
        sockets[i] = (struct nb_lingerer){.cut = cut};
    memset(cuts, 0, sizeof cuts);
    nb_lingering_init(max_sockets, max_bytes, loops);
}

static void add(unsigned loop, unsigned number, size_t length)
{
    nb_lingering_add(&runtime.loops[loop], &sockets[number], length);
}

static void end(unsigned loops)
{
    for (unsigned i = 0; i < SOCKETS; i++)
        for (unsigned loop = 0; loop < loops; loop++)
            nb_lingering_remove(&runtime.loops[loop], &sockets[i]);
    ck_assert_uint_eq(nb_lingering_sockets(), 0);
    ck_assert_uint_eq(nb_lingering_bytes(), 0);
}

START_TEST(the_oldest_is_cut_for_one_too_many)
{
    begin(3, 1000, 1);
    for (unsigned i = 0; i < 5; i++)
        add(0, i, 10);
    ck_assert_str_eq(cuts, "01");
    ck_assert_uint_eq(nb_lingering_sockets(), 3);
    ck_assert_uint_eq(nb_lingering_bytes(), 30);
    end(1);
}
END_TEST

START_TEST(as_many_are_cut_as_the_bytes_ask_for)
{
    begin(100, 100, 1);
    add(0, 0, 40);
    add(0, 1, 40);
    add(0, 2, 20);
    ck_assert_str_eq(cuts, "");
    add(0, 3, 70);
    ck_assert_str_eq(cuts, "01");
    add(0, 4, 101);
    ck_assert_str_eq(cuts, "01234"); /* itself too */
    ck_assert_uint_eq(nb_lingering_bytes(), 0);
    end(1);
}
END_TEST

START_TEST(what_was_sent_makes_room)
{
    begin(100, 100, 1);
    add(0, 0, 60);
    nb_lingering_pay(&runtime.loops[0], &sockets[0], 50);
    add(0, 1, 90);
    ck_assert_str_eq(cuts, "");
    nb_lingering_remove(&runtime.loops[0], &sockets[0]);
    nb_lingering_remove(&runtime.loops[0], &sockets[0]);
    nb_lingering_pay(&runtime.loops[0], &sockets[0], 10); /* does not linger */
    ck_assert_uint_eq(nb_lingering_bytes(), 90);
    end(1);
}
END_TEST

START_TEST(who_leaves_from_the_middle_or_the_end_leaves_no_gap)
{
    begin(4, 1000, 1);
    for (unsigned i = 0; i < 4; i++)
        add(0, i, 1);
    nb_lingering_remove(&runtime.loops[0], &sockets[1]);
    nb_lingering_remove(&runtime.loops[0], &sockets[3]);
    for (unsigned i = 4; i < 8; i++)
        add(0, i, 1);
    ck_assert_str_eq(cuts, "02");
    end(1);
}
END_TEST

START_TEST(a_limit_of_zero_cuts_all)
{
    begin(0, 1000, 1);
    add(0, 0, 1);
    ck_assert_str_eq(cuts, "0");
    begin(1000, 0, 1);
    add(0, 1, 1);
    ck_assert_str_eq(cuts, "1");
    end(1);
}
END_TEST

/* The whole is taken by one; another still gets its half, and the first is cut when it asks for more. */
START_TEST(no_loop_costs_another_its_share)
{
    begin(4, 1000, 2);
    for (unsigned i = 0; i < 4; i++)
        add(0, i, 1);
    add(1, 4, 1);
    add(1, 5, 1);
    ck_assert_str_eq(cuts, "");
    add(1, 6, 1);
    ck_assert_str_eq(cuts, "4");
    add(0, 7, 1);
    ck_assert_str_eq(cuts, "4012");
    nb_lingering_remove(&runtime.loops[1], &sockets[5]);
    nb_lingering_remove(&runtime.loops[1], &sockets[6]);
    end(1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_oldest_is_cut_for_one_too_many,
        as_many_are_cut_as_the_bytes_ask_for,
        what_was_sent_makes_room,
        who_leaves_from_the_middle_or_the_end_leaves_no_gap,
        a_limit_of_zero_cuts_all,
        no_loop_costs_another_its_share,
        NULL,
    };
    return run_suite("lingering", tests);
}
