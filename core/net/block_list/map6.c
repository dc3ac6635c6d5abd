/* The map of IPv6 addresses. */
#include "owner_map.h"

#include "clones.h"
#include "sizes.h"

#define KEY nb_key6
#define WORD uint64_t
#define KEY_WORDS 2
#define GROUP 4
#define LEAF_KEYS NB_LEAF_KEYS6
#define FANOUT NB_FANOUT6
#define NAME(x) nb_map6_##x
#define SPAN struct nb_span6

/* The high halves of all keys come before the low ones: most searches need no others. */
typedef uint64_t group __attribute__((vector_size(32), aligned(8), may_alias));

static inline KEY key_at(const WORD *keys, unsigned capacity, unsigned at)
{
    return (KEY)keys[at] << 64 | keys[capacity + at];
}

static inline void set_key(WORD *keys, unsigned capacity, unsigned at, KEY key)
{
    keys[at] = (WORD)(key >> 64);
    keys[capacity + at] = (WORD)key;
}

static inline void move_keys(WORD *keys, unsigned capacity, unsigned to, unsigned from, unsigned count)
{
    __builtin_memmove(keys + to, keys + from, count * sizeof *keys);
    __builtin_memmove(keys + capacity + to, keys + capacity + from, count * sizeof *keys);
}

static inline unsigned rank_low(const WORD *keys, unsigned first, unsigned end, WORD low)
{
    while (first < end && keys[first] <= low)
        first++;
    return first;
}

static inline unsigned rank(const WORD *keys, unsigned capacity, unsigned count, KEY key)
{
    static const group positions = {0, 1, 2, 3};
    WORD high = (WORD)(key >> 64);
    group below = {0}, up_to = {0}, position = positions;
    for (unsigned at = 0; at < count; at += GROUP) {
        const group *here = (const group *)(keys + at);
        group is_key = (group)(position < count);
        below -= (group)(*here < high) & is_key;
        up_to -= (group)(*here <= high) & is_key;
        position += GROUP;
    }
    WORD first = below[0] + below[1] + below[2] + below[3];
    WORD end = up_to[0] + up_to[1] + up_to[2] + up_to[3];
    if (first == end)
        return (unsigned)first;
    return rank_low(keys + capacity, (unsigned)first, (unsigned)end, (WORD)key);
}

#include "owner_map.inc.h"
