/* The socket that clients connect to, and the lock that keeps two daemons from one path. */
#ifndef NB_CONTROL_SOCKET_H
#define NB_CONTROL_SOCKET_H

#include "listen.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Of Linux 6.16 and later: whether descriptors can be sent to a Unix socket. Connections inherit it. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

struct nb_control_socket {
    int fd; /* listening; -1: none, or given away */
    int lock; /* -1: inherited sockets have none */
    char path[4096];
    struct nb_path_identity identity;
};

/*
 * Opens the path: makes a missing directory (mode 0700), takes the lock,
 * removes what a dead daemon left. mode: of the socket file. Negative errno:
 * UV_EADDRINUSE when another daemon is there; *ret_reason says why in words.
 */
int nb_control_socket_open(struct nb_control_socket *control, const char *path, mode_t mode,
                           const char **ret_reason);

/* Uses an inherited listening socket; takes. */
void nb_control_socket_inherit(struct nb_control_socket *control, int fd);

/* Removes the file and the lock; closes fd unless it was given away. */
void nb_control_socket_close(struct nb_control_socket *control);

#endif
