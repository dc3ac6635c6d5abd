/*
 * Maps from addresses to the newest rule that matches them: what makes a check
 * fast. Every address has an owner, a rule's number + 1, or 0: none. Painting gives
 * an interval a new owner, whoever had it before; so the newest rule is on top.
 *
 * There is one kind of map for IPv4 and one for IPv6; both are tries of nodes with 16
 * children over sorted leaves, see trie_node.inc.h.
 *
 * One thread; any number of readers while nobody writes. Nodes come from an arena,
 * and go with it: an empty map is all zero, and after -ENOMEM a map is good for
 * nothing any more but to be forgotten with its arena.
 */
#ifndef NB_OWNER_MAP_H
#define NB_OWNER_MAP_H

#include "arena.h"
#include "key.h"

#include <stddef.h>

struct nb_map {
    uintptr_t root; /* a slot, see trie_node.inc.h */
};

/* first..last, both included, and who owns it. */
struct nb_span4 {
    nb_key4 first, last;
    uint32_t owner;
};
struct nb_span6 {
    nb_key6 first, last;
    uint32_t owner;
};

int nb_map4_paint(struct nb_map *map, struct nb_arena *arena, const struct nb_span4 *span);
int nb_map6_paint(struct nb_map *map, struct nb_arena *arena, const struct nb_span6 *span);

/*
 * Fills an empty map with many spans at once; where they overlap the highest owner
 * wins, as if they had been painted in the order of their owners. Sorts them.
 */
int nb_map4_build(struct nb_map *map, struct nb_arena *arena, struct nb_span4 *spans, size_t count);
int nb_map6_build(struct nb_map *map, struct nb_arena *arena, struct nb_span6 *spans, size_t count);

uint32_t nb_map4_owner(const struct nb_map *map, nb_key4 key);
uint32_t nb_map6_owner(const struct nb_map *map, nb_key6 key);

/* True: somebody owns it. Reads less than nb_map*_owner. */
bool nb_map4_check(const struct nb_map *map, nb_key4 key);
bool nb_map6_check(const struct nb_map *map, nb_key6 key);

/* Many checks at once: their memory accesses overlap. */
void nb_map4_check_many(const struct nb_map *map, const nb_key4 *keys, size_t count, bool *ret_owned);
void nb_map6_check_many(const struct nb_map *map, const nb_key6 *keys, size_t count, bool *ret_owned);

/* Calls visit for the owned parts of first..last, in order; a negative result ends the visit and is returned. */
int nb_map4_visit(const struct nb_map *map, nb_key4 first, nb_key4 last,
                  int (*visit)(void *context, const struct nb_span4 *part), void *context);
int nb_map6_visit(const struct nb_map *map, nb_key6 first, nb_key6 last,
                  int (*visit)(void *context, const struct nb_span6 *part), void *context);

#endif
