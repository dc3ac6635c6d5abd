/* One attempt to connect: a socket of its own, so that several can be under way side by side. */
#ifndef NB_ATTEMPT_H
#define NB_ATTEMPT_H

#include "endpoint.h"
#include "loop.h"

/* Home thread of the loop. */
struct nb_attempt {
    struct nb_attempt *next; /* its owner's */
    struct nb_endpoint remote; /* its owner's */
    void *owner; /* borrowed */
    void (*on_done)(struct nb_attempt *attempt, int status);
    uv_poll_t poll;
    struct nb_loop *loop;
    struct nb_flush flush;
    int fd;
    int status; /* an error that connect told at once */
};

/*
 * Connects a fresh non-blocking socket, which it takes. on_done follows, once,
 * with 0 or a negative errno, also for what the system refuses at once, but never
 * from inside this call; then the owner takes the socket or drops the attempt. On
 * failure (negative errno) nothing was begun and the fd stays the caller's.
 */
int nb_attempt_start(struct nb_loop *loop, int fd, const struct sockaddr *address, socklen_t length,
                     void (*on_done)(struct nb_attempt *attempt, int status), void *owner,
                     struct nb_attempt **ret_attempt);

/* The connected socket, which is the caller's now; the attempt is gone. */
int nb_attempt_take(struct nb_attempt *attempt);

/* Closes the socket, whatever it has come to; on_done does not follow. The attempt is gone. */
void nb_attempt_drop(struct nb_attempt *attempt);

#endif
