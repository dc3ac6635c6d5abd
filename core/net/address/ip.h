/*
 * IP addresses: values, their text, and nothing else. No allocation, no locale,
 * no system call; any thread.
 *
 * Node has two readers of such text, and so has this file: the strict one behind
 * net.isIP (nb_ip_version, nb_ip_parse) and the one behind net.SocketAddress and
 * net.BlockList, which is told the family and takes any zone (nb_ip_parse_as).
 * Texts are borrowed for the call, need no NUL at their end, may hold any bytes, and
 * may be NULL where they are empty.
 */
#ifndef NB_IP_H
#define NB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nb_ip {
    uint8_t family; /* 4, 6; 0: none */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the others zero */
};

enum { NB_IP_TEXT = 46 }; /* the longest text of an address and its NUL */

/* net.isIP: 4, 6, or 0 where the text is no address. */
int nb_ip_version(const char *text, size_t length);

/*
 * Reads what nb_ip_version takes. The zone of an IPv6 address is its text behind
 * the '%', ret_zone_at says where it starts (length: there is none); may be NULL.
 */
bool nb_ip_parse(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_zone_at);

/*
 * Reads an address of that family (4 or 6) as net.SocketAddress does: the zone of
 * an IPv6 address may be any text, the empty one too, and is dropped. A NUL is no
 * part of any address or zone.
 */
bool nb_ip_parse_as(const char *text, size_t length, int family, struct nb_ip *ret_ip);

/*
 * Writes the canonical text (RFC 5952, with a dotted tail for mapped and
 * compatible addresses as inet_ntop writes them) and a NUL. Returns its length;
 * 0 and "" for family 0.
 */
size_t nb_ip_format(const struct nb_ip *ip, char ret_text[NB_IP_TEXT]);

#ifdef __cplusplus
}
#endif

#endif
