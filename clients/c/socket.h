/*
 * Inside the library: a socket.
 *
 *   socket.c         its life, events and commands
 *   socket_write.c   what it writes: windows, backlog, the count of unflushed bytes
 */
#ifndef NBC_SOCKET_H
#define NBC_SOCKET_H

#include "backlog.h"
#include "session.h"

struct netbroker_socket {
    struct nbc_actor actor;
    const struct netbroker_socket_events *events;
    void *context;
    uint64_t unflushed; /* in flight and in the backlog */
    uint64_t in_flight; /* in write requests that have no answer */
    struct nbc_backlog backlog; /* while it has any, something is in flight */
    bool half_open; /* this side stays open after the peer's end */
    bool ended; /* nothing can be written any more */
    bool end_waits; /* for the backlog */
    bool destroyed; /* by us: errors are of no interest */
    bool failed; /* on_error has been called */
    bool needs_drain;
    bool is_unix;
    bool has_peer;
    struct netbroker_peer peer;
    struct netbroker_endpoints endpoints;
};

/* Tells the owner, unless it knows already or has destroyed the socket. */
void nbc_socket_fail(struct netbroker_socket *socket, const struct netbroker_error *error);

/* Forgets what has not been sent, and all that is unflushed. */
void nbc_socket_forget_writes(struct netbroker_socket *socket);

#endif
