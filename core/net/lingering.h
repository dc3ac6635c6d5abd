/*
 * What sessions have left behind: sockets whose last bytes are still on their
 * way out. Their number and bytes are bounded for the whole process. Past a
 * bound the loop on which one more begins to linger cuts those that have
 * lingered longest, as their peers are the likeliest to be stuck; but not below
 * the loop's even share, so that one loop cannot cost another all of it. With
 * many loops the sum may thus come to nearly twice the bound.
 *
 * Process-wide; each loop's thread on its own sockets.
 */
#ifndef NB_LINGERING_H
#define NB_LINGERING_H

#include "loop.h"

#include <stddef.h>
#include <stdint.h>

/* One socket's part; embedded in the socket. All zero but cut: does not linger. */
struct nb_lingerer {
    struct nb_lingerer *next, **link; /* link NULL: does not linger */
    size_t length; /* bytes not sent */
    /* It must close; it is out of the line already. */
    void (*cut)(struct nb_lingerer *lingerer);
};

/* Before threads start; without it nothing is bounded. loops: that have sockets. */
void nb_lingering_init(uint32_t max_sockets, uint32_t max_bytes, unsigned loops);

/* Begins to linger; others on the loop may be cut for it, or it at once. */
void nb_lingering_add(struct nb_loop *loop, struct nb_lingerer *lingerer, size_t length);

/* So many of its bytes were sent. Does nothing when it does not linger, as the next. */
void nb_lingering_pay(struct nb_loop *loop, struct nb_lingerer *lingerer, size_t length);
void nb_lingering_remove(struct nb_loop *loop, struct nb_lingerer *lingerer);

/* Of all loops. */
uint32_t nb_lingering_sockets(void);
size_t nb_lingering_bytes(void);

#endif
