/* The trie of IPv4 addresses: see trie_node.inc.h. */
#ifndef NB_TRIE4_H
#define NB_TRIE4_H

#include "sizes.h"
#include "trie.h"

#define KEY nb_key4
#define KEY_BITS 32
#define KEY_WORD uint32_t
#define KEY_STEP 4
#define OWNER_STEP 4
#define LEAF_KEYS NB_LEAF_KEYS4
#define MANY_KEYS 32
#define T(x) nb_trie4_##x

#include "trie_node.inc.h"

static inline bool T(is_narrow)(unsigned bits)
{
    return bits <= 16;
}

static inline size_t T(key_size)(unsigned bits)
{
    return T(is_narrow)(bits) ? sizeof(uint16_t) : sizeof(uint32_t);
}

static inline uint16_t *T(narrow_keys)(const struct T(leaf) *leaf)
{
    return (uint16_t *)leaf->keys;
}

/* Of a narrow key the lower half. */
static inline KEY T(key_at)(const struct T(leaf) *leaf, unsigned at)
{
    return T(is_narrow)(leaf->bits) ? T(narrow_keys)(leaf)[at] : leaf->keys[at];
}

static inline void T(set_key)(struct T(leaf) *leaf, unsigned at, KEY key)
{
    if (T(is_narrow)(leaf->bits))
        T(narrow_keys)(leaf)[at] = (uint16_t)key;
    else
        leaf->keys[at] = key;
}

static inline void T(move_keys)(struct T(leaf) *leaf, unsigned to, unsigned from, unsigned count)
{
    size_t size = T(key_size)(leaf->bits);
    uint8_t *keys = (uint8_t *)leaf->keys;
    memmove(keys + to * size, keys + from * size, count * size);
}

static inline unsigned T(rank)(const struct T(leaf) *leaf, KEY key, bool is_wide, bool many)
{
    if (is_wide)
        return rank32(leaf->keys, leaf->count, key, many);
    return rank16(T(narrow_keys)(leaf), leaf->count, (uint16_t)key, many);
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
