/*
 * Maps from addresses to the newest rule that matches them: what makes a check
 * fast. Every address has an owner, a rule's number + 1, or 0: none. Painting gives
 * an interval a new owner, whoever had it before; so the newest rule is on top.
 *
 * Each map is a B+-tree of the boundaries between owners:
 *
 *   inner node   separators s1 < s2 < ...; child i has the addresses of s(i) .. s(i+1) - 1
 *   leaf         the owner where it begins; keys k1 < k2 < ... with the owner from each key on
 *
 * Owners that are 0 take a bit and no word: half of them are. Leaves are allocated
 * as large as they need to be. Nodes that become empty go, others are not joined:
 * a list that shrinks by removals is made anew from time to time by block_list.c.
 *
 * One thread; any number of readers while nobody writes. After -ENOMEM a map is
 * good for nothing but nb_map*_clear.
 */
#ifndef NB_OWNER_MAP_H
#define NB_OWNER_MAP_H

#include "key.h"

#include <stddef.h>

/* All zero: nobody owns anything. */
struct nb_map {
    void *root; /* owned; NULL, a leaf, or an inner node */
    unsigned height; /* inner nodes above each leaf */
    size_t memory; /* bytes */
};

/* What is painted: first..last, both included. */
struct nb_span4 {
    nb_key4 first, last;
    uint32_t owner;
};
struct nb_span6 {
    nb_key6 first, last;
    uint32_t owner;
};

int nb_map4_paint(struct nb_map *map, const struct nb_span4 *span);
int nb_map6_paint(struct nb_map *map, const struct nb_span6 *span);

/*
 * Fills an empty map with many spans at once; where they overlap the highest owner
 * wins, as if they had been painted in the order of their owners. Sorts them.
 */
int nb_map4_build(struct nb_map *map, struct nb_span4 *spans, size_t count);
int nb_map6_build(struct nb_map *map, struct nb_span6 *spans, size_t count);

void nb_map4_clear(struct nb_map *map);
void nb_map6_clear(struct nb_map *map);

uint32_t nb_map4_owner(const struct nb_map *map, nb_key4 key);
uint32_t nb_map6_owner(const struct nb_map *map, nb_key6 key);

/* True: somebody owns it. Reads less than nb_map*_owner. */
bool nb_map4_check(const struct nb_map *map, nb_key4 key);
bool nb_map6_check(const struct nb_map *map, nb_key6 key);

/* Many checks at once: their memory accesses overlap. */
void nb_map4_check_many(const struct nb_map *map, const nb_key4 *keys, size_t count, bool *ret_owned);
void nb_map6_check_many(const struct nb_map *map, const nb_key6 *keys, size_t count, bool *ret_owned);

/* Calls visit for the parts of first..last that have this owner, in order; a negative result ends the visit. */
int nb_map4_visit(const struct nb_map *map, const struct nb_span4 *span,
                  int (*visit)(void *context, const struct nb_span4 *part), void *context);
int nb_map6_visit(const struct nb_map *map, const struct nb_span6 *span,
                  int (*visit)(void *context, const struct nb_span6 *part), void *context);

#endif
