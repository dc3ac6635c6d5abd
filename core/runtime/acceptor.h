/*
 * A listening socket on a loop that hands out the connections it accepts. When
 * descriptors (fd_reserve.h) or memory run out the connections stay in the
 * kernel's queue and are tried again ten times a second: none is dropped
 * unseen. The log has one line when that begins and one when it has been over
 * for a second, however many acceptors are concerned.
 */
#ifndef NB_ACCEPTOR_H
#define NB_ACCEPTOR_H

#include "loop.h"

#include <sys/socket.h>

struct nb_acceptor;

struct nb_acceptor_ops {
    /* Asked before each accept; false: not now, and the owner has paused the acceptor. NULL: always. */
    bool (*may_accept)(void *owner);
    /* A new connection; takes the fd, which is non-blocking and close-on-exec. */
    void (*on_accept)(void *owner, int fd, const struct sockaddr_storage *peer);
    bool uses_reserve; /* of descriptors: its connections are no sockets of clients */
    /* The listening socket itself is of no use any more: negative errno. Close it. */
    void (*on_failure)(void *owner, int status);
};

/*
 * Takes a listening, non-blocking socket and starts; owner is passed to the
 * ops. On failure (negative errno) the fd stays the caller's. Home thread only,
 * as all of these.
 */
int nb_acceptor_open(struct nb_loop *loop, const struct nb_acceptor_ops *ops, void *owner, int fd,
                     struct nb_acceptor **ret_acceptor);

void nb_acceptor_pause(struct nb_acceptor *acceptor);
void nb_acceptor_resume(struct nb_acceptor *acceptor);

/* Another process has the socket too: it may accept what came, or make the socket blocking. */
void nb_acceptor_distrust(struct nb_acceptor *acceptor);

/* Of the listening socket; borrowed. */
int nb_acceptor_fd(const struct nb_acceptor *acceptor);

/* Closes the listening socket at once and lets go of the acceptor; no op is called any more. Takes. NULL is fine. */
void nb_acceptor_close(struct nb_acceptor *acceptor);

#endif
