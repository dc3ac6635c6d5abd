/* Listening sockets: made with system calls of our own, so that each error is told where it happens. */
#ifndef NB_LISTEN_H
#define NB_LISTEN_H

#include "endpoint.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { NB_PATH_MAX = 107 }; /* bytes of a Unix socket's path */

struct nb_path_identity {
    dev_t device;
    ino_t inode;
};

/* Where to listen, and how. */
struct nb_listen_target {
    struct nb_endpoint address; /* used without a path */
    struct nb_slice path; /* absent: TCP */
    int backlog;
    mode_t mode; /* of the file at path */
    bool is_default_host; /* address is "::"; 0.0.0.0 will do where there is no IPv6 */
    bool ipv6_only;
    bool reuse_port; /* others that say so too may listen there as well */
};

/* What listens. */
struct nb_listening {
    int fd; /* non-blocking and close-on-exec */
    struct nb_endpoint address; /* as the system has it; family 0: a path */
    char path[NB_PATH_MAX + 1];
    uint8_t path_length; /* 0: TCP */
    struct nb_path_identity identity;
};

/*
 * Listens; negative errno. The caller owns the descriptor. The target's address
 * becomes the one that was tried last.
 */
int nb_listen(struct nb_listen_target *target, struct nb_listening *ret_listening);

/* Removes its socket file, if it has one, unless another has taken its name since. */
void nb_listening_unlink(const struct nb_listening *listening);

/* A listening TCP socket, or one that is only bound; negative errno; the caller owns it. SO_REUSEADDR is set before bind. */
int nb_listen_tcp(const struct nb_listen_target *target);
int nb_bind_tcp(const struct nb_listen_target *target);

/*
 * The same on a path of at most NB_PATH_MAX bytes without NUL. The file gets
 * exactly these mode bits, whatever the umask is later; what was there already
 * is left alone (UV_EADDRINUSE). *ret_identity tells the file again.
 */
int nb_listen_unix(struct nb_slice path, int backlog, mode_t mode, struct nb_path_identity *ret_identity);

/* Removes the socket file unless another has taken its name since. */
void nb_unlink_socket(struct nb_slice path, const struct nb_path_identity *identity);

/* An address for connect or bind on a path; UV_ENAMETOOLONG, UV_EINVAL for an empty one. */
struct sockaddr_un;
int nb_path_to_sockaddr(struct nb_slice path, struct sockaddr_un *ret_address);

#endif
