#include "driver.h"
#include "suite.h"
#include "turns.h"

/* ---- lines ---- */

struct guest {
    struct nb_waiter waiter;
    unsigned wakes;
    bool waits_again;
    bool closes_gate;
    struct guest *takes_along; /* leaves the line when this one is woken */
};

static void wake(struct nb_waiter *waiter)
{
    struct guest *guest = (struct guest *)waiter;
    guest->wakes++;
    if (guest->takes_along)
        nb_waiter_leave(&guest->takes_along->waiter);
    if (guest->closes_gate)
        nb_account_close_gate(driver_account);
    if (guest->waits_again)
        nb_account_wait_at_gate(driver_account, &guest->waiter);
}

#define GUEST ((struct guest){.waiter.wake = wake})

START_TEST(those_at_the_gate_wake_once_when_it_opens)
{
    struct guest a = GUEST, b = GUEST, c = GUEST;
    driver_start();
    nb_account_close_gate(driver_account);
    ck_assert(driver_account->gate_is_closed);
    nb_account_wait_at_gate(driver_account, &a.waiter);
    nb_account_wait_at_gate(driver_account, &b.waiter);
    nb_account_wait_at_gate(driver_account, &a.waiter); /* twice is once */
    nb_account_wait_at_gate(driver_account, &c.waiter);
    nb_waiter_leave(&b.waiter);
    nb_waiter_leave(&b.waiter);
    nb_account_open_gate(driver_account);
    ck_assert(!driver_account->gate_is_closed);
    ck_assert_uint_eq(a.wakes, 1);
    ck_assert_uint_eq(b.wakes, 0);
    ck_assert_uint_eq(c.wakes, 1);
    nb_account_open_gate(driver_account);
    ck_assert_uint_eq(a.wakes, 1);
    driver_end();
}
END_TEST

/* A few each turn, in the order in which they came, and no further ones once it is closed again. */
START_TEST(a_crowd_at_the_gate_wakes_in_slices)
{
    enum { CROWD = 1000, CLOSES = 500 };
    static struct guest crowd[CROWD];
    unsigned turns = 0;
    driver_start();
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = GUEST;
        nb_account_wait_at_gate(driver_account, &crowd[i].waiter);
    }
    crowd[CLOSES].closes_gate = true;
    nb_account_open_gate(driver_account);
    for (unsigned before = 0; !driver_account->gate_is_closed; turns++) {
        unsigned woken = 0;
        while (woken < CROWD && crowd[woken].wakes)
            woken++;
        ck_assert_uint_le(woken - before, 256);
        before = woken;
        uv_run(&driver_loop->uv, UV_RUN_NOWAIT);
    }
    ck_assert_uint_gt(turns, 1);
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(crowd[CLOSES].wakes, 1);
    ck_assert_uint_eq(crowd[CROWD - 1].wakes, 0);
    nb_account_open_gate(driver_account);
    turn_until_quiet(driver_loop);
    for (unsigned i = 0; i < CROWD; i++)
        ck_assert_uint_eq(crowd[i].wakes, 1);
    driver_end();
}
END_TEST

START_TEST(who_has_to_wait_again_waits_for_the_next_time)
{
    struct guest a = GUEST, b = GUEST;
    driver_start();
    a.waits_again = true;
    nb_account_wait_at_gate(driver_account, &a.waiter);
    nb_account_wait_at_gate(driver_account, &b.waiter);
    for (unsigned i = 1; i <= 3; i++) {
        nb_account_open_gate(driver_account);
        ck_assert_uint_eq(a.wakes, i);
        ck_assert_uint_eq(b.wakes, 1);
    }
    nb_waiter_leave(&a.waiter);
    driver_end();
}
END_TEST

START_TEST(one_who_wakes_may_take_others_out_of_the_line)
{
    struct guest a = GUEST, b = GUEST, c = GUEST;
    driver_start();
    a.takes_along = &b;
    b.takes_along = &a;
    nb_account_wait_at_gate(driver_account, &c.waiter);
    nb_account_wait_at_gate(driver_account, &b.waiter);
    nb_account_wait_at_gate(driver_account, &a.waiter);
    nb_account_open_gate(driver_account);
    ck_assert_uint_eq(a.wakes + b.wakes, 1);
    ck_assert_uint_eq(c.wakes, 1);
    driver_end();
}
END_TEST

START_TEST(a_socket_that_goes_makes_room)
{
    struct guest a = GUEST;
    driver_start();
    nb_account_add_socket(driver_account);
    nb_account_wait_for_vacancy(driver_account, &a.waiter);
    nb_account_open_gate(driver_account);
    ck_assert_uint_eq(a.wakes, 0);
    nb_account_remove_socket(driver_account);
    ck_assert_uint_eq(a.wakes, 1);
    driver_end();
}
END_TEST

