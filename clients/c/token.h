/*
 * The first bytes of one MessagePack value: the only place that knows the format.
 * Reads any bytes safely; allocates nothing.
 */
#ifndef NBC_TOKEN_H
#define NBC_TOKEN_H

#include "netbroker.h"

struct nbc_token {
    enum netbroker_type type;
    uint8_t header; /* bytes, a scalar's own included */
    uint64_t
        value; /* the scalar's bits (sign extended), the length of STR and BIN, the count of ARRAY and MAP */
};

/* 1: read. 0: `available` bytes are not enough. -EBADMSG: no value, or an ext type, which no broker sends. */
int nbc_token_read(const unsigned char *at, size_t available, struct nbc_token *ret_token);

/* Values that follow as members. */
static inline uint64_t nbc_token_members(const struct nbc_token *token)
{
    return token->type == NETBROKER_ARRAY ? token->value
           : token->type == NETBROKER_MAP ? 2 * token->value
                                          : 0;
}

/* Bytes of a STR's or BIN's body. */
static inline uint64_t nbc_token_body(const struct nbc_token *token)
{
    return token->type == NETBROKER_STR || token->type == NETBROKER_BIN ? token->value : 0;
}

#endif
