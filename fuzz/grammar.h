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

/* As nb_ip_parse and nb_ip_parse_as. */
bool grammar_parse(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_zone_at);
bool grammar_parse_as(const char *text, size_t length, int family, struct nb_ip *ret_ip);

#endif
