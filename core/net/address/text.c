#include "text.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The top bit of each byte that is at least `from`; the bytes are below 0x80. */
static inline uint64_t at_least(uint64_t bytes, uint8_t from)
{
    return bytes + EACH(0x80 - from);
}

/* The top bits of eight bytes as the lowest eight bits, first byte first. */
static inline uint64_t gather(uint64_t tops)
{
    return (tops >> 7 & EACH(1)) * UINT64_C(0x0102040810204080) >> 56;
}

/* Adds eight characters; returns the bits of those that are in no mask. */
static inline uint64_t add_word(struct nb_text_masks *masks, uint64_t word, unsigned at)
{
    uint64_t ascii = ~word & EACH(0x80), bytes = word & EACH(0x7f), lower = bytes | EACH(0x20);
    uint64_t not_above_9 = ~at_least(bytes, ':');
    uint64_t digits = gather(at_least(bytes, '0') & not_above_9 & ascii);
    uint64_t letters = gather(at_least(lower, 'a') & ~at_least(lower, 'g') & ascii);
    uint64_t colons = gather(~not_above_9 & ~at_least(bytes, ';') & ascii);
    uint64_t dots = gather(at_least(bytes, '.') & ~at_least(bytes, '/') & ascii);
    masks->digits |= digits << at;
    masks->hex |= (digits | letters) << at;
    masks->colons |= colons << at;
    masks->dots |= dots << at;
    return ~(digits | letters | colons | dots) & 0xff;
}

struct nb_text_masks nb_text_masks(const char *text, size_t length)
{
    struct nb_text_masks masks = {0};
    size_t end = length < NB_WINDOW ? length : NB_WINDOW;
    for (size_t at = 0; at < end; at += 8)
        if (add_word(&masks, nb_load_at(text, length, at), (unsigned)at))
            break;
    return masks;
}
