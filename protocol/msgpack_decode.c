#include "msgpack_decode.h"

#include <inttypes.h>
#include <stdio.h>

#include "msgpack_any.h"
#include "msgpack_refuse.h"
#include "port.h"
#include "schema_index.h"
#include "utf8.h"

static const int64_t UINT53_MAX = (INT64_C(1) << 53) - 1;

struct decoder {
    struct nb_cursor *cursor;
    struct nb_fault *fault;
};

/* Where to listen: Node looks at port and path together, and refuses the options as a whole. */
static bool is_listen_address(const struct nb_shape *shape, const struct nb_field *field)
{
    return shape == &nb_shape_ServerListen &&
           (field->type == NB_FIELD_PORT || field->type == NB_FIELD_BYTE_STRING);
}

static bool decode_integer(struct decoder *decoder, const struct nb_place *place,
                           const struct nb_value *value, int64_t min, int64_t max, int64_t *ret_integer)
{
    char range[64];
    switch (nb_value_integer(value, min, max, ret_integer)) {
    case NB_INTEGER:
        return true;
    case NB_INTEGER_NOT_NUMBER:
        return nb_refuse_type(decoder->fault, place, "of type number", value);
    case NB_INTEGER_FRACTION:
        return nb_refuse_range(decoder->fault, place, "an integer", value);
    default:
        snprintf(range, sizeof range, ">= %" PRId64 " && <= %" PRId64, min, max);
        return nb_refuse_range(decoder->fault, place, range, value);
    }
}

static bool decode_uint32(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                          uint32_t *ret_integer)
{
    int64_t integer;
    if (!decode_integer(decoder, place, value, 0, UINT32_MAX, &integer))
        return false;
    *ret_integer = (uint32_t)integer;
    return true;
}

static bool decode_int32(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                         int32_t *ret_integer)
{
    int64_t integer;
    if (!decode_integer(decoder, place, value, INT32_MIN, INT32_MAX, &integer))
        return false;
    *ret_integer = (int32_t)integer;
    return true;
}

static bool decode_uint64(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                          uint64_t *ret_integer)
{
    int64_t integer;
    if (!decode_integer(decoder, place, value, 0, UINT53_MAX, &integer))
        return false;
    *ret_integer = (uint64_t)integer;
    return true;
}

static bool decode_double(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                          double *ret_number)
{
    if (value->kind == NB_KIND_FLOAT)
        *ret_number = value->number;
    else if (value->kind == NB_KIND_UINT)
        *ret_number = (double)value->uint;
    else if (value->kind == NB_KIND_INT)
        *ret_number = (double)value->sint;
    else
        return nb_refuse_type(decoder->fault, place, "of type number", value);
    return true;
}

static bool decode_bool(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                        bool *ret_boolean)
{
    if (value->kind != NB_KIND_BOOL)
        return nb_refuse_type(decoder->fault, place, "of type boolean", value);
    *ret_boolean = value->boolean;
    return true;
}

static bool decode_string(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                          bool any_bytes, struct nb_slice *ret_text)
{
    if (!nb_value_is_text(value))
        return nb_refuse_type(decoder->fault, place, "of type string", value);
    if (memchr(value->bytes.data, 0, value->bytes.length))
        return nb_refuse_value(decoder->fault, place,
                               any_bytes ? "must be a string or Uint8Array without null bytes"
                                         : "must be a string without null bytes",
                               value);
    if (!any_bytes && nb_utf8_valid(value->bytes.data, value->bytes.length) != value->bytes.length)
        return nb_refuse_value(decoder->fault, place, "must be valid UTF-8", value);
    *ret_text = value->bytes;
    return true;
}

static bool decode_text(struct decoder *decoder, const struct nb_place *place, const struct nb_value *value,
                        struct nb_slice *ret_text)
{
    if (!nb_value_is_text(value))
        return nb_refuse_type(decoder->fault, place, "of type string", value);
    *ret_text = value->bytes;
    return true;
}

/* Hot messages have no names on the wire: the payload is called as Node calls it. */
static bool decode_payload(struct decoder *decoder, const struct nb_field *field,
                           const struct nb_value *value, struct nb_slice *ret_payload)
{
    const struct nb_place place = {.name = field->label, .label = field->label};
    if (!nb_value_is_text(value))
        return nb_refuse_type(decoder->fault, &place, "of type string or an instance of Buffer or Uint8Array",
                              value);
    *ret_payload = value->bytes;
    return true;
}

/* Kept as it came; refused is what could not be given back so that any receiver reads it. */
static bool decode_any(struct decoder *decoder, const struct nb_place *place, const uint8_t *start,
                       struct nb_slice *ret_bytes)
{
    struct nb_value wrong;
    decoder->cursor->at = start;
    switch (nb_any_take(decoder->cursor, &wrong)) {
    case NB_ANY_EXTENSION:
        return nb_refuse_type(decoder->fault, place, "free of extension types", &wrong);
    case NB_ANY_KEY_NOT_TEXT:
        return nb_refuse_type(decoder->fault, place, "free of keys that are no strings", &wrong);
    case NB_ANY_NOT_UTF8:
        return nb_refuse_value(decoder->fault, place, "must be valid UTF-8", &wrong);
    case NB_ANY:
        break;
    }
    *ret_bytes = (struct nb_slice){start, (size_t)(decoder->cursor->at - start)};
    return true;
}

