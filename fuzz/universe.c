#include "universe.h"

#include "model.h"

#include <string.h>

enum {
    VARYING = 4,
    VALUES = 1 << VARYING,
    FORMS = UNIVERSE_SIZE / VALUES,
    LAYOUTS = UNIVERSES / 2,
    PREFIXES = 129
};

/* Which bits vary, 0 is the last one of the address. */
static const uint8_t layouts4[LAYOUTS][VARYING] = {{0, 1, 2, 3},     {0, 15, 16, 17}, {0, 8, 16, 24},
                                                   {28, 29, 30, 31}, {0, 7, 8, 31},   {0, 1, 16, 31},
                                                   {14, 15, 16, 17}, {0, 2, 4, 6}};
static const uint8_t layouts6[LAYOUTS][VARYING] = {{0, 1, 2, 3},         {0, 63, 64, 65},  {0, 32, 64, 127},
                                                   {124, 125, 126, 127}, {32, 33, 47, 48}, {0, 31, 32, 33},
                                                   {62, 63, 64, 65},     {0, 16, 80, 112}};
/* From the mapped block to the blocks beside it. */
static const uint8_t edges[VARYING] = {0, 31, 32, 48};

/* ---- addresses ---- */

static void flip(struct nb_ip *ip, const uint8_t *bits, unsigned value)
{
    unsigned last = ip->family == 4 ? 3 : 15;
    for (unsigned i = 0; i < VARYING; i++)
        if (value >> i & 1)
            ip->bytes[last - bits[i] / 8] ^= (uint8_t)(1u << bits[i] % 8);
}

static struct nb_ip v4(unsigned layout, uint8_t fill, unsigned value)
{
    struct nb_ip ip = {.family = 4};
    memset(ip.bytes, fill, 4);
    flip(&ip, layouts4[layout], value);
    return ip;
}

static struct nb_ip mapped(struct nb_ip ip)
{
    struct nb_ip wide = {.family = 6, .bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(wide.bytes + 12, ip.bytes, 4);
    return wide;
}

static struct nb_ip v6(unsigned layout, uint8_t fill, unsigned value)
{
    struct nb_ip ip = {.family = 6};
    memset(ip.bytes, fill, 16);
    flip(&ip, layouts6[layout], value);
    return ip;
}

static struct nb_ip edge(uint8_t fill, unsigned value)
{
    struct nb_ip low = {.family = 4};
    memset(low.bytes, fill, 4);
    struct nb_ip ip = mapped(low);
    flip(&ip, edges, value);
    return ip;
}

static void make(unsigned universe, struct nb_ip *ips)
{
    unsigned layout = universe / 2;
    uint8_t fill = universe & 1 ? 0xff : 0;
    for (unsigned value = 0; value < VALUES; value++) {
        ips[value] = v4(layout, fill, value);
        ips[VALUES + value] = mapped(ips[value]);
        ips[2 * VALUES + value] = v6(layout, fill, value);
        ips[3 * VALUES + value] = edge(fill, value);
    }
}

const struct nb_ip *universe_addresses(unsigned universe)
{
    static struct nb_ip ips[UNIVERSES][UNIVERSE_SIZE];
    if (!ips[universe][0].family)
        make(universe, ips[universe]);
    return ips[universe];
}

/* ---- rules ---- */

static struct nb_rule range(const struct nb_ip *a, const struct nb_ip *b)
{
    struct nb_rule rule = {.kind = NB_RULE_RANGE, .first = *a, .last = *b};
    if (a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) > 0)
        rule = (struct nb_rule){.kind = NB_RULE_RANGE, .first = *b, .last = *a};
    return rule;
}

struct nb_rule universe_rule(unsigned universe, enum nb_rule_kind kind, uint8_t first, uint8_t last_or_prefix)
{
    const struct nb_ip *ips = universe_addresses(universe);
    const struct nb_ip *ip = &ips[first % UNIVERSE_SIZE];
    if (kind == NB_RULE_RANGE)
        return range(ip, &ips[last_or_prefix % UNIVERSE_SIZE]);
    return (struct nb_rule){
        .kind = (uint8_t)kind, .first = *ip, .prefix = kind == NB_RULE_SUBNET ? last_or_prefix : 0};
}

struct known {
    bool is_known;
    universe_set set;
};

static void learn(struct known *known, unsigned universe, const struct nb_rule *rule)
{
    const struct nb_ip *ips = universe_addresses(universe);
    for (unsigned i = 0; i < UNIVERSE_SIZE; i++)
        known->set |= (universe_set)model_rule_matches(rule, &ips[i]) << i;
    known->is_known = true;
}

const universe_set *universe_matches(unsigned universe, enum nb_rule_kind kind, uint8_t first,
                                     uint8_t last_or_prefix)
{
    static struct known addresses[UNIVERSES][UNIVERSE_SIZE], ranges[UNIVERSES][UNIVERSE_SIZE][UNIVERSE_SIZE],
        subnets[UNIVERSES][UNIVERSE_SIZE][PREFIXES];
    unsigned at = first % UNIVERSE_SIZE;
    struct known *known = &addresses[universe][at];
    if (kind == NB_RULE_RANGE)
        known = &ranges[universe][at][last_or_prefix % UNIVERSE_SIZE];
    else if (kind == NB_RULE_SUBNET)
        known = &subnets[universe][at][last_or_prefix];
    if (!known->is_known) {
        struct nb_rule rule = universe_rule(universe, kind, first, last_or_prefix);
        learn(known, universe, &rule);
    }
    return &known->set;
}
