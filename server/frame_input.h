/* A session's bytes from the client, cut into frames where they were read. */
#ifndef NB_FRAME_INPUT_H
#define NB_FRAME_INPUT_H

#include "chunk.h"
#include "scan.h"

#include <stdbool.h>

struct nb_frame_input {
    struct nb_intake intake; /* so that small frames which stay in use do not hold a chunk each */
    struct nb_scan_limits limits;
    struct nb_chunk *chunk; /* a share; NULL while nothing is waiting */
    size_t start, end; /* of what is in chunk and not yet a frame */
    struct nb_scan scan;
};

void nb_frame_input_init(struct nb_frame_input *input, struct nb_chunk_pool *pool,
                         struct nb_scan_limits limits);
void nb_frame_input_finish(struct nb_frame_input *input);

/*
 * Room behind what there is, at least 16 KiB; NULL: no memory. What a frame may
 * need at most is set aside once it outgrows a chunk, never what it announces;
 * the system gives the pages as bytes arrive.
 */
uint8_t *nb_frame_input_reserve(struct nb_frame_input *input, size_t *ret_size);
void nb_frame_input_commit(struct nb_frame_input *input, size_t length);

/*
 * The next whole frame: NB_SCAN_FRAME. Its bytes are in *ret_frame.chunk, of
 * which the caller gets a share. NB_SCAN_MORE: none yet; otherwise the input
 * can't be read any further.
 */
enum nb_scan_status nb_frame_input_next(struct nb_frame_input *input, struct nb_bytes *ret_frame);

/* What is behind the frame that was given last, be it whole frames or not; the caller gets a share of *ret_rest.chunk. */
void nb_frame_input_take_rest(struct nb_frame_input *input, struct nb_bytes *ret_rest);

/* The frame that was given last comes again; the caller keeps its share. */
void nb_frame_input_put_back(struct nb_frame_input *input, size_t length);

#endif
