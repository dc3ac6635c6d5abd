/*
 * The grammar of addresses read character by character, as slow and as literal as
 * it is written: what the readers of core/net/address are compared with.
 */
#ifndef NB_FUZZ_GRAMMAR_H
#define NB_FUZZ_GRAMMAR_H

#include "ip.h"

/* All of the text, without a zone. */
bool grammar_v4(const char *text, size_t length, struct nb_ip *ret_ip);
bool grammar_v6(const char *text, size_t length, struct nb_ip *ret_ip);

/* The first '%', or the end. */
const char *grammar_find_percent(const char *text, size_t length);

/* What may follow an IPv6 address: nothing, or '%' and a zone as net.isIP takes it. */
bool grammar_is_zone(const char *text, size_t length);

/* As nb_ip_parse_as. */
bool grammar_parse_as(const char *text, size_t length, int family, struct nb_ip *ret_ip);

#endif