/* Node takes text for the port of the other end only. */
static bool is_port_of_text(const struct nb_place *place, const struct nb_value *value)
{
    return nb_value_is_text(value) && strcmp(place->name, "localPort") != 0;
}

static bool refuse_port_type(struct decoder *decoder, const struct nb_place *place,
                             const struct nb_value *value)
{
    bool is_local = strcmp(place->name, "localPort") == 0;
    return nb_refuse_type(decoder->fault, place, is_local ? "of type number" : "one of type number or string",
                          value);
}

static bool decode_port(struct decoder *decoder, const struct nb_place *place, const struct nb_shape *shape,
                        const struct nb_value *value, uint32_t *ret_port)
{
    int64_t port;
    if (is_port_of_text(place, value))
        return nb_port_of_text(value->bytes, ret_port) || nb_refuse_port(decoder->fault, place, shape, value);
    switch (nb_value_integer(value, 0, UINT16_MAX, &port)) {
    case NB_INTEGER:
        *ret_port = (uint32_t)port;
        return true;
    case NB_INTEGER_NOT_NUMBER:
        if (shape != &nb_shape_SocketAddress)
            return refuse_port_type(decoder, place, value);
        /* fall through */
    default:
        return nb_refuse_port(decoder->fault, place, shape, value);
    }
}

/*
 * Lists of an open message drop what has no room: it cannot be anything that
 * this version knows.
 */
static bool decode_list(struct decoder *decoder, const struct nb_place *place, const struct nb_shape *shape,
                        const struct nb_field *field, uint8_t *base, const struct nb_value *value)
{
    pb_size_t *count = (pb_size_t *)(base + field->has_offset);
    if (value->kind != NB_KIND_ARRAY)
        return nb_refuse_type(decoder->fault, place, "an instance of Array", value);
    for (uint32_t i = 0; i < value->count; i++) {
        uint8_t *item = base + field->offset + (size_t)*count * field->max_size;
        struct nb_slice text = {0};
        uint32_t integer = 0;
        struct nb_value one = nb_cursor_take(decoder->cursor);
        bool is_text = field->type == NB_FIELD_STRINGS;
        if (is_text ? !decode_string(decoder, place, &one, false, &text)
                    : !decode_uint32(decoder, place, &one, &integer))
            return false;
        bool fits = *count < field->max_count && text.length < field->max_size;
        if (!fits && !shape->open)
            return nb_refuse_value(decoder->fault, place, "has too many or too long entries", value);
        if (!fits)
            continue;
        if (is_text)
            memcpy(item, text.data, text.length);
        else
            memcpy(item, &integer, sizeof integer);
        ++*count;
    }
    return true;
}

static void set_inlines(const struct nb_shape *shape, uint8_t *base)
{
    for (uint8_t i = 0; i < shape->inline_count; i++)
        *(bool *)(base + shape->inlines[i]) = true;
}

static bool decode_map(struct decoder *decoder, const struct nb_place *place, const struct nb_shape *shape,
                       uint8_t first, uint8_t *base, const struct nb_value *value);

/* start is where the value begins; the cursor stands behind its head. */
static bool decode_value(struct decoder *decoder, const struct nb_place *place, const struct nb_shape *shape,
                         const struct nb_field *field, uint8_t *base, const uint8_t *start,
                         const struct nb_value *value)
{
    void *member = base + field->offset;
    if (is_listen_address(shape, field) && !nb_value_is_text(value) &&
        !(field->type == NB_FIELD_PORT && nb_value_is_number(value)))
        return nb_refuse_listen_address(decoder->fault, place, value);
    if (field->invalid && !nb_value_is_text(value))
        return nb_refuse_value(decoder->fault, place, "is invalid", value);
    switch ((enum nb_field_type)field->type) {
    case NB_FIELD_BOOL:
        return decode_bool(decoder, place, value, member);
    case NB_FIELD_UINT32:
        return decode_uint32(decoder, place, value, member);
    case NB_FIELD_INT32:
        return decode_int32(decoder, place, value, member);
    case NB_FIELD_UINT64:
        return decode_uint64(decoder, place, value, member);
    case NB_FIELD_DOUBLE:
        return decode_double(decoder, place, value, member);
    case NB_FIELD_STRING:
        return decode_string(decoder, place, value, false, member);
    case NB_FIELD_BYTE_STRING:
        return decode_string(decoder, place, value, true, member);
    case NB_FIELD_TEXT:
        return decode_text(decoder, place, value, member);
    case NB_FIELD_PAYLOAD:
        return decode_payload(decoder, field, value, member);
    case NB_FIELD_ANY:
        return decode_any(decoder, place, start, member);
    case NB_FIELD_PORT:
        return decode_port(decoder, place, shape, value, member);
    case NB_FIELD_STRINGS:
    case NB_FIELD_UINT32S:
        return decode_list(decoder, place, shape, field, base, value);
    case NB_FIELD_MESSAGE:
        set_inlines(field->shape, member);
        return decode_map(decoder, place, field->shape, 0, member, value);
    }
    return false;
}

