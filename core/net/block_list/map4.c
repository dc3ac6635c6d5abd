/* The map of IPv4 addresses. */
#include "owner_map.h"

#include "clones.h"
#include "sizes.h"

#define KEY nb_key4
#define WORD uint32_t
#define KEY_WORDS 1
#define GROUP 8
#define LEAF_KEYS NB_LEAF_KEYS4
#define FANOUT NB_FANOUT4
#define NAME(x) nb_map4_##x
#define SPAN struct nb_span4

typedef uint32_t group __attribute__((vector_size(32), aligned(4), may_alias));

static inline KEY key_at(const WORD *keys, unsigned capacity, unsigned at)
{
    return keys[at];
}

static inline void set_key(WORD *keys, unsigned capacity, unsigned at, KEY key)
{
    keys[at] = key;
}

static inline void move_keys(WORD *keys, unsigned capacity, unsigned to, unsigned from, unsigned count)
{
    __builtin_memmove(keys + to, keys + from, count * sizeof *keys);
}

/* Compares whole groups: what lies behind the keys is masked out by position. */
static inline unsigned rank(const WORD *keys, unsigned capacity, unsigned count, KEY key)
{
    static const group positions = {0, 1, 2, 3, 4, 5, 6, 7};
    group sum = {0}, position = positions;
    for (unsigned at = 0; at < count; at += GROUP) {
        const group *here = (const group *)(keys + at);
        sum -= (group)(*here <= key) & (group)(position < count);
        position += GROUP;
    }
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

#include "owner_map.inc.h"
