#include "loop.h"

#include "netbroker/uv.h"

#include <check.h>
#include <stdlib.h>

struct loop {
    struct netbroker_uv watch;
    uv_loop_t uv;
    uv_timer_t limit;
    bool has_passed;
    int end; /* of the session */
    bool is_closed;
};

static void on_end(struct netbroker_uv *watch, void *context, int result)
{
    ck_assert_int_eq(((struct loop *)context)->end, 0);
    ((struct loop *)context)->end = result;
}

static void warm_up(void)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    uv_loop_close(&loop);
}

static void *open_loop(struct netbroker_session *session)
{
    struct loop *loop = calloc(1, sizeof *loop);
    ck_assert_int_eq(uv_loop_init(&loop->uv), 0);
    uv_timer_init(&loop->uv, &loop->limit);
    ck_assert_int_eq(netbroker_uv_start(&loop->watch, &loop->uv, session, on_end, loop), 0);
    return loop;
}

static void on_limit(uv_timer_t *timer)
{
    ((struct loop *)timer->data)->has_passed = true;
    /* Timers run before the turn waits: it must not do so any more. */
    uv_stop(timer->loop);
}

static int turn(void *opened, int timeout)
{
    struct loop *loop = opened;
    int before = loop->end;
    loop->limit.data = loop;
    loop->has_passed = false;
    uv_update_time(&loop->uv);
    if (timeout >= 0)
        uv_timer_start(&loop->limit, on_limit, (uint64_t)timeout, 0);
    uv_run(&loop->uv, UV_RUN_ONCE);
    uv_timer_stop(&loop->limit);
    ck_assert_msg(loop->end != 0 || uv_loop_alive(&loop->uv), "the loop would have ended before the session");
    return loop->end != before ? loop->end : loop->has_passed ? -ETIMEDOUT : 0;
}

static void on_closed(struct netbroker_uv *watch)
{
    ((struct loop *)watch->context)->is_closed = true;
}

static void close_loop(void *opened)
{
    struct loop *loop = opened;
    netbroker_uv_close(&loop->watch, on_closed);
    uv_close((uv_handle_t *)&loop->limit, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    ck_assert(loop->is_closed);
    ck_assert_int_eq(uv_loop_close(&loop->uv), 0);
    free(loop);
}

const struct loop_kind loop_of_uv = {"uv", warm_up, open_loop, turn, close_loop};
