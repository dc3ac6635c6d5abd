/*
 * How far writing may go ahead of what kernels have taken, and data ahead of
 * what the program has consumed. All by offsets: bytes of the connection, one
 * way, since its beginning.
 */
#ifndef NBC_SOCKET_WINDOW_H
#define NBC_SOCKET_WINDOW_H

#include "netbroker.h"

#include <stddef.h>
#include <stdint.h>

/* Of the session. */
struct nbc_write_window {
    uint64_t socket, session; /* bytes that may be ahead; 0 until the broker has said so */
    uint64_t ahead; /* of all sockets */
    struct netbroker_socket *first, *last; /* sockets with nothing ahead that wait for others */
};

/* Of a socket. */
struct nbc_writing {
    uint64_t sent; /* offset; frames for that much were given to the outbox */
    uint64_t flushed; /* offset; some kernel has taken that much */
    struct netbroker_socket *next, *before; /* in the session's line */
    bool is_in_line;
};

struct nbc_reading {
    uint64_t received, consumed; /* offsets */
    uint64_t limit; /* offset up to which data may come */
    uint32_t window; /* bytes ahead of what was consumed */
    bool is_by_hand; /* netbroker_socket_consumed() says what was */
};

/* Bytes that may be sent now. */
size_t nbc_window_room(const struct netbroker_socket *socket);

/* So many bytes are under way. */
void nbc_window_sent(struct netbroker_socket *socket, size_t length);

/* What is under way but not flushed. */
uint64_t nbc_window_ahead(const struct netbroker_socket *socket);

/* A socket that may send nothing while nothing of it is under way waits in line: nbc_socket_pump() is called when it may. */
void nbc_window_line_up(struct netbroker_socket *socket);

/* The kernel has taken the stream up to the offset. How many bytes more that is than before, or -EBADMSG. */
int nbc_window_flushed(struct netbroker_socket *socket, uint64_t offset, uint64_t *ret_more);

/* Nothing of the socket is under way any more, and it does not wait. */
void nbc_window_leave(struct netbroker_socket *socket);

/* Lets those in line send, as far as there is room. */
void nbc_window_serve_line(struct netbroker_session *session);

/* Bytes of data have come, or were used; gives credit for more when it is time. 0 or -ENOMEM. */
void nbc_window_start_reading(struct netbroker_socket *socket, uint32_t window, bool is_by_hand);
int nbc_window_consume(struct netbroker_socket *socket, size_t length);

#endif
