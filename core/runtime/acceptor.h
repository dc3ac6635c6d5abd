/*
 * A listening socket on a loop that hands out the connections it accepts. When
 * descriptors or memory run out the connections stay in the kernel's queue and
 * are tried again: none is dropped unseen.
 */
#ifndef NB_ACCEPTOR_H
#define NB_ACCEPTOR_H

#include "loop.h"
#include "timer.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

struct nb_acceptor;

struct nb_acceptor_ops {
    /* A new connection; takes the fd, which is non-blocking and close-on-exec. */
    void (*on_accept)(struct nb_acceptor *acceptor, int fd, const struct sockaddr_storage *peer);
    /* The listening socket itself is of no use any more: negative errno. Close it. */
    void (*on_failure)(struct nb_acceptor *acceptor, int status);
    /* The memory may go. */
    void (*on_closed)(struct nb_acceptor *acceptor);
};

/* Embedded in its owner; home thread only. All fields private but fd. */
struct nb_acceptor {
    uv_poll_t poll;
    struct nb_timer retry;
    struct nb_loop *loop;
    const struct nb_acceptor_ops *ops;
    int fd;
    bool is_paused, is_closing;
};

/* Takes a listening, non-blocking socket and starts. On failure (negative errno) the fd stays the caller's. */
int nb_acceptor_open(struct nb_acceptor *acceptor, struct nb_loop *loop, const struct nb_acceptor_ops *ops, int fd);

void nb_acceptor_pause(struct nb_acceptor *acceptor);
void nb_acceptor_resume(struct nb_acceptor *acceptor);

/* Closes the listening socket at once; on_closed follows. A repeat does nothing. */
void nb_acceptor_close(struct nb_acceptor *acceptor);

#endif
