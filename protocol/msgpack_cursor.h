/*
 * Walks over MessagePack bytes that nb_scan has accepted: no check of lengths
 * happens here. Slices borrow from those bytes.
 */
#ifndef NB_MSGPACK_CURSOR_H
#define NB_MSGPACK_CURSOR_H

#include "msgpack_head.h"
#include "slice.h"

struct nb_cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* One value; of an array or map only how many values stand behind it. */
struct nb_value {
    enum nb_kind kind; /* NB_KIND_INT: negative */
    union {
        bool boolean;
        uint64_t uint;
        int64_t sint;
        double number;
        uint32_t count; /* items of an array, pairs of a map */
        struct nb_slice bytes; /* of a str, bin, or ext with its type */
    };
};

struct nb_value nb_cursor_take(struct nb_cursor *cursor);

/* Goes over one whole value and gives its bytes. */
struct nb_slice nb_cursor_skip(struct nb_cursor *cursor);

/* nil, or what some encoders send for undefined: ext type 0 of one byte. */
bool nb_value_is_absent(const struct nb_value *value);

/* str or bin: each is accepted for the other. */
static inline bool nb_value_is_text(const struct nb_value *value)
{
    return value->kind == NB_KIND_STR || value->kind == NB_KIND_BIN;
}

static inline bool nb_value_is_number(const struct nb_value *value)
{
    return value->kind == NB_KIND_UINT || value->kind == NB_KIND_INT || value->kind == NB_KIND_FLOAT;
}

/* [] is the empty map of encoders that have one container type. */
static inline bool nb_value_is_map(const struct nb_value *value)
{
    return value->kind == NB_KIND_MAP || (value->kind == NB_KIND_ARRAY && value->count == 0);
}

enum nb_integer_status {
    NB_INTEGER,
    NB_INTEGER_NOT_NUMBER,
    NB_INTEGER_FRACTION, /* or NaN, or infinite */
    NB_INTEGER_OUTSIDE,
};

/* An integer of any width, or an integral float. */
enum nb_integer_status nb_value_integer(const struct nb_value *value, int64_t min, int64_t max,
                                        int64_t *ret_integer);

#endif
