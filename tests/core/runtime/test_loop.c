#include "loop.h"
#include "memory.h"
#include "probe.h"
#include "suite.h"
#include "timer.h"

#include <string.h>

static struct nb_runtime runtime;
static struct nb_loop *const loop = &runtime.loops[0];
static struct trace trace;
static atomic_uint disposals;
static char story[64]; /* what happened, a letter each */

static void tell(char letter)
{
    size_t length = strlen(story);
    ck_assert_uint_lt(length, sizeof story - 1);
    story[length] = letter;
}

/* ---- thread creation that fails on demand (the linker wraps it) ---- */

static int threads_until_failure = -1;
int __real_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument);

int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb entry, void *argument)
{
    return threads_until_failure-- == 0 ? UV_EAGAIN : __real_uv_thread_create(thread, entry, argument);
}

/* ---- order and batches ---- */

static void start_runtime(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
}

static void stop_probe(struct probe *probe)
{
    nb_actor_stop(&probe->actor);
    run_turns(loop);
}

/* Sends two notes more for each that is above 0. */
static void branch(struct probe *self, struct note *note)
{
    for (int i = 1; note->value < 4 && i <= 2; i++)
        note_send(loop, self->actor.id, note->value * 2 + i - 1, NB_NOBODY, NULL);
}

START_TEST(messages_are_delivered_in_the_order_they_were_sent)
{
    start_runtime();
    struct probe *probe = probe_new(loop, &trace);
    probe->on_note = branch;
    note_send(loop, probe->actor.id, 1, NB_NOBODY, NULL);
    run_turns(loop);
    ck_assert_uint_eq(trace.notes, 7);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(trace.values[i], i + 1);
    stop_probe(probe);
    nb_runtime_finish(&runtime);
}
END_TEST

static struct nb_timer deadline;

static void stop_probe_of_loop(struct nb_timer *timer)
{
    nb_actor_stop(loop->uv.data);
    nb_timer_finish(timer);
}

static void send_to_itself(struct probe *self, struct note *note)
{
    if (self->trace->notes == 1)
        ck_assert_int_eq(nb_timer_start(&deadline, loop, 1, stop_probe_of_loop), 0);
    note_send(loop, self->actor.id, 1, NB_NOBODY, NULL);
}

START_TEST(endless_messages_leave_timers_their_turn)
{
    start_runtime();
    struct probe *probe = probe_new(loop, &trace);
    probe->on_note = send_to_itself;
    loop->uv.data = probe;
    note_send(loop, probe->actor.id, 1, NB_NOBODY, NULL);
    end_runtime(&runtime);
    ck_assert_uint_eq(trace.stops, 1);
    ck_assert_uint_gt(trace.notes, 1);
}
END_TEST

