#include "notation.h"

#include <assert.h>
#include <ctype.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

static const char *pack_value(msgpack_packer *packer, const char *text);

static const char *skip_space(const char *text)
{
    return text + strspn(text, " ,:\n");
}

static int nibble(char digit)
{
    assert(isxdigit((unsigned char)digit));
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

struct nb_slice unhex(const char *digits)
{
    size_t length = strlen(digits) / 2;
    uint8_t *bytes = malloc(length ? length : 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]));
    return (struct nb_slice){bytes, length};
}

const char *hex(const uint8_t *data, size_t length)
{
    static char text[1 << 16];
    assert(2 * length < sizeof text);
    for (size_t i = 0; i < length; i++)
        sprintf(text + 2 * i, "%02x", data[i]);
    text[2 * length] = '\0';
    return text;
}

/* Spaces between the digits are for the reader. */
static struct nb_slice quoted_hex(const char *digits, size_t length)
{
    char *copy = strndup(digits, length), *to = copy;
    for (const char *at = copy; *at; at++) {
        if (*at != ' ')
            *to++ = *at;
    }
    *to = '\0';
    struct nb_slice bytes = unhex(copy);
    free(copy);
    return bytes;
}

/* Items go to a buffer of their own first: the head tells their number. */
static const char *pack_container(msgpack_packer *packer, const char *text, char end)
{
    msgpack_sbuffer items;
    msgpack_sbuffer_init(&items);
    msgpack_packer inner;
    msgpack_packer_init(&inner, &items, msgpack_sbuffer_write);
    size_t count = 0;
    for (text = skip_space(text); *text != end; text = skip_space(text)) {
        text = pack_value(&inner, text);
        count++;
    }
    if (end == ']')
        msgpack_pack_array(packer, count);
    else
        msgpack_pack_map(packer, count / 2);
    packer->callback(packer->data, items.data, items.size);
    msgpack_sbuffer_destroy(&items);
    return text + 1;
}

static const char *pack_number(msgpack_packer *packer, const char *text)
{
    char *end;
    size_t length = strspn(text, "0123456789+-.eE");
    assert(length > 0);
    if (memchr(text, '.', length) || memchr(text, 'e', length))
        msgpack_pack_double(packer, strtod(text, &end));
    else if (*text == '-')
        msgpack_pack_int64(packer, strtoll(text, &end, 10));
    else
        msgpack_pack_uint64(packer, strtoull(text, &end, 10));
    return end;
}

static const char *pack_bytes(msgpack_packer *packer, const char *text, char end, bool is_bin)
{
    size_t length = (size_t)(strchr(text, end) - text);
    struct nb_slice bytes = quoted_hex(text, length);
    if (is_bin)
        msgpack_pack_bin_with_body(packer, bytes.data, bytes.length);
    else
        packer->callback(packer->data, (const char *)bytes.data, bytes.length);
    free((void *)bytes.data);
    return text + length + 1;
}

static const char *pack_text(msgpack_packer *packer, const char *text)
{
    size_t length = (size_t)(strchr(text, '\'') - text);
    msgpack_pack_str_with_body(packer, text, length);
    return text + length + 1;
}

static const char *pack_value(msgpack_packer *packer, const char *text)
{
    text = skip_space(text);
    if (*text == '[' || *text == '{')
        return pack_container(packer, text + 1, *text == '[' ? ']' : '}');
    if (*text == '\'')
        return pack_text(packer, text + 1);
    if (*text == '<')
        return pack_bytes(packer, text + 1, '>', false);
    if (strncmp(text, "x'", 2) == 0)
        return pack_bytes(packer, text + 2, '\'', true);
    if (strncmp(text, "nil", 3) == 0)
        return msgpack_pack_nil(packer), text + 3;
    if (strncmp(text, "true", 4) == 0)
        return msgpack_pack_true(packer), text + 4;
    if (strncmp(text, "false", 5) == 0)
        return msgpack_pack_false(packer), text + 5;
    return pack_number(packer, text);
}

struct nb_slice notation(const char *text)
{
    msgpack_sbuffer buffer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer packer;
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    text = skip_space(pack_value(&packer, text));
    assert(*text == '\0');
    uint8_t *bytes = malloc(buffer.size);
    memcpy(bytes, buffer.data, buffer.size);
    struct nb_slice slice = {bytes, buffer.size};
    msgpack_sbuffer_destroy(&buffer);
    return slice;
}
