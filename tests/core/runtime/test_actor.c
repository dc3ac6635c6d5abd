#include "actor.h"
#include "memory.h"
#include "probe.h"
#include "suite.h"

static struct nb_runtime runtime;
static struct nb_loop *const here = &runtime.loops[0], *const there = &runtime.loops[1];
static struct trace trace, other_trace;
static atomic_uint disposals;

/* Two loops, both run by hand on this thread. */
static void start_runtime(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 1), 0);
}

static void run_both(void)
{
    for (int i = 0; i < 3; i++) {
        run_turns(here);
        run_turns(there);
    }
}

static void end_both(void)
{
    run_both();
    ck_assert_uint_eq(here->actor_count + there->actor_count, 0);
    nb_runtime_finish(&runtime);
}

START_TEST(notes_arrive_in_order_and_are_disposed_of)
{
    start_runtime();
    struct probe *probe = probe_new(here, &trace);
    for (int i = 0; i < 10; i++)
        note_send(here, probe->actor.id, i, NB_NOBODY, &disposals);
    ck_assert_uint_eq(trace.notes, 0);
    run_turns(here);
    ck_assert_uint_eq(trace.notes, 10);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(trace.values[i], i);
    ck_assert_uint_eq(disposals, 10);
    nb_actor_stop(&probe->actor);
    end_both();
}
END_TEST

START_TEST(a_note_that_was_taken_is_not_disposed_of)
{
    start_runtime();
    struct probe *probe = probe_new(here, &trace);
    probe->keeps_notes = true;
    note_send(here, probe->actor.id, 1, NB_NOBODY, &disposals);
    run_turns(here);
    ck_assert_uint_eq(trace.notes, 1);
    ck_assert_uint_eq(disposals, 0);
    nb_actor_stop(&probe->actor);
    end_both();
}
END_TEST

START_TEST(a_stale_id_reaches_nobody)
{
    start_runtime();
    struct probe *old = probe_new(here, &trace);
    struct nb_actor_id stale = old->actor.id;
    nb_actor_stop(&old->actor);
    run_turns(here);
    struct probe *new = probe_new(here, &other_trace);
    ck_assert_uint_eq(new->actor.id.slot, stale.slot);
    ck_assert(!nb_actor_id_equal(new->actor.id, stale));
    ck_assert_ptr_null(nb_loop_find(here, stale));
    note_send(here, stale, 1, NB_NOBODY, &disposals);
    note_send(there, stale, 2, NB_NOBODY, &disposals);
    ck_assert_int_eq(nb_stop(here, stale), 0);
    run_both();
    ck_assert_uint_eq(disposals, 2);
    ck_assert_uint_eq(trace.notes + other_trace.notes, 0);
    ck_assert_uint_eq(other_trace.stops, 0);
    nb_actor_stop(&new->actor);
    end_both();
}
END_TEST

START_TEST(a_generation_is_never_that_of_nobody)
{
    start_runtime();
    nb_actor_stop(&probe_new(here, &trace)->actor);
    run_turns(here);
    here->slots[here->free_slot].generation = 0xffffff;
    struct probe *last = probe_new(here, &trace);
    ck_assert_uint_eq(last->actor.id.generation, 0xffffff);
    nb_actor_stop(&last->actor);
    run_turns(here);
    struct probe *next = probe_new(here, &trace);
    ck_assert(!nb_actor_id_is_nobody(next->actor.id));
    nb_actor_stop(&next->actor);
    end_both();
}
END_TEST

START_TEST(what_is_sent_to_nobody_is_disposed_of)
{
    start_runtime();
    note_send(here, NB_NOBODY, 1, NB_NOBODY, &disposals);
    note_send(there, NB_NOBODY, 1, NB_NOBODY, &disposals);
    ck_assert_int_eq(nb_stop(there, NB_NOBODY), 0);
    run_both();
    ck_assert_uint_eq(disposals, 2);
    end_both();
}
END_TEST

START_TEST(many_actors_have_ids_of_their_own)
{
    enum { COUNT = 300 };
    static struct trace traces[COUNT];
    static struct probe *probes[COUNT];
    start_runtime();
    for (int i = 0; i < COUNT; i++)
        probes[i] = probe_new(here, &traces[i]);
    for (int i = 0; i < COUNT; i++)
        note_send(here, probes[i]->actor.id, i, NB_NOBODY, NULL);
    run_turns(here);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(traces[i].notes, 1);
        ck_assert_int_eq(traces[i].values[0], i);
        nb_actor_stop(&probes[i]->actor);
    }
    end_both();
}
END_TEST

