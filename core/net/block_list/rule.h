/*
 * Rules of a block list: values and their text. No allocation; any thread.
 *
 * Two notations are read; a text is borrowed for the call and may hold any bytes:
 *
 *   lines         192.0.2.1    192.0.2.0/24    192.0.2.1-192.0.2.9    2001:db8::/32
 *   as Node's     Address: IPv4 192.0.2.1    Subnet: IPv6 2001:db8::/32    Range: IPv4 192.0.2.1-192.0.2.9
 */
#ifndef NB_RULE_H
#define NB_RULE_H

#include "ip.h"

#ifdef __cplusplus
extern "C" {
#endif

enum nb_rule_kind { NB_RULE_ADDRESS, NB_RULE_RANGE, NB_RULE_SUBNET };

struct nb_rule {
    uint8_t kind; /* enum nb_rule_kind */
    uint8_t prefix; /* of a subnet: 0..32 or 0..128 */
    struct nb_ip first; /* the address; a range's start; a subnet's network, host bits as given */
    struct nb_ip last; /* a range's end, included; of either family. Else family 0 */
};

enum { NB_RULE_TEXT = 112 }; /* the longest text and its NUL */

/* Families, prefix and the order of a range's ends are as they should be. */
bool nb_rule_is_valid(const struct nb_rule *rule);

/* Same kind, addresses and prefix; host bits count. */
bool nb_rule_equals(const struct nb_rule *a, const struct nb_rule *b);

/* Node's text, as BlockList.rules has it, or the line's; with a NUL. Return the length. */
size_t nb_rule_format(const struct nb_rule *rule, char ret_text[NB_RULE_TEXT]);
size_t nb_rule_format_line(const struct nb_rule *rule, char ret_text[NB_RULE_TEXT]);

/*
 * Reads a rule in either notation, without blanks around it. NULL when it was read,
 * else what is wrong with it, in English, for the end of a sentence (static).
 */
const char *nb_rule_parse(const char *text, size_t length, struct nb_rule *ret_rule);

#ifdef __cplusplus
}
#endif

#endif
