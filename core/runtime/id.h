/* Names of actors. */
#ifndef NB_ID_H
#define NB_ID_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An actor's name: which loop it lives on, which slot of that loop's table, and
 * the slot's generation, so that the id of an actor that is gone reaches nobody.
 * A value; freely copied, on any thread.
 */
struct nb_actor_id {
    uint32_t slot;
    uint32_t generation : 24; /* 0: nobody */
    uint32_t loop : 8;
};

#define NB_NOBODY ((struct nb_actor_id){0})

static inline bool nb_actor_id_equal(struct nb_actor_id a, struct nb_actor_id b)
{
    return a.slot == b.slot && a.generation == b.generation && a.loop == b.loop;
}

static inline bool nb_actor_id_is_nobody(struct nb_actor_id id)
{
    return id.generation == 0;
}

#endif
