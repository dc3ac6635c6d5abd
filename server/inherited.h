/*
 * The descriptors that the daemon was started with, by name (LISTEN_FDNAMES).
 * Filled once, before there are sessions, and then only read. Any thread.
 */
#ifndef NB_INHERITED_H
#define NB_INHERITED_H

#include "slice.h"

#include <stdbool.h>

enum { NB_INHERITED_MAX = 64, NB_INHERITED_NAME = 255 }; /* what is further back is closed; bytes of a name */

/* Takes the fd, unless it returns false: there is no room. An empty name is never found. */
bool nb_inherited_add(struct nb_slice name, int fd);

/* A new descriptor of the first one of that name, the caller's. Negative errno; UV_ENOENT: there is none. */
int nb_inherited_open(struct nb_slice name);

/* Closes all, and forgets them. */
void nb_inherited_close(void);

#endif
