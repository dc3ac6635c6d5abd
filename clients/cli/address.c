#include "address.h"

#include <string.h>

/* The first that holds an address counts. */
static const struct {
    const char *block, *scope;
} special[] = {
    {"0.0.0.0/32", "unspecified"},
    {"0.0.0.0/8", "this network"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "benchmarking"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"255.255.255.255/32", "broadcast"},
    {"240.0.0.0/4", "reserved"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"64:ff9b::/96", "translation"},
    {"64:ff9b:1::/48", "translation"},
    {"100::/64", "discard"},
    {"2001::/32", "teredo"},
    {"2001:db8::/32", "documentation"},
    {"2001::/23", "protocol assignments"},
    {"2002::/16", "6to4"},
    {"3fff::/20", "documentation"},
    {"fc00::/7", "private"},
    {"fe80::/10", "link-local"},
    {"ff00::/8", "multicast"},
    {"2000::/3", "global"},
    {"::/0", "reserved"},
};

bool nb_cli_mapped(const struct nb_ip *ip, struct nb_ip *ret_ip)
{
    static const uint8_t prefix[12] = {[10] = 0xff, 0xff};
    if (ip->family != 6 || memcmp(ip->bytes, prefix, sizeof prefix) != 0)
        return false;
    *ret_ip = (struct nb_ip){.family = 4};
    memcpy(ret_ip->bytes, ip->bytes + sizeof prefix, 4);
    return true;
}

enum relation { APART, OVERLAP, WITHIN };

static enum relation relation_to(const char *block, const struct nb_ip *first, const struct nb_ip *last)
{
    struct nb_cidr cidr;
    struct nb_ip from, to;
    if (!nb_cidr_parse(block, strlen(block), &cidr) || cidr.network.family != first->family)
        return APART;
    nb_cidr_bounds(&cidr, &from, &to);
    if (memcmp(last->bytes, from.bytes, sizeof from.bytes) < 0 ||
        memcmp(first->bytes, to.bytes, sizeof to.bytes) > 0)
        return APART;
    bool begins = memcmp(first->bytes, from.bytes, sizeof from.bytes) >= 0;
    bool ends = memcmp(last->bytes, to.bytes, sizeof to.bytes) <= 0;
    return begins && ends ? WITHIN : OVERLAP;
}

const char *nb_cli_scope(const struct nb_ip *first, const struct nb_ip *last)
{
    struct nb_ip mapped_first, mapped_last;
    if (nb_cli_mapped(first, &mapped_first) && nb_cli_mapped(last, &mapped_last))
        return nb_cli_scope(&mapped_first, &mapped_last);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        enum relation relation = relation_to(special[i].block, first, last);
        if (relation != APART)
            return relation == WITHIN ? special[i].scope : "several";
    }
    return "global";
}
