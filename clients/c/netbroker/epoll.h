/*
 * A session in a loop of epoll(7). Header only; include it where it is used.
 *
 *     struct netbroker_epoll watch;
 *     netbroker_epoll_add(&watch, epoll, session);
 *     while (result == 0) {
 *         int count = epoll_wait(epoll, events, MAX, netbroker_epoll_prepare(&watch, -1));
 *         bool ready = count == 0 || netbroker_timeout(session) == 0;
 *         for (int i = 0; i < count; i++)
 *             ready |= events[i].data.ptr == &watch;
 *         result = ready ? netbroker_epoll_dispatch(&watch) : 0;
 *     }
 *
 * The watch is the caller's and must stay where it is. It shares the session,
 * and is of the session's thread. Remove it before the session is freed, unless
 * a callback frees that.
 */
#ifndef NETBROKER_EPOLL_H
#define NETBROKER_EPOLL_H

#include <netbroker.h>

#include <errno.h>
#include <sys/epoll.h>

#ifdef __cplusplus
extern "C" {
#endif

struct netbroker_epoll {
    struct netbroker_session *session;
    int epoll; /* -1: not added */
    uint32_t events; /* that epoll waits for */
};

/* Internal. EPOLLIN and EPOLLOUT have the values of POLLIN and POLLOUT. */
static inline int netbroker_epoll_control(struct netbroker_epoll *watch, int operation)
{
    struct epoll_event event;
    event.events = watch->events;
    event.data.ptr = watch;
    return epoll_ctl(watch->epoll, operation, netbroker_fd(watch->session), &event) < 0 ? -errno : 0;
}

/* Adds the session to `epoll`; events for it have the watch as data.ptr. 0, or what epoll_ctl(2) says. */
static inline int netbroker_epoll_add(struct netbroker_epoll *watch, int epoll,
                                      struct netbroker_session *session)
{
    watch->session = session;
    watch->epoll = epoll;
    watch->events = (uint32_t)netbroker_events(session);
    int result = netbroker_epoll_control(watch, EPOLL_CTL_ADD);
    if (result < 0)
        watch->epoll = -1;
    return result;
}

/* Again: no effect. */
static inline void netbroker_epoll_remove(struct netbroker_epoll *watch)
{
    if (watch->epoll >= 0)
        netbroker_epoll_control(watch, EPOLL_CTL_DEL);
    watch->epoll = -1;
}

/*
 * Right before each wait: writes what there is to write, and gives how long to
 * wait: `timeout` milliseconds (-1: no limit), or less when the session wants that.
 */
static inline int netbroker_epoll_prepare(struct netbroker_epoll *watch, int timeout)
{
    if (watch->epoll < 0)
        return timeout;
    netbroker_flush(watch->session);
    uint32_t events = (uint32_t)netbroker_events(watch->session);
    if (events != watch->events) {
        watch->events = events;
        netbroker_epoll_control(watch, EPOLL_CTL_MOD);
    }
    int own = netbroker_timeout(watch->session);
    return own < 0 || (timeout >= 0 && timeout < own) ? timeout : own;
}

/*
 * When there was an event for the watch, or none at all, or the session's time
 * has come. As netbroker_dispatch(): once it fails, save with -EBUSY, the session
 * is over and no longer in epoll; after -ECANCELED it is freed.
 */
static inline int netbroker_epoll_dispatch(struct netbroker_epoll *watch)
{
    if (watch->epoll < 0)
        return 0;
    int result = netbroker_dispatch(watch->session);
    if (result == -ECANCELED)
        watch->epoll = -1; /* freed, and with its descriptor gone from epoll */
    else if (result < 0 && result != -EBUSY)
        netbroker_epoll_remove(watch);
    return result;
}

#ifdef __cplusplus
}
#endif

#endif
