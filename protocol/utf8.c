#include "utf8.h"

#include <stdbool.h>
#include <string.h>

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The second byte is where overlong forms, surrogates and too large values show. */
static bool second_is_valid(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_tail(second);
    }
}

static size_t announced_size(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t nb_utf8_character(const uint8_t *data, size_t length)
{
    size_t size = announced_size(data[0]);
    if (size <= 1)
        return size;
    if (size > length || !second_is_valid(data[0], data[1]))
        return 0;
    for (size_t i = 2; i < size; i++) {
        if (!is_tail(data[i]))
            return 0;
    }
    return size;
}

static bool eight_are_ascii(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

size_t nb_utf8_valid(const uint8_t *data, size_t length)
{
    size_t at = 0;
    while (at < length) {
        if (length - at >= 8 && eight_are_ascii(data + at)) {
            at += 8;
            continue;
        }
        size_t size = nb_utf8_character(data + at, length - at);
        if (size == 0)
            break;
        at += size;
    }
    return at;
}

size_t nb_utf8_cut(const uint8_t *data, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 3 && is_tail(data[start - 1]))
        start--;
    if (start == 0 || data[start - 1] < 0x80)
        return length;
    start--;
    return start + announced_size(data[start]) > length ? start : length;
}
