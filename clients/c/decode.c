#include "decode.h"

#include <errno.h>
#include <string.h>

enum kind { TEXT, NUMBER, SIGNED, FLAG, FAMILY };

/* Where a field of a map goes. Fields that are not listed are skipped: later versions may add some. */
struct member {
    const char *name;
    enum kind kind;
    size_t offset;
    size_t size; /* of the struct's member */
};

#define MEMBER(name, kind, type, field)                                                                      \
    {                                                                                                        \
        name, kind, offsetof(type, field), sizeof(((type *)0)->field)                                        \
    }

static int set_text(char *out, size_t size, const struct netbroker_value *value)
{
    if (value->type != NETBROKER_STR && value->type != NETBROKER_BIN)
        return -EBADMSG;
    size_t length = value->slice.length < size ? value->slice.length : size - 1;
    memcpy(out, value->slice.bytes, length);
    out[length] = '\0';
    return 0;
}

static int set_number(void *out, size_t size, const struct netbroker_value *value)
{
    if (value->type != NETBROKER_UINT || (size < 8 && value->uint64 >> (8 * size)))
        return -EBADMSG;
    uint16_t narrow = (uint16_t)value->uint64;
    uint32_t middle = (uint32_t)value->uint64;
    const void *from = size == 2 ? (void *)&narrow : size == 4 ? (void *)&middle : (void *)&value->uint64;
    memcpy(out, from, size);
    return 0;
}

static int set_signed(void *out, const struct netbroker_value *value)
{
    int64_t number = value->int64;
    if (value->type != NETBROKER_INT && (value->type != NETBROKER_UINT || value->uint64 > INT32_MAX))
        return -EBADMSG;
    if (number < INT32_MIN)
        return -EBADMSG;
    int32_t narrow = (int32_t)number;
    memcpy(out, &narrow, sizeof narrow);
    return 0;
}

static int set_family(uint8_t *out, const struct netbroker_value *value)
{
    char text[8];
    int result = set_text(text, sizeof text, value);
    if (result == 0)
        *out = strcmp(text, "IPv4") == 0 ? 4 : strcmp(text, "IPv6") == 0 ? 6 : 0;
    return result;
}

static int set_member(const struct member *member, char *out, const struct netbroker_value *value)
{
    switch (member->kind) {
    case TEXT:
        return set_text(out, member->size, value);
    case NUMBER:
        return set_number(out, member->size, value);
    case SIGNED:
        return set_signed(out, value);
    case FAMILY:
        return set_family((uint8_t *)out, value);
    case FLAG:
        if (value->type != NETBROKER_BOOL)
            return -EBADMSG;
        memcpy(out, &value->boolean, sizeof value->boolean);
        return 0;
    }
    return -EBADMSG;
}

static const struct member *find(const struct member *members, size_t count,
                                 const struct netbroker_slice *name)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(members[i].name) == name->length && !memcmp(members[i].name, name->bytes, name->length))
            return &members[i];
    return NULL;
}

static int decode_pair(struct netbroker_cursor *body, const struct member *members, size_t count, void *out)
{
    struct netbroker_value key, value;
    if (netbroker_read(body, &key) < 0 || key.type != NETBROKER_STR)
        return -EBADMSG;
    const struct member *member = find(members, count, &key.slice);
    if (!member)
        return netbroker_skip(body);
    if (netbroker_read(body, &value) < 0)
        return -EBADMSG;
    return value.type == NETBROKER_NIL ? 0 : set_member(member, (char *)out + member->offset, &value);
}

static int decode(struct netbroker_cursor body, const struct member *members, size_t count, void *out)
{
    struct netbroker_value map;
    if (body.at == body.end)
        return 0;
    if (netbroker_read(&body, &map) < 0)
        return -EBADMSG;
    if (map.type == NETBROKER_NIL)
        return 0;
    if (map.type != NETBROKER_MAP)
        return -EBADMSG;
    int result = 0;
    for (uint32_t pairs = map.count; pairs > 0 && result == 0; pairs--)
        result = decode_pair(&body, members, count, out);
    return result;
}

#define DECODE(body, members, out) decode(body, members, sizeof(members) / sizeof((members)[0]), out)

int nbc_decode_error(struct netbroker_cursor body, struct netbroker_error *ret_error)
{
    static const struct member members[] = {
        MEMBER("code", TEXT, struct netbroker_error, code),
        MEMBER("message", TEXT, struct netbroker_error, message),
        MEMBER("name", TEXT, struct netbroker_error, name),
        MEMBER("syscall", TEXT, struct netbroker_error, syscall),
        MEMBER("address", TEXT, struct netbroker_error, address),
        MEMBER("hostname", TEXT, struct netbroker_error, hostname),
        MEMBER("argument", TEXT, struct netbroker_error, argument),
        MEMBER("limit", TEXT, struct netbroker_error, limit),
        MEMBER("method", TEXT, struct netbroker_error, method),
        MEMBER("errno", SIGNED, struct netbroker_error, error_number),
        MEMBER("port", SIGNED, struct netbroker_error, port),
        MEMBER("target", NUMBER, struct netbroker_error, target),
        MEMBER("fatal", FLAG, struct netbroker_error, fatal),
    };
    struct netbroker_error error = {.code = ""};
    int result = DECODE(body, members, &error);
    if (result < 0 || !error.code[0])
        return -EBADMSG;
    *ret_error = error;
    return 0;
}

