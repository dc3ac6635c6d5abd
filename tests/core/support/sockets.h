/* Real sockets for tests: 127.0.0.1 and socket pairs only. All are non-blocking and close-on-exec. */
#ifndef NB_TEST_SOCKETS_H
#define NB_TEST_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A TCP listener on a free port of 127.0.0.1. */
int listen_on_loopback(struct sockaddr_in *ret_address);

int tcp_socket(void);

/* Two ends of one TCP connection, or of one Unix stream. */
void tcp_pair(int ret_ends[2]);
void unix_pair(int ret_ends[2]);

/* sendmsg(2) of bytes and descriptors, of which the caller keeps its own; negative errno. */
ssize_t send_with_fds(int socket, const void *data, size_t length, const int *fds, unsigned count);

/* Whether two descriptors are of one socket. */
bool is_same_socket(int one, int other);

/* The next connection; waits for it at most ten seconds. */
int accept_soon(int listener);

/* Whether the descriptor has one of the poll(2) events within that time. */
int is_ready(int fd, short events, int milliseconds);

#endif
