#include "encoding.h"

#include "utf8.h"

#include <string.h>
#include <strings.h>

enum { REPLACEMENT = 0xfffd };

/* ---- names ---- */

static const struct {
    const char *name;
    enum nb_encoding encoding;
} names[] = {
    {"utf8", NB_UTF8},        {"utf16le", NB_UTF16LE},     {"latin1", NB_LATIN1}, {"ascii", NB_ASCII},
    {"base64", NB_BASE64},    {"base64url", NB_BASE64URL}, {"hex", NB_HEX},       {"utf-8", NB_UTF8},
    {"utf-16le", NB_UTF16LE}, {"ucs2", NB_UTF16LE},        {"ucs-2", NB_UTF16LE}, {"binary", NB_LATIN1},
};

int nb_encoding_of(struct nb_slice name)
{
    if (!name.length)
        return NB_UTF8; /* Node's default */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == name.length &&
            strncasecmp(names[i].name, (const char *)name.data, name.length) == 0)
            return (int)names[i].encoding;
    return -1;
}

const char *nb_encoding_name(enum nb_encoding encoding)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].encoding == encoding)
            return names[i].name;
    return "";
}

/* ---- UTF-8 and UTF-16 ---- */

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

static bool is_lead_surrogate(uint32_t unit)
{
    return (unit & 0xfc00) == 0xd800;
}

static bool is_trail_surrogate(uint32_t unit)
{
    return (unit & 0xfc00) == 0xdc00;
}

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

/* Takes one character off the text's front; length must not be 0. */
static uint32_t take_character(struct nb_slice *text)
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
        return REPLACEMENT;
    }
}

static char *put_tail(char *out, uint32_t bits)
{
    *out++ = (char)(0x80 | (bits & 0x3f));
    return out;
}

static char *put_character(char *out, uint32_t character)
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
    uint32_t character = take_character(&units->text);
    *ret_unit = (uint16_t)character;
    if (character > 0xffff) {
        *ret_unit = (uint16_t)(0xd7c0 + (character >> 10));
        units->trail = (uint16_t)(0xdc00 | (character & 0x3ff));
    }
    return true;
}

/* ---- base64 and hex digits ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_digits[] = "0123456789abcdef";

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

/* ---- text to bytes ---- */

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

/* ---- bytes to text ---- */

size_t nb_decode_bound(const struct nb_decoder *decoder, size_t length)
{
    size_t all = decoder->kept_length + length;
    switch (decoder->encoding) {
    case NB_UTF8:
        return all * 3;
    case NB_UTF16LE:
        return all / 2 * 3;
    case NB_LATIN1:
    case NB_HEX:
        return all * 2;
    case NB_BASE64:
    case NB_BASE64URL:
        return (all + 2) / 3 * 4;
    default:
        return all;
    }
}

static char *decode_utf8(const uint8_t *bytes, size_t length, char *out)
{
    struct nb_slice rest = {bytes, length};
    while (rest.length) {
        size_t valid = nb_utf8_valid(rest.data, rest.length);
        out += copy(rest.data, valid, out);
        rest.data += valid;
        rest.length -= valid;
        if (rest.length)
            out = put_character(out, take_character(&rest));
    }
    return out;
}

/* What a first byte looks like it announces. Node keeps back by looks, and finds out what is invalid later. */
static size_t utf8_size(uint8_t first)
{
    if ((first & 0xe0) == 0xc0)
        return 2;
    if ((first & 0xf0) == 0xe0)
        return 3;
    return (first & 0xf8) == 0xf0 ? 4 : 1;
}

/* How many bytes at the end are the start of a character. */
static size_t utf8_unfinished(const uint8_t *bytes, size_t length)
{
    for (size_t back = 1; back <= length && back < 4; back++) {
        uint8_t byte = bytes[length - back];
        if (!is_tail(byte))
            return utf8_size(byte) > back ? back : 0;
    }
    return 0;
}

static void keep(struct nb_decoder *decoder, uint8_t byte)
{
    decoder->kept[decoder->kept_length++] = byte;
}

static char *decode_utf8_chunk(struct nb_decoder *decoder, const uint8_t *bytes, size_t length, char *out)
{
    if (decoder->kept_length) {
        size_t size = utf8_size(decoder->kept[0]);
        for (; length && decoder->kept_length < size && is_tail(*bytes); length--)
            keep(decoder, *bytes++);
        if (!length && decoder->kept_length < size)
            return out;
        out = decode_utf8(decoder->kept, decoder->kept_length, out);
        decoder->kept_length = 0;
    }
    size_t unfinished = utf8_unfinished(bytes, length);
    out = decode_utf8(bytes, length - unfinished, out);
    for (size_t i = length - unfinished; i < length; i++)
        keep(decoder, bytes[i]);
    return out;
}

