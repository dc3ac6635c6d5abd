/* Events of a session that polls: kept until they are fetched. */
#ifndef NB_HELD_EVENTS_H
#define NB_HELD_EVENTS_H

#include "slice.h"
#include "write_queue.h"

#include <stdint.h>

struct nb_held_events {
    struct nb_write_queue bytes; /* the events as items of a poll's result, one behind the other */
    uint32_t *lengths; /* owned; ring of the items' lengths */
    uint32_t capacity, first, count; /* capacity is a power of two, or 0 */
};

void nb_held_events_init(struct nb_held_events *held, struct nb_chunk_pool *pool);
void nb_held_events_finish(struct nb_held_events *held);

/* Keeps an encoded event frame (copied) and the payload behind it (shared). UV_ENOMEM: drop the session. */
int nb_held_events_add(struct nb_held_events *held, struct nb_slice frame, struct nb_bytes payload);

/* Moves the items of the first count events to a queue. UV_ENOMEM: drop the session. */
int nb_held_events_move(struct nb_held_events *held, uint32_t count, struct nb_write_queue *to);

#endif
