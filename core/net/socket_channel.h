/*
 * A socket's channel: a Unix stream between the client and the socket, which
 * carries its bytes in place of frames.
 *
 *     peer <==TCP or Unix==> socket->stream <--> channel->stream <==Unix==> client
 *
 * What is read from one is written to the other, from the same memory. Each end
 * of stream is passed on behind the bytes before it; the events end, error and
 * close come when the client has been given everything, or wants no more.
 */
#ifndef NB_SOCKET_CHANNEL_H
#define NB_SOCKET_CHANNEL_H

#include "offering.h"
#include "socket_internal.h"

enum {
    NB_CHANNEL_HIGH =
        128 * 1024, /* bytes on their way in one direction, above which no more are read for it */
    NB_CHANNEL_LOW = 64 * 1024, /* and at which reading goes on */
    NB_CHANNEL_READ = 128 * 1024, /* at a time */
};

/* Owned by its socket, until that has closed. */
struct nb_channel {
    struct nb_socket *socket; /* borrowed */
    struct nb_stream stream;
    bool in_use; /* the stream, from open to on_closed */
    bool awaits_client; /* the token was given out; nothing is read */
    bool end_was_told; /* to the session, before there was a channel */
    bool is_shut; /* the client has got everything, or wants no more */
    struct nb_failure
        *failure; /* a share; the connection's, to be told when the channel is shut; NULL: none */
    struct nb_offering offering; /* while it awaits the client */
};

/* ---- socket_pump.c ---- */

extern const struct nb_stream_ops nb_channel_ops; /* of the channel's stream */
extern const struct nb_stream_ops nb_channel_peer_ops; /* of the socket's, in place of its own */

/* Tells the client what was read before, then what comes; the channel's stream is open. */
void nb_channel_begin(struct nb_channel *channel);

/* Whether bytes of the peer may be read. */
bool nb_channel_has_room(const struct nb_channel *channel);

/* The session is gone: what the client has written by now is taken, and the channel closes. */
void nb_channel_part(struct nb_channel *channel);

#endif
