/*
 * What a socket has been given to write and the broker has not been sent yet,
 * because enough is under way. Bytes are lent to the outbox in pieces, and kept
 * until the last piece has been written, whatever becomes of the socket.
 */
#ifndef NBC_BACKLOG_H
#define NBC_BACKLOG_H

#include "netbroker.h"

struct nbc_segment;

struct nbc_backlog {
    struct nbc_segment *first, *last;
    size_t taken; /* bytes of the first */
};

/* Adds bytes: copies them, or borrows them until `release`, which is not called on failure. 0 or -ENOMEM. */
int nbc_backlog_copy(struct nbc_backlog *backlog, const struct netbroker_allocator *allocator,
                     const void *bytes, size_t length);
int nbc_backlog_borrow(struct nbc_backlog *backlog, const struct netbroker_allocator *allocator,
                       const void *bytes, size_t length, void (*release)(void *context), void *context);

static inline bool nbc_backlog_is_empty(const struct nbc_backlog *backlog)
{
    return !backlog->first;
}

/* At most `most` bytes off the front, shared until nbc_segment_release(lent). */
struct nbc_lent {
    const char *bytes;
    size_t length;
    struct nbc_segment *segment;
};

struct nbc_lent nbc_backlog_take(struct nbc_backlog *backlog, size_t most);
void nbc_segment_release(void *segment);

/* Drops what was not taken. */
void nbc_backlog_clear(struct nbc_backlog *backlog);

#endif
