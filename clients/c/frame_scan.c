#include "frame_scan.h"

#include "token.h"

#include <errno.h>

/* Takes one value off the level it stands in, and off each level that it was the last of. */
static void finish_value(struct nbc_frame_scan *scan)
{
    while (scan->depth > 0 && --scan->left[scan->depth - 1] == 0)
        scan->depth--;
}

static int enter(struct nbc_frame_scan *scan, uint64_t members, size_t max)
{
    /* A member has at least one byte. */
    if (members > max)
        return -EMSGSIZE;
    if (scan->depth == NBC_MAX_DEPTH)
        return -EBADMSG;
    scan->left[scan->depth++] = members;
    return 0;
}

static int take(struct nbc_frame_scan *scan, const struct nbc_token *token, size_t max)
{
    if (scan->at == 0 && token->type != NETBROKER_ARRAY)
        return -EBADMSG;
    uint64_t body = nbc_token_body(token), members = nbc_token_members(token);
    if (body > max || scan->at + token->header > max - body)
        return -EMSGSIZE;
    scan->at += token->header + (size_t)body;
    if (members)
        return enter(scan, members, max);
    finish_value(scan);
    return 0;
}

int nbc_frame_scan(struct nbc_frame_scan *scan, const unsigned char *bytes, size_t available, size_t max)
{
    while (scan->at == 0 || scan->depth > 0) {
        if (scan->at >= available)
            return 0;
        struct nbc_token token;
        int result = nbc_token_read(bytes + scan->at, available - scan->at, &token);
        if (result <= 0)
            return result;
        result = take(scan, &token, max);
        if (result < 0)
            return result;
    }
    return scan->at <= available;
}
