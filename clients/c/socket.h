/*
 * Inside the library: a socket.
 *
 *   socket.c         its life, events and commands
 *   socket_write.c   what it writes: frames, and the backlog of what may not be under way yet
 *   socket_window.c  how much may be under way, each way
 *   socket_channel.c its bytes by a descriptor instead
 */
#ifndef NBC_SOCKET_H
#define NBC_SOCKET_H

#include "backlog.h"
#include "session.h"
#include "socket_window.h"

struct netbroker_socket {
    struct nbc_actor actor;
    const struct netbroker_socket_events *events;
    void *context;
    struct nbc_writing writing;
    struct nbc_reading reading;
    struct nbc_backlog backlog; /* while it has any, something is under way, or the socket is in line */
    uint64_t queued; /* bytes of the backlog */
    bool peer_ended;
    bool half_open; /* this side stays open after the peer's end */
    bool ended; /* nothing can be written any more */
    bool end_waits; /* for the backlog */
    bool destroyed; /* by us: errors are of no interest */
    bool failed; /* on_error has been called */
    bool needs_drain;
    bool has_channel; /* or has asked for it */
    netbroker_channel_fn *on_channel; /* until it is called */
    void *channel_context;
    bool is_unix;
    bool has_peer;
    struct netbroker_peer peer;
    struct netbroker_endpoints endpoints;
};

/* Tells the owner, unless it knows already or has destroyed the socket. */
void nbc_socket_fail(struct netbroker_socket *socket, const struct netbroker_error *error);

/* Sends what it may now. */
void nbc_socket_pump(struct netbroker_socket *socket);

/* Tells who waits for a channel that there will be none. */
void nbc_socket_lose_channel(struct netbroker_socket *socket);

/* Forgets what has not been sent. */
void nbc_socket_drop_backlog(struct netbroker_socket *socket);
/* And all that is unflushed. */
void nbc_socket_forget_writes(struct netbroker_socket *socket);

#endif
