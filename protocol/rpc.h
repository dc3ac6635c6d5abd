/*
 * Frames: whole MessagePack frames into requests, responses and events into
 * bytes. No I/O: the caller owns sockets and buffers.
 */
#ifndef NB_RPC_H
#define NB_RPC_H

#include "fault.h"
#include "generated/schema_index.h" /* enum nb_method_index, enum nb_event_index, union nb_params, ... */
#include "schema.h"

struct nb_request {
    const struct nb_method *method; /* NULL when it is not known */
    struct nb_slice method_name; /* as the client spelled it */
    uint64_t target;
    uint32_t msgid;
    bool is_notification; /* wants no response; msgid has no meaning */
    bool has_target; /* false when decoding failed before it */
    bool payload_is_text; /* hot methods: the payload came as str, not bin */
    bool has_body; /* a body that is neither nil nor undefined came */
    union nb_params params; /* of method->params; slices borrow from the frame */
};

enum nb_rpc_status {
    NB_RPC_REQUEST, /* ret_request is complete */
    NB_RPC_REFUSED, /* the frame is well-formed but wrong: answer with the fault (as far as
                       request says: method, target, msgid, is_notification), go on */
    NB_RPC_BROKEN, /* session.error with the fault, fatal, close */
};

/*
 * Decodes one whole frame that nb_scan has accepted. Tolerances and refusals:
 * protocol.md 1.1 and the end of 4. maxWrite is checked here: a larger payload
 * is refused with ERR_NB_LIMIT.
 */
enum nb_rpc_status nb_rpc_decode(const uint8_t *frame, size_t length, size_t max_write,
                                 struct nb_request *ret_request, struct nb_fault *ret_fault);

/*
 * Growing room for outgoing frames. Sticky: once an allocation has failed,
 * nothing more is added and failed stays true until nb_encoder_clear.
 */
struct nb_encoder {
    uint8_t *data; /* owned */
    size_t length;
    size_t capacity;
    bool failed;
    bool payload_as_text; /* a payload is announced as str, not bin */
    void *(*reallocate)(void *memory, size_t size); /* frees with size 0; NULL: realloc and free */
};

void nb_encoder_finish(struct nb_encoder *encoder);
static inline void nb_encoder_clear(struct nb_encoder *encoder)
{
    encoder->length = 0;
    encoder->failed = false;
}

/*
 * Each appends one frame, or nothing once the encoder has failed. body/result is the struct of the row's shape; a NULL
 * result is sent as nil. Texts are copied; a hot event's payload is not: the
 * frame ends with the payload's header, the caller sends the payload's own
 * bytes right behind it.
 */
void nb_encode_event(struct nb_encoder *encoder, const struct nb_event *event, uint64_t target,
                     const void *body);
void nb_encode_response(struct nb_encoder *encoder, uint32_t msgid, const struct nb_method *method,
                        const void *result);
void nb_encode_error(struct nb_encoder *encoder, uint32_t msgid, const nb_Error *error);

/*
 * The result of session.poll: the response's head for an array of count events,
 * behind which the caller puts count held event frames, each without its first
 * two bytes ([2, of three) and with NB_POLL_ITEM in front.
 */
enum { NB_POLL_ITEM = 0x92, NB_POLL_SKIP = 2 };
void nb_encode_poll(struct nb_encoder *encoder, uint32_t msgid, uint32_t count);

/* One value of a shape by itself; for tests and tools. */
void nb_encode_shape(struct nb_encoder *encoder, const struct nb_shape *shape, const void *value);

#endif
