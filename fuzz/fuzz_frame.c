/*
 * Frames of a client, as hostile as they come: the first byte of an input says how the rest is split.
 * Scanning must not depend on the split, decoding must not read beyond the frame, what was decoded
 * must survive encoding, and every answer must be in the form that the protocol promises.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "msgpack_any.h"
#include "msgpack_decode.h"
#include "msgpack_encode.h"
#include "rpc.h"
#include "scan.h"

enum { MAX_WRITE = 256, STEPS_MAX = 64 };

static const struct nb_scan_limits limits = {.frame = 4096, .depth = 16, .elements = 512, .text = 512};
static const struct nb_scan_limits own_limits = {
    .frame = 1 << 20, .depth = 20, .elements = 1 << 16, .text = 1 << 20};

/* Exactly as long as the bytes, so that a sanitizer sees one too far. */
static uint8_t *copy_of(const uint8_t *data, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    fuzz_require(copy);
    memcpy(copy, data, length);
    return copy;
}

static enum nb_scan_status scan_prefix(struct nb_scan *scan, const uint8_t *data, size_t length)
{
    uint8_t *prefix = copy_of(data, length);
    enum nb_scan_status status = nb_scan(scan, &limits, prefix, length);
    free(prefix);
    return status;
}

static enum nb_scan_status scan_in_steps(struct nb_scan *scan, const uint8_t *data, size_t length,
                                         size_t step)
{
    enum nb_scan_status status = NB_SCAN_MORE;
    for (size_t at = 0; at < length && status == NB_SCAN_MORE;) {
        at = length - at < step ? length : at + step;
        status = scan_prefix(scan, data, at);
    }
    return status;
}

/* Keys and texts are UTF-8, nothing is an extension, and packing it again changes nothing. */
static void check_value(const uint8_t *data, size_t length)
{
    struct nb_value wrong;
    struct nb_cursor cursor = {data, data + length};
    struct nb_encoder again = {0};
    msgpack_packer packer = nb_encoder_packer(&again);
    fuzz_require(nb_any_take(&cursor, &wrong) == NB_ANY && cursor.at == cursor.end);
    nb_any_pack(&packer, (struct nb_slice){data, length});
    fuzz_require(again.length == length && memcmp(again.data, data, length) == 0);
    nb_encoder_finish(&again);
}

/* What goes out is one frame, and no more than that. */
static void check_frame(struct nb_encoder *encoder)
{
    struct nb_scan scan = {0};
    fuzz_require(nb_scan(&scan, &own_limits, encoder->data, encoder->length) == NB_SCAN_FRAME);
    fuzz_require(scan.position == encoder->length);
    check_value(encoder->data, encoder->length);
    nb_encoder_finish(encoder);
}

static struct nb_encoder encode(const struct nb_request *request, const union nb_params *params)
{
    struct nb_encoder encoder = {.payload_as_text = request->payload_is_text};
    nb_encode_shape(&encoder, request->method->params, params);
    fuzz_require(!encoder.failed);
    return encoder;
}

static void check_params(const struct nb_request *request)
{
    const struct nb_shape *shape = request->method->params;
    union nb_params again;
    struct nb_fault fault;
    struct nb_encoder first = encode(request, &request->params);
    struct nb_cursor cursor = {first.data, first.data + first.length};
    nb_message_clear(shape, &again);
    fuzz_require(nb_decode_message(&cursor, shape, "body", &again, &fault));
    fuzz_require(cursor.at == cursor.end);
    struct nb_encoder second = encode(request, &again);
    fuzz_require(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
    if (!request->method->hot) /* a payload may be any bytes */
        check_value(first.data, first.length);
    nb_encoder_finish(&first);
    nb_encoder_finish(&second);
}

/* As session.ping does it. */
static void check_echo(const struct nb_request *request)
{
    struct nb_encoder encoder = {0};
    nb_encode_response(&encoder, request->msgid, request->method, &request->params);
    check_frame(&encoder);
}

static void check_fault(const struct nb_fault *fault)
{
    struct nb_encoder encoder = {0};
    nb_encode_error(&encoder, 1, &fault->map);
    check_frame(&encoder);
}

static void decode(const uint8_t *data, size_t length)
{
    struct nb_request request;
    struct nb_fault fault = {0};
    uint8_t *frame = copy_of(data, length);
    if (nb_rpc_decode(frame, length, MAX_WRITE, &request, &fault) != NB_RPC_REQUEST) {
        check_fault(&fault);
    } else {
        check_params(&request);
        if (request.method->index == NB_METHOD_SESSION_PING)
            check_echo(&request);
    }
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t step = 1 + data[0] + size / STEPS_MAX;
    for (data++, size--; size > 0;) {
        struct nb_scan whole = {0}, stepwise = {0};
        enum nb_scan_status status = scan_prefix(&whole, data, size);
        fuzz_require(scan_in_steps(&stepwise, data, size, step) == status);
        if (status != NB_SCAN_FRAME)
            break;
        fuzz_require(whole.position == stepwise.position && whole.position <= size);
        decode(data, whole.position);
        data += whole.position;
        size -= whole.position;
    }
    return 0;
}
