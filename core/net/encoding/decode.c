/* Bytes into texts, as StringDecoder. */
#include "character.h"
#include "encoding.h"
#include "utf8.h"

#include <string.h>

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

/* ---- utf8 ---- */

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

static size_t copy(const void *data, size_t length, void *out)
{
    if (length)
        memcpy(out, data, length);
    return length;
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
            out = nb_character_put(out, nb_character_take(&rest));
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

/* ---- utf16le ---- */

static bool is_lead_surrogate(uint32_t unit)
{
    return (unit & 0xfc00) == 0xd800;
}

static bool is_trail_surrogate(uint32_t unit)
{
    return (unit & 0xfc00) == 0xdc00;
}

static uint32_t kept_unit(const struct nb_decoder *decoder, unsigned index)
{
    return decoder->kept[2 * index] | (uint32_t)decoder->kept[2 * index + 1] << 8;
}

static uint32_t well_formed(uint32_t unit)
{
    return (unit & 0xf800) == 0xd800 ? NB_REPLACEMENT : unit;
}

/* A unit is kept while it may be the first half of a pair. */
static char *decode_utf16le_byte(struct nb_decoder *decoder, uint8_t byte, char *out)
{
    keep(decoder, byte);
    if (decoder->kept_length == 4) {
        uint32_t lead = kept_unit(decoder, 0), next = kept_unit(decoder, 1);
        if (is_trail_surrogate(next)) {
            decoder->kept_length = 0;
            return nb_character_put(out, 0x10000 + ((lead & 0x3ff) << 10) + (next & 0x3ff));
        }
        out = nb_character_put(out, NB_REPLACEMENT);
        memcpy(decoder->kept, decoder->kept + 2, 2);
        decoder->kept_length = 2;
    }
    if (decoder->kept_length == 2 && !is_lead_surrogate(kept_unit(decoder, 0))) {
        out = nb_character_put(out, well_formed(kept_unit(decoder, 0)));
        decoder->kept_length = 0;
    }
    return out;
}

/* ---- base64 ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

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

static char *pad_base64(const struct nb_decoder *decoder, char *out)
{
    for (unsigned i = decoder->kept_length; decoder->encoding == NB_BASE64 && i < 3; i++)
        *out++ = '=';
    return out;
}

/* ---- all ---- */

static char *put_hex(uint8_t byte, char *out)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 0xf];
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
        return nb_character_put(out, byte);
    case NB_HEX:
        return put_hex(byte, out);
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

size_t nb_decode_end(struct nb_decoder *decoder, char *out)
{
    char *end = out;
    if (decoder->encoding == NB_UTF8)
        end = decode_utf8(decoder->kept, decoder->kept_length, out);
    else if (decoder->encoding == NB_UTF16LE && decoder->kept_length >= 2)
        end = nb_character_put(out, NB_REPLACEMENT);
    else if (decoder->encoding != NB_UTF16LE && decoder->kept_length)
        end = pad_base64(decoder, put_base64_group(decoder, out));
    decoder->kept_length = 0;
    return (size_t)(end - out);
}
