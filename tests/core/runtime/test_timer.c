#include "loop.h"
#include "memory.h"
#include "suite.h"
#include "timer.h"

static struct nb_runtime runtime;
static struct nb_loop *loop = &runtime.loops[0];

struct clock {
    struct nb_timer timer;
    unsigned fires;
    uint64_t fired_at;
};

static void start_runtime(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    uv_update_time(&loop->uv);
}

static void note_fire(struct nb_timer *timer)
{
    struct clock *clock = (struct clock *)timer;
    clock->fires++;
    clock->fired_at = nb_loop_now(loop);
}

static void run_until_fired(struct clock *clock)
{
    while (!clock->fires)
        uv_run(&loop->uv, UV_RUN_ONCE);
}

START_TEST(a_timer_fires_once_and_not_early)
{
    start_runtime();
    struct clock clock = {0}, later = {0};
    uint64_t start = nb_loop_now(loop);
    ck_assert_int_eq(nb_timer_start(&clock.timer, loop, 20, note_fire), 0);
    ck_assert_int_eq(nb_timer_start(&later.timer, loop, 60, note_fire), 0);
    ck_assert(nb_timer_is_running(&clock.timer));
    run_until_fired(&later);
    ck_assert_uint_eq(clock.fires, 1);
    ck_assert_uint_ge(clock.fired_at, start + 20);
    ck_assert_uint_ge(later.fired_at, start + 60);
    ck_assert(!nb_timer_is_running(&clock.timer));
    nb_timer_finish(&clock.timer);
    nb_timer_finish(&later.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(an_unused_timer_costs_nothing)
{
    start_runtime();
    struct clock clock = {0};
    uint64_t requests = nb_memory_requests();
    ck_assert(!nb_timer_is_running(&clock.timer));
    nb_timer_stop(&clock.timer);
    nb_timer_finish(&clock.timer);
    ck_assert_uint_eq(nb_memory_requests(), requests);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(a_start_while_it_runs_starts_anew)
{
    start_runtime();
    struct clock clock = {0}, other = {0};
    uint64_t start = nb_loop_now(loop);
    nb_timer_start(&clock.timer, loop, 1, note_fire);
    uint64_t requests = nb_memory_requests();
    nb_timer_start(&clock.timer, loop, 50, note_fire);
    ck_assert_uint_eq(nb_memory_requests(), requests);
    nb_timer_start(&other.timer, loop, 10, note_fire);
    run_until_fired(&other);
    ck_assert_uint_eq(clock.fires, 0);
    run_until_fired(&clock);
    ck_assert_uint_ge(clock.fired_at, start + 50);
    nb_timer_finish(&clock.timer);
    nb_timer_finish(&other.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire)
{
    start_runtime();
    struct clock clock = {0}, other = {0};
    nb_timer_start(&clock.timer, loop, 1, note_fire);
    nb_timer_start(&other.timer, loop, 10, note_fire);
    nb_timer_stop(&clock.timer);
    ck_assert(!nb_timer_is_running(&clock.timer));
    run_until_fired(&other);
    ck_assert_uint_eq(clock.fires, 0);
    nb_timer_finish(&clock.timer);
    nb_timer_finish(&other.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(the_owner_may_go_at_once)
{
    start_runtime();
    struct clock other = {0}, *clock = nb_calloc(1, sizeof *clock);
    nb_timer_start(&clock->timer, loop, 1, note_fire);
    nb_timer_start(&other.timer, loop, 10, note_fire);
    nb_timer_finish(&clock->timer);
    nb_free(clock);
    run_until_fired(&other);
    nb_timer_finish(&other.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

static void finish_itself(struct nb_timer *timer)
{
    note_fire(timer);
    nb_timer_finish(timer);
}

START_TEST(a_timer_may_finish_while_it_fires)
{
    start_runtime();
    struct clock clock = {0};
    nb_timer_start(&clock.timer, loop, 0, finish_itself);
    run_until_fired(&clock);
    ck_assert_ptr_null(clock.timer.handle);
    nb_runtime_finish(&runtime);
}
END_TEST

static void fire_three_times(struct nb_timer *timer)
{
    struct clock *clock = (struct clock *)timer;
    if (++clock->fired_at < 3)
        ck_assert_int_eq(nb_timer_start(timer, loop, 1, fire_three_times), 0);
    else
        clock->fires = 1;
}

START_TEST(a_timer_may_start_again_while_it_fires)
{
    start_runtime();
    struct clock clock = {0};
    nb_timer_start(&clock.timer, loop, 1, fire_three_times);
    run_until_fired(&clock);
    nb_timer_finish(&clock.timer);
    ck_assert_int_eq(nb_timer_start(&clock.timer, loop, 1, note_fire), 0);
    nb_timer_finish(&clock.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(without_memory_a_timer_does_not_start)
{
    start_runtime();
    struct clock clock = {0};
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_timer_start(&clock.timer, loop, 1, note_fire), UV_ENOMEM);
    ck_assert(!nb_timer_is_running(&clock.timer));
    nb_timer_finish(&clock.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

int main(void)
{
    return run_suite("timer",
                     (const TTest *[]){a_timer_fires_once_and_not_early, an_unused_timer_costs_nothing,
                                       a_start_while_it_runs_starts_anew, a_stopped_timer_does_not_fire,
                                       the_owner_may_go_at_once, a_timer_may_finish_while_it_fires,
                                       a_timer_may_start_again_while_it_fires,
                                       without_memory_a_timer_does_not_start, NULL});
}
