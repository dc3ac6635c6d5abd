#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t nb_cli_base64_size(size_t length)
{
    return (length + 2) / 3 * 4 + 1;
}

void nb_cli_base64_encode(const unsigned char *bytes, size_t length, char *out)
{
    for (size_t at = 0; at < length; at += 3, out += 4) {
        size_t left = length - at;
        uint32_t group = (uint32_t)bytes[at] << 16;
        group |= left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0;
        group |= left > 2 ? bytes[at + 2] : 0;
        for (unsigned i = 0; i < 4; i++)
            out[i] = i <= left ? digits[group >> (18 - 6 * i) & 63] : '=';
    }
    *out = '\0';
}

static int digit_value(char digit)
{
    const char *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) : -1;
}

static size_t count_padding(const char *text, size_t length)
{
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    return padding;
}

bool nb_cli_base64_decode(const char *text, size_t length, unsigned char *out, size_t *ret_length)
{
    size_t padding = count_padding(text, length), written = 0;
    if (length % 4 != 0)
        return false;
    uint32_t group = 0;
    for (size_t i = 0; i < length - padding; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        /* The first digit of four completes no byte, each other one does. */
        if (i % 4 != 0)
            out[written++] = (unsigned char)(group >> (6 - 2 * (i % 4)));
    }
    *ret_length = written;
    return true;
}
