#include "frame_input.h"

#include <string.h>

enum { ROOM_MIN = 16 * 1024 };

void nb_frame_input_init(struct nb_frame_input *input, struct nb_chunk_pool *pool,
                         struct nb_scan_limits limits)
{
    *input = (struct nb_frame_input){.limits = limits};
    nb_intake_init(&input->intake, pool);
}

static void let_go(struct nb_frame_input *input)
{
    nb_chunk_unref(input->chunk);
    input->chunk = NULL;
    input->start = input->end = 0;
}

void nb_frame_input_finish(struct nb_frame_input *input)
{
    let_go(input);
    nb_intake_finish(&input->intake);
}

/* A share of a chunk with nothing in it, for so much of a frame and more; NULL: no memory. */
static struct nb_chunk *new_chunk(struct nb_frame_input *input, size_t part)
{
    size_t longest = input->limits.frame + ROOM_MIN;
    if (part + ROOM_MIN > NB_CHUNK_LARGE / 2 && longest > NB_CHUNK_LARGE)
        return nb_chunk_new(input->intake.pool, longest);
    if (!nb_intake_reserve(&input->intake, NB_CHUNK_LARGE))
        return NULL;
    nb_intake_commit(&input->intake, part);
    return nb_chunk_ref(input->intake.chunk);
}

/* Moves the part of a frame that is there to the beginning of a chunk with more room. */
static bool move_to_new(struct nb_frame_input *input)
{
    size_t part = input->end - input->start;
    struct nb_chunk *chunk = new_chunk(input, part);
    if (!chunk)
        return false;
    memcpy(chunk->bytes, input->chunk->bytes + input->start, part);
    nb_chunk_unref(input->chunk);
    input->chunk = chunk;
    input->start = 0;
    input->end = part;
    return true;
}

uint8_t *nb_frame_input_reserve(struct nb_frame_input *input, size_t *ret_size)
{
    if (!input->chunk) {
        uint8_t *room = nb_intake_reserve(&input->intake, ROOM_MIN);
        *ret_size = room ? input->intake.chunk->capacity - input->intake.used : 0;
        return room;
    }
    if (input->chunk->capacity - input->end < ROOM_MIN && !move_to_new(input))
        return NULL;
    *ret_size = input->chunk->capacity - input->end;
    return input->chunk->bytes + input->end;
}

void nb_frame_input_commit(struct nb_frame_input *input, size_t length)
{
    if (!input->chunk) {
        input->chunk = nb_chunk_ref(input->intake.chunk);
        input->start = input->end = input->intake.used;
    }
    if (input->chunk == input->intake.chunk)
        nb_intake_commit(&input->intake, length);
    input->end += length;
}

enum nb_scan_status nb_frame_input_next(struct nb_frame_input *input, struct nb_bytes *ret_frame)
{
    if (!input->chunk || input->start == input->end) {
        let_go(input);
        return NB_SCAN_MORE;
    }
    const uint8_t *data = input->chunk->bytes + input->start;
    enum nb_scan_status status = nb_scan(&input->scan, &input->limits, data, input->end - input->start);
    if (status != NB_SCAN_FRAME)
        return status;
    *ret_frame = (struct nb_bytes){data, input->scan.position, nb_chunk_ref(input->chunk)};
    input->start += input->scan.position;
    input->scan = (struct nb_scan){0};
    return NB_SCAN_FRAME;
}

void nb_frame_input_take_rest(struct nb_frame_input *input, struct nb_bytes *ret_rest)
{
    *ret_rest = (struct nb_bytes){0};
    if (input->chunk)
        *ret_rest = (struct nb_bytes){input->chunk->bytes + input->start, input->end - input->start,
                                      nb_chunk_ref(input->chunk)};
    let_go(input);
}

void nb_frame_input_put_back(struct nb_frame_input *input, size_t length)
{
    input->start -= length;
}
