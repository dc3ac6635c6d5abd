/* characters.h with SSE2. */
#include <emmintrin.h>

typedef __m128i nb_characters;

/* The first 16 characters, with zeroes behind the text's end; reads nothing beyond it. */
static inline nb_characters nb_characters_load(const char *text, size_t length)
{
    if (length >= 16)
        return _mm_loadu_si128((const __m128i *)text);
    if (length >= 8)
        return _mm_set_epi64x((long long)nb_load_rest(text, length), (long long)nb_load8(text));
    return _mm_cvtsi64_si128((long long)nb_load_few(text, length));
}

static inline void nb_characters_store(nb_characters characters, char ret_text[16])
{
    _mm_storeu_si128((__m128i *)ret_text, characters);
}

/* 'A' to 'Z' as 'a' to 'z', and what no letter becomes one. */
static inline nb_characters nb_characters_lower(nb_characters characters)
{
    return _mm_or_si128(characters, _mm_set1_epi8(0x20));
}

static inline uint64_t nb_characters_equal(nb_characters characters, char c)
{
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(characters, _mm_set1_epi8(c)));
}

static inline uint64_t nb_characters_between(nb_characters characters, char first, char last)
{
    nb_characters above = _mm_sub_epi8(characters, _mm_set1_epi8(first));
    nb_characters least = _mm_min_epu8(above, _mm_set1_epi8((char)(last - first)));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(above, least));
}
