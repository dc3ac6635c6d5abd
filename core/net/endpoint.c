#include "endpoint.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

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
    size_t length = nb_ip_format(&address->ip, text);
    char zone[IF_NAMESIZE];
    if (address->ip.family == 6 && address->scope && if_indextoname(address->scope, zone))
        snprintf(text + length, NB_ENDPOINT_TEXT - length, "%%%s", zone);
    return text;
}

bool nb_endpoint_equal(const struct nb_endpoint *a, const struct nb_endpoint *b)
{
    return a->ip.family == b->ip.family && a->port == b->port && a->scope == b->scope &&
           memcmp(a->ip.bytes, b->ip.bytes, a->ip.family == 6 ? 16 : 4) == 0;
}

const char *nb_endpoint_family_name(const struct nb_endpoint *address)
{
    return address->ip.family == 6 ? "IPv6" : "IPv4";
}

/* 0 where there is no such interface. */
static uint32_t index_of_name(const char *text, size_t length)
{
    char name[IF_NAMESIZE];
    if (length >= sizeof name)
        return 0;
    memcpy(name, text, length);
    name[length] = '\0';
    return if_nametoindex(name);
}

/* An interface's number or its name. */
static uint32_t zone_index(const char *zone, size_t length)
{
    uint32_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (zone[i] < '0' || zone[i] > '9' || number > UINT32_MAX / 10 - 1)
            return index_of_name(zone, length);
        number = number * 10 + (uint32_t)(zone[i] - '0');
    }
    return number;
}

bool nb_endpoint_parse(struct nb_slice slice, struct nb_endpoint *ret_address)
{
    const char *text = (const char *)slice.data;
    struct nb_endpoint address = {0};
    size_t zone;
    if (!text || !nb_ip_parse(text, slice.length, &address.ip, &zone))
        return false;
    if (zone < slice.length)
        address.scope = zone_index(text + zone, slice.length - zone);
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
