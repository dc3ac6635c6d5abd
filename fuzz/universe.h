/*
 * A world of 64 addresses, so small that rules made of them collide all the time:
 * IPv4, mapped IPv4, IPv6, and IPv6 around the edges of the mapped block. There are
 * 16 of these worlds; they differ in which bits vary and in what the others are.
 */
#ifndef NB_FUZZ_UNIVERSE_H
#define NB_FUZZ_UNIVERSE_H

#include "rule.h"

#include <stdint.h>

enum { UNIVERSES = 16, UNIVERSE_SIZE = 64 };

/* Some of the addresses: a bit for each. */
typedef uint64_t universe_set;

/* All addresses of a world, borrowed for ever. */
const struct nb_ip *universe_addresses(unsigned universe);

/*
 * The rule of that kind: the address; the range between the two, given in either
 * order; or the subnet of that prefix, which may be none. Not every rule is valid.
 */
struct nb_rule universe_rule(unsigned universe, enum nb_rule_kind kind, uint8_t first,
                             uint8_t last_or_prefix);

/* What a valid rule matches, found out bit by bit by model.h, once; borrowed for ever. */
const universe_set *universe_matches(unsigned universe, enum nb_rule_kind kind, uint8_t first,
                                     uint8_t last_or_prefix);

#endif
