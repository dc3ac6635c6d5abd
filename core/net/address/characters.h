/*
 * Sixteen characters at once, seen as bit masks: bit i says something about
 * character i, so that the rules of a notation become a few operations on whole
 * texts. For ip.c only.
 *
 * SSE2 is part of every x86-64. NB_ADDRESS_PORTABLE asks for the form in plain C,
 * which all others have.
 */
#ifndef NB_CHARACTERS_H
#define NB_CHARACTERS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Out of line, masks would go through memory, which takes longer than all that is done with them. */
#ifdef __OPTIMIZE__
#define NB_INLINE static inline __attribute__((always_inline))
#else
#define NB_INLINE static inline
#endif

/* Four or eight characters, the first in the lowest byte. */
NB_INLINE uint32_t nb_load4(const char *text)
{
    uint32_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

NB_INLINE uint64_t nb_load8(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Up to seven characters and zeroes; reads nothing beyond them. */
NB_INLINE uint64_t nb_load_few(const char *text, size_t length)
{
    if (length >= 4)
        return nb_load4(text) | (uint64_t)nb_load4(text + length - 4) << 8 * (length - 4);
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)(uint8_t)text[i] << 8 * i;
    return word;
}

/* Characters 8 to 15 of a text of 8 to 15. */
NB_INLINE uint64_t nb_load_rest(const char *text, size_t length)
{
    return nb_load8(text + length - 8) >> 8 * (15 - length) >> 8;
}

#if defined __x86_64__ && !defined NB_ADDRESS_PORTABLE
#include "characters_sse2.h"
#else
#include "characters_portable.h"
#endif

#endif
