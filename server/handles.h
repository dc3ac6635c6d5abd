/* A session's numbers for its actors. */
#ifndef NB_HANDLES_H
#define NB_HANDLES_H

#include "filter.h"
#include "id.h"
#include "schema.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct nb_handle {
    uint64_t number; /* the wire's */
    struct nb_actor_id actor;
    enum nb_target_kind kind; /* NB_TARGET_SOCKET, NB_TARGET_SERVER, ... */
    struct nb_filter *filter; /* a share, of a block list; else NULL */
    UT_hash_handle hh;
};

/* All zero: empty. */
struct nb_handles {
    struct nb_handle *table; /* owned */
};

void nb_handles_finish(struct nb_handles *handles);

/* Borrowed until the handle is removed; NULL: not there. */
struct nb_handle *nb_handles_find(const struct nb_handles *handles, uint64_t number);

/* The number must be free. UV_ENOMEM. */
int nb_handles_add(struct nb_handles *handles, uint64_t number, struct nb_actor_id actor,
                   enum nb_target_kind kind);

/* Nothing happens when it is not there. */
void nb_handles_remove(struct nb_handles *handles, uint64_t number);

#endif
