/* The trie of IPv6 addresses: see trie_node.inc.h. */
#ifndef NB_TRIE6_H
#define NB_TRIE6_H

#include "sizes.h"
#include "trie.h"

#define KEY nb_key6
#define KEY_BITS 128
#define KEY_WORD int64_t
#define KEY_STEP 2
#define OWNER_STEP 2
#define LEAF_KEYS NB_LEAF_KEYS6
#define MANY_KEYS 16
#define T(x) nb_trie6_##x

#include "trie_node.inc.h"

/* The higher halves of a leaf's keys come first, as most searches need no others; narrow leaves have the lower ones only. */
static inline bool T(is_narrow)(unsigned bits)
{
    return bits <= 64;
}

static inline size_t T(key_size)(unsigned bits)
{
    return T(is_narrow)(bits) ? sizeof(int64_t) : 2 * sizeof(int64_t);
}

static inline int64_t T(turn)(uint64_t half)
{
    return (int64_t)(half ^ (uint64_t)1 << 63);
}

/* Where the lower halves are. */
static inline int64_t *T(low_keys)(const struct T(leaf) *leaf)
{
    return (int64_t *)leaf->keys + (T(is_narrow)(leaf->bits) ? 0 : leaf->capacity);
}

/* Of a narrow key the lower half. */
static inline KEY T(key_at)(const struct T(leaf) *leaf, unsigned at)
{
    KEY low = (uint64_t)T(turn)((uint64_t)T(low_keys)(leaf)[at]);
    if (T(is_narrow)(leaf->bits))
        return low;
    return (KEY)(uint64_t)T(turn)((uint64_t)leaf->keys[at]) << 64 | low;
}

static inline void T(set_key)(struct T(leaf) *leaf, unsigned at, KEY key)
{
    T(low_keys)(leaf)[at] = T(turn)((uint64_t)key);
    if (!T(is_narrow)(leaf->bits))
        leaf->keys[at] = T(turn)((uint64_t)(key >> 64));
}

static inline void T(move_keys)(struct T(leaf) *leaf, unsigned to, unsigned from, unsigned count)
{
    int64_t *low = T(low_keys)(leaf);
    memmove(low + to, low + from, count * sizeof *low);
    if (!T(is_narrow)(leaf->bits))
        memmove(leaf->keys + to, leaf->keys + from, count * sizeof *low);
}

static inline unsigned T(rank)(const struct T(leaf) *leaf, KEY key, bool is_wide, bool many)
{
    int64_t low = T(turn)((uint64_t)key), high = T(turn)((uint64_t)(key >> 64));
    if (!is_wide)
        return rank64(leaf->keys, leaf->count, low, many);
    unsigned found = rank64(leaf->keys, leaf->count, high, many);
    while (found && leaf->keys[found - 1] == high && T(low_keys)(leaf)[found - 1] > low)
        found--;
    return found;
}

#include "trie_read.inc.h"
#ifndef NB_TRIES_ARE_READ_ONLY
#include "trie_paint.inc.h"

#include "trie_build.inc.h" /* needs what is above */
#endif

#undef KEY
#undef KEY_BITS
#undef KEY_WORD
#undef KEY_STEP
#undef OWNER_STEP
#undef LEAF_KEYS
#undef MANY_KEYS
#undef T

#endif
