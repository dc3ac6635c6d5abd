/*
 * The other end of connections: plain sockets of the test's own, while the loop
 * on the same thread goes on. All descriptors are non-blocking.
 */
#ifndef NB_TEST_PEER_H
#define NB_TEST_PEER_H

#include "loop.h"

#include <stddef.h>
#include <stdint.h>

/* A listener on 127.0.0.1 or on a path. */
int peer_listen(uint16_t *ret_port);
int peer_listen_at(const char *path);
int peer_accept(struct nb_loop *loop, int listener);

/* A connection to 127.0.0.1 or to a path; the other side need not have accepted it yet. */
int peer_connect(uint16_t port);
int peer_connect_to(const char *path);

void peer_send(struct nb_loop *loop, int fd, const void *data, size_t length);

/* Exactly so many bytes, then the end, or a reset. */
void peer_read(struct nb_loop *loop, int fd, void *ret_data, size_t length);
void peer_expect(struct nb_loop *loop, int fd, const char *text);
void peer_expect_end(struct nb_loop *loop, int fd);
void peer_expect_reset(struct nb_loop *loop, int fd);

/* Closes with RST. */
void peer_reset(int fd);

#endif
