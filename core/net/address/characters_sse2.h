/* characters.h with SSE2. */
#include <emmintrin.h>

typedef __m128i nb_characters;

/* The first 16 characters, with zeroes behind the text's end; reads nothing beyond it. */
NB_INLINE nb_characters nb_characters_load(const char *text, size_t length)
{
    if (length >= 16)
        return _mm_loadu_si128((const __m128i *)text);
    if (length >= 8)
        return _mm_set_epi64x((long long)nb_load_rest(text, length), (long long)nb_load8(text));
    return _mm_cvtsi64_si128((long long)nb_load_few(text, length));
}

NB_INLINE uint64_t nb_characters_equal(nb_characters characters, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(characters, _mm_set1_epi8(c)));
}

NB_INLINE nb_characters nb_are_between(nb_characters characters, char first, char last)
{
    nb_characters above = _mm_sub_epi8(characters, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(above, _mm_min_epu8(above, _mm_set1_epi8((char)(last - first))));
}

NB_INLINE uint64_t nb_characters_between(nb_characters characters, char first, char last)
{
    return (unsigned)_mm_movemask_epi8(nb_are_between(characters, first, last));
}

/* 0-9 a-f A-F; the bit between small and capital letters makes no letter of what is none. */
NB_INLINE uint64_t nb_characters_hex(nb_characters characters)
{
    nb_characters small = _mm_or_si128(characters, _mm_set1_epi8('a' - 'A'));
    nb_characters digits = nb_are_between(characters, '0', '9'), letters = nb_are_between(small, 'a', 'f');
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(digits, letters));
}