static uint32_t kept_unit(const struct nb_decoder *decoder, unsigned index)
{
    return decoder->kept[2 * index] | (uint32_t)decoder->kept[2 * index + 1] << 8;
}

static uint32_t well_formed(uint32_t unit)
{
    return (unit & 0xf800) == 0xd800 ? REPLACEMENT : unit;
}

/* A unit is kept while it may be the first half of a pair. */
static char *decode_utf16le_byte(struct nb_decoder *decoder, uint8_t byte, char *out)
{
    keep(decoder, byte);
    if (decoder->kept_length == 4) {
        uint32_t lead = kept_unit(decoder, 0), next = kept_unit(decoder, 1);
        if (is_trail_surrogate(next)) {
            decoder->kept_length = 0;
            return put_character(out, 0x10000 + ((lead & 0x3ff) << 10) + (next & 0x3ff));
        }
        out = put_character(out, REPLACEMENT);
        memcpy(decoder->kept, decoder->kept + 2, 2);
        decoder->kept_length = 2;
    }
    if (decoder->kept_length == 2 && !is_lead_surrogate(kept_unit(decoder, 0))) {
        out = put_character(out, well_formed(kept_unit(decoder, 0)));
        decoder->kept_length = 0;
    }
    return out;
}

/* One to three bytes, zeros behind them, as a group without the digits that tell nothing. */
static char *put_base64_group(const struct nb_decoder *decoder, char *out)
{
    const char *digits = decoder->encoding == NB_BASE64 ? base64_digits : base64url_digits;
    uint32_t bits = 0;
    for (unsigned i = 0; i < 3; i++)
        bits = bits << 8 | (i < decoder->kept_length ? decoder->kept[i] : 0u);
    for (unsigned i = 0; i <= decoder->kept_length; i++)
        *out++ = digits[bits >> (18 - 6 * i) & 0x3f];
    return out;
}

static char *decode_base64_byte(struct nb_decoder *decoder, uint8_t byte, char *out)
{
    keep(decoder, byte);
    if (decoder->kept_length < 3)
        return out;
    out = put_base64_group(decoder, out);
    decoder->kept_length = 0;
    return out;
}

static char *decode_byte(struct nb_decoder *decoder, uint8_t byte, char *out)
{
    switch (decoder->encoding) {
    case NB_UTF16LE:
        return decode_utf16le_byte(decoder, byte, out);
    case NB_BASE64:
    case NB_BASE64URL:
        return decode_base64_byte(decoder, byte, out);
    case NB_LATIN1:
        return put_character(out, byte);
    case NB_HEX:
        *out++ = hex_digits[byte >> 4];
        *out++ = hex_digits[byte & 0xf];
        return out;
    case NB_ASCII:
        *out++ = (char)(byte & 0x7f);
        return out;
    default:
        *out++ = (char)byte;
        return out;
    }
}

size_t nb_decode(struct nb_decoder *decoder, const uint8_t *bytes, size_t length, char *out)
{
    char *end = out;
    if (decoder->encoding == NB_UTF8)
        return (size_t)(decode_utf8_chunk(decoder, bytes, length, end) - out);
    for (size_t i = 0; i < length; i++)
        end = decode_byte(decoder, bytes[i], end);
    return (size_t)(end - out);
}

static char *pad_base64(const struct nb_decoder *decoder, char *out)
{
    for (unsigned i = decoder->kept_length; decoder->encoding == NB_BASE64 && i < 3; i++)
        *out++ = '=';
    return out;
}

size_t nb_decode_end(struct nb_decoder *decoder, char *out)
{
    char *end = out;
    if (decoder->encoding == NB_UTF8)
        end = decode_utf8(decoder->kept, decoder->kept_length, out);
    else if (decoder->encoding == NB_UTF16LE && decoder->kept_length >= 2)
        end = put_character(out, REPLACEMENT);
    else if (decoder->encoding != NB_UTF16LE && decoder->kept_length)
        end = pad_base64(decoder, put_base64_group(decoder, out));
    decoder->kept_length = 0;
    return (size_t)(end - out);
}
