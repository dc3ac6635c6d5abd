/* Which searches this processor can do. */
#include "owner_map_read.h"

#ifdef NB_HAS_X86_READS

static inline bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi");
}

static inline bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

#define CHOOSE(name, ...)                                                                                    \
    (has_avx512() ? name##_avx512(__VA_ARGS__)                                                               \
     : has_avx2() ? name##_avx2(__VA_ARGS__)                                                                 \
                  : name##_portable(__VA_ARGS__))
#else
#define CHOOSE(name, ...) name##_portable(__VA_ARGS__)
#endif

uint32_t nb_map4_owner(const struct nb_map *map, nb_key4 key)
{
    return CHOOSE(nb_map4_owner, map, key);
}

uint32_t nb_map6_owner(const struct nb_map *map, nb_key6 key)
{
    return CHOOSE(nb_map6_owner, map, key);
}

bool nb_map4_check(const struct nb_map *map, nb_key4 key)
{
    return CHOOSE(nb_map4_check, map, key);
}

bool nb_map6_check(const struct nb_map *map, nb_key6 key)
{
    return CHOOSE(nb_map6_check, map, key);
}

void nb_map4_check_many(const struct nb_map *map, const nb_key4 *keys, size_t count, bool *ret_owned)
{
    CHOOSE(nb_map4_check_many, map, keys, count, ret_owned);
}

void nb_map6_check_many(const struct nb_map *map, const nb_key6 *keys, size_t count, bool *ret_owned)
{
    CHOOSE(nb_map6_check_many, map, keys, count, ret_owned);
}
