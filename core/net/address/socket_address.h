/* net.SocketAddress as a value: an address with its port and flow label. No allocation; any thread. */
#ifndef NB_SOCKET_ADDRESS_H
#define NB_SOCKET_ADDRESS_H

#include "ip.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nb_socket_address {
    struct nb_ip ip;
    uint16_t port; /* host order */
    uint32_t flowlabel; /* 20 bits; 0 for IPv4 */
};

/* A text of the caller's, borrowed, without a NUL at its end; data NULL: not given. */
struct nb_socket_address_text {
    const char *data;
    size_t length;
};

/* A number as JavaScript has them, so that 1.5 and NaN can be refused as Node does. */
struct nb_socket_address_number {
    bool given;
    double value;
};

struct nb_socket_address_options {
    struct nb_socket_address_text family; /* "ipv4" or "ipv6" in any letter case; not given: ipv4 */
    struct nb_socket_address_text address; /* not given: 127.0.0.1 or :: */
    struct nb_socket_address_number port; /* not given: 0 */
    struct nb_socket_address_number flowlabel; /* not given: 0; for IPv4 checked, then dropped */
};

/* What is wrong, and the error that Node makes of it. In the order in which Node looks. */
enum nb_socket_address_fault {
    NB_SOCKET_ADDRESS_OK,
    NB_SOCKET_ADDRESS_FAMILY, /* ERR_INVALID_ARG_VALUE, options.family */
    NB_SOCKET_ADDRESS_PORT, /* ERR_SOCKET_BAD_PORT, options.port: no integer from 0 to 65535 */
    NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION, /* ERR_OUT_OF_RANGE, options.flowlabel: no integer */
    NB_SOCKET_ADDRESS_FLOWLABEL_RANGE, /* ERR_OUT_OF_RANGE, options.flowlabel: not from 0 to 4294967295 */
    NB_SOCKET_ADDRESS_FLOWLABEL_BITS, /* as before, but of IPv6 and above 1048575, where Node aborts */
    NB_SOCKET_ADDRESS_ADDRESS, /* ERR_INVALID_ADDRESS: bad text, or of the other family */
};

/*
 * new net.SocketAddress(options). As by Node, a family in other letters than "ipv4"
 * means the default address ::, which then is none of IPv4. Writes ret_address only
 * if all is well.
 */
enum nb_socket_address_fault nb_socket_address_make(const struct nb_socket_address_options *options,
                                                    struct nb_socket_address *ret_address);

/* "ipv4" or "ipv6". */
const char *nb_socket_address_family(const struct nb_socket_address *address);

#ifdef __cplusplus
}
#endif

#endif
