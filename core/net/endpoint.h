/* IP addresses with a port and scope, as sockets have them: plain values. Any thread. */
#ifndef NB_ENDPOINT_H
#define NB_ENDPOINT_H

#include "ip.h"
#include "slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { NB_ENDPOINT_TEXT = 64 }; /* the longest text, zone and NUL included */

struct nb_endpoint {
    struct nb_ip ip; /* family 0: none */
    uint16_t port; /* host order */
    uint32_t scope; /* IPv6 interface index, or 0 */
};

/* Family 0 where it is no IP address (a Unix socket's). */
struct nb_endpoint nb_endpoint_from_sockaddr(const struct sockaddr_storage *from);

/* Returns the length to give to the system. */
socklen_t nb_endpoint_to_sockaddr(const struct nb_endpoint *address, struct sockaddr_storage *ret_to);

/* The IP address without the port; "" for family 0. Returns text. */
const char *nb_endpoint_format(const struct nb_endpoint *address, char text[NB_ENDPOINT_TEXT]);

/* The same address, port and zone. */
bool nb_endpoint_equal(const struct nb_endpoint *a, const struct nb_endpoint *b);

/* "IPv4" or "IPv6". */
const char *nb_endpoint_family_name(const struct nb_endpoint *address);

/* Reads an IP literal, as net.isIP takes it; false: it is none. The port becomes 0. */
bool nb_endpoint_parse(struct nb_slice text, struct nb_endpoint *ret_address);

/* Both ends of a connected TCP socket; an end that cannot be told has family 0. */
void nb_endpoint_of_local(int fd, struct nb_endpoint *ret_address);
void nb_endpoint_of_peer(int fd, struct nb_endpoint *ret_address);

#endif