START_TEST(too_much_in_flight_closes_the_gate)
{
    driver_start();
    driver_account->in_flight_max = 100;
    nb_account_send_data(driver_account, 100);
    ck_assert(!driver_account->gate_is_closed);
    nb_account_send_data(driver_account, 1);
    ck_assert(driver_account->gate_is_closed);
    nb_account_take_data(driver_account, 101);
    ck_assert(driver_account->gate_is_closed); /* the session opens it */
    nb_account_open_gate(driver_account);
    driver_end();
}
END_TEST

/* ---- the ledger ---- */

START_TEST(the_largest_debtor_is_known)
{
    struct nb_debt debts[3] = {{.socket = {1, 1, 0}}, {.socket = {2, 1, 0}}, {.socket = {3, 1, 0}}};
    driver_start();
    ck_assert(nb_actor_id_is_nobody(nb_account_largest_debtor(driver_account)));
    nb_debt_add(driver_account, &debts[0], 0);
    ck_assert(nb_actor_id_is_nobody(nb_account_largest_debtor(driver_account)));
    nb_debt_add(driver_account, &debts[0], 10);
    nb_debt_add(driver_account, &debts[1], 30);
    nb_debt_add(driver_account, &debts[2], 20);
    ck_assert_uint_eq(driver_account->unflushed, 60);
    ck_assert_uint_eq(nb_account_largest_debtor(driver_account).slot, 2);
    nb_debt_pay(driver_account, &debts[1], 15);
    ck_assert_uint_eq(nb_account_largest_debtor(driver_account).slot, 3);
    nb_debt_pay(driver_account, &debts[2], 20);
    nb_debt_add(driver_account, &debts[0], 6);
    ck_assert_uint_eq(nb_account_largest_debtor(driver_account).slot, 1);
    nb_debt_pay(driver_account, &debts[0], 16);
    nb_debt_pay(driver_account, &debts[1], 15);
    ck_assert(nb_actor_id_is_nobody(nb_account_largest_debtor(driver_account)));
    ck_assert_uint_eq(driver_account->unflushed, 0);
    driver_end();
}
END_TEST

START_TEST(relief_comes_once_when_enough_is_paid)
{
    driver_start();
    nb_account_charge(driver_account, 100);
    ck_assert_int_eq(nb_account_ask_for_relief(driver_account, 50), 0);
    nb_account_pay(driver_account, 49);
    expect_silence();
    nb_account_pay(driver_account, 1);
    expect_line("relief");
    nb_account_pay(driver_account, 50);
    expect_silence();
    ck_assert_int_eq(nb_account_ask_for_relief(driver_account, 0), 0); /* already so */
    expect_line("relief");
    driver_end();
}
END_TEST

START_TEST(asking_twice_moves_the_mark)
{
    driver_start();
    nb_account_charge(driver_account, 100);
    ck_assert_int_eq(nb_account_ask_for_relief(driver_account, 10), 0);
    ck_assert_int_eq(nb_account_ask_for_relief(driver_account, 90), 0);
    nb_account_pay(driver_account, 10);
    expect_line("relief");
    nb_account_pay(driver_account, 90);
    expect_silence();
    driver_end();
}
END_TEST

START_TEST(relief_that_is_not_needed_any_more_is_freed)
{
    driver_start();
    nb_account_charge(driver_account, 100);
    ck_assert_int_eq(nb_account_ask_for_relief(driver_account, 10), 0);
    driver_leave();
    nb_account_pay(driver_account, 20);
    nb_account_pay(driver_account, 80); /* goes to nobody */
    driver_end();
}
END_TEST

/* ---- activity and events ---- */

START_TEST(idle_is_told_at_each_last_one)
{
    driver_start();
    nb_account_activate(driver_account);
    nb_account_activate(driver_account);
    nb_account_deactivate(driver_account);
    expect_silence();
    nb_account_deactivate(driver_account);
    expect_line("idle 0");
    nb_account_activate(driver_account);
    nb_account_deactivate(driver_account);
    expect_line("idle 0");
    driver_end();
}
END_TEST

START_TEST(nobody_is_told_once_the_session_is_gone)
{
    driver_start();
    driver_leave();
    ck_assert_ptr_null(nb_event_new(driver_account, NB_EVENT_SOCKET_END, 1));
    nb_event_emit(driver_account, NB_EVENT_SOCKET_END, 1);
    nb_account_say_farewell(driver_account, 1);
    nb_account_activate(driver_account);
    nb_account_deactivate(driver_account);
    expect_silence();
    driver_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        those_at_the_gate_wake_once_when_it_opens,
        a_crowd_at_the_gate_wakes_in_slices,
        who_has_to_wait_again_waits_for_the_next_time,
        one_who_wakes_may_take_others_out_of_the_line,
        a_socket_that_goes_makes_room,
        too_much_in_flight_closes_the_gate,
        the_largest_debtor_is_known,
        relief_comes_once_when_enough_is_paid,
        asking_twice_moves_the_mark,
        relief_that_is_not_needed_any_more_is_freed,
        idle_is_told_at_each_last_one,
        nobody_is_told_once_the_session_is_gone,
        NULL,
    };
    return run_suite("account", tests);
}
