/* Inside the library: a stream, made by a connect or by a listener. */
#ifndef NBC_STREAM_H
#define NBC_STREAM_H

#include "netbroker.h"

struct netbroker_stream {
    const struct netbroker_allocator *allocator;
    struct netbroker_session *session; /* NULL once it is freed */
    struct netbroker_socket *socket; /* NULL once closed */
    struct netbroker_stream *next; /* in the line of a listener */
    char *inbox; /* read from the peer, not yet by the caller: at most the read window */
    size_t inbox_head, inbox_length, inbox_capacity;
    bool half_open;
    bool connected;
    bool peer_ended;
    bool ended; /* by us */
    bool owes_credit; /* for what was read */
    struct netbroker_error error;
};

/* One without a socket; NULL: no memory. */
struct netbroker_stream *nbc_stream_new(struct netbroker_session *session, bool half_open);

/* Joins it with a connection of a server, whose data is consumed by hand. */
void nbc_stream_accept(struct netbroker_stream *stream, struct netbroker_socket *socket);

#endif
