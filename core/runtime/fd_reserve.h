/*
 * Descriptors that the sockets of clients must leave to the process. The
 * system gives out the lowest free number, so that the number of a new one
 * tells how many are taken, and nothing has to be counted:
 *
 *   0 ... sockets of clients ... | connections of clients to us | files, name lookups | limit
 *
 * Process-wide; any thread.
 */
#ifndef NB_FD_RESERVE_H
#define NB_FD_RESERVE_H

#include <stdbool.h>

/*
 * Sets aside an eighth of the limit, but no more than 64, for the process itself, and as
 * much again, but no more than that many, for control connections. Before
 * threads start; without it nothing is set aside.
 */
void nb_fd_reserve_init(unsigned long limit, unsigned control_connections);

/* A new non-blocking stream socket for a client, or a negative errno; UV_EMFILE: only the reserve is left. */
int nb_fd_reserve_socket(int domain);

/* True when that descriptor is not for a client's socket. */
bool nb_fd_reserve_is_reached(int fd);

/* True when that descriptor is not for a control connection either. */
bool nb_fd_reserve_is_last(int fd);

/*
 * Whether a client's socket may be accepted: asked before, as none is to be
 * dropped. A moment's overlap of threads may take one descriptor each out of
 * the reserve. Borrows the listener; then nb_fd_reserve_note tells what came.
 */
bool nb_fd_reserve_has_room(int listener);
void nb_fd_reserve_note(int fd);

#endif
