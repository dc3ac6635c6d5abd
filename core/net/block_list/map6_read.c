#define NB_TRIES_ARE_READ_ONLY
#include "owner_map_read.h"
#include "trie6.h"

enum { LANES = 16, PREFETCHED = 320 };

uint32_t NB_READ(nb_map6_owner)(const struct nb_map *map, nb_key6 key)
{
    return nb_trie6_owner(map->root, key);
}

bool NB_READ(nb_map6_check)(const struct nb_map *map, nb_key6 key)
{
    return nb_trie6_check_slot(nb_trie6_find(map->root, key), key);
}

/* The leaves of all lanes are on their way from memory before the first one is looked into. */
static void check_lanes(const struct nb_map *map, const nb_key6 *keys, unsigned count, bool *ret_owned)
{
    nb_slot slots[LANES];
    for (unsigned lane = 0; lane < count; lane++) {
        slots[lane] = nb_trie6_find(map->root, keys[lane]);
        if (nb_slot_is_leaf(slots[lane]))
            for (size_t at = 0; at < PREFETCHED; at += 64)
                __builtin_prefetch((const char *)nb_slot_address(slots[lane]) + at);
    }
    for (unsigned lane = 0; lane < count; lane++)
        ret_owned[lane] = nb_trie6_check_slot(slots[lane], keys[lane]);
}

void NB_READ(nb_map6_check_many)(const struct nb_map *map, const nb_key6 *keys, size_t count, bool *ret_owned)
{
    for (size_t at = 0; at < count; at += LANES)
        check_lanes(map, keys + at, count - at < LANES ? (unsigned)(count - at) : LANES, ret_owned + at);
}