/* Takes the next value for the field; one that is absent leaves no trace. */
static bool decode_field(struct decoder *decoder, const struct nb_place *place, const struct nb_shape *shape,
                         const struct nb_field *field, uint8_t *base)
{
    const uint8_t *start = decoder->cursor->at;
    struct nb_value value = nb_cursor_take(decoder->cursor);
    if (nb_value_is_absent(&value))
        return true;
    if (!decode_value(decoder, place, shape, field, base, start, &value))
        return false;
    bool is_list = field->type == NB_FIELD_STRINGS || field->type == NB_FIELD_UINT32S;
    if (field->has_offset != NB_NO_HAS && !is_list)
        *(bool *)(base + field->has_offset) = true;
    return true;
}

/* The index of the field of that name, or field_count. Encoders mostly keep the order, so expected goes first. */
static uint8_t find_field(const struct nb_shape *shape, uint8_t first, uint8_t expected, struct nb_slice name)
{
    uint8_t at = expected < shape->field_count ? expected : first;
    for (uint8_t i = first; i < shape->field_count; i++) {
        const struct nb_field *field = &shape->fields[at];
        if (field->name_length == name.length && memcmp(field->name, name.data, name.length) == 0)
            return at;
        at = at + 1 < shape->field_count ? at + 1 : first;
    }
    return shape->field_count;
}

static bool decode_map(struct decoder *decoder, const struct nb_place *place, const struct nb_shape *shape,
                       uint8_t first, uint8_t *base, const struct nb_value *value)
{
    uint64_t seen = 0;
    uint8_t index = first;
    if (!nb_value_is_map(value))
        return nb_refuse_type(decoder->fault, place, "of type object", value);
    for (uint32_t i = 0; i < value->count; i++) {
        struct nb_value key = nb_cursor_take(decoder->cursor);
        if (!nb_value_is_text(&key))
            return nb_refuse_type(decoder->fault, place, "an object with string keys", &key);
        uint8_t found = find_field(shape, first, index, key.bytes);
        if (found == shape->field_count) {
            if (!shape->open)
                return nb_refuse_unknown(decoder->fault, place, key.bytes);
            nb_cursor_skip(decoder->cursor);
            continue;
        }
        const struct nb_place here = {place, shape->fields[found].name, shape->fields[found].label, false};
        if (seen & UINT64_C(1) << found)
            return nb_refuse_value(decoder->fault, &here, "is given twice", &key);
        seen |= UINT64_C(1) << found;
        if (!decode_field(decoder, &here, shape, &shape->fields[found], base))
            return false;
        index = found + 1;
    }
    return true;
}

void nb_message_clear(const struct nb_shape *shape, void *message)
{
    memset(message, 0, shape->size);
    set_inlines(shape, message);
}

bool nb_decode_fields(struct nb_cursor *cursor, const struct nb_shape *shape, uint8_t first,
                      const char *argument, void *message, struct nb_fault *ret_fault)
{
    struct decoder decoder = {cursor, ret_fault};
    const struct nb_place place = {NULL, argument, argument, true};
    struct nb_value value = nb_cursor_take(cursor);
    if (nb_value_is_absent(&value))
        return true;
    return decode_map(&decoder, &place, shape, first, message, &value);
}

bool nb_decode_message(struct nb_cursor *cursor, const struct nb_shape *shape, const char *argument,
                       void *message, struct nb_fault *ret_fault)
{
    struct decoder decoder = {cursor, ret_fault};
    const struct nb_place place = {NULL, argument, argument, true};
    if (shape->bare)
        return decode_field(&decoder, &place, shape, &shape->fields[0], message);
    return nb_decode_fields(cursor, shape, 0, argument, message, ret_fault);
}

bool nb_decode_payload(struct nb_cursor *cursor, const struct nb_field *field, struct nb_slice *ret_payload,
                       bool *ret_is_text, struct nb_fault *ret_fault)
{
    struct decoder decoder = {cursor, ret_fault};
    struct nb_value value = nb_cursor_take(cursor);
    *ret_is_text = value.kind == NB_KIND_STR;
    return nb_value_is_absent(&value) || decode_payload(&decoder, field, &value, ret_payload);
}

bool nb_decode_first(struct nb_cursor *cursor, const struct nb_shape *shape, void *message,
                     struct nb_fault *ret_fault)
{
    struct decoder decoder = {cursor, ret_fault};
    const struct nb_field *field = &shape->fields[0];
    const struct nb_place place = {.name = field->name, .label = field->label};
    return decode_field(&decoder, &place, shape, field, message);
}
