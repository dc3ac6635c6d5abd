/*
 * Finds the end of a frame in a growing run of MessagePack bytes, without
 * recursion or allocation, and refuses what passes a limit as soon as it does.
 */
#ifndef NB_SCAN_H
#define NB_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NB_SCAN_DEPTH_MAX = 32 };

struct nb_scan_limits {
    size_t frame; /* bytes */
    uint32_t depth; /* at most NB_SCAN_DEPTH_MAX */
    uint32_t elements; /* in one frame: map keys and values count one each */
    size_t text; /* bytes of one str, bin or ext that is not payload */
};

enum nb_scan_status {
    NB_SCAN_MORE, /* the frame goes on behind what there is so far */
    NB_SCAN_FRAME, /* a whole frame; scan.position is its length */
    NB_SCAN_MALFORMED, /* 0xc1, or a frame that is no array */
    NB_SCAN_FRAME_TOO_BIG,
    NB_SCAN_TOO_DEEP,
    NB_SCAN_TOO_MANY_ELEMENTS,
    NB_SCAN_TEXT_TOO_LONG,
};

/* The state between two calls; all zero before a frame's first byte. */
struct nb_scan {
    size_t position; /* bytes of the frame looked at, a payload still to come included */
    uint32_t elements; /* announced so far */
    uint32_t depth; /* open arrays and maps */
    struct {
        uint32_t left; /* values still to come */
        uint32_t seen;
        bool is_map;
    } levels[NB_SCAN_DEPTH_MAX]; /* the first depth of them have a meaning */
};

/* Cheaper than zeroing it all; for the next frame. */
static inline void nb_scan_restart(struct nb_scan *scan)
{
    scan->position = 0;
    scan->elements = 0;
    scan->depth = 0;
}

/*
 * Goes on with the frame whose first length bytes are at data; after
 * NB_SCAN_MORE call again with more of the same frame (the bytes may have moved).
 * The payload position, where limits.text does not hold, is the second value of
 * the last array of a frame: params[1].
 */
enum nb_scan_status nb_scan(struct nb_scan *scan, const struct nb_scan_limits *limits, const uint8_t *data,
                            size_t length);

#endif
