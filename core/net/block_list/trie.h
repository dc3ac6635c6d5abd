/* What the tries of both key sizes have in common, see trie_node.inc.h. */
#ifndef NB_TRIE_H
#define NB_TRIE_H

#include "arena.h"
#include "key.h"
#include "rank.h"

#include <errno.h>
#include <string.h>

/* Four bits say what it is, the others are an owner or an address. 0: an owner, nobody. */
typedef uintptr_t nb_slot;

enum {
    NB_SLOT_OWNER = 0,
    NB_SLOT_NODE = 1,
    NB_SLOT_SKIP = 2,
    NB_SLOT_LEAF = 4, /* two more bits say how to search its keys, before any of it was read */
    NB_LEAF_IS_WIDE = 1,
    NB_LEAF_HAS_MANY = 2, /* keys, for rank */
    NB_SLOT_TAG = 15,
    NB_NIBBLE = 4, /* bits of a key that choose a child */
    NB_CHILDREN = 16,
};

struct nb_node {
    nb_slot slots[NB_CHILDREN];
};

static inline unsigned nb_slot_tag(nb_slot slot)
{
    return (unsigned)slot & NB_SLOT_TAG;
}

static inline bool nb_slot_is_leaf(nb_slot slot)
{
    return slot & NB_SLOT_LEAF;
}

static inline nb_slot nb_slot_make(const void *address, unsigned tag)
{
    return (nb_slot)address | tag;
}

static inline void *nb_slot_address(nb_slot slot)
{
    return (void *)(slot & ~(nb_slot)NB_SLOT_TAG);
}

static inline nb_slot nb_slot_of_owner(uint32_t owner)
{
    return (nb_slot)owner << NB_NIBBLE | NB_SLOT_OWNER;
}

static inline uint32_t nb_slot_owner(nb_slot slot)
{
    return (uint32_t)(slot >> NB_NIBBLE);
}

static inline struct nb_node *nb_slot_node(nb_slot slot)
{
    return nb_slot_address(slot);
}

static inline uint64_t nb_low_bits(unsigned count)
{
    return ((uint64_t)1 << count) - 1;
}

#endif
