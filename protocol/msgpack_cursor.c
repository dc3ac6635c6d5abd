#include "msgpack_cursor.h"

#include <math.h>

static int64_t sign_extend(uint64_t bits, uint64_t size)
{
    unsigned shift = 64 - 8 * (unsigned)size;
    return (int64_t)(bits << shift) >> shift;
}

static struct nb_value take_signed(int64_t integer)
{
    if (integer < 0)
        return (struct nb_value){.kind = NB_KIND_INT, .sint = integer};
    return (struct nb_value){.kind = NB_KIND_UINT, .uint = (uint64_t)integer};
}

static struct nb_value take_float(const uint8_t *data, uint64_t size)
{
    struct nb_value value = {.kind = NB_KIND_FLOAT};
    uint64_t bits = nb_load(data, (uint32_t)size);
    if (size == 4) {
        uint32_t half = (uint32_t)bits;
        float number;
        memcpy(&number, &half, sizeof number);
        value.number = number;
    } else {
        memcpy(&value.number, &bits, sizeof value.number);
    }
    return value;
}

struct nb_value nb_cursor_take(struct nb_cursor *cursor)
{
    uint8_t first = *cursor->at;
    struct nb_head head = nb_head_read(cursor->at);
    const uint8_t *body = cursor->at + head.size;
    cursor->at = body;
    if (head.kind == NB_KIND_ARRAY || head.kind == NB_KIND_MAP)
        return (struct nb_value){.kind = head.kind, .count = (uint32_t)head.count};
    cursor->at += head.count;
    switch (head.kind) {
    case NB_KIND_BOOL:
        return (struct nb_value){.kind = NB_KIND_BOOL, .boolean = first == 0xc3};
    case NB_KIND_UINT:
        return (struct nb_value){.kind = NB_KIND_UINT,
                                 .uint = head.count ? nb_load(body, (uint32_t)head.count) : first};
    case NB_KIND_INT:
        return take_signed(head.count ? sign_extend(nb_load(body, (uint32_t)head.count), head.count)
                                      : (int8_t)first);
    case NB_KIND_FLOAT:
        return take_float(body, head.count);
    case NB_KIND_STR:
    case NB_KIND_BIN:
    case NB_KIND_EXT:
        return (struct nb_value){.kind = head.kind, .bytes = {body, (size_t)head.count}};
    default:
        return (struct nb_value){.kind = NB_KIND_NIL};
    }
}

struct nb_slice nb_cursor_skip(struct nb_cursor *cursor)
{
    const uint8_t *start = cursor->at;
    uint64_t left = 1;
    while (left > 0) {
        struct nb_head head = nb_head_read(cursor->at);
        cursor->at += head.size;
        left--;
        if (head.kind == NB_KIND_ARRAY)
            left += head.count;
        else if (head.kind == NB_KIND_MAP)
            left += 2 * head.count;
        else
            cursor->at += head.count;
    }
    return (struct nb_slice){start, (size_t)(cursor->at - start)};
}

bool nb_value_is_absent(const struct nb_value *value)
{
    return value->kind == NB_KIND_NIL ||
           (value->kind == NB_KIND_EXT && value->bytes.length == 2 && value->bytes.data[0] == 0);
}

static enum nb_integer_status float_integer(double number, int64_t min, int64_t max, int64_t *ret_integer)
{
    if (!isfinite(number) || number != trunc(number))
        return NB_INTEGER_FRACTION;
    if (number < (double)min || number > (double)max)
        return NB_INTEGER_OUTSIDE;
    *ret_integer = (int64_t)number;
    return NB_INTEGER;
}

/* All ranges of the schema lie within 2^53, where a double is exact. */
enum nb_integer_status nb_value_integer(const struct nb_value *value, int64_t min, int64_t max,
                                        int64_t *ret_integer)
{
    if (value->kind == NB_KIND_FLOAT)
        return float_integer(value->number, min, max, ret_integer);
    if (value->kind != NB_KIND_UINT && value->kind != NB_KIND_INT)
        return NB_INTEGER_NOT_NUMBER;
    if (value->kind == NB_KIND_UINT && value->uint > (uint64_t)max)
        return NB_INTEGER_OUTSIDE;
    if (value->sint < min)
        return NB_INTEGER_OUTSIDE;
    *ret_integer = value->sint;
    return NB_INTEGER;
}
