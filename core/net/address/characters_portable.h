/* characters.h in plain C: eight characters in each of two words. */

#define NB_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

typedef struct {
    uint64_t low, high;
} nb_characters;

NB_INLINE nb_characters nb_characters_load(const char *text, size_t length)
{
    if (length >= 16)
        return (nb_characters){nb_load8(text), nb_load8(text + 8)};
    if (length >= 8)
        return (nb_characters){nb_load8(text), nb_load_rest(text, length)};
    return (nb_characters){nb_load_few(text, length), 0};
}

/* The top bits of eight bytes as the lowest eight bits, first byte first. */
NB_INLINE uint64_t nb_gather(uint64_t word)
{
    return (word >> 7 & NB_EACH(1)) * UINT64_C(0x0102040810204080) >> 56;
}

/* In top bits. Characters are below 0x80, and adding to seven bits carries into the eighth only. */
NB_INLINE uint64_t nb_are_between(uint64_t word, char first, char last)
{
    uint64_t seven = word & NB_EACH(0x7f);
    return (seven + NB_EACH(0x80 - first)) & ~(seven + NB_EACH(0x7f - last)) & ~word;
}

NB_INLINE uint64_t nb_are_hex(uint64_t word)
{
    return nb_are_between(word, '0', '9') | nb_are_between(word | NB_EACH('a' - 'A'), 'a', 'f');
}

NB_INLINE uint64_t nb_characters_between(nb_characters characters, char first, char last)
{
    return nb_gather(nb_are_between(characters.low, first, last)) |
           nb_gather(nb_are_between(characters.high, first, last)) << 8;
}

NB_INLINE uint64_t nb_characters_equal(nb_characters characters, char c)
{
    return nb_characters_between(characters, c, c);
}

/* 0-9 a-f A-F; the bit between small and capital letters makes no letter of what is none. */
NB_INLINE uint64_t nb_characters_hex(nb_characters characters)
{
    return nb_gather(nb_are_hex(characters.low)) | nb_gather(nb_are_hex(characters.high)) << 8;
}
