/* Address blocks in CIDR notation (RFC 4632, RFC 4291 2.3): values and their text, as in ip.h. Any thread. */
#ifndef NB_CIDR_H
#define NB_CIDR_H

#include "ip.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nb_cidr {
    struct nb_ip network; /* host bits are kept as they were written */
    uint8_t prefix; /* 0..32, 0..128 */
};

enum { NB_CIDR_TEXT = NB_IP_TEXT + 4 };

/* "ADDRESS/PREFIX": an address without a zone, and decimal digits without leading zeroes. */
bool nb_cidr_parse(const char *text, size_t length, struct nb_cidr *ret_cidr);

/* Writes the text and a NUL; returns its length. */
size_t nb_cidr_format(const struct nb_cidr *cidr, char ret_text[NB_CIDR_TEXT]);

/* The lowest and the highest address of the block. */
void nb_cidr_bounds(const struct nb_cidr *cidr, struct nb_ip *ret_first, struct nb_ip *ret_last);

#ifdef __cplusplus
}
#endif

#endif
