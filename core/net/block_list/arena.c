#include "arena.h"

#include "memory.h"

#include <string.h>
#include <sys/mman.h>

enum {
    SMALL_CHUNK = 1024,
    HUGE_PAGE = 2 << 20,
    LARGEST_CHUNK = 32 << 20,
    MARK_BITS = 64,
};

struct nb_arena_chunk {
    struct nb_arena_chunk *next;
    size_t size;
    uint64_t *marks; /* while neighbours are joined: a bit for each free grain */
    uint64_t padding;
};

struct nb_arena_block {
    struct nb_arena_block *next;
};

static uint8_t *first_grain(struct nb_arena_chunk *chunk)
{
    return (uint8_t *)(chunk + 1);
}

static uint8_t *chunk_end(struct nb_arena_chunk *chunk)
{
    return (uint8_t *)chunk + chunk->size - NB_ARENA_SLACK;
}

static size_t grains_of(struct nb_arena_chunk *chunk)
{
    return (size_t)(chunk_end(chunk) - first_grain(chunk)) / NB_ARENA_GRAIN;
}

static size_t round_up(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

/* ---- free blocks ---- */

static void put(struct nb_arena *arena, void *memory, size_t grains)
{
    struct nb_arena_block *block = memory, **place = &arena->free[grains - 1];
    block->next = *place;
    *place = block;
    arena->has_free[(grains - 1) / 64] |= (uint64_t)1 << (grains - 1) % 64;
}

static void *take(struct nb_arena *arena, size_t grains)
{
    struct nb_arena_block **place = &arena->free[grains - 1], *block = *place;
    if (!block)
        return NULL;
    *place = block->next;
    if (!block->next)
        arena->has_free[(grains - 1) / 64] &= ~((uint64_t)1 << (grains - 1) % 64);
    return block;
}

/* The smallest size above that has a free block, in grains; 0: there is none. */
static size_t next_larger(const struct nb_arena *arena, size_t grains)
{
    for (size_t word = grains / 64; word < NB_ARENA_SIZES / 64; word++) {
        uint64_t sizes = arena->has_free[word];
        if (word == grains / 64)
            sizes &= ~(uint64_t)0 << grains % 64;
        if (sizes)
            return word * 64 + (size_t)__builtin_ctzll(sizes) + 1;
    }
    return 0;
}

static void *cut_from_larger(struct nb_arena *arena, size_t grains)
{
    size_t larger = grains < NB_ARENA_SIZES ? next_larger(arena, grains) : 0;
    if (!larger)
        return NULL;
    uint8_t *block = take(arena, larger);
    put(arena, block + grains * NB_ARENA_GRAIN, larger - grains);
    return block;
}

/* ---- joining neighbours ---- */

static int add_marks(struct nb_arena *arena)
{
    for (struct nb_arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
        if (!(chunk->marks = nb_calloc(grains_of(chunk) / MARK_BITS + 1, sizeof *chunk->marks)))
            return -1;
    return 0;
}

static void drop_marks(struct nb_arena *arena)
{
    for (struct nb_arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next) {
        nb_free(chunk->marks);
        chunk->marks = NULL;
    }
}

static void mark(struct nb_arena *arena, uint8_t *block, size_t grains)
{
    struct nb_arena_chunk *chunk = arena->chunks;
    while (block < (uint8_t *)chunk || block >= chunk_end(chunk))
        chunk = chunk->next;
    size_t grain = (size_t)(block - first_grain(chunk)) / NB_ARENA_GRAIN;
    for (size_t end = grain + grains; grain < end; grain++)
        chunk->marks[grain / MARK_BITS] |= (uint64_t)1 << grain % MARK_BITS;
}

static void mark_all(struct nb_arena *arena)
{
    for (size_t grains = 1; grains <= NB_ARENA_SIZES; grains++)
        for (uint8_t *block; (block = take(arena, grains));)
            mark(arena, block, grains);
}

static void put_run(struct nb_arena *arena, uint8_t *run, size_t grains)
{
    for (size_t part; grains; grains -= part, run += part * NB_ARENA_GRAIN) {
        part = grains < NB_ARENA_SIZES ? grains : NB_ARENA_SIZES;
        put(arena, run, part);
    }
}

static void put_runs(struct nb_arena *arena, struct nb_arena_chunk *chunk)
{
    size_t grains = grains_of(chunk), run = 0;
    for (size_t grain = 0; grain <= grains; grain++) {
        if (!run && grain % MARK_BITS == 0 && !chunk->marks[grain / MARK_BITS]) {
            grain += MARK_BITS - 1;
            continue;
        }
        if (grain < grains && chunk->marks[grain / MARK_BITS] >> grain % MARK_BITS & 1) {
            run++;
            continue;
        }
        put_run(arena, first_grain(chunk) + (grain - run) * NB_ARENA_GRAIN, run);
        run = 0;
    }
}

static void join_neighbours(struct nb_arena *arena)
{
    arena->freed = 0;
    if (add_marks(arena) == 0) {
        mark_all(arena);
        for (struct nb_arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
            put_runs(arena, chunk);
    }
    drop_marks(arena);
}

/* ---- chunks ---- */

/* A part of what there is, so that little of it lies idle. */
static size_t next_chunk_size(const struct nb_arena *arena)
{
    size_t size = arena->memory / 8;
    if (arena->memory >= 4 * HUGE_PAGE)
        size = round_up(size, HUGE_PAGE);
    if (size < SMALL_CHUNK)
        size = SMALL_CHUNK;
    return size < LARGEST_CHUNK ? size : LARGEST_CHUNK;
}

static struct nb_arena_chunk *chunk_new(size_t size)
{
    if (size < HUGE_PAGE)
        return nb_malloc(size);
    struct nb_arena_chunk *chunk = nb_malloc_aligned(HUGE_PAGE, size);
    if (chunk)
        (void)madvise(chunk, size, MADV_HUGEPAGE);
    return chunk;
}

static int add_chunk(struct nb_arena *arena, size_t block)
{
    size_t needed = sizeof(struct nb_arena_chunk) + block + NB_ARENA_SLACK;
    size_t size = next_chunk_size(arena);
    if (size < needed)
        size = needed;
    struct nb_arena_chunk *chunk = chunk_new(size);
    if (!chunk)
        return -1;
    put_run(arena, arena->next, (size_t)(arena->end - arena->next) / NB_ARENA_GRAIN);
    *chunk = (struct nb_arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    arena->memory += size;
    arena->next = first_grain(chunk);
    arena->end = chunk_end(chunk);
    return 0;
}

static void *cut_from_chunk(struct nb_arena *arena, size_t size)
{
    if ((size_t)(arena->end - arena->next) < size)
        return NULL;
    void *block = arena->next;
    arena->next += size;
    return block;
}

void *nb_arena_alloc(struct nb_arena *arena, size_t size)
{
    size_t grains = round_up(size, NB_ARENA_GRAIN) / NB_ARENA_GRAIN;
    void *block = take(arena, grains);
    if (!block)
        block = cut_from_chunk(arena, grains * NB_ARENA_GRAIN);
    if (!block)
        block = cut_from_larger(arena, grains);
    if (!block && arena->freed > arena->memory / 8) {
        join_neighbours(arena);
        block = take(arena, grains);
        if (!block)
            block = cut_from_larger(arena, grains);
    }
    if (!block && add_chunk(arena, grains * NB_ARENA_GRAIN) == 0)
        block = cut_from_chunk(arena, grains * NB_ARENA_GRAIN);
    return block;
}

void nb_arena_free(struct nb_arena *arena, void *block, size_t size)
{
    size_t grains = round_up(size, NB_ARENA_GRAIN) / NB_ARENA_GRAIN;
    arena->freed += grains * NB_ARENA_GRAIN;
    put(arena, block, grains);
}

void nb_arena_clear(struct nb_arena *arena)
{
    for (struct nb_arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        nb_free(chunk);
    }
    *arena = (struct nb_arena){0};
}
