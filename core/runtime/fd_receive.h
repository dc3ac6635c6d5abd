/*
 * Bytes that come with descriptors (SCM_RIGHTS) over a Unix stream socket. One
 * read brings the descriptors of one message at most, whatever bytes of earlier
 * messages it brings along.
 */
#ifndef NB_FD_RECEIVE_H
#define NB_FD_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { NB_FDS_MAX = 253 }; /* of one message; Linux sends no more */

struct nb_fd_batch {
    int fds[NB_FDS_MAX]; /* owned by whoever holds the batch; close-on-exec */
    unsigned count;
    bool is_truncated; /* some were lost: there was no room for them here or in the process */
};

/*
 * As recv(2) without waiting, a negative errno on failure. *ret_batch is set in
 * each case, and its descriptors are the caller's. Any thread.
 */
ssize_t nb_receive_with_fds(int socket, void *room, size_t size, struct nb_fd_batch *ret_batch);

/* Closes what is left of it. */
void nb_fd_batch_close(struct nb_fd_batch *batch);

#endif
