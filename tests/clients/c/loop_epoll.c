#include "loop.h"

#include "netbroker/epoll.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

struct loop {
    struct netbroker_epoll watch;
    int epoll;
};

static void warm_up(void)
{
}

static void *open_loop(struct netbroker_session *session)
{
    struct loop *loop = calloc(1, sizeof *loop);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(netbroker_epoll_add(&loop->watch, loop->epoll, session), 0);
    return loop;
}

static int turn(void *opened, int timeout)
{
    struct loop *loop = opened;
    struct epoll_event event;
    int own = netbroker_epoll_prepare(&loop->watch, -1),
        limit = netbroker_epoll_prepare(&loop->watch, timeout);
    int count = epoll_wait(loop->epoll, &event, 1, limit);
    if (count == 0 && limit != own)
        return -ETIMEDOUT;
    ck_assert(count == 0 || event.data.ptr == &loop->watch);
    return count < 0 ? -errno : netbroker_epoll_dispatch(&loop->watch);
}

static void close_loop(void *opened)
{
    struct loop *loop = opened;
    netbroker_epoll_remove(&loop->watch);
    netbroker_epoll_remove(&loop->watch);
    close(loop->epoll);
    free(loop);
}

const struct loop_kind loop_of_epoll = {"epoll", warm_up, open_loop, turn, close_loop};
