#include "loop.h"

#include "actor.h"
#include "memory.h"

#include <assert.h>
#include <string.h>

enum {
    TURN_MESSAGES = 8192, /* handled before sockets get their turn again */
    NO_SLOT = UINT32_MAX,
};

/* ---- messages ---- */

static void append(struct nb_loop *loop, struct nb_message *message)
{
    message->next = NULL;
    *loop->newest = message;
    loop->newest = &message->next;
}

static void put_in_inbox(struct nb_loop *home, struct nb_message *message)
{
    if (nb_inbox_put(&home->inbox, message))
        uv_async_send(&home->bell);
}

void nb_send(struct nb_loop *loop, struct nb_actor_id to, struct nb_message *message)
{
    message->to = to;
    if (to.loop == loop->index || nb_actor_id_is_nobody(to)) {
        append(loop, message);
        return;
    }
    put_in_inbox(&loop->runtime->loops[to.loop], message);
}

void nb_send_from_outside(struct nb_loop *home, struct nb_actor_id to, struct nb_message *message)
{
    message->to = to;
    put_in_inbox(home, message);
}

struct nb_actor *nb_loop_find(struct nb_loop *loop, struct nb_actor_id id)
{
    if (id.loop != loop->index || id.slot >= loop->slot_count)
        return NULL;
    struct nb_slot *slot = &loop->slots[id.slot];
    return slot->generation == id.generation ? slot->actor : NULL;
}

static void deliver(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_actor *actor = nb_loop_find(loop, message->to);
    if (actor && message->class->arrive) {
        message->class->arrive(actor, message);
        return;
    }
    if (actor)
        actor->class->receive(actor, &message);
    if (message)
        nb_message_dispose(loop, message);
}

static void run_stops(struct nb_loop *loop)
{
    while (loop->stopping) {
        struct nb_actor *actor = loop->stopping;
        loop->stopping = actor->next_stopping;
        actor->class->stop(actor);
    }
}

static void take_inbox(struct nb_loop *loop)
{
    for (struct nb_message *message = nb_inbox_take_all(&loop->inbox), *next; message; message = next) {
        next = message->next;
        append(loop, message);
    }
}

static void deliver_some(struct nb_loop *loop, unsigned budget)
{
    run_stops(loop);
    while (loop->oldest && budget--) {
        struct nb_message *message = loop->oldest;
        loop->oldest = message->next;
        if (!loop->oldest)
            loop->newest = &loop->oldest;
        deliver(loop, message);
        run_stops(loop);
    }
}

/* ---- the end of a turn ---- */

void nb_loop_flush_later(struct nb_loop *loop, struct nb_flush *flush)
{
    if (flush->queued)
        return;
    flush->queued = true;
    flush->next = NULL;
    *loop->last_flush = flush;
    loop->last_flush = &flush->next;
}

void nb_loop_cancel_flush(struct nb_loop *loop, struct nb_flush *flush)
{
    if (!flush->queued)
        return;
    struct nb_flush **link = &loop->flushes;
    while (*link != flush)
        link = &(*link)->next;
    *link = flush->next;
    if (loop->last_flush == &flush->next)
        loop->last_flush = link;
    flush->queued = false;
}

static struct nb_flush *take_first_flush(struct nb_loop *loop)
{
    struct nb_flush *flush = loop->flushes;
    nb_loop_cancel_flush(loop, flush);
    return flush;
}

/* A flush that is asked for from now on is behind the mark, and waits. */
static void run_flushes(struct nb_loop *loop)
{
    struct nb_flush mark = {0}, *flush;
    nb_loop_flush_later(loop, &mark);
    while ((flush = take_first_flush(loop)) != &mark)
        flush->run(flush);
}

static bool has_work(const struct nb_loop *loop)
{
    return loop->oldest || loop->stopping || loop->flushes;
}

static bool has_workers(struct nb_loop *loop)
{
    return loop->index == 0 && atomic_load(&loop->runtime->live_threads);
}

static void end_if_done(struct nb_loop *loop)
{
    if (loop->is_open && !loop->actor_count && !loop->oldest && atomic_load(&loop->is_ending) &&
        !has_workers(loop)) {
        loop->is_open = false;
        uv_stop(&loop->uv);
    }
}

static void do_idle(uv_idle_t *handle)
{
    (void)handle;
}

/* Messages may cause flushes and flushes messages; what is left after two rounds waits for the next turn. */
static void work(struct nb_loop *loop)
{
    take_inbox(loop);
    for (int round = 0; round < 2; round++) {
        deliver_some(loop, TURN_MESSAGES);
        run_flushes(loop);
        if (!has_work(loop))
            break;
    }
    loop->turn++;
    if (has_work(loop))
        uv_idle_start(&loop->busy, do_idle);
    else
        uv_idle_stop(&loop->busy);
    end_if_done(loop);
}

static void on_prepare(uv_prepare_t *handle)
{
    work(handle->data);
}

static void on_check(uv_check_t *handle)
{
    work(handle->data);
}