#define ENDPOINT_MEMBERS(type, prefix)                                                                       \
    MEMBER("localAddress", TEXT, type, prefix local.address),                                                \
        MEMBER("localPort", NUMBER, type, prefix local.port),                                                \
        MEMBER("localFamily", FAMILY, type, prefix local.family),                                            \
        MEMBER("remoteAddress", TEXT, type, prefix remote.address),                                          \
        MEMBER("remotePort", NUMBER, type, prefix remote.port),                                              \
        MEMBER("remoteFamily", FAMILY, type, prefix remote.family)

int nbc_decode_endpoints(struct netbroker_cursor body, struct netbroker_endpoints *ret_endpoints)
{
    static const struct member members[] = {ENDPOINT_MEMBERS(struct netbroker_endpoints, )};
    memset(ret_endpoints, 0, sizeof *ret_endpoints);
    return DECODE(body, members, ret_endpoints);
}

int nbc_decode_address(struct netbroker_cursor body, struct netbroker_address *ret_address)
{
    static const struct member members[] = {
        MEMBER("address", TEXT, struct netbroker_address, address),
        MEMBER("port", NUMBER, struct netbroker_address, port),
        MEMBER("family", FAMILY, struct netbroker_address, family),
        MEMBER("path", TEXT, struct netbroker_address, path),
    };
    memset(ret_address, 0, sizeof *ret_address);
    return DECODE(body, members, ret_address);
}

int nbc_decode_closed(struct netbroker_cursor body, struct netbroker_closed *ret_closed)
{
    static const struct member members[] = {
        MEMBER("hadError", FLAG, struct netbroker_closed, had_error),
        MEMBER("bytesRead", NUMBER, struct netbroker_closed, bytes_read),
        MEMBER("bytesWritten", NUMBER, struct netbroker_closed, bytes_written),
    };
    memset(ret_closed, 0, sizeof *ret_closed);
    return DECODE(body, members, ret_closed);
}

static int decode_peer(struct netbroker_cursor body, struct nbc_connection *connection)
{
    static const struct member members[] = {
        MEMBER("uid", NUMBER, struct netbroker_peer, uid),
        MEMBER("gid", NUMBER, struct netbroker_peer, gid),
        MEMBER("pid", NUMBER, struct netbroker_peer, pid),
    };
    struct netbroker_cursor peer;
    int result = netbroker_find(body, "peer", &peer);
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    connection->has_peer = true;
    return DECODE(peer, members, &connection->peer);
}

int nbc_decode_connection(struct netbroker_cursor body, struct nbc_connection *ret_connection)
{
    static const struct member members[] = {
        MEMBER("socket", NUMBER, struct nbc_connection, socket),
        ENDPOINT_MEMBERS(struct nbc_connection, endpoints.),
    };
    memset(ret_connection, 0, sizeof *ret_connection);
    int result = DECODE(body, members, ret_connection);
    return result < 0 ? result : decode_peer(body, ret_connection);
}

/* Whether the text is in the array. */
static int find_text(struct netbroker_cursor array, const char *text, bool *ret_found)
{
    struct netbroker_value value;
    *ret_found = false;
    if (netbroker_read(&array, &value) < 0 || value.type != NETBROKER_ARRAY)
        return -EBADMSG;
    for (uint32_t left = value.count; left > 0; left--) {
        if (netbroker_read(&array, &value) < 0 || value.type != NETBROKER_STR)
            return -EBADMSG;
        *ret_found |= value.slice.length == strlen(text) && !memcmp(value.slice.bytes, text, strlen(text));
    }
    return 0;
}

int nbc_decode_welcome(struct netbroker_cursor body, struct nbc_welcome *ret_welcome)
{
    static const struct member members[] = {
        MEMBER("maxWrite", NUMBER, struct nbc_welcome, max_write),
        MEMBER("writeWindow", NUMBER, struct nbc_welcome, write_window),
        MEMBER("sessionWriteWindow", NUMBER, struct nbc_welcome, session_write_window),
    };
    struct netbroker_cursor features, limits;
    bool has_fds = false;
    *ret_welcome = (struct nbc_welcome){0};
    int result = netbroker_find(body, "features", &features);
    if (result == 0)
        result = find_text(features, "flow", &ret_welcome->has_flow);
    if (result == 0)
        result = find_text(features, "fds", &has_fds);
    if (result == 0)
        result = find_text(features, "channel", &ret_welcome->has_channels);
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    ret_welcome->has_channels &= has_fds;
    result = netbroker_find(body, "limits", &limits);
    return result == -ENOENT ? 0 : result < 0 ? result : DECODE(limits, members, ret_welcome);
}

int nbc_decode_closing(struct netbroker_cursor body, uint32_t *ret_deadline)
{
    static const struct member members[] = {{"deadline", NUMBER, 0, sizeof *ret_deadline}};
    *ret_deadline = 0;
    return DECODE(body, members, ret_deadline);
}
