/* IP addresses with a port: plain values. Any thread. */
#ifndef NB_ADDRESS_H
#define NB_ADDRESS_H

#include "slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { NB_ADDRESS_TEXT = 64 }; /* the longest text, zone and NUL included */

struct nb_address {
    uint8_t family; /* 4, 6, or 0: none */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4 */
    uint16_t port; /* host order */
    uint32_t scope; /* IPv6 interface index, or 0 */
};

/* Family 0 where it is no IP address (a Unix socket's). */
struct nb_address nb_address_from_sockaddr(const struct sockaddr_storage *from);

/* Returns the length to give to the system. */
socklen_t nb_address_to_sockaddr(const struct nb_address *address, struct sockaddr_storage *ret_to);

/* The IP address without the port; "" for family 0. Returns text. */
const char *nb_address_format(const struct nb_address *address, char text[NB_ADDRESS_TEXT]);

/* "IPv4" or "IPv6". */
const char *nb_address_family_name(const struct nb_address *address);

/* Reads an IP literal, as net.isIP takes it; false: it is none. The port becomes 0. */
bool nb_address_parse(struct nb_slice text, struct nb_address *ret_address);

/* Both ends of a connected TCP socket; an end that cannot be told has family 0. */
void nb_address_of_local(int fd, struct nb_address *ret_address);
void nb_address_of_peer(int fd, struct nb_address *ret_address);

#endif
