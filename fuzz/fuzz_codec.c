/*
 * Values of every shape of the schema: the parameters and results of all methods,
 * the bodies of all events. An input is the number of a method or event, a byte of
 * choices, and one MessagePack value. What can be decoded must be encoded in the
 * form that the protocol promises, and that decoded again must be the same.
 */
#include "fuzz.h"
#include "msgpack_any.h"
#include "msgpack_decode.h"
#include "msgpack_encode.h"
#include "packed.h"
#include "scan.h"
#include "utf8.h"
#include "window.h"

#include <string.h>

enum {
    MSGID = 7,
    TARGET = 12,
    CHOICE_RESULT = 1, /* of a method, not its parameters */
    CHOICE_TEXT = 2, /* payloads go out as str */
    FIRST_EVENT = 128, /* numbers below belong to methods */
};

static const struct nb_scan_limits limits = {.frame = 4096, .depth = 20, .elements = 1024, .text = 4096};

union message {
    union nb_params params;
    union nb_result result;
    union nb_event_body body;
};

/* What an input is about. */
struct subject {
    const struct nb_method *method; /* or NULL */
    const struct nb_event *event; /* or NULL */
    const struct nb_shape *shape;
    bool is_result;
    bool payload_as_text;
};

/* Numbers that nobody has stand for some other, so that no input is in vain. */
static const struct nb_method *find_method(uint8_t number)
{
    for (unsigned i = 0; i < NB_METHOD_COUNT; i++)
        if (nb_methods[i].number == number)
            return &nb_methods[i];
    return &nb_methods[number % NB_METHOD_COUNT];
}

static const struct nb_event *find_event(uint8_t number)
{
    for (unsigned i = 0; i < NB_EVENT_COUNT; i++)
        if (nb_events[i].number == number)
            return &nb_events[i];
    return &nb_events[number % NB_EVENT_COUNT];
}

static struct subject subject_of(uint8_t number, uint8_t choices)
{
    struct subject subject = {.is_result = choices & CHOICE_RESULT, .payload_as_text = choices & CHOICE_TEXT};
    if (number >= FIRST_EVENT) {
        subject.event = find_event(number);
        subject.shape = subject.event->body;
    } else {
        subject.method = find_method(number);
        subject.shape = subject.is_result ? subject.method->result : subject.method->params;
    }
    return subject;
}

/* ---- comparing ---- */

static bool same_bytes(struct nb_slice a, struct nb_slice b)
{
    return !a.data == !b.data && a.length == b.length && (!a.data || memcmp(a.data, b.data, a.length) == 0);
}

static bool is_utf8(struct nb_slice text)
{
    return nb_utf8_valid(text.data, text.length) == text.length;
}

/* What was no UTF-8 has been made so on its way. */
static bool same_text(struct nb_slice a, struct nb_slice b)
{
    return same_bytes(a, b) || (a.data && !is_utf8(a) && b.data && is_utf8(b));
}

/* Of a value of any shape the packed form counts. */
static bool same_any(struct nb_slice a, struct nb_slice b)
{
    static struct nb_encoder packed;
    msgpack_packer packer = nb_encoder_packer(&packed);
    if (!a.data)
        return !b.data;
    nb_encoder_clear(&packed);
    nb_any_pack(&packer, a);
    return same_bytes((struct nb_slice){packed.data, packed.length}, b);
}

static bool same_number(double a, double b)
{
    return a == b || (a != a && b != b);
}

static bool same_list(const struct nb_field *field, const uint8_t *a, const uint8_t *b)
{
    pb_size_t count = *(const pb_size_t *)(a + field->has_offset);
    return count == *(const pb_size_t *)(b + field->has_offset) &&
           memcmp(a + field->offset, b + field->offset, (size_t)count * field->max_size) == 0;
}

static bool same_message(const struct nb_shape *shape, const uint8_t *a, const uint8_t *b);

