/*
 * An address text seen as bit masks: bit i says what character i is, so that the
 * rules of the notation become a few operations on whole texts. For ip.c only.
 */
#ifndef NB_IP_TEXT_H
#define NB_IP_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    NB_ADDRESS_MAX = 45, /* characters: 0000:0000:0000:0000:0000:ffff:255.255.255.255 */
    NB_WINDOW = 48, /* characters that are looked at: a few more than any address has */
};

struct nb_text_masks {
    uint64_t digits; /* 0-9 */
    uint64_t hex; /* 0-9 a-f A-F */
    uint64_t colons;
    uint64_t dots;
};

/* Eight characters, the first in the lowest byte. */
static inline uint64_t nb_load8(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint32_t nb_load4(const char *text)
{
    uint32_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* Up to seven characters and zeroes; reads nothing beyond them. */
static inline uint64_t nb_load_few(const char *text, size_t length)
{
    if (length >= 4)
        return nb_load4(text) | (uint64_t)nb_load4(text + length - 4) << 8 * (length - 4);
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)(uint8_t)text[i] << 8 * i;
    return word;
}

/* Characters at to at + 7 of the text; those beyond its end are zeroes. */
static inline uint64_t nb_load_at(const char *text, size_t length, size_t at)
{
    if (length - at >= 8)
        return nb_load8(text + at);
    if (length >= 8)
        return length == at ? 0 : nb_load8(text + length - 8) >> 8 * (8 - (length - at));
    return nb_load_few(text + at, length - at);
}

/* The lowest n bits, n < 64. */
static inline uint64_t nb_low_bits(size_t n)
{
    return ((uint64_t)1 << n) - 1;
}

/* The masks of the first NB_WINDOW characters. May stop behind the first character that has no bit in any. */
struct nb_text_masks nb_text_masks(const char *text, size_t length);

#endif
