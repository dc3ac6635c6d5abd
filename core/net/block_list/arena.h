/*
 * Memory for a list's nodes: blocks of many sizes out of a few chunks. The large
 * chunks are backed by huge pages where the system has them, as most of a check's
 * time in a large list is spent waiting for memory. One thread.
 *
 * A freed block serves the next one of its size, or a smaller one. When much was
 * freed and nothing fits, neighbours are joined before a chunk is added.
 */
#ifndef NB_ARENA_H
#define NB_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum {
    NB_ARENA_GRAIN = 16, /* sizes are multiples of it, and blocks aligned to it */
    NB_ARENA_LARGEST = 4096,
    NB_ARENA_SIZES = NB_ARENA_LARGEST / NB_ARENA_GRAIN,
    NB_ARENA_SLACK = 1024, /* so many bytes behind any block may be read, whatever they are */
};

/* All zero: empty. */
struct nb_arena {
    struct nb_arena_chunk *chunks; /* owned, the newest first */
    uint8_t *next, *end; /* what is left of the newest one */
    size_t memory; /* bytes of all chunks */
    size_t freed; /* bytes freed since neighbours were joined: enough of them pay for joining again */
    struct nb_arena_block *free[NB_ARENA_SIZES]; /* by size in grains, less one */
    uint64_t has_free[NB_ARENA_SIZES / 64]; /* a bit for each of them */
};

/* size: 1..NB_ARENA_LARGEST. The block's bytes are undefined. NULL: no memory. */
void *nb_arena_alloc(struct nb_arena *arena, size_t size);

/* size: as it was allocated. */
void nb_arena_free(struct nb_arena *arena, void *block, size_t size);

/* Frees everything. */
void nb_arena_clear(struct nb_arena *arena);

#endif
