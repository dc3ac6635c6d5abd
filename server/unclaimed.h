/*
 * The descriptors that a client has sent and no command has named yet. Each has
 * an ordinal: how many came before it. To name one closes those before it.
 */
#ifndef NB_UNCLAIMED_H
#define NB_UNCLAIMED_H

#include <stdint.h>

struct nb_unclaimed {
    uint64_t first; /* ordinal of the oldest that is left, or of the next to come */
    unsigned count, capacity;
    int fds[]; /* owned */
};

/* NULL: no memory. */
struct nb_unclaimed *nb_unclaimed_new(unsigned capacity);

/* Closes what is left. NULL is fine. */
void nb_unclaimed_free(struct nb_unclaimed *unclaimed);

/* Takes all, or none: UV_ENOSPC. */
int nb_unclaimed_add(struct nb_unclaimed *unclaimed, const int *fds, unsigned count);

/* The descriptor, which is the caller's then. UV_EBADF: it has not come, or is used up. */
int nb_unclaimed_claim(struct nb_unclaimed *unclaimed, uint64_t ordinal);

/* How many came so far. */
static inline uint64_t nb_unclaimed_received(const struct nb_unclaimed *unclaimed)
{
    return unclaimed->first + unclaimed->count;
}

#endif
