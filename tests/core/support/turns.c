#include "turns.h"

#include <check.h>
#include <poll.h>

enum { PATIENCE = 10000 /* ms */ };

static bool has_work(struct nb_loop *loop)
{
    struct pollfd backend = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
    return loop->oldest || loop->stopping || loop->flushes || uv_backend_timeout(&loop->uv) == 0 ||
           poll(&backend, 1, 0) > 0;
}

/* libuv registers what it watches, and calls closed handles back, within a turn: at least one is made. */
void turn_until_quiet(struct nb_loop *loop)
{
    do
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    while (has_work(loop));
}

static uint64_t now(void)
{
    return uv_hrtime() / 1000000;
}

static int shorter(int timeout, uint64_t left)
{
    return timeout < 0 || (uint64_t)timeout > left ? (int)left : timeout;
}

/* Sleeps until the loop or the descriptor (-1: none) has something, or a timer is due. */
static void sleep_until_something(struct nb_loop *loop, int fd, short events, uint64_t deadline)
{
    struct pollfd both[] = {{.fd = uv_backend_fd(&loop->uv), .events = POLLIN}, {.fd = fd, .events = events}};
    uint64_t time = now();
    ck_assert_msg(time < deadline, "nothing more happens");
    poll(both, 2, shorter(uv_backend_timeout(&loop->uv), deadline - time));
}

void turn_until_ready(struct nb_loop *loop, int fd, short events)
{
    for (uint64_t deadline = now() + PATIENCE;;) {
        struct pollfd one = {.fd = fd, .events = events};
        turn_until_quiet(loop);
        if (poll(&one, 1, 0) > 0)
            return;
        sleep_until_something(loop, fd, events, deadline);
    }
}

void turn_until(struct nb_loop *loop, bool (*holds)(void *context), void *context)
{
    for (uint64_t deadline = now() + PATIENCE;;) {
        turn_until_quiet(loop);
        if (holds(context))
            return;
        sleep_until_something(loop, -1, 0, deadline);
    }
}

void turn_for(struct nb_loop *loop, uint64_t milliseconds)
{
    for (uint64_t end = now() + milliseconds; now() < end;) {
        turn_until_quiet(loop);
        if (now() < end)
            sleep_until_something(loop, -1, 0, end + 1);
    }
}
