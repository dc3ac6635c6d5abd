#include "socket_address.h"

#include <string.h>

enum { FLOWLABEL_MAX = 0xfffff };

static char lower_case(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* "ipv4" or "ipv6" in any letter case: 4 or 6; 0: something else. */
static int family_of(const struct nb_socket_address_text *text)
{
    if (!text->data)
        return 4;
    if (text->length != 4)
        return 0;
    for (int i = 0; i < 3; i++)
        if (lower_case(text->data[i]) != "ipv"[i])
            return 0;
    return text->data[3] == '4' ? 4 : text->data[3] == '6' ? 6 : 0;
}

static bool is_within(double value, double most)
{
    return value >= 0 && value <= most;
}

static enum nb_socket_address_fault check_port(const struct nb_socket_address_number *port)
{
    if (!port->given || (is_within(port->value, UINT16_MAX) && port->value == (uint16_t)port->value))
        return NB_SOCKET_ADDRESS_OK;
    return NB_SOCKET_ADDRESS_PORT;
}

/* Doubles beyond 2^53 have no fraction. */
static bool has_fraction(double value)
{
    static const double exact = 9007199254740992.0;
    if (value != value || value - value != 0)
        return true;
    return value > -exact && value < exact && value != (double)(int64_t)value;
}

static enum nb_socket_address_fault check_flowlabel(const struct nb_socket_address_number *flowlabel,
                                                    int family)
{
    if (!flowlabel->given)
        return NB_SOCKET_ADDRESS_OK;
    if (has_fraction(flowlabel->value))
        return NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION;
    if (!is_within(flowlabel->value, UINT32_MAX))
        return NB_SOCKET_ADDRESS_FLOWLABEL_RANGE;
    if (family == 6 && flowlabel->value > FLOWLABEL_MAX)
        return NB_SOCKET_ADDRESS_FLOWLABEL_BITS;
    return NB_SOCKET_ADDRESS_OK;
}

static bool read_address(const struct nb_socket_address_options *options, int family, struct nb_ip *ret_ip)
{
    const struct nb_socket_address_text *text = &options->address;
    if (text->data)
        return nb_ip_parse_as(text->data, text->length, family, ret_ip);
    const char *name = options->family.data;
    if (!name || memcmp(name, "ipv4", 4) == 0)
        return nb_ip_parse_as("127.0.0.1", 9, family, ret_ip);
    return nb_ip_parse_as("::", 2, family, ret_ip);
}

enum nb_socket_address_fault nb_socket_address_make(const struct nb_socket_address_options *options,
                                                    struct nb_socket_address *ret_address)
{
    struct nb_socket_address made = {.port = 0};
    int family = family_of(&options->family);
    if (!family)
        return NB_SOCKET_ADDRESS_FAMILY;
    enum nb_socket_address_fault fault = check_port(&options->port);
    if (!fault)
        fault = check_flowlabel(&options->flowlabel, family);
    if (fault)
        return fault;
    if (!read_address(options, family, &made.ip))
        return NB_SOCKET_ADDRESS_ADDRESS;
    if (options->port.given)
        made.port = (uint16_t)options->port.value;
    if (options->flowlabel.given && family == 6)
        made.flowlabel = (uint32_t)options->flowlabel.value;
    *ret_address = made;
    return NB_SOCKET_ADDRESS_OK;
}

const char *nb_socket_address_family(const struct nb_socket_address *address)
{
    return address->ip.family == 6 ? "ipv6" : "ipv4";
}
