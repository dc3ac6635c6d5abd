/* Real sockets for tests: 127.0.0.1 and socket pairs only. All are non-blocking and close-on-exec. */
#ifndef NB_TEST_SOCKETS_H
#define NB_TEST_SOCKETS_H

#include <netinet/in.h>

/* A TCP listener on a free port of 127.0.0.1. */
int listen_on_loopback(struct sockaddr_in *ret_address);

int tcp_socket(void);

/* Two ends of one TCP connection, or of one Unix stream. */
void tcp_pair(int ret_ends[2]);
void unix_pair(int ret_ends[2]);

/* The next connection; waits for it at most ten seconds. */
int accept_soon(int listener);

/* Whether the descriptor has one of the poll(2) events within that time. */
int is_ready(int fd, short events, int milliseconds);

#endif
