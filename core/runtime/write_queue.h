/*
 * Bytes on their way to a socket: a queue of segments that share chunks, sent
 * with as few system calls as the kernel allows.
 */
#ifndef NB_WRITE_QUEUE_H
#define NB_WRITE_QUEUE_H

#include "chunk.h"

#include <stdbool.h>

struct nb_segment {
    const uint8_t *data;
    size_t length;
    struct nb_chunk *chunk; /* a share is held; NULL: static bytes */
    int fd; /* owned; sent with the first byte, of a Unix socket; -1: none */
};

/* One loop's thread. Embedded in its owner; all zero but pool at first. */
struct nb_write_queue {
    struct nb_chunk_pool *pool; /* borrowed */
    struct nb_segment *ring; /* owned; capacity is a power of two */
    uint32_t capacity, first, count;
    uint32_t settled; /* of count: leading segments that may wait as they are */
    size_t length; /* bytes in all */
    struct nb_chunk *packed; /* a share is held; where copied bytes are put together */
    size_t packed_used;
};

void nb_write_queue_init(struct nb_write_queue *queue, struct nb_chunk_pool *pool);
void nb_write_queue_finish(struct nb_write_queue *queue);

/* Adds bytes and takes a share of their chunk. UV_ENOMEM: nothing was added. */
int nb_write_queue_share(struct nb_write_queue *queue, struct nb_bytes bytes);

/* Adds a copy of the bytes. UV_ENOMEM: nothing was added. */
int nb_write_queue_copy(struct nb_write_queue *queue, const void *data, size_t length);

/* The same with a descriptor that goes with the first byte of them; takes it, also on failure. */
int nb_write_queue_copy_with_fd(struct nb_write_queue *queue, const void *data, size_t length, int fd);

/*
 * Sends what the socket takes now. Returns 0 when all is out, UV_EAGAIN when
 * the socket is full, another negative errno when it is broken; *ret_sent is
 * set in each case.
 */
int nb_write_queue_send(struct nb_write_queue *queue, int fd, size_t *ret_sent);

/*
 * Copies small remainders together, so that a peer that does not read holds no
 * more memory than a few times the bytes it has not taken. To be called after
 * each send and each addition while the socket is full; looks only at what is
 * new since. Best effort: without memory the segments wait as they are.
 */
void nb_write_queue_settle(struct nb_write_queue *queue);

/* Moves the first length bytes to the end of another queue. UV_ENOMEM: some may have been moved; drop both. */
int nb_write_queue_move(struct nb_write_queue *from, struct nb_write_queue *to, size_t length);

/* Copies all bytes, queue->length of them. */
void nb_write_queue_read(const struct nb_write_queue *queue, uint8_t *ret_bytes);

/* Drops everything. */
void nb_write_queue_clear(struct nb_write_queue *queue);

#endif