static bool same_value(const struct nb_field *field, const uint8_t *a, const uint8_t *b)
{
    const uint8_t *left = a + field->offset, *right = b + field->offset;
    switch ((enum nb_field_type)field->type) {
    case NB_FIELD_BOOL:
        return *left == *right;
    case NB_FIELD_UINT32:
    case NB_FIELD_INT32:
    case NB_FIELD_PORT:
        return memcmp(left, right, sizeof(uint32_t)) == 0;
    case NB_FIELD_UINT64:
        return memcmp(left, right, sizeof(uint64_t)) == 0;
    case NB_FIELD_DOUBLE:
        return same_number(*(const double *)left, *(const double *)right);
    case NB_FIELD_BYTE_STRING:
    case NB_FIELD_PAYLOAD:
        return same_bytes(*(const struct nb_slice *)left, *(const struct nb_slice *)right);
    case NB_FIELD_ANY:
        return same_any(*(const struct nb_slice *)left, *(const struct nb_slice *)right);
    case NB_FIELD_MESSAGE:
        return same_message(field->shape, left, right);
    case NB_FIELD_STRINGS:
    case NB_FIELD_UINT32S:
        return same_list(field, a, b);
    default:
        return same_text(*(const struct nb_slice *)left, *(const struct nb_slice *)right);
    }
}

static bool same_field(const struct nb_field *field, const uint8_t *a, const uint8_t *b)
{
    bool is_list = field->type == NB_FIELD_STRINGS || field->type == NB_FIELD_UINT32S;
    if (field->has_offset == NB_NO_HAS || is_list)
        return same_value(field, a, b);
    bool is_present = *(const bool *)(a + field->has_offset);
    return is_present == *(const bool *)(b + field->has_offset) && (!is_present || same_value(field, a, b));
}

static bool same_message(const struct nb_shape *shape, const uint8_t *a, const uint8_t *b)
{
    for (unsigned i = 0; i < shape->field_count; i++)
        if (!same_field(&shape->fields[i], a, b))
            return false;
    return true;
}

/* ---- there and back ---- */

static void encode(struct nb_encoder *encoder, const struct subject *subject, const union message *message)
{
    nb_encoder_clear(encoder);
    encoder->payload_as_text = subject->payload_as_text;
    nb_encode_shape(encoder, subject->shape, message);
    fuzz_require(!encoder->failed);
}

static void check_again(const struct subject *subject, const union message *message)
{
    static struct fuzz_window window;
    static struct nb_encoder first, second;
    union message again;
    struct nb_fault fault;
    encode(&first, subject, message);
    if (first.length > FUZZ_WINDOW)
        return;
    const uint8_t *data = fuzz_window_fill(&window, first.data, first.length);
    struct nb_cursor cursor = {data, data + first.length};
    nb_message_clear(subject->shape, &again);
    fuzz_require(nb_decode_message(&cursor, subject->shape, "body", &again, &fault));
    fuzz_require(cursor.at == cursor.end);
    fuzz_require(same_message(subject->shape, (const uint8_t *)message, (const uint8_t *)&again));
    encode(&second, subject, &again);
    fuzz_require(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
}

/* As the broker sends it. A payload's event ends with its head: the payload goes out behind it. */
static void check_frame(const struct subject *subject, const union message *message)
{
    static struct nb_encoder encoder;
    nb_encoder_clear(&encoder);
    encoder.payload_as_text = false;
    if (subject->event)
        nb_encode_event(&encoder, subject->event, TARGET, message);
    else if (subject->is_result)
        nb_encode_response(&encoder, MSGID, subject->method, message);
    else
        return;
    if (subject->event && nb_shape_is_payload(subject->event->body))
        nb_encode_raw(&encoder, message->body.data.data.data, message->body.data.data.length);
    fuzz_require_frame(&encoder);
}

static void check_fault(const struct nb_fault *fault)
{
    static struct nb_encoder encoder;
    nb_encoder_clear(&encoder);
    nb_encode_error(&encoder, MSGID, &fault->map);
    fuzz_require_frame(&encoder);
}

/* The length of the value, which stands in an array of one, or 0. */
static size_t scan_value(const uint8_t *frame, size_t length)
{
    struct nb_scan scan = {0};
    return nb_scan(&scan, &limits, frame, length) == NB_SCAN_FRAME ? scan.position : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_window window;
    union message message;
    struct nb_fault fault;
    if (size < 3 || size > limits.frame)
        return 0;
    struct subject subject = subject_of(data[0], data[1]);
    fuzz_window_fill(&window, data + 1, size - 1);
    window.bytes[0] = 0x91;
    size_t length = scan_value(window.bytes, size - 1);
    if (length == 0)
        return 0;
    fuzz_window_show(&window, length);
    struct nb_cursor cursor = {window.bytes + 1, window.bytes + length};
    nb_message_clear(subject.shape, &message);
    if (nb_decode_message(&cursor, subject.shape, "body", &message, &fault)) {
        check_again(&subject, &message);
        check_frame(&subject, &message);
    } else {
        check_fault(&fault);
    }
    return 0;
}
