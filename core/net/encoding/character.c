#include "character.h"

#include "utf8.h"

/* Length of what one replacement character stands for: the longest start of a character, or one byte. */
static size_t broken_length(const uint8_t *data, size_t length)
{
    uint8_t trial[4] = {data[0], 0x80, 0x80, 0x80};
    size_t known = 1;
    while (known < length && known < sizeof trial) {
        trial[known] = data[known];
        if (nb_utf8_character(trial, sizeof trial) == 0)
            break;
        known++;
    }
    return known;
}

uint32_t nb_character_take(struct nb_slice *text)
{
    const uint8_t *at = text->data;
    size_t size = nb_utf8_character(at, text->length);
    size_t taken = size ? size : broken_length(at, text->length);
    text->data += taken;
    text->length -= taken;
    switch (size) {
    case 1:
        return at[0];
    case 2:
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    case 3:
        return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    case 4:
        return (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
    default:
        return NB_REPLACEMENT;
    }
}

static char *put_tail(char *out, uint32_t bits)
{
    *out++ = (char)(0x80 | (bits & 0x3f));
    return out;
}

char *nb_character_put(char *out, uint32_t character)
{
    if (character < 0x80) {
        *out++ = (char)character;
        return out;
    }
    if (character < 0x800) {
        *out++ = (char)(0xc0 | character >> 6);
        return put_tail(out, character);
    }
    if (character < 0x10000) {
        *out++ = (char)(0xe0 | character >> 12);
        return put_tail(put_tail(out, character >> 6), character);
    }
    *out++ = (char)(0xf0 | character >> 18);
    return put_tail(put_tail(put_tail(out, character >> 12), character >> 6), character);
}
