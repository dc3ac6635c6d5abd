#include "token.h"

#include <errno.h>
#include <string.h>

enum { INVALID = 0xff };

/* The formats 0xc0 to 0xdf: type, and how many bytes of value follow the first. */
static const struct {
    uint8_t type, width;
} formats[32] = {
    {NETBROKER_NIL, 0},   {INVALID, 0},         {NETBROKER_BOOL, 0},   {NETBROKER_BOOL, 0},
    {NETBROKER_BIN, 1},   {NETBROKER_BIN, 2},   {NETBROKER_BIN, 4},    {INVALID, 0},
    {INVALID, 0},         {INVALID, 0},         {NETBROKER_DOUBLE, 4}, {NETBROKER_DOUBLE, 8},
    {NETBROKER_UINT, 1},  {NETBROKER_UINT, 2},  {NETBROKER_UINT, 4},   {NETBROKER_UINT, 8},
    {NETBROKER_INT, 1},   {NETBROKER_INT, 2},   {NETBROKER_INT, 4},    {NETBROKER_INT, 8},
    {INVALID, 0},         {INVALID, 0},         {INVALID, 0},          {INVALID, 0},
    {INVALID, 0},         {NETBROKER_STR, 1},   {NETBROKER_STR, 2},    {NETBROKER_STR, 4},
    {NETBROKER_ARRAY, 2}, {NETBROKER_ARRAY, 4}, {NETBROKER_MAP, 2},    {NETBROKER_MAP, 4},
};

static uint64_t big_endian(const unsigned char *at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | at[i];
    return value;
}

static struct nbc_token short_form(unsigned char first)
{
    if (first < 0x80)
        return (struct nbc_token){NETBROKER_UINT, 1, first};
    if (first < 0x90)
        return (struct nbc_token){NETBROKER_MAP, 1, first & 15};
    if (first < 0xa0)
        return (struct nbc_token){NETBROKER_ARRAY, 1, first & 15};
    if (first < 0xc0)
        return (struct nbc_token){NETBROKER_STR, 1, first & 31};
    return (struct nbc_token){NETBROKER_INT, 1, (uint64_t)(int64_t)(int8_t)first};
}

static uint64_t sign_extend(uint64_t value, unsigned width)
{
    unsigned shift = 64 - 8 * width;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

static uint64_t widen_float(uint64_t bits)
{
    uint32_t narrow = (uint32_t)bits;
    float number;
    memcpy(&number, &narrow, sizeof number);
    double wide = number;
    memcpy(&bits, &wide, sizeof bits);
    return bits;
}

static struct nbc_token long_form(const unsigned char *at, unsigned type, unsigned width)
{
    struct nbc_token token = {(enum netbroker_type)type, (uint8_t)(1 + width), big_endian(at + 1, width)};
    if (type == NETBROKER_BOOL)
        token.value = at[0] & 1;
    if (type == NETBROKER_DOUBLE && width == 4)
        token.value = widen_float(token.value);
    if (type == NETBROKER_INT)
        token.value = sign_extend(token.value, width);
    if (type == NETBROKER_INT && (int64_t)token.value >= 0)
        token.type = NETBROKER_UINT;
    return token;
}

int nbc_token_read(const unsigned char *at, size_t available, struct nbc_token *ret_token)
{
    if (available == 0)
        return 0;
    if (at[0] < 0xc0 || at[0] >= 0xe0) {
        *ret_token = short_form(at[0]);
        return 1;
    }
    unsigned type = formats[at[0] - 0xc0].type, width = formats[at[0] - 0xc0].width;
    if (type == INVALID)
        return -EBADMSG;
    if (available < 1 + width)
        return 0;
    *ret_token = long_form(at, type, width);
    return 1;
}
