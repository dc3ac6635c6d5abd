/*
 * The searches of owner_map.h for several instruction sets: map4_read.c and
 * map6_read.c are compiled once for any processor, once for those with AVX2 and once for those with AVX-512.
 */
#ifndef NB_OWNER_MAP_READ_H
#define NB_OWNER_MAP_READ_H

#include "owner_map.h"

#define NB_DECLARE_READS(suffix)                                                                             \
    uint32_t nb_map4_owner_##suffix(const struct nb_map *map, nb_key4 key);                                  \
    uint32_t nb_map6_owner_##suffix(const struct nb_map *map, nb_key6 key);                                  \
    bool nb_map4_check_##suffix(const struct nb_map *map, nb_key4 key);                                      \
    bool nb_map6_check_##suffix(const struct nb_map *map, nb_key6 key);                                      \
    void nb_map4_check_many_##suffix(const struct nb_map *map, const nb_key4 *keys, size_t count,            \
                                     bool *ret_owned);                                                       \
    void nb_map6_check_many_##suffix(const struct nb_map *map, const nb_key6 *keys, size_t count,            \
                                     bool *ret_owned);

NB_DECLARE_READS(portable)
NB_DECLARE_READS(avx2)
NB_DECLARE_READS(avx512)

#if defined(__AVX512BW__)
#define NB_READ(name) name##_avx512
#elif defined(__AVX2__)
#define NB_READ(name) name##_avx2
#else
#define NB_READ(name) name##_portable
#endif

#endif
