/*
 * A session in a libuv loop. Header only; include it where it is used, with
 * libuv 1.x in the program.
 *
 *     struct netbroker_uv watch;
 *     netbroker_uv_start(&watch, loop, session, on_end, context);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * The watch is the caller's and must stay where it is until netbroker_uv_close()
 * has called back. It shares the session, and is of the loop's thread. Close it
 * before the session is freed, unless a callback of the session frees that.
 *
 * It keeps the loop alive for as long as the session lives; with
 * uv_unref((uv_handle_t *)&watch.poll) it does not.
 */
#ifndef NETBROKER_UV_H
#define NETBROKER_UV_H

#include <netbroker.h>

#include <errno.h>
#include <poll.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

struct netbroker_uv {
    uv_poll_t poll;
    uv_prepare_t prepare; /* writes once a turn what callbacks of other handles gave */
    uv_timer_t timer;
    struct netbroker_session *session;
    /* The session is over, `result` is what netbroker_dispatch() gave: after
     * -ECANCELED it is freed. Called once; may be NULL. */
    void (*on_end)(struct netbroker_uv *watch, void *context, int result);
    void *context;
    void (*on_closed)(struct netbroker_uv *watch);
    int events; /* that poll waits for */
    int handles; /* not closed yet */
};

/* Internal. */
static inline void netbroker_uv_stop(struct netbroker_uv *watch)
{
    uv_poll_stop(&watch->poll);
    uv_prepare_stop(&watch->prepare);
    uv_timer_stop(&watch->timer);
}

/* Internal. Whether it goes on. A callback that runs the loop comes back here: -EBUSY, and there is another turn. */
static inline int netbroker_uv_dispatch(struct netbroker_uv *watch)
{
    int result = netbroker_dispatch(watch->session);
    if (uv_is_closing((uv_handle_t *)&watch->poll))
        return 0;
    if (result == 0 || result == -EBUSY)
        return 1;
    netbroker_uv_stop(watch);
    if (watch->on_end)
        watch->on_end(watch, watch->context, result);
    return 0;
}

/* Internal. */
static inline void netbroker_uv_on_timer(uv_timer_t *timer)
{
    netbroker_uv_dispatch((struct netbroker_uv *)timer->data);
}

/* Internal. UV_READABLE and UV_WRITABLE are not POLLIN and POLLOUT. */
static inline int netbroker_uv_wanted(struct netbroker_session *session)
{
    short events = netbroker_events(session);
    return (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
}

/* Internal. With an error libuv has stopped the poll, which may have been what kept the loop, and there may be more to
 * read: it starts again. */
static inline void netbroker_uv_on_poll(uv_poll_t *poll, int status, int events)
{
    struct netbroker_uv *watch = (struct netbroker_uv *)poll->data;
    (void)events;
    if (!netbroker_uv_dispatch(watch) || status >= 0)
        return;
    watch->events = netbroker_uv_wanted(watch->session);
    uv_poll_start(poll, watch->events, netbroker_uv_on_poll);
}

/* Internal. */
static inline void netbroker_uv_on_prepare(uv_prepare_t *prepare)
{
    struct netbroker_uv *watch = (struct netbroker_uv *)prepare->data;
    netbroker_flush(watch->session);
    int events = netbroker_uv_wanted(watch->session);
    int timeout = netbroker_timeout(watch->session);
    if (events != watch->events)
        uv_poll_start(&watch->poll, events, netbroker_uv_on_poll);
    watch->events = events;
    if (timeout < 0)
        uv_timer_stop(&watch->timer);
    else if (!uv_is_active((uv_handle_t *)&watch->timer))
        uv_timer_start(&watch->timer, netbroker_uv_on_timer, (uint64_t)timeout, 0);
}

/* Starts to run the session in `loop`. 0, or a libuv error and there is nothing to close. */
static inline int netbroker_uv_start(struct netbroker_uv *watch, uv_loop_t *loop,
                                     struct netbroker_session *session,
                                     void (*on_end)(struct netbroker_uv *watch, void *context, int result),
                                     void *context)
{
    int result = uv_poll_init(loop, &watch->poll, netbroker_fd(session));
    if (result < 0)
        return result;
    uv_prepare_init(loop, &watch->prepare);
    uv_timer_init(loop, &watch->timer);
    watch->poll.data = watch->prepare.data = watch->timer.data = watch;
    watch->session = session;
    watch->on_end = on_end;
    watch->context = context;
    watch->handles = 3;
    watch->events = netbroker_uv_wanted(session);
    uv_poll_start(&watch->poll, watch->events, netbroker_uv_on_poll);
    uv_prepare_start(&watch->prepare, netbroker_uv_on_prepare);
    uv_unref((uv_handle_t *)&watch->prepare);
    uv_unref((uv_handle_t *)&watch->timer);
    return 0;
}

/* Internal. */
static inline void netbroker_uv_on_handle_closed(uv_handle_t *handle)
{
    struct netbroker_uv *watch = (struct netbroker_uv *)handle->data;
    if (--watch->handles == 0 && watch->on_closed)
        watch->on_closed(watch);
}

/* Leaves the loop, also after on_end; the session may be freed then. `on_closed` (may be NULL) gives the watch back.
 * Again: no effect. */
static inline void netbroker_uv_close(struct netbroker_uv *watch,
                                      void (*on_closed)(struct netbroker_uv *watch))
{
    if (uv_is_closing((uv_handle_t *)&watch->poll))
        return;
    watch->on_closed = on_closed;
    netbroker_uv_stop(watch);
    uv_close((uv_handle_t *)&watch->poll, netbroker_uv_on_handle_closed);
    uv_close((uv_handle_t *)&watch->prepare, netbroker_uv_on_handle_closed);
    uv_close((uv_handle_t *)&watch->timer, netbroker_uv_on_handle_closed);
}

#ifdef __cplusplus
}
#endif

#endif
