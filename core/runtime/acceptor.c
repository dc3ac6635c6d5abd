#include "acceptor.h"

#include "fd_reserve.h"
#include "log.h"
#include "memory.h"
#include "timer.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    ACCEPTS_A_TURN = 64, /* so that a burst of connections does not starve those that exist */
    RETRY_AFTER = 100, /* ms without descriptors or memory */
    CALM_AFTER = 1000, /* ms from the last such moment on, it is over */
};

struct nb_acceptor {
    uv_poll_t poll;
    struct nb_timer retry, calm;
    struct nb_loop *loop;
    const struct nb_acceptor_ops *ops;
    void *owner; /* borrowed */
    int fd;
    bool is_paused, is_closing;
    bool is_short; /* of descriptors or memory, until it is calm */
    bool is_foreign; /* another process has the socket too */
};

#define ACCEPTOR_OF(pointer, member)                                                                         \
    ((struct nb_acceptor *)((char *)(pointer)-offsetof(struct nb_acceptor, member)))

static void on_readable(uv_poll_t *poll, int status, int events);

static void watch(struct nb_acceptor *acceptor)
{
    if (!acceptor->is_paused && !acceptor->is_closing && !nb_timer_is_running(&acceptor->retry))
        uv_poll_start(&acceptor->poll, UV_READABLE, on_readable);
}

/* ---- shortage ---- */

static atomic_uint short_acceptors; /* of the process */

static void note_shortage(struct nb_acceptor *acceptor, int error)
{
    nb_timer_stop(&acceptor->calm);
    if (!acceptor->is_short && atomic_fetch_add(&short_acceptors, 1) == 0)
        nb_log(NB_LOG_WARNING, "cannot accept, connections wait", "error=%s retry_ms=%d", uv_err_name(-error),
               RETRY_AFTER);
    acceptor->is_short = true;
}

static void note_relief(struct nb_acceptor *acceptor)
{
    if (acceptor->is_short && atomic_fetch_sub(&short_acceptors, 1) == 1)
        nb_log(NB_LOG_INFO, "accepts again", "");
    acceptor->is_short = false;
}

static void on_calm(struct nb_timer *timer)
{
    note_relief(ACCEPTOR_OF(timer, calm));
}

static void on_retry(struct nb_timer *timer)
{
    struct nb_acceptor *acceptor = ACCEPTOR_OF(timer, retry);
    watch(acceptor);
    if (nb_timer_start(&acceptor->calm, acceptor->loop, CALM_AFTER, on_calm) < 0)
        note_relief(acceptor);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* One connection failed before we looked, or the network did: accept(2) says to go on. */
static bool is_passing(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static void wait_for_resources(struct nb_acceptor *acceptor, int error)
{
    note_shortage(acceptor, error);
    uv_poll_stop(&acceptor->poll);
    if (nb_timer_start(&acceptor->retry, acceptor->loop, RETRY_AFTER, on_retry) < 0)
        watch(acceptor);
}

/*
 * accept can't be told not to wait but by the mode of the socket, which all its holders share. What is left of a
 * moment between this and the accept needs a holder who means harm.
 */
static bool would_wait(const struct nb_acceptor *acceptor)
{
    int on = 1;
    struct pollfd waiting = {.fd = acceptor->fd, .events = POLLIN};
    return acceptor->is_foreign && (ioctl(acceptor->fd, FIONBIO, &on) < 0 || poll(&waiting, 1, 0) <= 0);
}

static bool finds_room(struct nb_acceptor *acceptor)
{
    if (acceptor->ops->uses_reserve || nb_fd_reserve_has_room(acceptor->fd))
        return true;
    wait_for_resources(acceptor, EMFILE);
    return false;
}

/* False: no more for this turn. */
static bool accept_one(struct nb_acceptor *acceptor)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (acceptor->ops->may_accept && !acceptor->ops->may_accept(acceptor->owner))
        return false;
    if (would_wait(acceptor) || !finds_room(acceptor))
        return false;
    memset(&peer, 0, sizeof peer);
    int fd = accept4(acceptor->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        nb_fd_reserve_note(fd);
        acceptor->ops->on_accept(acceptor->owner, fd, &peer);
        return true;
    }
    int error = errno;
    if (is_passing(error))
        return true;
    if (is_shortage(error))
        wait_for_resources(acceptor, error);
    else if (error != EAGAIN)
        acceptor->ops->on_failure(acceptor->owner, -error);
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct nb_acceptor *acceptor = ACCEPTOR_OF(poll, poll);
    (void)events;
    if (status < 0) {
        acceptor->ops->on_failure(acceptor->owner, status);
        return;
    }
    for (int i = 0; i < ACCEPTS_A_TURN && !acceptor->is_paused && !acceptor->is_closing; i++)
        if (!accept_one(acceptor))
            return;
}

int nb_acceptor_open(struct nb_loop *loop, const struct nb_acceptor_ops *ops, void *owner, int fd,
                     struct nb_acceptor **ret_acceptor)
{
    struct nb_acceptor *acceptor = nb_calloc(1, sizeof *acceptor);
    if (!acceptor)
        return UV_ENOMEM;
    acceptor->loop = loop;
    acceptor->ops = ops;
    acceptor->owner = owner;
    int status = uv_poll_init_socket(&loop->uv, &acceptor->poll, fd);
    if (status < 0) {
        nb_free(acceptor);
        return status;
    }
    acceptor->fd = fd;
    watch(acceptor);
    *ret_acceptor = acceptor;
    return 0;
}

void nb_acceptor_pause(struct nb_acceptor *acceptor)
{
    acceptor->is_paused = true;
    uv_poll_stop(&acceptor->poll);
}

void nb_acceptor_resume(struct nb_acceptor *acceptor)
{
    acceptor->is_paused = false;
    watch(acceptor);
}

void nb_acceptor_distrust(struct nb_acceptor *acceptor)
{
    acceptor->is_foreign = true;
}

int nb_acceptor_fd(const struct nb_acceptor *acceptor)
{
    return acceptor->fd;
}

static void on_poll_closed(uv_handle_t *handle)
{
    nb_free(ACCEPTOR_OF(handle, poll));
}

void nb_acceptor_close(struct nb_acceptor *acceptor)
{
    if (!acceptor)
        return;
    acceptor->is_closing = true;
    note_relief(acceptor);
    nb_timer_finish(&acceptor->retry);
    nb_timer_finish(&acceptor->calm);
    uv_close((uv_handle_t *)&acceptor->poll, on_poll_closed);
    close(acceptor->fd);
}
