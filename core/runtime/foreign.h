/*
 * Descriptors that another process has sent, and may still have itself. To close
 * one may take as long as somebody likes: a file of a FUSE file system until its
 * server has answered, a socket with SO_LINGER until its peer has. Neither may
 * hold up a loop. Any thread.
 */
#ifndef NB_FOREIGN_H
#define NB_FOREIGN_H

#include <stdbool.h>

/* Takes. A socket is closed here, after its linger time was taken away; anything else by a thread that may wait. */
void nb_foreign_close(int fd);

/* Closing does not linger from now on; what fd is does not matter. */
void nb_foreign_unlinger(int fd);

/* That thread is behind so far that no further descriptors are to be taken. */
bool nb_foreign_is_stuck(void);

#endif
