/*
 * Frames of a client, as hostile as they come, and in any pieces: an input is how
 * it is split (two bytes) and the frames. What comes out of the scanner and of the
 * session's input must not depend on the split, decoding must not read beyond the
 * frame, and every answer must be in the form that the protocol promises.
 */
#include "frame_input.h"
#include "fuzz.h"
#include "packed.h"
#include "rpc.h"
#include "scan.h"
#include "window.h"

#include <string.h>

enum { FRAMES_MAX = 8, MAX_WRITE = 256, STEPS_MAX = 16, INPUT_ROOM = 16 * 1024 };

static const struct nb_scan_limits limits = {.frame = 512, .depth = 16, .elements = 256, .text = 128};

/* The frames of an input, and what the scanner says behind the last. */
struct frames {
    size_t ends[FRAMES_MAX];
    unsigned count;
    enum nb_scan_status status;
};

/* Lengths of pieces: all the same, or at random up to a largest one. */
struct split {
    uint32_t random; /* 0: all the same */
    size_t largest;
};

static struct split split_of(const uint8_t *choice, size_t size)
{
    return (struct split){.random = choice[1] * UINT32_C(2654435761),
                          .largest = 1u + choice[0] + size / STEPS_MAX};
}

static size_t next_piece(struct split *split, size_t left)
{
    size_t piece = split->largest;
    if (split->random) {
        split->random ^= split->random << 13;
        split->random ^= split->random >> 17;
        split->random ^= split->random << 5;
        piece = 1 + split->random % split->largest;
    }
    return piece < left ? piece : left;
}

static enum nb_scan_status scan_in_pieces(struct nb_scan *scan, struct fuzz_window *window, size_t length,
                                          struct split *split)
{
    enum nb_scan_status status = NB_SCAN_MORE;
    for (size_t at = 0; at < length && status == NB_SCAN_MORE;) {
        at += next_piece(split, length - at);
        status = nb_scan(scan, &limits, fuzz_window_show(window, at), at);
    }
    return status;
}

/* The whole input at once is what all else is compared with. */
static struct frames find_frames(const uint8_t *data, size_t size, struct split split)
{
    static struct fuzz_window window;
    struct frames frames = {.status = NB_SCAN_MORE};
    for (size_t at = 0; at < size && frames.count < FRAMES_MAX; at = frames.ends[frames.count++]) {
        struct nb_scan whole = {0}, pieces = {0};
        size_t length = size - at < limits.frame + 1 ? size - at : limits.frame + 1;
        const uint8_t *frame = fuzz_window_fill(&window, data + at, length);
        frames.status = nb_scan(&whole, &limits, frame, length);
        fuzz_require(scan_in_pieces(&pieces, &window, length, &split) == frames.status);
        fuzz_require(frames.status != NB_SCAN_MORE || length <= limits.frame);
        if (frames.status != NB_SCAN_FRAME)
            return frames;
        fuzz_require(whole.position == pieces.position && whole.position <= length);
        frames.ends[frames.count] = at + whole.position;
    }
    frames.status = NB_SCAN_MORE;
    return frames;
}

/* ---- as a session reads ---- */

static void add_piece(struct nb_frame_input *input, const uint8_t *data, size_t length)
{
    size_t room;
    uint8_t *place = nb_frame_input_reserve(input, &room);
    fuzz_require(place && room >= length && room >= INPUT_ROOM);
    memcpy(place, data, length);
    nb_frame_input_commit(input, length);
}

/* As if so many frames had been read before that little room is left. */
static void use_up(struct nb_frame_input *input, size_t left)
{
    size_t room;
    fuzz_require(nb_frame_input_reserve(input, &room));
    nb_intake_commit(&input->intake, room - INPUT_ROOM - left);
}

static void check_next(struct nb_frame_input *input, const uint8_t *data, const struct frames *frames,
                       unsigned *count, enum nb_scan_status *ret_status)
{
    struct nb_bytes frame;
    while ((*ret_status = nb_frame_input_next(input, &frame)) == NB_SCAN_FRAME) {
        size_t start = *count ? frames->ends[*count - 1] : 0;
        fuzz_require(*count < frames->count && frame.length == frames->ends[*count] - start);
        fuzz_require(memcmp(frame.data, data + start, frame.length) == 0);
        nb_chunk_unref(frame.chunk);
        ++*count;
    }
}

static void check_input(const uint8_t *data, size_t size, const struct frames *frames, struct split split)
{
    static struct nb_chunk_pool pool;
    struct nb_frame_input input;
    enum nb_scan_status status = NB_SCAN_MORE;
    unsigned count = 0;
    nb_frame_input_init(&input, &pool, limits);
    use_up(&input, split.random % 64);
    for (size_t at = 0; at < size && status == NB_SCAN_MORE;) {
        size_t piece = next_piece(&split, size - at);
        add_piece(&input, data + at, piece);
        check_next(&input, data, frames, &count, &status);
        at += piece;
    }
    fuzz_require(count == frames->count && status == frames->status);
    nb_frame_input_finish(&input);
}

/* ---- what the broker answers ---- */

static void check_fault(const struct nb_fault *fault)
{
    static struct nb_encoder encoder;
    nb_encoder_clear(&encoder);
    nb_encode_error(&encoder, 1, &fault->map);
    fuzz_require_frame(&encoder);
}

/* As session.ping does it. */
static void check_echo(const struct nb_request *request)
{
    static struct nb_encoder encoder;
    nb_encoder_clear(&encoder);
    nb_encode_response(&encoder, request->msgid, request->method, &request->params);
    fuzz_require_frame(&encoder);
}

static void check_request(const struct nb_request *request)
{
    const struct nb_method *method = request->method;
    fuzz_require(method && method == nb_method_find(request->method_name));
    fuzz_require(request->has_target && request->target < UINT64_C(1) << 53);
    if (nb_shape_is_payload(method->params))
        fuzz_require(request->params.socket_write.data.length <= MAX_WRITE);
    if (method->index == NB_METHOD_SESSION_PING)
        check_echo(request);
}

static void decode(const uint8_t *data, size_t length)
{
    static struct fuzz_window window;
    struct nb_request request;
    struct nb_fault fault = {0};
    const uint8_t *frame = fuzz_window_fill(&window, data, length);
    if (nb_rpc_decode(frame, length, MAX_WRITE, &request, &fault) == NB_RPC_REQUEST)
        check_request(&request);
    else
        check_fault(&fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct split split = split_of(data, size - 2);
    data += 2;
    struct frames frames = find_frames(data, size - 2, split);
    if (frames.count == FRAMES_MAX)
        size = frames.ends[FRAMES_MAX - 1] + 2;
    check_input(data, size - 2, &frames, split);
    for (unsigned i = 0; i < frames.count; i++) {
        size_t start = i ? frames.ends[i - 1] : 0;
        decode(data + start, frames.ends[i] - start);
    }
    return 0;
}
