/* The msgids of a session's open requests: a set of 32-bit numbers that allocates only when it grows. */
#ifndef NB_PENDING_H
#define NB_PENDING_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: empty. */
struct nb_pending {
    uint32_t *slots; /* owned; msgid at its hash or behind it */
    uint8_t *used; /* owned; parallel to slots */
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
};

void nb_pending_finish(struct nb_pending *pending);

bool nb_pending_has(const struct nb_pending *pending, uint32_t msgid);

/* 0; UV_EEXIST: it is open already; UV_ENOMEM. */
int nb_pending_add(struct nb_pending *pending, uint32_t msgid);

/* Nothing happens when it is not there. */
void nb_pending_remove(struct nb_pending *pending, uint32_t msgid);

#endif
