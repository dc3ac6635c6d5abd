#include "chunk.h"

#include "memory.h"

#include <assert.h>

static void free_list(struct nb_chunk *chunk)
{
    while (chunk) {
        struct nb_chunk *next = chunk->next_free;
        nb_free(chunk);
        chunk = next;
    }
}

void nb_chunk_pool_finish(struct nb_chunk_pool *pool)
{
    free_list(pool->large);
    free_list(pool->small);
    *pool = (struct nb_chunk_pool){0};
}

static struct nb_chunk *take_free(struct nb_chunk **list, unsigned *count)
{
    struct nb_chunk *chunk = *list;
    if (chunk) {
        *list = chunk->next_free;
        (*count)--;
    }
    return chunk;
}

struct nb_chunk *nb_chunk_new(struct nb_chunk_pool *pool, size_t capacity)
{
    struct nb_chunk *chunk = NULL;
    if (capacity <= NB_CHUNK_SMALL) {
        capacity = NB_CHUNK_SMALL;
        chunk = take_free(&pool->small, &pool->small_count);
    } else if (capacity > NB_CHUNK_LARGE / 2 && capacity <= NB_CHUNK_LARGE) {
        capacity = NB_CHUNK_LARGE;
        chunk = take_free(&pool->large, &pool->large_count);
    }
    if (!chunk && !(chunk = nb_malloc(sizeof *chunk + capacity)))
        return NULL;
    chunk->pool = pool;
    chunk->intake = NULL;
    chunk->shares = 1;
    chunk->capacity = capacity;
    return chunk;
}

struct nb_chunk *nb_chunk_ref(struct nb_chunk *chunk)
{
    if (chunk)
        chunk->shares++;
    return chunk;
}

static void put_free(struct nb_chunk *chunk, struct nb_chunk **list, unsigned *count)
{
    chunk->next_free = *list;
    *list = chunk;
    (*count)++;
}

static void recycle(struct nb_chunk *chunk)
{
    struct nb_chunk_pool *pool = chunk->pool;
    if (chunk->capacity == NB_CHUNK_SMALL && pool->small_count < NB_POOL_KEEPS_SMALL)
        put_free(chunk, &pool->small, &pool->small_count);
    else if (chunk->capacity == NB_CHUNK_LARGE && pool->large_count < NB_POOL_KEEPS_LARGE)
        put_free(chunk, &pool->large, &pool->large_count);
    else
        nb_free(chunk);
}

void nb_chunk_unref(struct nb_chunk *chunk)
{
    if (!chunk)
        return;
    assert(chunk->shares);
    if (--chunk->shares == 0)
        recycle(chunk);
    else if (chunk->shares == 1 && chunk->intake)
        nb_intake_settle(chunk->intake);
}

void nb_chunk_move(struct nb_chunk *chunk, struct nb_chunk_pool *pool)
{
    assert(chunk->shares == 1 && !chunk->intake);
    chunk->pool = pool;
}

void nb_intake_init(struct nb_intake *intake, struct nb_chunk_pool *pool)
{
    *intake = (struct nb_intake){.pool = pool};
}

static void let_go(struct nb_intake *intake)
{
    struct nb_chunk *chunk = intake->chunk;
    intake->chunk = NULL;
    intake->used = 0;
    if (!chunk)
        return;
    chunk->intake = NULL;
    nb_chunk_unref(chunk);
}

void nb_intake_finish(struct nb_intake *intake)
{
    let_go(intake);
}

uint8_t *nb_intake_reserve(struct nb_intake *intake, size_t size)
{
    assert(size <= NB_CHUNK_LARGE);
    if (intake->chunk && intake->chunk->capacity - intake->used < size)
        let_go(intake);
    if (!intake->chunk) {
        if (!(intake->chunk = nb_chunk_new(intake->pool, NB_CHUNK_LARGE)))
            return NULL;
        intake->chunk->intake = intake;
    }
    return intake->chunk->bytes + intake->used;
}

struct nb_bytes nb_intake_commit(struct nb_intake *intake, size_t length)
{
    struct nb_bytes bytes = {intake->chunk->bytes + intake->used, length, intake->chunk};
    intake->used += length;
    return bytes;
}

void nb_intake_settle(struct nb_intake *intake)
{
    if (intake->chunk && intake->chunk->shares == 1)
        let_go(intake);
}
