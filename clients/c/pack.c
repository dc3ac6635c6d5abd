#include "pack.h"

#include "memory.h"

#include <string.h>

enum { FIRST_CAPACITY = 256 };

static bool grow(struct netbroker_packer *packer, size_t size)
{
    if (size > SIZE_MAX / 4 || packer->length > SIZE_MAX / 4)
        return false;
    size_t capacity = packer->capacity ? packer->capacity : FIRST_CAPACITY;
    while (capacity < packer->length + size)
        capacity *= 2;
    unsigned char *bytes = (unsigned char *)nbc_resize(packer->allocator, packer->bytes, capacity);
    if (!bytes)
        return false;
    packer->bytes = bytes;
    packer->capacity = capacity;
    return true;
}

unsigned char *nbc_pack_reserve(struct netbroker_packer *packer, size_t size)
{
    if (packer->failed)
        return NULL;
    if (packer->capacity - packer->length < size && !grow(packer, size)) {
        packer->failed = true;
        return NULL;
    }
    unsigned char *at = packer->bytes + packer->length;
    packer->length += size;
    return at;
}

void nbc_pack_raw(struct netbroker_packer *packer, const void *bytes, size_t length)
{
    unsigned char *at = length ? nbc_pack_reserve(packer, length) : NULL;
    if (at)
        memcpy(at, bytes, length);
}

/* A format byte and `width` bytes of value. */
static void put(struct netbroker_packer *packer, unsigned char format, uint64_t value, unsigned width)
{
    unsigned char *at = nbc_pack_reserve(packer, 1 + width);
    if (!at)
        return;
    at[0] = format;
    for (unsigned i = width; i > 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

void netbroker_pack_nil(struct netbroker_packer *packer)
{
    put(packer, 0xc0, 0, 0);
}

void netbroker_pack_bool(struct netbroker_packer *packer, bool value)
{
    put(packer, value ? 0xc3 : 0xc2, 0, 0);
}

void netbroker_pack_uint(struct netbroker_packer *packer, uint64_t value)
{
    if (value < 0x80)
        put(packer, (unsigned char)value, 0, 0);
    else if (value <= UINT8_MAX)
        put(packer, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        put(packer, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        put(packer, 0xce, value, 4);
    else
        put(packer, 0xcf, value, 8);
}

void netbroker_pack_int(struct netbroker_packer *packer, int64_t value)
{
    if (value >= 0)
        netbroker_pack_uint(packer, (uint64_t)value);
    else if (value >= -32)
        put(packer, (unsigned char)value, 0, 0);
    else if (value >= INT32_MIN)
        put(packer, 0xd2, (uint64_t)value, 4);
    else
        put(packer, 0xd3, (uint64_t)value, 8);
}

void netbroker_pack_double(struct netbroker_packer *packer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(packer, 0xcb, bits, 8);
}

/* A length or count that has a short form below `short_end`, then 1 (if `format1`), 2 and 4 bytes. */
static void put_length(struct netbroker_packer *packer, uint32_t length, unsigned short_form,
                       unsigned short_end, unsigned format1, unsigned format2)
{
    if (length < short_end)
        put(packer, (unsigned char)(short_form | length), 0, 0);
    else if (format1 && length <= UINT8_MAX)
        put(packer, (unsigned char)format1, length, 1);
    else if (length <= UINT16_MAX)
        put(packer, (unsigned char)format2, length, 2);
    else
        put(packer, (unsigned char)(format2 + 1), length, 4);
}

static bool check_length(struct netbroker_packer *packer, size_t length)
{
    if (length > UINT32_MAX)
        packer->failed = true;
    return length <= UINT32_MAX;
}

void netbroker_pack_str_n(struct netbroker_packer *packer, const char *bytes, size_t length)
{
    if (!check_length(packer, length))
        return;
    put_length(packer, (uint32_t)length, 0xa0, 32, 0xd9, 0xda);
    nbc_pack_raw(packer, bytes, length);
}

void netbroker_pack_str(struct netbroker_packer *packer, const char *text)
{
    netbroker_pack_str_n(packer, text, strlen(text));
}

void nbc_pack_bin_header(struct netbroker_packer *packer, size_t length)
{
    if (check_length(packer, length))
        put_length(packer, (uint32_t)length, 0, 0, 0xc4, 0xc5);
}

void netbroker_pack_bin(struct netbroker_packer *packer, const void *bytes, size_t length)
{
    nbc_pack_bin_header(packer, length);
    nbc_pack_raw(packer, bytes, length);
}

void netbroker_pack_array(struct netbroker_packer *packer, uint32_t count)
{
    put_length(packer, count, 0x90, 16, 0, 0xdc);
}

void netbroker_pack_map(struct netbroker_packer *packer, uint32_t count)
{
    put_length(packer, count, 0x80, 16, 0, 0xde);
}

void netbroker_packer_free(struct netbroker_packer *packer)
{
    nbc_resize(packer->allocator, packer->bytes, 0);
    packer->bytes = NULL;
    packer->length = packer->capacity = 0;
    packer->failed = false;
}

struct nbc_map nbc_map_begin(struct netbroker_packer *packer)
{
    struct nbc_map map = {packer, packer->length, 0};
    put(packer, 0xde, 0, 2);
    return map;
}

void nbc_map_end(struct nbc_map *map)
{
    if (map->packer->failed)
        return;
    unsigned char *header = map->packer->bytes + map->start;
    header[1] = (unsigned char)(map->pairs >> 8);
    header[2] = (unsigned char)map->pairs;
}

void nbc_map_key(struct nbc_map *map, const char *key)
{
    netbroker_pack_str(map->packer, key);
    map->pairs++;
}

void nbc_map_flag(struct nbc_map *map, const char *key, bool value)
{
    if (!value)
        return;
    nbc_map_key(map, key);
    netbroker_pack_bool(map->packer, true);
}

void nbc_map_number(struct nbc_map *map, const char *key, int64_t value)
{
    if (value == 0)
        return;
    nbc_map_key(map, key);
    netbroker_pack_int(map->packer, value);
}

void nbc_map_text(struct nbc_map *map, const char *key, const char *value)
{
    if (!value)
        return;
    nbc_map_key(map, key);
    netbroker_pack_str(map->packer, value);
}
