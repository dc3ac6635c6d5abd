#include "token.h"

#include <errno.h>
#include <string.h>

static size_t left(const struct netbroker_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static void fill(struct netbroker_value *value, const struct nbc_token *token, const unsigned char *body)
{
    value->type = token->type;
    if (token->type == NETBROKER_STR || token->type == NETBROKER_BIN)
        value->slice = (struct netbroker_slice){(const char *)body, (size_t)token->value};
    else if (token->type == NETBROKER_ARRAY || token->type == NETBROKER_MAP)
        value->count = (uint32_t)token->value;
    else if (token->type == NETBROKER_BOOL)
        value->boolean = token->value != 0;
    else if (token->type == NETBROKER_DOUBLE)
        memcpy(&value->real, &token->value, sizeof value->real);
    else
        value->uint64 = token->value;
}

static int next(struct netbroker_cursor *cursor, struct nbc_token *ret_token)
{
    struct nbc_token token;
    if (nbc_token_read(cursor->at, left(cursor), &token) <= 0)
        return -EBADMSG;
    uint64_t rest = left(cursor) - token.header;
    if (nbc_token_body(&token) > rest || nbc_token_members(&token) > rest)
        return -EBADMSG;
    cursor->at += token.header;
    *ret_token = token;
    return 0;
}

int netbroker_read(struct netbroker_cursor *cursor, struct netbroker_value *ret_value)
{
    struct nbc_token token;
    int result = next(cursor, &token);
    if (result < 0)
        return result;
    fill(ret_value, &token, cursor->at);
    cursor->at += nbc_token_body(&token);
    return 0;
}

int netbroker_skip(struct netbroker_cursor *cursor)
{
    struct netbroker_cursor at = *cursor;
    for (uint64_t values = 1; values > 0; values--) {
        struct nbc_token token;
        int result = next(&at, &token);
        if (result < 0)
            return result;
        at.at += nbc_token_body(&token);
        values += nbc_token_members(&token);
    }
    *cursor = at;
    return 0;
}

static bool is_key(const struct netbroker_value *value, const char *key)
{
    return value->type == NETBROKER_STR && value->slice.length == strlen(key) &&
           memcmp(value->slice.bytes, key, value->slice.length) == 0;
}

int netbroker_find(struct netbroker_cursor map, const char *key, struct netbroker_cursor *ret_value)
{
    struct netbroker_value value;
    if (netbroker_read(&map, &value) < 0 || value.type != NETBROKER_MAP)
        return -EBADMSG;
    for (uint32_t pairs = value.count; pairs > 0; pairs--) {
        struct netbroker_cursor start = map;
        if (netbroker_skip(&map) < 0)
            return -EBADMSG;
        if (netbroker_read(&start, &value) == 0 && is_key(&value, key)) {
            *ret_value = map;
            return netbroker_skip(&map) < 0 ? -EBADMSG : (ret_value->end = map.at, 0);
        }
        if (netbroker_skip(&map) < 0)
            return -EBADMSG;
    }
    return -ENOENT;
}
