/*
 * Counted buffers. Bytes are read into a chunk once and stay there: whoever
 * passes them on shares the chunk, and it goes back to its pool when nobody
 * does any more. Chunks, pools and intakes belong to one loop's thread.
 */
#ifndef NB_CHUNK_H
#define NB_CHUNK_H

#include <stddef.h>
#include <stdint.h>

enum {
    NB_CHUNK_LARGE = 256 * 1024, /* what is read from sockets */
    NB_CHUNK_SMALL = 4 * 1024, /* what is packed together: headers, remainders */
    NB_POOL_KEEPS_LARGE = 16, /* free chunks that a pool keeps at most */
    NB_POOL_KEEPS_SMALL = 256,
};

struct nb_chunk {
    struct nb_chunk *next_free;
    struct nb_chunk_pool *pool;
    struct nb_intake *intake; /* borrowed; the intake that fills it and holds one share */
    uint32_t shares;
    size_t capacity;
    uint8_t bytes[];
};

struct nb_chunk_pool {
    struct nb_chunk *large, *small; /* owned, free */
    unsigned large_count, small_count;
};

void nb_chunk_pool_finish(struct nb_chunk_pool *pool);

/*
 * A chunk of at least that capacity with one share, the caller's; NULL: no
 * memory. Sizes far from both of the pool's are allocated to measure.
 */
struct nb_chunk *nb_chunk_new(struct nb_chunk_pool *pool, size_t capacity);
struct nb_chunk *nb_chunk_ref(struct nb_chunk *chunk); /* NULL is fine */
void nb_chunk_unref(struct nb_chunk *chunk); /* NULL is fine */

/* A chunk of one share, which no intake fills, goes on on another loop, that of the pool. That loop's thread. */
void nb_chunk_move(struct nb_chunk *chunk, struct nb_chunk_pool *pool);

/* Some bytes in a chunk. Whether it holds a share is said where one is kept. */
struct nb_bytes {
    const uint8_t *data;
    size_t length;
    struct nb_chunk *chunk; /* NULL: the bytes are static */
};

/*
 * Where reads go: fills one chunk after the other, densely, so that many small
 * reads do not hold many chunks. Keeps no chunk while nothing that it read is
 * in use.
 */
struct nb_intake {
    struct nb_chunk_pool *pool;
    struct nb_chunk *chunk;
    size_t used;
};

void nb_intake_init(struct nb_intake *intake, struct nb_chunk_pool *pool);
void nb_intake_finish(struct nb_intake *intake);

/* Room for a read of size bytes, at most NB_CHUNK_LARGE; NULL: no memory. */
uint8_t *nb_intake_reserve(struct nb_intake *intake, size_t size);

/* The first length bytes of that room were read; the result shares nothing yet: ref its chunk to keep it. */
struct nb_bytes nb_intake_commit(struct nb_intake *intake, size_t length);

/* After the bytes of a commit were handed out (or not): gives an unused chunk back. */
void nb_intake_settle(struct nb_intake *intake);

#endif