static void stop_three_times(struct probe *self, struct note *note)
{
    nb_actor_stop(&self->actor);
    nb_actor_stop(&self->actor);
    ck_assert_int_eq(nb_stop(self->actor.loop, self->actor.id), 0);
    ck_assert_uint_eq(self->trace->stops, 0);
}

START_TEST(a_stop_runs_once_and_not_inside_a_handler)
{
    start_runtime();
    struct probe *probe = probe_new(here, &trace);
    probe->on_note = stop_three_times;
    note_send(here, probe->actor.id, 1, NB_NOBODY, &disposals);
    note_send(here, probe->actor.id, 2, NB_NOBODY, &disposals);
    ck_assert_int_eq(nb_stop(there, probe->actor.id), 0);
    run_both();
    ck_assert_uint_eq(trace.stops, 1);
    ck_assert(!trace.stopped_inside_handler);
    ck_assert_uint_eq(trace.notes, 1);
    ck_assert_uint_eq(disposals, 2);
    end_both();
}
END_TEST

START_TEST(a_stopping_actor_still_receives)
{
    start_runtime();
    struct probe *probe = probe_new(here, &trace);
    probe->stays_stopping = true;
    nb_actor_stop(&probe->actor);
    run_turns(here);
    nb_actor_stop(&probe->actor);
    note_send(here, probe->actor.id, 1, NB_NOBODY, &disposals);
    run_turns(here);
    ck_assert_uint_eq(trace.stops, 1);
    ck_assert_uint_eq(trace.notes, 1);
    note_send(here, probe->actor.id, 2, NB_NOBODY, &disposals);
    probe_finish(probe);
    run_turns(here);
    ck_assert_uint_eq(trace.notes, 1);
    ck_assert_uint_eq(disposals, 2);
    end_both();
}
END_TEST

/* Watches across every pair of loops, before or after the death. */
static void check_watch(struct nb_loop *watcher_loop, struct nb_loop *watched_loop, bool is_dead_first)
{
    trace = other_trace = (struct trace){0};
    struct probe *watcher = probe_new(watcher_loop, &trace), *watched = probe_new(watched_loop, &other_trace);
    struct nb_actor_id id = watched->actor.id;
    if (is_dead_first) {
        nb_actor_stop(&watched->actor);
        run_both();
    }
    ck_assert_int_eq(nb_watch(&watcher->actor, id), 0);
    run_both();
    ck_assert_uint_eq(trace.downs, is_dead_first);
    if (!is_dead_first)
        nb_actor_stop(&watched->actor);
    run_both();
    ck_assert_uint_eq(trace.downs, 1);
    ck_assert(nb_actor_id_equal(trace.down_of, id));
    nb_actor_stop(&watcher->actor);
    run_both();
}

START_TEST(a_watcher_is_told_of_the_end)
{
    start_runtime();
    for (int i = 0; i < 8; i++)
        check_watch(i & 1 ? there : here, i & 2 ? there : here, i & 4);
    end_both();
}
END_TEST

/* To every loop, and back under the name that was watched. */
START_TEST(watchers_can_be_passed_on)
{
    start_runtime();
    for (int i = 0; i < 4; i++) {
        trace = other_trace = (struct trace){0};
        struct probe *watcher = probe_new(i & 1 ? there : here, &trace);
        struct probe *first = probe_new(here, &other_trace);
        struct probe *second = probe_new(i & 2 ? there : here, &other_trace);
        struct nb_actor_id id = first->actor.id;
        ck_assert_int_eq(nb_watch(&watcher->actor, id), 0);
        run_both();
        nb_actor_pass_on_watchers(&first->actor, second->actor.id);
        nb_actor_stop(&first->actor);
        run_both();
        ck_assert_uint_eq(trace.downs, 0);
        nb_actor_stop(&second->actor);
        run_both();
        ck_assert_uint_eq(trace.downs, 1);
        ck_assert(nb_actor_id_equal(trace.down_of, id));
        nb_actor_stop(&watcher->actor);
        run_both();
    }
    end_both();
}
END_TEST

