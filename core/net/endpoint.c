#include "endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

struct nb_endpoint nb_endpoint_from_sockaddr(const struct sockaddr_storage *from)
{
    struct nb_endpoint address = {0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        address.ip.family = 4;
        address.port = ntohs(in->sin_port);
        memcpy(address.ip.bytes, &in->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        address.ip.family = 6;
        address.port = ntohs(in6->sin6_port);
        address.scope = in6->sin6_scope_id;
        memcpy(address.ip.bytes, &in6->sin6_addr, 16);
    }
    return address;
}

socklen_t nb_endpoint_to_sockaddr(const struct nb_endpoint *address, struct sockaddr_storage *ret_to)
{
    memset(ret_to, 0, sizeof *ret_to);
    if (address->ip.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_to;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->ip.bytes, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    in6->sin6_scope_id = address->scope;
    memcpy(&in6->sin6_addr, address->ip.bytes, 16);
    return sizeof *in6;
}

const char *nb_endpoint_format(const struct nb_endpoint *address, char text[NB_ENDPOINT_TEXT])
{
    text[0] = '\0';
    if (address->ip.family == 4)
        inet_ntop(AF_INET, address->ip.bytes, text, NB_ENDPOINT_TEXT);
    else if (address->ip.family == 6)
        inet_ntop(AF_INET6, address->ip.bytes, text, NB_ENDPOINT_TEXT);
    char zone[IF_NAMESIZE];
    if (address->ip.family == 6 && address->scope && if_indextoname(address->scope, zone)) {
        size_t used = strlen(text);
        snprintf(text + used, NB_ENDPOINT_TEXT - used, "%%%s", zone);
    }
    return text;
}

const char *nb_endpoint_family_name(const struct nb_endpoint *address)
{
    return address->ip.family == 6 ? "IPv6" : "IPv4";
}

static bool is_zone_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == ':';
}

/* An interface's name or its number; 0 where there is no such interface. */
static uint32_t zone_index(const char *zone)
{
    uint32_t number = 0;
    for (const char *c = zone; *c; c++) {
        if (*c < '0' || *c > '9' || number > UINT32_MAX / 10 - 1)
            return if_nametoindex(zone);
        number = number * 10 + (uint32_t)(*c - '0');
    }
    return number;
}

static bool take_zone(char *text, uint32_t *ret_scope)
{
    char *zone = strchr(text, '%');
    *ret_scope = 0;
    if (!zone)
        return true;
    *zone++ = '\0';
    if (!*zone)
        return false;
    for (const char *c = zone; *c; c++)
        if (!is_zone_character(*c))
            return false;
    *ret_scope = zone_index(zone);
    return true;
}

bool nb_endpoint_parse(struct nb_slice slice, struct nb_endpoint *ret_address)
{
    char text[INET6_ADDRSTRLEN + 2 * IF_NAMESIZE];
    struct nb_endpoint address = {0};
    if (!slice.data || slice.length >= sizeof text || memchr(slice.data, 0, slice.length))
        return false;
    memcpy(text, slice.data, slice.length);
    text[slice.length] = '\0';
    if (uv_inet_pton(AF_INET, text, address.ip.bytes) == 0)
        address.ip.family = 4;
    else if (take_zone(text, &address.scope) && uv_inet_pton(AF_INET6, text, address.ip.bytes) == 0)
        address.ip.family = 6;
    else
        return false;
    *ret_address = address;
    return true;
}

void nb_endpoint_of_local(int fd, struct nb_endpoint *ret_address)
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    getsockname(fd, (struct sockaddr *)&storage, &length);
    *ret_address = nb_endpoint_from_sockaddr(&storage);
}

void nb_endpoint_of_peer(int fd, struct nb_endpoint *ret_address)
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    getpeername(fd, (struct sockaddr *)&storage, &length);
    *ret_address = nb_endpoint_from_sockaddr(&storage);
}
