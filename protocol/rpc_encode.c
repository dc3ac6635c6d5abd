#include "msgpack_encode.h"

enum { TYPE_RESPONSE = 1 };

/* What is there of a frame that could not be finished is taken back. */
static void end_frame(struct nb_encoder *encoder, size_t start)
{
    if (encoder->failed)
        encoder->length = start;
}

/* [1, msgid, */
static msgpack_packer begin_response(struct nb_encoder *encoder, uint32_t msgid)
{
    msgpack_packer packer = nb_encoder_packer(encoder);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_int8(&packer, TYPE_RESPONSE);
    msgpack_pack_uint32(&packer, msgid);
    return packer;
}

void nb_encode_event(struct nb_encoder *encoder, const struct nb_event *event, uint64_t target,
                     const void *body)
{
    size_t start = encoder->length;
    msgpack_packer packer = nb_encoder_packer(encoder);
    nb_encode_raw(encoder, event->prefix.data, event->prefix.length);
    msgpack_pack_uint64(&packer, target);
    if (event->hot)
        nb_encode_hot(encoder, event->body, body);
    else
        nb_encode_message(encoder, event->body, body);
    end_frame(encoder, start);
}

void nb_encode_response(struct nb_encoder *encoder, uint32_t msgid, const struct nb_method *method,
                        const void *result)
{
    size_t start = encoder->length;
    msgpack_packer packer = begin_response(encoder, msgid);
    msgpack_pack_nil(&packer);
    if (result)
        nb_encode_message(encoder, method->result, result);
    else
        msgpack_pack_nil(&packer);
    end_frame(encoder, start);
}

void nb_encode_error(struct nb_encoder *encoder, uint32_t msgid, const nb_Error *error)
{
    size_t start = encoder->length;
    msgpack_packer packer = begin_response(encoder, msgid);
    nb_encode_message(encoder, &nb_shape_Error, error);
    msgpack_pack_nil(&packer);
    end_frame(encoder, start);
}

void nb_encode_poll(struct nb_encoder *encoder, uint32_t msgid, uint32_t count)
{
    size_t start = encoder->length;
    msgpack_packer packer = begin_response(encoder, msgid);
    msgpack_pack_nil(&packer);
    msgpack_pack_array(&packer, count);
    end_frame(encoder, start);
}

void nb_encode_shape(struct nb_encoder *encoder, const struct nb_shape *shape, const void *value)
{
    size_t start = encoder->length;
    nb_encode_message(encoder, shape, value);
    end_frame(encoder, start);
}
