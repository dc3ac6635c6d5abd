#include "held_events.h"

#include "memory.h"
#include "rpc.h"

#include <uv.h>

enum { FIRST_CAPACITY = 64 };

void nb_held_events_init(struct nb_held_events *held, struct nb_chunk_pool *pool)
{
    *held = (struct nb_held_events){0};
    nb_write_queue_init(&held->bytes, pool);
}

void nb_held_events_finish(struct nb_held_events *held)
{
    nb_write_queue_finish(&held->bytes);
    nb_free(held->lengths);
}

static uint32_t *length_at(struct nb_held_events *held, uint32_t index)
{
    return &held->lengths[(held->first + index) & (held->capacity - 1)];
}

static int grow(struct nb_held_events *held)
{
    uint32_t capacity = held->capacity ? held->capacity * 2 : FIRST_CAPACITY;
    uint32_t *lengths = nb_malloc(capacity * sizeof *lengths);
    if (!lengths)
        return UV_ENOMEM;
    for (uint32_t i = 0; i < held->count; i++)
        lengths[i] = *length_at(held, i);
    nb_free(held->lengths);
    held->lengths = lengths;
    held->capacity = capacity;
    held->first = 0;
    return 0;
}

int nb_held_events_add(struct nb_held_events *held, struct nb_slice frame, struct nb_bytes payload)
{
    static const uint8_t item = NB_POLL_ITEM;
    size_t before = held->bytes.length;
    if (held->count == held->capacity && grow(held) < 0)
        return UV_ENOMEM;
    if (nb_write_queue_copy(&held->bytes, &item, 1) < 0 ||
        nb_write_queue_copy(&held->bytes, frame.data + NB_POLL_SKIP, frame.length - NB_POLL_SKIP) < 0 ||
        nb_write_queue_share(&held->bytes, payload) < 0)
        return UV_ENOMEM;
    *length_at(held, held->count++) = (uint32_t)(held->bytes.length - before);
    return 0;
}

int nb_held_events_move(struct nb_held_events *held, uint32_t count, struct nb_write_queue *to)
{
    size_t length = 0;
    for (uint32_t i = 0; i < count; i++)
        length += *length_at(held, i);
    held->first = (held->first + count) & (held->capacity - 1);
    held->count -= count;
    return nb_write_queue_move(&held->bytes, to, length);
}
