/*
 * Bytes on their way to the broker: frames packed one after another, with
 * borrowed payloads between them, and all of it written with one call.
 */
#ifndef NBC_OUTBOX_H
#define NBC_OUTBOX_H

#include "netbroker.h"

struct nbc_piece;

struct nbc_outbox {
    struct netbroker_packer frames;
    size_t head; /* of frames, already written */
    uint64_t base; /* place in the stream of frames.bytes[0], borrowed payloads not counted */
    struct nbc_piece *pieces; /* borrowed payloads, in order */
    size_t first_piece, piece_count, piece_capacity;
    size_t piece_sent; /* bytes of the first piece */
};

void nbc_outbox_init(struct nbc_outbox *outbox, const struct netbroker_allocator *allocator);
/* Releases what is still borrowed. */
void nbc_outbox_finish(struct nbc_outbox *outbox);

bool nbc_outbox_is_empty(const struct nbc_outbox *outbox);

/* A frame is packed into outbox->frames between these two. end: 0, or -ENOMEM and the frame is gone. */
size_t nbc_outbox_begin(struct nbc_outbox *outbox);
int nbc_outbox_end(struct nbc_outbox *outbox, size_t begin);

/* Makes sure that so many bytes and pieces can be added without failure. 0 or -ENOMEM. */
int nbc_outbox_reserve(struct nbc_outbox *outbox, size_t bytes, size_t pieces);

/* Adds a payload that stays the caller's until release (may be NULL). Needs a reserve. */
void nbc_outbox_borrow(struct nbc_outbox *outbox, const void *bytes, size_t length,
                       void (*release)(void *context), void *context);

/* Writes what the kernel takes. 0: all; 1: some is left; or a negative errno. */
int nbc_outbox_write(struct nbc_outbox *outbox, int fd);

/* Drops everything: it can no longer be written. */
void nbc_outbox_discard(struct nbc_outbox *outbox);

#endif
