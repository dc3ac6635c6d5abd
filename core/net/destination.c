#include "destination.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MAPPED_AT = 12 };

static const uint8_t zeroes[16];
static const uint8_t loopback4[4] = {127, 0, 0, 1};

static bool is_mapped(const struct nb_ip *ip)
{
    static const uint8_t prefix[MAPPED_AT] = {[10] = 0xff, [11] = 0xff};
    return ip->family == 6 && memcmp(ip->bytes, prefix, sizeof prefix) == 0;
}

/* Where the bytes of an IPv4 address or of a mapped one begin; -1: there is none. */
static int ip4_at(const struct nb_ip *ip)
{
    return ip->family == 4 ? 0 : is_mapped(ip) ? MAPPED_AT : -1;
}

static struct nb_ip loopback6(bool as_mapped)
{
    struct nb_ip ip = {.family = 6, .bytes = {[15] = 1}};
    if (as_mapped) {
        ip.bytes[10] = ip.bytes[11] = 0xff;
        memcpy(ip.bytes + MAPPED_AT, loopback4, sizeof loopback4);
    }
    return ip;
}

struct nb_ip nb_destination_of(const struct nb_ip *remote, const struct nb_ip *local)
{
    struct nb_ip destination = *remote;
    int at = ip4_at(remote), local_at = ip4_at(local);
    if (at < 0)
        return memcmp(remote->bytes, zeroes, 16) == 0 ? loopback6(is_mapped(local)) : destination;
    if (memcmp(remote->bytes + at, zeroes, 4) != 0)
        return destination;
    bool is_bound = local_at >= 0 && memcmp(local->bytes + local_at, zeroes, 4) != 0;
    memcpy(destination.bytes + at, is_bound ? local->bytes + local_at : loopback4, 4);
    return destination;
}
