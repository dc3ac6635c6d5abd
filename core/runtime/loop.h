/*
 * A libuv loop with actors on it, and the set of all loops.
 *
 * One turn:  timers, sockets (libuv)  ->  messages, in the order they were sent
 *            ->  flushes of what the turn has queued for sockets.
 * I/O callbacks only send messages and queue bytes; so all that one turn has to
 * say to one socket leaves in one system call.
 */
#ifndef NB_LOOP_H
#define NB_LOOP_H

#include "chunk.h"
#include "id.h"
#include "inbox.h"
#include "message.h"

#include <stdbool.h>
#include <uv.h>

struct nb_actor;
struct nb_runtime;

/* Work to be done once at the end of the turn; embedded in its owner. */
struct nb_flush {
    struct nb_flush *next;
    void (*run)(struct nb_flush *flush);
    bool queued;
};

/* Messages to be used again. */
struct nb_message_pool {
    struct nb_message *free;
    unsigned count;
};

struct nb_slot {
    struct nb_actor *actor; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

/* The fields are the runtime's; others use uv, pool and index. Its own thread only. */
struct nb_loop {
    uv_loop_t uv;
    struct nb_chunk_pool pool;
    struct nb_runtime *runtime;
    unsigned index;

    struct nb_inbox inbox;
    uv_async_t bell;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t busy; /* runs while messages are left over, so that polling does not block */
    uv_thread_t thread;

    struct nb_message *oldest, **newest; /* the local queue */
    struct nb_message_pool messages[2]; /* small, large */
    struct nb_flush *flushes, **last_flush;
    struct nb_actor *stopping; /* whose class->stop is still to be called */
    uint64_t turn; /* counts from 1 */

    struct nb_slot *slots; /* owned */
    uint32_t slot_count, free_slot;
    uint32_t actor_count;
    atomic_bool is_ending; /* ends when its last actor is gone; written by the main thread */
    bool is_open;
};

enum { NB_LOOPS_MAX = 64 };

struct nb_runtime {
    struct nb_loop loops[NB_LOOPS_MAX]; /* 0: the main thread's */
    unsigned count;
    unsigned running; /* loops whose threads were started */
    atomic_uint live_threads; /* of the workers */
};

/* Loop 0 and workers more; negative errno. init does not start threads. */
int nb_runtime_init(struct nb_runtime *runtime, unsigned workers);

/* Starts a thread for each loop but loop 0; negative errno, with no thread left. */
int nb_runtime_start(struct nb_runtime *runtime);

/*
 * Runs loop 0 on this thread until nb_runtime_end was called and every actor of
 * every loop is gone; then joins the threads. Loop 0 is the last to end, so that
 * a timer on it can limit how long the others take.
 */
void nb_runtime_run(struct nb_runtime *runtime);

/* Lets every loop end with its last actor. Main thread. Does not stop actors. */
void nb_runtime_end(struct nb_runtime *runtime);

/* Frees what init made; asserts that no handle, message or actor is left. */
void nb_runtime_finish(struct nb_runtime *runtime);

/* Runs flush->run at the end of this turn, once, however often it was asked for. */
void nb_loop_flush_later(struct nb_loop *loop, struct nb_flush *flush);
void nb_loop_cancel_flush(struct nb_loop *loop, struct nb_flush *flush);

/* The live actor of that id on this loop, or NULL. For the runtime. */
struct nb_actor *nb_loop_find(struct nb_loop *loop, struct nb_actor_id id);

/* Milliseconds of the loop's clock. */
static inline uint64_t nb_loop_now(struct nb_loop *loop)
{
    return uv_now(&loop->uv);
}

#endif