START_TEST(watchers_can_be_told_before_the_end)
{
    start_runtime();
    struct probe *watcher = probe_new(here, &trace), *watched = probe_new(there, &other_trace);
    ck_assert_int_eq(nb_watch(&watcher->actor, watched->actor.id), 0);
    run_both();
    nb_actor_dismiss_watchers(&watched->actor);
    run_both();
    ck_assert_uint_eq(trace.downs, 1);
    nb_actor_stop(&watched->actor);
    run_both();
    ck_assert_uint_eq(trace.downs, 1);
    nb_actor_stop(&watcher->actor);
    end_both();
}
END_TEST

START_TEST(each_watch_is_answered)
{
    start_runtime();
    struct probe *watcher = probe_new(here, &trace), *watched = probe_new(there, &other_trace);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(nb_watch(&watcher->actor, watched->actor.id), 0);
    nb_actor_stop(&watched->actor);
    run_both();
    ck_assert_uint_eq(trace.downs, 3);
    nb_actor_stop(&watcher->actor);
    end_both();
}
END_TEST

START_TEST(a_watcher_that_is_gone_misses_nothing)
{
    start_runtime();
    struct probe *watcher = probe_new(here, &trace), *watched = probe_new(there, &other_trace);
    ck_assert_int_eq(nb_watch(&watcher->actor, watched->actor.id), 0);
    ck_assert_int_eq(nb_watch(&watcher->actor, watcher->actor.id), 0);
    run_both();
    nb_actor_stop(&watcher->actor);
    run_both();
    nb_actor_stop(&watched->actor);
    end_both();
    ck_assert_uint_eq(trace.downs, 0);
}
END_TEST

START_TEST(a_stop_crosses_loops)
{
    start_runtime();
    struct probe *probe = probe_new(there, &trace);
    ck_assert_int_eq(nb_stop(here, probe->actor.id), 0);
    ck_assert_uint_eq(trace.stops, 0);
    run_both();
    ck_assert_uint_eq(trace.stops, 1);
    end_both();
}
END_TEST

START_TEST(without_memory_nothing_begins)
{
    start_runtime();
    for (int failing = 1; failing <= 2; failing++) { /* the table of slots, then the actor */
        nb_memory_fail_after((uint64_t)failing);
        ck_assert_ptr_null(probe_new(here, &trace));
        ck_assert_uint_eq(here->actor_count, 0);
    }
    struct probe *probe = probe_new(here, &trace), *neighbour = probe_new(there, &other_trace);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_watch(&probe->actor, neighbour->actor.id), UV_ENOMEM);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_stop(here, neighbour->actor.id), UV_ENOMEM);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_stop(here, probe->actor.id), 0);
    nb_memory_fail_after(0);
    run_both();
    ck_assert_uint_eq(trace.stops, 1);
    ck_assert_uint_eq(trace.downs + other_trace.stops, 0);
    nb_actor_stop(&neighbour->actor);
    end_both();
}
END_TEST

START_TEST(messages_are_used_again)
{
    start_runtime();
    struct probe *probe = probe_new(here, &trace);
    note_send(here, probe->actor.id, 1, NB_NOBODY, NULL);
    run_turns(here);
    uint64_t requests = nb_memory_requests();
    for (int i = 0; i < 1000; i++) {
        note_send(here, probe->actor.id, i, NB_NOBODY, NULL);
        run_turns(here);
    }
    ck_assert_uint_eq(nb_memory_requests(), requests);
    nb_actor_stop(&probe->actor);
    end_both();
}
END_TEST

/* ---- on threads ---- */

enum { LOOPS = 3, HOPS = 3000, TOKENS = 5 };

/* Passes a token on around the ring; the last hop stops the probe. */
static void pass_on(struct probe *self, struct note *note)
{
    const struct nb_actor_id *next = self->context;
    if (note->value < HOPS)
        note_send(self->actor.loop, *next, note->value + 1, self->actor.id, note->disposals);
    if (self->trace->notes == TOKENS * HOPS / LOOPS)
        nb_actor_stop(&self->actor);
}

