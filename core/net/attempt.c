#include "attempt.h"

#include "memory.h"

#include <errno.h>
#include <unistd.h>

static int socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    return -error;
}

/* Whether libuv could poll (status) does not matter: the socket knows what has become of it. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct nb_attempt *attempt = poll->data;
    (void)status, (void)events;
    uv_poll_stop(poll);
    attempt->on_done(attempt, socket_error(attempt->fd));
}

static void run_flush(struct nb_flush *flush)
{
    struct nb_attempt *attempt = (struct nb_attempt *)((char *)flush - offsetof(struct nb_attempt, flush));
    attempt->on_done(attempt, attempt->status);
}

static void begin(struct nb_attempt *attempt, const struct sockaddr *address, socklen_t length)
{
    int status;
    do
        status = connect(attempt->fd, address, length);
    while (status < 0 && errno == EINTR);
    if (status < 0 && errno != EINPROGRESS) {
        attempt->status = -errno;
        nb_loop_flush_later(attempt->loop, &attempt->flush);
    } else {
        uv_poll_start(&attempt->poll, UV_WRITABLE, on_poll);
    }
}

int nb_attempt_start(struct nb_loop *loop, int fd, const struct sockaddr *address, socklen_t length,
                     void (*on_done)(struct nb_attempt *attempt, int status), void *owner,
                     struct nb_attempt **ret_attempt)
{
    struct nb_attempt *attempt = nb_calloc(1, sizeof *attempt);
    int status = attempt ? uv_poll_init_socket(&loop->uv, &attempt->poll, fd) : UV_ENOMEM;
    if (status < 0) {
        nb_free(attempt);
        return status;
    }
    attempt->poll.data = attempt;
    attempt->flush.run = run_flush;
    attempt->loop = loop;
    attempt->fd = fd;
    attempt->on_done = on_done;
    attempt->owner = owner;
    *ret_attempt = attempt;
    begin(attempt, address, length);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    nb_free(handle->data);
}

int nb_attempt_take(struct nb_attempt *attempt)
{
    nb_loop_cancel_flush(attempt->loop, &attempt->flush);
    uv_close((uv_handle_t *)&attempt->poll, on_closed);
    return attempt->fd;
}

void nb_attempt_drop(struct nb_attempt *attempt)
{
    close(nb_attempt_take(attempt));
}
