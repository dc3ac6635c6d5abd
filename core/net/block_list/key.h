/* Addresses as integers: what the block list's structures are ordered by. Any thread. */
#ifndef NB_KEY_H
#define NB_KEY_H

#include "ip.h"

#include <stdint.h>

typedef uint32_t nb_key4;
typedef unsigned __int128 nb_key6;

#define NB_MAPPED_FIRST ((nb_key6)0xffff << 32) /* ::ffff:0.0.0.0 */
#define NB_MAPPED_LAST (NB_MAPPED_FIRST | UINT32_MAX)

static inline nb_key4 nb_key4_of(const uint8_t bytes[4])
{
    return (nb_key4)bytes[0] << 24 | (nb_key4)bytes[1] << 16 | (nb_key4)bytes[2] << 8 | bytes[3];
}

static inline nb_key6 nb_key6_of(const uint8_t bytes[16])
{
    nb_key6 key = 0;
    for (unsigned i = 0; i < 16; i += 4)
        key = key << 32 | nb_key4_of(bytes + i);
    return key;
}

static inline nb_key6 nb_key6_mapped(nb_key4 key)
{
    return NB_MAPPED_FIRST | key;
}

static inline bool nb_key6_is_mapped(nb_key6 key)
{
    return key >> 32 == 0xffff;
}

/* The address of either family, IPv4 as its mapped form. */
static inline nb_key6 nb_key6_of_ip(const struct nb_ip *ip)
{
    return ip->family == 4 ? nb_key6_mapped(nb_key4_of(ip->bytes)) : nb_key6_of(ip->bytes);
}

static inline struct nb_ip nb_ip_of_key4(nb_key4 key)
{
    struct nb_ip ip = {.family = 4};
    for (unsigned i = 0; i < 4; i++)
        ip.bytes[i] = (uint8_t)(key >> (24 - 8 * i));
    return ip;
}

static inline struct nb_ip nb_ip_of_key6(nb_key6 key)
{
    struct nb_ip ip = {.family = 6};
    for (unsigned i = 0; i < 16; i++)
        ip.bytes[i] = (uint8_t)(key >> (120 - 8 * i));
    return ip;
}

#endif