START_TEST(tokens_go_round_on_threads)
{
    static struct trace traces[LOOPS];
    static struct nb_actor_id ids[LOOPS];
    ck_assert_int_eq(nb_runtime_init(&runtime, LOOPS - 1), 0);
    for (int i = 0; i < LOOPS; i++) {
        struct probe *probe = probe_new(&runtime.loops[i], &traces[i]);
        probe->on_note = pass_on;
        probe->context = &ids[(i + 1) % LOOPS];
        ids[i] = probe->actor.id;
    }
    for (int i = 0; i < TOKENS; i++)
        note_send(here, ids[0], 1, NB_NOBODY, &disposals);
    ck_assert_int_eq(nb_runtime_start(&runtime), 0);
    end_runtime(&runtime);
    ck_assert_uint_eq(traces[0].notes + traces[1].notes + traces[2].notes, TOKENS * HOPS);
    ck_assert_uint_eq(disposals, TOKENS * HOPS);
}
END_TEST

/* A worker loop's probe floods its collector with numbers, then stops. */
static void flood(struct probe *self, struct note *note)
{
    const struct nb_actor_id *collector = self->context;
    for (int i = 0; i < HOPS; i++)
        note_send(self->actor.loop, *collector, i, self->actor.id, NULL);
    nb_actor_stop(&self->actor);
}

static void collect(struct probe *self, struct note *note)
{
    int *next_of = self->context;
    ck_assert_int_eq(note->value, next_of[note->from.loop]++);
    if (self->trace->notes == (LOOPS - 1) * HOPS)
        nb_actor_stop(&self->actor);
}

START_TEST(each_senders_notes_keep_their_order_across_threads)
{
    static struct trace traces[LOOPS];
    static int next_of[LOOPS];
    ck_assert_int_eq(nb_runtime_init(&runtime, LOOPS - 1), 0);
    struct probe *collector = probe_new(here, &traces[0]);
    struct nb_actor_id id = collector->actor.id;
    collector->on_note = collect;
    collector->context = next_of;
    for (int i = 1; i < LOOPS; i++) {
        struct probe *sender = probe_new(&runtime.loops[i], &traces[i]);
        sender->on_note = flood;
        sender->context = &id;
        note_send(here, sender->actor.id, 0, NB_NOBODY, NULL);
    }
    ck_assert_int_eq(nb_runtime_start(&runtime), 0);
    end_runtime(&runtime);
    ck_assert_uint_eq(traces[0].notes, (LOOPS - 1) * HOPS);
}
END_TEST

START_TEST(a_watch_crosses_threads)
{
    static struct trace traces[LOOPS];
    ck_assert_int_eq(nb_runtime_init(&runtime, LOOPS - 1), 0);
    struct probe *watched = probe_new(there, &traces[1]), *watcher = probe_new(here, &traces[0]);
    ck_assert_int_eq(nb_watch(&watcher->actor, watched->actor.id), 0);
    ck_assert_int_eq(nb_runtime_start(&runtime), 0);
    ck_assert_int_eq(nb_stop(here, watched->actor.id), 0);
    while (!traces[0].downs)
        uv_run(&here->uv, UV_RUN_ONCE);
    nb_actor_stop(&watcher->actor);
    end_runtime(&runtime);
    ck_assert_uint_eq(traces[1].stops, 1);
}
END_TEST

int main(void)
{
    return run_suite("actor", (const TTest *[]){notes_arrive_in_order_and_are_disposed_of,
                                                a_note_that_was_taken_is_not_disposed_of,
                                                a_stale_id_reaches_nobody,
                                                a_generation_is_never_that_of_nobody,
                                                what_is_sent_to_nobody_is_disposed_of,
                                                many_actors_have_ids_of_their_own,
                                                a_stop_runs_once_and_not_inside_a_handler,
                                                a_stopping_actor_still_receives,
                                                a_watcher_is_told_of_the_end,
                                                watchers_can_be_passed_on,
                                                watchers_can_be_told_before_the_end,
                                                each_watch_is_answered,
                                                a_watcher_that_is_gone_misses_nothing,
                                                a_stop_crosses_loops,
                                                without_memory_nothing_begins,
                                                messages_are_used_again,
                                                tokens_go_round_on_threads,
                                                each_senders_notes_keep_their_order_across_threads,
                                                a_watch_crosses_threads,
                                                NULL});
}
