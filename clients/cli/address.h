/* What there is to say of an IP address. */
#ifndef NB_CLI_ADDRESS_H
#define NB_CLI_ADDRESS_H

#include "cidr.h"

/*
 * What all addresses from first to last, of one family, are for, as the registries
 * of special-purpose addresses say (RFC 6890): "loopback", "private"; "global" for
 * the others, "several" where they are not all for the same. Those that map IPv4 count as what they map. Static.
 */
const char *nb_cli_scope(const struct nb_ip *first, const struct nb_ip *last);

/* The IPv4 address that an IPv6 address maps; false: it maps none. */
bool nb_cli_mapped(const struct nb_ip *ip, struct nb_ip *ret_ip);

#endif
