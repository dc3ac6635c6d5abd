/*
 * rankN: how many of count keys in ascending order are <= a key; N: bits of a key.
 *
 * Where the compiler may use AVX2 or AVX-512, keys are compared all at once: no branch
 * depends on them, as it would be mispredicted every other time. However many there
 * are, 64 keys of 16 or 32 bits or 32 keys of 64 bits are read then (NB_ARENA_SLACK),
 * or half of that if not many: no memory is waited for in vain. There must not be
 * more. Elsewhere it is a binary search.
 *
 * Keys of 64 bits are stored with the highest bit turned over, as AVX2 compares
 * signed numbers only.
 */
#ifndef NB_RANK_H
#define NB_RANK_H

#include "key.h"

#if defined(__AVX512BW__)

#include <immintrin.h>

static inline unsigned rank16(const uint16_t *keys, unsigned count, uint16_t key, bool many)
{
    __m512i wanted = _mm512_set1_epi16((short)key);
    uint64_t above = _mm512_cmpgt_epu16_mask(_mm512_loadu_si512(keys), wanted);
    if (many)
        above |= (uint64_t)_mm512_cmpgt_epu16_mask(_mm512_loadu_si512(keys + 32), wanted) << 32;
    unsigned rank = (unsigned)_tzcnt_u64(above);
    return rank < count ? rank : count;
}

static inline unsigned rank32(const uint32_t *keys, unsigned count, uint32_t key, bool many)
{
    __m512i wanted = _mm512_set1_epi32((int)key);
    uint64_t above = 0;
    for (unsigned i = 0; i < (many ? 4 : 2); i++)
        above |= (uint64_t)_mm512_cmpgt_epu32_mask(_mm512_loadu_si512(keys + 16 * i), wanted) << 16 * i;
    unsigned rank = (unsigned)_tzcnt_u64(above);
    return rank < count ? rank : count;
}

static inline unsigned rank64(const int64_t *keys, unsigned count, int64_t key, bool many)
{
    __m512i wanted = _mm512_set1_epi64(key);
    uint32_t above = 0;
    for (unsigned i = 0; i < (many ? 4 : 2); i++)
        above |= (uint32_t)_mm512_cmpgt_epi64_mask(_mm512_loadu_si512(keys + 8 * i), wanted) << 8 * i;
    unsigned rank = (unsigned)_tzcnt_u32(above);
    return rank < count ? rank : count;
}

#elif defined(__AVX2__)

#include <immintrin.h>

/* Lanes of 32 bits, all ones or zeroes, to a bit each, in order. */
static inline uint32_t pack32(__m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i all = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    all = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return (uint32_t)_mm256_movemask_epi8(all);
}

/* Bit i: keys[i] <= key. */
static inline uint32_t compare16(const uint16_t *keys, __m256i key)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)keys);
    __m256i high = _mm256_loadu_si256((const __m256i *)(keys + 16));
    low = _mm256_cmpeq_epi16(_mm256_min_epu16(low, key), low);
    high = _mm256_cmpeq_epi16(_mm256_min_epu16(high, key), high);
    return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8));
}

static inline unsigned rank16(const uint16_t *keys, unsigned count, uint16_t key, bool many)
{
    __m256i wanted = _mm256_set1_epi16((short)key);
    uint64_t bits = compare16(keys, wanted);
    if (many)
        bits |= (uint64_t)compare16(keys + 32, wanted) << 32;
    unsigned rank = (unsigned)_tzcnt_u64(~bits);
    return rank < count ? rank : count;
}

/* Bit i: keys[i] <= key. */
static inline uint32_t compare32(const uint32_t *keys, __m256i key)
{
    __m256i part[4];
    for (unsigned i = 0; i < 4; i++) {
        part[i] = _mm256_loadu_si256((const __m256i *)(keys + 8 * i));
        part[i] = _mm256_cmpeq_epi32(_mm256_min_epu32(part[i], key), part[i]);
    }
    return pack32(part[0], part[1], part[2], part[3]);
}

static inline unsigned rank32(const uint32_t *keys, unsigned count, uint32_t key, bool many)
{
    __m256i wanted = _mm256_set1_epi32((int)key);
    uint64_t bits = compare32(keys, wanted);
    if (many)
        bits |= (uint64_t)compare32(keys + 32, wanted) << 32;
    unsigned rank = (unsigned)_tzcnt_u64(~bits);
    return rank < count ? rank : count;
}

/* Bits 2 i and 2 i + 1: keys[i] > key. */
static inline uint32_t compare64(const int64_t *keys, __m256i key)
{
    __m256i part[4];
    for (unsigned i = 0; i < 4; i++)
        part[i] = _mm256_cmpgt_epi64(_mm256_loadu_si256((const __m256i *)(keys + 4 * i)), key);
    return pack32(part[0], part[1], part[2], part[3]);
}

static inline unsigned rank64(const int64_t *keys, unsigned count, int64_t key, bool many)
{
    __m256i wanted = _mm256_set1_epi64x(key);
    uint64_t bits = compare64(keys, wanted);
    if (many)
        bits |= (uint64_t)compare64(keys + 16, wanted) << 32;
    unsigned rank = (unsigned)_tzcnt_u64(bits) / 2;
    return rank < count ? rank : count;
}

#else

#define NB_DEFINE_RANK(name, type)                                                                           \
    static inline unsigned name(const type *keys, unsigned count, type key, bool many)                       \
    {                                                                                                        \
        const type *first = keys;                                                                            \
        if (!count)                                                                                          \
            return 0;                                                                                        \
        for (unsigned half; count > 1; count -= half) {                                                      \
            half = count / 2;                                                                                \
            first = first[half - 1] <= key ? first + half : first;                                           \
        }                                                                                                    \
        return (unsigned)(first - keys) + (*first <= key);                                                   \
    }

NB_DEFINE_RANK(rank16, uint16_t)
NB_DEFINE_RANK(rank32, uint32_t)
NB_DEFINE_RANK(rank64, int64_t)

#undef NB_DEFINE_RANK

#endif

#endif
