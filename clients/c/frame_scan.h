/*
 * Finds where a frame ends before anything in it is looked at. Resumable: a
 * byte is looked at once, however the frame is cut. Allocates nothing.
 */
#ifndef NBC_FRAME_SCAN_H
#define NBC_FRAME_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum { NBC_MAX_DEPTH = 32 };

struct nbc_frame_scan {
    size_t at; /* scanned so far; may pass what is available, inside a string */
    unsigned depth;
    uint64_t left[NBC_MAX_DEPTH]; /* members to come, per level */
};

/*
 * `bytes` is the start of the frame; what an earlier call has seen must be
 * unchanged. 1: complete, its size in scan->at. 0: more bytes are needed.
 * -EBADMSG: no frame. -EMSGSIZE: it will pass `max` bytes.
 * Start with a scan of all zero; after a complete frame, only at is to be zeroed for the next.
 */
int nbc_frame_scan(struct nbc_frame_scan *scan, const unsigned char *bytes, size_t available, size_t max);

#endif
