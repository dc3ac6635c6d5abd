/* characters.h in plain C: eight characters in each of two words. */

#define NB_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

typedef struct {
    uint64_t low, high;
} nb_characters;

static inline nb_characters nb_characters_load(const char *text, size_t length)
{
    if (length >= 16)
        return (nb_characters){nb_load8(text), nb_load8(text + 8)};
    if (length >= 8)
        return (nb_characters){nb_load8(text), nb_load_rest(text, length)};
    return (nb_characters){nb_load_few(text, length), 0};
}

static inline void nb_characters_store(nb_characters characters, char ret_text[16])
{
    uint64_t low = nb_load8((const char *)&characters.low), high = nb_load8((const char *)&characters.high);
    memcpy(ret_text, &low, 8);
    memcpy(ret_text + 8, &high, 8);
}

static inline nb_characters nb_characters_lower(nb_characters characters)
{
    return (nb_characters){characters.low | NB_EACH(0x20), characters.high | NB_EACH(0x20)};
}

/* The top bits of eight bytes as the lowest eight bits, first byte first. */
static inline uint64_t nb_gather(uint64_t word)
{
    return (word >> 7 & NB_EACH(1)) * UINT64_C(0x0102040810204080) >> 56;
}

/* Characters are below 0x80, and adding to seven bits carries into the eighth only. */
static inline uint64_t nb_word_between(uint64_t word, char first, char last)
{
    uint64_t seven = word & NB_EACH(0x7f);
    return nb_gather((seven + NB_EACH(0x80 - first)) & ~(seven + NB_EACH(0x7f - last)) & ~word);
}

static inline uint64_t nb_characters_between(nb_characters characters, char first, char last)
{
    return nb_word_between(characters.low, first, last) | nb_word_between(characters.high, first, last) << 8;
}

static inline uint64_t nb_characters_equal(nb_characters characters, char c)
{
    return nb_characters_between(characters, c, c);
}
