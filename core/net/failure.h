/* Errors as Node words them, counted, so that an event and several answers can share one. */
#ifndef NB_FAILURE_H
#define NB_FAILURE_H

#include "endpoint.h"
#include "fault.h"

/* One loop's thread. Shared; never changed after it was made. */
struct nb_failure {
    unsigned shares;
    struct nb_fault fault;
    void *errors; /* owned; what fault.map.errors borrows from; NULL: none */
};

/*
 * All makers give one share to the caller and never return NULL: without
 * memory they return a constant ENOMEM failure.
 */

/* "syscall CODE", such as "read ECONNRESET"; status is a negative errno or libuv code. */
struct nb_failure *nb_failure_system(int status, const char *syscall);

/*
 * "connect ECONNREFUSED 127.0.0.1:1 - Local (0.0.0.0:0)". Either an IP address
 * or a path is given; local may be NULL.
 */
struct nb_failure *nb_failure_connect(int status, const struct nb_endpoint *remote, struct nb_slice path,
                                      const struct nb_endpoint *local);

/* The same one, which it takes, with localAddress and localPort, as Node has them where a port was asked for. */
struct nb_failure *nb_failure_local(struct nb_failure *failure, const struct nb_endpoint *local);

/* "listen EADDRINUSE: address already in use 127.0.0.1:80"; host or path as the client gave it, or absent; port -1 with a path. */
struct nb_failure *nb_failure_listen(int status, const char *syscall, struct nb_slice address, int port);

/* AggregateError of at least two: the code is that of the first, the errors are maps of their own. Copies. */
struct nb_failure *nb_failure_aggregate(struct nb_failure *const *failures, unsigned count);

/* "getaddrinfo ENOTFOUND host" */
struct nb_failure *nb_failure_lookup(int status, struct nb_slice hostname);

/* An error with one of Node's or our own codes; name NULL: plain Error. code and name are static. */
struct nb_failure *nb_failure_make(const char *code, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "bind EADDRNOTAVAIL 192.0.2.1:80" */
struct nb_failure *nb_failure_bind(int status, const struct nb_endpoint *local);

/* Node's argument errors, as in fault.h: label is what Node calls the value. */
struct nb_failure *nb_failure_type(const char *label, const char *expected, const char *received);
struct nb_failure *nb_failure_range(const char *label, const char *range, double received);
struct nb_failure *nb_failure_value(const char *label, const char *reason, const char *received);

/* The same one, which it takes; field: what the argument is called on the wire, where Node says otherwise. Static. */
struct nb_failure *nb_failure_argument(struct nb_failure *failure, const char *field);

/* ERR_NB_LIMIT; limit is static. */
struct nb_failure *nb_failure_limit(const char *limit, uint64_t value);

/* An address that is not to be connected to, by a block list ("IP(192.0.2.1) is blocked by net.BlockList") or by policy. */
struct nb_failure *nb_failure_blocked(const struct nb_endpoint *remote);
struct nb_failure *nb_failure_denied(const struct nb_endpoint *remote);

/* Copies. */
struct nb_failure *nb_failure_of_fault(const struct nb_fault *fault);

/* The error that a client gave to socket.destroy. Copies. */
struct nb_failure *nb_failure_of_client(const nb_Error *error);

/* A field of a feature that the session does not have. Both static. */
struct nb_failure *nb_failure_not_negotiated(const char *feature, const char *argument);

/* A descriptor that is of no use; kind as Node calls it: "FILE". argument: the field that names it. */
struct nb_failure *nb_failure_fd_type(const char *kind, const char *argument);

/* Often met. */
struct nb_failure *nb_failure_socket_closed(void);
struct nb_failure *nb_failure_timeout(double received); /* Node calls it "msecs" */
struct nb_failure *nb_failure_no_timeout(void);
struct nb_failure *nb_failure_invalid_ip(struct nb_slice text, const char *argument);
struct nb_failure *
nb_failure_invalid_address(const char *argument); /* of net.SocketAddress and block lists */
/* Of an address that a lookup gave: neither 4 nor 6, or not the address's. */
struct nb_failure *nb_failure_address_family(int family, struct nb_slice host, uint16_t port);
struct nb_failure *nb_failure_family(struct nb_slice text, const char *argument); /* neither ipv4 nor ipv6 */
struct nb_failure *nb_failure_unknown_encoding(struct nb_slice name);
struct nb_failure *
nb_failure_destroyed(const char *what); /* "Cannot call write after a stream was destroyed" */

struct nb_failure *nb_failure_ref(struct nb_failure *failure); /* NULL is fine */
void nb_failure_unref(struct nb_failure *failure); /* NULL is fine */

#endif