static void on_bell(uv_async_t *handle)
{
    (void)handle; /* the check that follows takes the inbox */
}

/* ---- loops ---- */

static int init_loop(struct nb_loop *loop, struct nb_runtime *runtime, unsigned index)
{
    *loop = (struct nb_loop){
        .runtime = runtime, .index = index, .free_slot = NO_SLOT, .turn = 1, .is_open = true};
    loop->newest = &loop->oldest;
    loop->last_flush = &loop->flushes;
    int status = uv_loop_init(&loop->uv);
    if (status < 0)
        return status;
    if ((status = uv_async_init(&loop->uv, &loop->bell, on_bell)) < 0) {
        uv_loop_close(&loop->uv);
        return status;
    }
    uv_prepare_init(&loop->uv, &loop->before_poll);
    uv_check_init(&loop->uv, &loop->after_poll);
    uv_idle_init(&loop->uv, &loop->busy);
    loop->before_poll.data = loop->after_poll.data = loop;
    uv_prepare_start(&loop->before_poll, on_prepare);
    uv_check_start(&loop->after_poll, on_check);
    return 0;
}

static void free_messages(struct nb_message_pool *pool)
{
    for (struct nb_message *message = pool->free, *next; message; message = next) {
        next = message->next;
        nb_free(message);
    }
}

/* Lets go of the messages that are left; false: there were none. */
static bool drain_loop(struct nb_loop *loop)
{
    take_inbox(loop);
    if (!loop->oldest)
        return false;
    deliver_some(loop, UINT32_MAX);
    return true;
}

/* Runs until libuv owes no callback: a lookup that nobody waits for still ends with a message. */
static void await_requests(struct nb_loop *loop)
{
    uv_unref((uv_handle_t *)&loop->bell);
    uv_unref((uv_handle_t *)&loop->before_poll);
    uv_unref((uv_handle_t *)&loop->after_poll);
    uv_unref((uv_handle_t *)&loop->busy);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void finish_loop(struct nb_loop *loop)
{
    assert(!loop->actor_count && !loop->oldest);
    uv_close((uv_handle_t *)&loop->bell, NULL);
    uv_close((uv_handle_t *)&loop->before_poll, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int status = uv_loop_close(&loop->uv);
    assert(status == 0);
    (void)status;
    free_messages(&loop->messages[0]);
    free_messages(&loop->messages[1]);
    nb_chunk_pool_finish(&loop->pool);
    nb_free(loop->slots);
}

int nb_runtime_init(struct nb_runtime *runtime, unsigned workers)
{
    assert(workers < NB_LOOPS_MAX);
    memset(runtime, 0, sizeof *runtime);
    for (; runtime->count <= workers; runtime->count++) {
        int status = init_loop(&runtime->loops[runtime->count], runtime, runtime->count);
        if (status < 0) {
            nb_runtime_finish(runtime);
            return status;
        }
    }
    return 0;
}

static void run_loop(struct nb_loop *loop)
{
    while (loop->is_open)
        uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void run_thread(void *argument)
{
    struct nb_loop *loop = argument;
    struct nb_runtime *runtime = loop->runtime;
    run_loop(loop);
    atomic_fetch_sub(&runtime->live_threads, 1);
    uv_async_send(&runtime->loops[0].bell);
}

static void join_threads(struct nb_runtime *runtime)
{
    for (unsigned i = 1; i < runtime->running; i++)
        uv_thread_join(&runtime->loops[i].thread);
}

int nb_runtime_start(struct nb_runtime *runtime)
{
    for (runtime->running = 1; runtime->running < runtime->count; runtime->running++) {
        struct nb_loop *loop = &runtime->loops[runtime->running];
        atomic_fetch_add(&runtime->live_threads, 1);
        int status = uv_thread_create(&loop->thread, run_thread, loop);
        if (status < 0) {
            atomic_fetch_sub(&runtime->live_threads, 1);
            nb_runtime_end(runtime);
            join_threads(runtime);
            return status;
        }
    }
    return 0;
}

void nb_runtime_run(struct nb_runtime *runtime)
{
    run_loop(&runtime->loops[0]);
    join_threads(runtime);
}

void nb_runtime_end(struct nb_runtime *runtime)
{
    for (unsigned i = 0; i < runtime->count; i++) {
        atomic_store(&runtime->loops[i].is_ending, true);
        uv_async_send(&runtime->loops[i].bell);
    }
}

void nb_runtime_finish(struct nb_runtime *runtime)
{
    for (unsigned i = 0; i < runtime->count; i++)
        await_requests(&runtime->loops[i]);
    /* Letting go of one may send another, also to a loop that is drained already. */
    for (unsigned quiet = 0, i = 0; quiet < runtime->count; i = (i + 1) % runtime->count)
        quiet = drain_loop(&runtime->loops[i]) ? 0 : quiet + 1;
    for (unsigned i = runtime->count; i-- > 0;)
        finish_loop(&runtime->loops[i]);
    runtime->count = 0;
}
