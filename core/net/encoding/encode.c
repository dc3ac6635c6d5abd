/* Texts into bytes, as Buffer.from(text, encoding). */
#include "character.h"
#include "encoding.h"

#include <string.h>

/* ---- units ---- */

/*
 * A text read as UTF-16. Node's strings are that, and its hex, base64 and latin1
 * look at the low byte of each unit, whatever the high one is.
 */
struct units {
    struct nb_slice text;
    uint16_t trail; /* the second half of a pair whose first was taken; 0: none */
};

static bool take_unit(struct units *units, uint16_t *ret_unit)
{
    if (units->trail) {
        *ret_unit = units->trail;
        units->trail = 0;
        return true;
    }
    if (!units->text.length)
        return false;
    uint32_t character = nb_character_take(&units->text);
    *ret_unit = (uint16_t)character;
    if (character > 0xffff) {
        *ret_unit = (uint16_t)(0xd7c0 + (character >> 10));
        units->trail = (uint16_t)(0xdc00 | (character & 0x3ff));
    }
    return true;
}

/* ---- base64 and hex digits ---- */

static int base64_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+' || digit == '-')
        return 62;
    return digit == '/' || digit == '_' ? 63 : -1;
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* ---- texts ---- */

size_t nb_encode_bound(enum nb_encoding encoding, size_t length)
{
    switch (encoding) {
    case NB_UTF16LE:
        return length * 2;
    case NB_BASE64:
    case NB_BASE64URL:
        return length / 4 * 3 + 3;
    case NB_HEX:
        return length / 2;
    default:
        return length;
    }
}

static size_t encode_utf16le(struct units units, uint8_t *out)
{
    uint8_t *start = out;
    uint16_t unit;
    while (take_unit(&units, &unit)) {
        *out++ = (uint8_t)unit;
        *out++ = (uint8_t)(unit >> 8);
    }
    return (size_t)(out - start);
}

static size_t encode_latin1(struct units units, uint8_t *out)
{
    uint8_t *start = out;
    uint16_t unit;
    while (take_unit(&units, &unit))
        *out++ = (uint8_t)unit;
    return (size_t)(out - start);
}

/* Of either alphabet; other characters are skipped, and the first '=' is the end. */
static size_t encode_base64(struct units units, uint8_t *out)
{
    uint8_t *start = out;
    uint32_t bits = 0;
    int count = 0;
    uint16_t unit;
    while (take_unit(&units, &unit) && (uint8_t)unit != '=') {
        int value = base64_value((uint8_t)unit);
        if (value < 0)
            continue;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
        }
    }
    return (size_t)(out - start);
}

/* Ends at the first pair that is not whole or not hexadecimal. */
static size_t encode_hex(struct units units, uint8_t *out)
{
    uint8_t *start = out;
    uint16_t first, second;
    while (take_unit(&units, &first) && take_unit(&units, &second)) {
        int high = hex_value((uint8_t)first), low = hex_value((uint8_t)second);
        if (high < 0 || low < 0)
            break;
        *out++ = (uint8_t)(high << 4 | low);
    }
    return (size_t)(out - start);
}

static size_t copy(const void *data, size_t length, void *out)
{
    if (length)
        memcpy(out, data, length);
    return length;
}

size_t nb_encode_text(enum nb_encoding encoding, struct nb_slice text, uint8_t *out)
{
    struct units units = {.text = text};
    switch (encoding) {
    case NB_UTF16LE:
        return encode_utf16le(units, out);
    case NB_LATIN1:
    case NB_ASCII:
        return encode_latin1(units, out);
    case NB_BASE64:
    case NB_BASE64URL:
        return encode_base64(units, out);
    case NB_HEX:
        return encode_hex(units, out);
    default:
        return copy(text.data, text.length, out);
    }
}
