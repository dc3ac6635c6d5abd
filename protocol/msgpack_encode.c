#include "msgpack_encode.h"

#include <math.h>
#include <stdlib.h>

#include "msgpack_any.h"
#include "utf8.h"

enum { FIRST_CAPACITY = 256 };

static const uint8_t REPLACEMENT[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */

/* False, for good, when there is no memory. */
static bool reserve(struct nb_encoder *encoder, size_t more)
{
    if (encoder->failed)
        return false;
    if (more <= encoder->capacity - encoder->length)
        return true;
    size_t capacity = encoder->capacity ? encoder->capacity : FIRST_CAPACITY;
    while (capacity - encoder->length < more && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    void *memory = NULL;
    if (capacity - encoder->length >= more)
        memory = (encoder->reallocate ? encoder->reallocate : realloc)(encoder->data, capacity);
    if (!memory) {
        encoder->failed = true;
        return false;
    }
    encoder->data = memory;
    encoder->capacity = capacity;
    return true;
}

void nb_encode_raw(struct nb_encoder *encoder, const void *data, size_t length)
{
    if (length == 0 || !reserve(encoder, length))
        return;
    memcpy(encoder->data + encoder->length, data, length);
    encoder->length += length;
}

void nb_encoder_finish(struct nb_encoder *encoder)
{
    if (encoder->reallocate && encoder->data)
        encoder->reallocate(encoder->data, 0);
    else
        free(encoder->data);
    *encoder = (struct nb_encoder){.reallocate = encoder->reallocate};
}

static int write_packed(void *encoder, const char *data, size_t length)
{
    nb_encode_raw(encoder, data, length);
    return 0;
}

msgpack_packer nb_encoder_packer(struct nb_encoder *encoder)
{
    return (msgpack_packer){.data = encoder, .callback = write_packed};
}

/* Each byte that is not UTF-8 becomes one replacement character. */
static void encode_repaired(msgpack_packer *packer, struct nb_slice text)
{
    size_t bad = 0;
    for (size_t at = 0; (at += nb_utf8_valid(text.data + at, text.length - at)) < text.length; at++)
        bad++;
    msgpack_pack_str(packer, text.length + bad * (sizeof REPLACEMENT - 1));
    for (size_t at = 0; at < text.length; at++) {
        size_t valid = nb_utf8_valid(text.data + at, text.length - at);
        msgpack_pack_str_body(packer, text.data + at, valid);
        at += valid;
        if (at < text.length)
            msgpack_pack_str_body(packer, REPLACEMENT, sizeof REPLACEMENT);
    }
}

static void encode_string(msgpack_packer *packer, struct nb_slice text, bool any_bytes)
{
    if (nb_utf8_valid(text.data, text.length) == text.length)
        msgpack_pack_str_with_body(packer, text.data, text.length);
    else if (any_bytes)
        msgpack_pack_bin_with_body(packer, text.data, text.length);
    else
        encode_repaired(packer, text);
}

static void encode_double(msgpack_packer *packer, double number)
{
    const double integers_end = 9007199254740992.0; /* 2^53 */
    if (fabs(number) < integers_end && number == trunc(number))
        msgpack_pack_int64(packer, (int64_t)number);
    else
        msgpack_pack_double(packer, number);
}

static void encode_payload_head(msgpack_packer *packer, size_t length)
{
    const struct nb_encoder *encoder = packer->data;
    if (encoder->payload_as_text)
        msgpack_pack_str(packer, length);
    else
        msgpack_pack_bin(packer, length);
}

static void encode_list(msgpack_packer *packer, const struct nb_field *field, const uint8_t *base)
{
    size_t count = *(const pb_size_t *)(base + field->has_offset);
    msgpack_pack_array(packer, count);
    for (size_t i = 0; i < count; i++) {
        const void *item = base + field->offset + i * field->max_size;
        if (field->type == NB_FIELD_UINT32S)
            msgpack_pack_uint32(packer, *(const uint32_t *)item);
        else
            encode_string(packer, nb_slice_of(item), false);
    }
}

static bool is_present(const struct nb_field *field, const uint8_t *base)
{
    if (field->has_offset == NB_NO_HAS)
        return ((const struct nb_slice *)(base + field->offset))->data;
    if (field->type == NB_FIELD_STRINGS || field->type == NB_FIELD_UINT32S)
        return field->always || *(const pb_size_t *)(base + field->has_offset) > 0;
    return *(const bool *)(base + field->has_offset);
}

static void encode_payload(msgpack_packer *packer, struct nb_slice payload)
{
    encode_payload_head(packer, payload.length);
    nb_encode_raw(packer->data, payload.data, payload.length);
}

/* The schema's own description needs no walk: it was made in the right form. */
static void encode_any(msgpack_packer *packer, struct nb_slice value)
{
    if (value.data == nb_description.data)
        nb_encode_raw(packer->data, value.data, value.length);
    else
        nb_any_pack(packer, value);
}

static void encode_value(msgpack_packer *packer, const struct nb_field *field, const uint8_t *base)
{
    const void *member = base + field->offset;
    const struct nb_slice *slice = member;
    switch ((enum nb_field_type)field->type) {
    case NB_FIELD_BOOL:
        *(const bool *)member ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        break;
    case NB_FIELD_UINT32:
    case NB_FIELD_PORT:
        msgpack_pack_uint32(packer, *(const uint32_t *)member);
        break;
    case NB_FIELD_INT32:
        msgpack_pack_int32(packer, *(const int32_t *)member);
        break;
    case NB_FIELD_UINT64:
        msgpack_pack_uint64(packer, *(const uint64_t *)member);
        break;
    case NB_FIELD_DOUBLE:
        encode_double(packer, *(const double *)member);
        break;
    case NB_FIELD_STRING:
    case NB_FIELD_BYTE_STRING:
    case NB_FIELD_TEXT:
        encode_string(packer, *slice, field->type == NB_FIELD_BYTE_STRING);
        break;
    case NB_FIELD_PAYLOAD:
        encode_payload(packer, *slice);
        break;
    case NB_FIELD_ANY:
        encode_any(packer, *slice);
        break;
    case NB_FIELD_STRINGS:
    case NB_FIELD_UINT32S:
        encode_list(packer, field, base);
        break;
    case NB_FIELD_MESSAGE:
        nb_encode_message(packer->data, field->shape, member);
        break;
    }
}

static void encode_map(msgpack_packer *packer, const struct nb_shape *shape, const uint8_t *base)
{
    uint64_t present = 0;
    for (uint8_t i = 0; i < shape->field_count; i++)
        present |= (uint64_t)is_present(&shape->fields[i], base) << i;
    msgpack_pack_map(packer, (size_t)__builtin_popcountll(present));
    for (; present; present &= present - 1) {
        const struct nb_field *field = &shape->fields[__builtin_ctzll(present)];
        msgpack_pack_str_with_body(packer, field->name, field->name_length);
        encode_value(packer, field, base);
    }
}

void nb_encode_message(struct nb_encoder *encoder, const struct nb_shape *shape, const void *message)
{
    msgpack_packer packer = nb_encoder_packer(encoder);
    if (!shape->bare)
        encode_map(&packer, shape, message);
    else if (is_present(&shape->fields[0], message))
        encode_value(&packer, &shape->fields[0], message);
    else
        msgpack_pack_nil(&packer);
}

void nb_encode_hot(struct nb_encoder *encoder, const struct nb_shape *shape, const void *message)
{
    msgpack_packer packer = nb_encoder_packer(encoder);
    const struct nb_field *field = &shape->fields[0];
    const uint8_t *base = message;
    if (field->type == NB_FIELD_PAYLOAD)
        encode_payload_head(&packer, ((const struct nb_slice *)(base + field->offset))->length);
    else
        encode_value(&packer, field, base);
}
