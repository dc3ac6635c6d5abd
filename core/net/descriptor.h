/*
 * Sockets that come as descriptors from outside: what they are, and that each
 * has one owner here. Any thread.
 */
#ifndef NB_DESCRIPTOR_H
#define NB_DESCRIPTOR_H

#include <stdbool.h>

enum nb_descriptor_kind {
    NB_DESCRIPTOR_FILE, /* or whatever else is no socket */
    NB_DESCRIPTOR_UDP,
    NB_DESCRIPTOR_UNKNOWN, /* a socket of another kind */
    NB_DESCRIPTOR_TCP,
    NB_DESCRIPTOR_UNIX, /* a stream */
};

/* Never waits, whatever it is: a file system is not asked. */
enum nb_descriptor_kind nb_descriptor_kind(int fd);
bool nb_descriptor_is_listening(int fd);

/* What Node calls it: "FILE", "UDP", "UNKNOWN", "TCP", "PIPE". */
const char *nb_descriptor_kind_name(enum nb_descriptor_kind kind);

/*
 * The right to use a socket that came from outside. Shared: who lends the socket
 * to another actor lets it have a share.
 */
struct nb_ownership;

/* UV_EEXIST: somebody of this process has the same socket already, under whatever number. UV_ENOMEM. */
int nb_ownership_claim(int fd, struct nb_ownership **ret_ownership);
struct nb_ownership *nb_ownership_ref(struct nb_ownership *ownership); /* NULL is fine */
void nb_ownership_unref(struct nb_ownership *ownership); /* NULL is fine */

#endif