START_TEST(left_over_messages_do_not_wait_for_an_event)
{
    enum { COUNT = 50000 }; /* more than several turns' worth */
    start_runtime();
    struct probe *probe = probe_new(loop, &trace);
    for (int i = 0; i < COUNT; i++)
        note_send(loop, probe->actor.id, i, NB_NOBODY, NULL);
    while (trace.notes < COUNT)
        uv_run(&loop->uv, UV_RUN_ONCE);
    stop_probe(probe);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(another_threads_message_wakes_a_waiting_loop)
{
    static struct trace far_trace;
    ck_assert_int_eq(nb_runtime_init(&runtime, 1), 0);
    struct probe *probe = probe_new(&runtime.loops[1], &far_trace);
    struct nb_actor_id id = probe->actor.id;
    ck_assert_int_eq(nb_runtime_start(&runtime), 0);
    for (unsigned i = 1; i <= 100; i++) {
        note_send(loop, id, 1, NB_NOBODY, &disposals);
        while (atomic_load(&disposals) < i)
            uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(nb_stop(loop, id), 0);
    end_runtime(&runtime);
    ck_assert_uint_eq(far_trace.notes, 100);
}
END_TEST

/* ---- flushes ---- */

struct flusher {
    struct nb_flush flush;
    char letter;
    struct flusher *queues, *cancels;
};

static void run_flusher(struct nb_flush *flush)
{
    struct flusher *self = (struct flusher *)flush;
    tell(self->letter);
    if (self->queues)
        nb_loop_flush_later(loop, &self->queues->flush);
    if (self->cancels)
        nb_loop_cancel_flush(loop, &self->cancels->flush);
}

static struct flusher a = {.flush.run = run_flusher, .letter = 'a'},
                      b = {.flush.run = run_flusher, .letter = 'b'},
                      c = {.flush.run = run_flusher, .letter = 'c'};

START_TEST(a_flush_runs_once_a_turn_however_often_it_is_asked_for)
{
    start_runtime();
    for (int i = 0; i < 3; i++)
        nb_loop_flush_later(loop, &a.flush);
    nb_loop_flush_later(loop, &b.flush);
    nb_loop_flush_later(loop, &a.flush);
    run_turns(loop);
    ck_assert_str_eq(story, "ab");
    nb_loop_flush_later(loop, &a.flush);
    run_turns(loop);
    ck_assert_str_eq(story, "aba");
    nb_runtime_finish(&runtime);
}
END_TEST

static void tell_and_flush(struct probe *self, struct note *note)
{
    tell('m');
    nb_loop_flush_later(loop, &a.flush);
}

START_TEST(flushes_come_after_the_turns_messages)
{
    start_runtime();
    struct probe *probe = probe_new(loop, &trace);
    probe->on_note = tell_and_flush;
    for (int i = 0; i < 3; i++)
        note_send(loop, probe->actor.id, i, NB_NOBODY, NULL);
    run_turns(loop);
    ck_assert_str_eq(story, "mmma");
    stop_probe(probe);
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(a_cancelled_flush_does_not_run)
{
    static struct flusher *const all[] = {&a, &b, &c};
    static const char *const stories[] = {"bca", "acb", "abc"};
    start_runtime();
    for (int i = 0; i < 3; i++) { /* the first, one in the middle, the last: and the list still works */
        memset(story, 0, sizeof story);
        for (int j = 0; j < 3; j++)
            nb_loop_flush_later(loop, &all[j]->flush);
        nb_loop_cancel_flush(loop, &all[i]->flush);
        nb_loop_cancel_flush(loop, &all[i]->flush);
        nb_loop_flush_later(loop, &all[i]->flush);
        run_turns(loop);
        ck_assert_str_eq(story, stories[i]);
    }
    nb_runtime_finish(&runtime);
}
END_TEST

START_TEST(a_flush_may_cancel_the_next)
{
    start_runtime();
    a.cancels = &b;
    nb_loop_flush_later(loop, &a.flush);
    nb_loop_flush_later(loop, &b.flush);
    run_turns(loop);
    ck_assert_str_eq(story, "a");
    a.cancels = NULL;
    a.queues = &b;
    nb_loop_flush_later(loop, &a.flush);
    nb_loop_flush_later(loop, &c.flush);
    run_turns(loop);
    ck_assert_str_eq(story, "aacb");
    nb_runtime_finish(&runtime);
}
END_TEST

struct eager {
    struct nb_flush flush;
    struct nb_timer timer;
    unsigned runs;
    bool is_enough;
};

static void say_enough(struct nb_timer *timer)
{
    ((struct eager *)((char *)timer - offsetof(struct eager, timer)))->is_enough = true;
    uv_stop(&loop->uv); /* nothing else is going to wake it */
}

static void run_again(struct nb_flush *flush)
{
    struct eager *eager = (struct eager *)flush;
    if (!eager->runs++)
        ck_assert_int_eq(nb_timer_start(&eager->timer, loop, 1, say_enough), 0);
    if (!eager->is_enough)
        nb_loop_flush_later(loop, flush);
}

START_TEST(a_flush_that_asks_for_itself_leaves_timers_their_turn)
{
    static struct eager eager = {.flush.run = run_again};
    start_runtime();
    nb_loop_flush_later(loop, &eager.flush);
    while (!eager.is_enough)
        uv_run(&loop->uv, UV_RUN_ONCE);
    run_turns(loop);
    ck_assert_uint_gt(eager.runs, 1);
    nb_timer_finish(&eager.timer);
    nb_runtime_finish(&runtime);
}
END_TEST

/* ---- beginning and end ---- */

START_TEST(a_runtime_without_actors_ends_at_once)
{
    for (unsigned workers = 0; workers < 4; workers++) {
        ck_assert_int_eq(nb_runtime_init(&runtime, workers), 0);
        ck_assert_int_eq(nb_runtime_start(&runtime), 0);
        end_runtime(&runtime);
    }
}
END_TEST

static void stop_after_five(struct probe *self, struct note *note)
{
    note_send(loop, self->actor.id, note->value + 1, NB_NOBODY, NULL);
    if (note->value == 5)
        nb_actor_stop(&self->actor);
}

START_TEST(a_runtime_runs_until_its_last_actor_is_gone)
{
    start_runtime();
    struct probe *probe = probe_new(loop, &trace);
    probe->on_note = stop_after_five;
    note_send(loop, probe->actor.id, 1, NB_NOBODY, NULL);
    end_runtime(&runtime);
    ck_assert_uint_eq(trace.notes, 5);
    ck_assert_uint_eq(trace.stops, 1);
}
END_TEST

/* A watch is on its way to a loop that has ended, and its answer to the one it came from. */
START_TEST(what_is_on_its_way_at_the_end_is_let_go_of)
{
    struct trace traces[3] = {0};
    for (unsigned from = 0; from < 3; from++)
        for (unsigned to = 0; to < 3; to++) {
            ck_assert_int_eq(nb_runtime_init(&runtime, 2), 0);
            struct nb_loop *home = &runtime.loops[from], *away = &runtime.loops[to];
            struct probe *watched = probe_new(away, &traces[to]), *watcher = probe_new(home, &traces[from]);
            struct nb_actor_id id = watched->actor.id;
            nb_actor_stop(&watched->actor);
            run_turns(away);
            ck_assert_int_eq(nb_watch(&watcher->actor, id), 0);
            nb_actor_stop(&watcher->actor);
            run_turns(home);
            nb_runtime_finish(&runtime);
        }
}
END_TEST

static void work_elsewhere(uv_work_t *request)
{
    uv_sem_wait(request->data);
}

static void send_to_the_dead(uv_work_t *request, int status)
{
    note_send(loop, (struct nb_actor_id){.slot = 0, .generation = 1}, 1, NB_NOBODY, &disposals);
}

START_TEST(a_request_outlives_the_last_actor)
{
    uv_sem_t gate;
    uv_work_t request = {.data = &gate};
    ck_assert_int_eq(uv_sem_init(&gate, 0), 0);
    start_runtime();
    ck_assert_int_eq(uv_queue_work(&loop->uv, &request, work_elsewhere, send_to_the_dead), 0);
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    ck_assert_uint_eq(disposals, 0);
    uv_sem_post(&gate);
    nb_runtime_finish(&runtime);
    ck_assert_uint_eq(disposals, 1);
    uv_sem_destroy(&gate);
}
END_TEST

START_TEST(an_init_that_fails_leaves_nothing)
{
    uint64_t requests = 0; /* of that many loops; only the first of a loop may fail, libuv aborts at others */
    for (unsigned loops = 0; loops < 3; loops++) {
        nb_memory_fail_after(requests + 1);
        ck_assert_int_eq(nb_runtime_init(&runtime, loops), UV_ENOMEM);
        uint64_t before = nb_memory_requests();
        ck_assert_int_eq(nb_runtime_init(&runtime, loops), 0);
        requests = nb_memory_requests() - before;
        nb_runtime_finish(&runtime);
    }
}
END_TEST

START_TEST(a_start_that_fails_leaves_no_thread)
{
    for (int threads = 0; threads < 3; threads++) {
        ck_assert_int_eq(nb_runtime_init(&runtime, 3), 0);
        threads_until_failure = threads;
        ck_assert_int_eq(nb_runtime_start(&runtime), UV_EAGAIN);
        nb_runtime_finish(&runtime);
    }
}
END_TEST

int main(void)
{
    return run_suite(
        "loop",
        (const TTest *[]){
            messages_are_delivered_in_the_order_they_were_sent, endless_messages_leave_timers_their_turn,
            left_over_messages_do_not_wait_for_an_event, another_threads_message_wakes_a_waiting_loop,
            a_flush_runs_once_a_turn_however_often_it_is_asked_for, flushes_come_after_the_turns_messages,
            a_cancelled_flush_does_not_run, a_flush_may_cancel_the_next,
            a_flush_that_asks_for_itself_leaves_timers_their_turn, a_runtime_without_actors_ends_at_once,
            a_runtime_runs_until_its_last_actor_is_gone, what_is_on_its_way_at_the_end_is_let_go_of,
            a_request_outlives_the_last_actor, an_init_that_fails_leaves_nothing,
            a_start_that_fails_leaves_no_thread, NULL});
}
