#include "cidr.h"

#include <string.h>

/* Of at most three characters: decimal digits without leading zeroes; -1: something else. */
static int read_prefix(const char *text, size_t length)
{
    int value = 0;
    if (length == 0 || (length > 1 && text[0] == '0'))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Where the '/' in front of up to three characters is; length: nowhere. */
static size_t find_slash(const char *text, size_t length)
{
    for (size_t at = length; at > 0 && at + 4 > length; at--)
        if (text[at - 1] == '/')
            return at - 1;
    return length;
}

bool nb_cidr_parse(const char *text, size_t length, struct nb_cidr *ret_cidr)
{
    struct nb_ip network;
    size_t slash = find_slash(text, length), zone;
    if (slash == length || !nb_ip_parse(text, slash, &network, &zone) || zone != slash)
        return false;
    int prefix = read_prefix(text + slash + 1, length - slash - 1);
    if (prefix < 0 || prefix > (network.family == 4 ? 32 : 128))
        return false;
    *ret_cidr = (struct nb_cidr){.network = network, .prefix = (uint8_t)prefix};
    return true;
}

size_t nb_cidr_format(const struct nb_cidr *cidr, char ret_text[NB_CIDR_TEXT])
{
    size_t length = nb_ip_format(&cidr->network, ret_text);
    unsigned prefix = cidr->prefix;
    ret_text[length++] = '/';
    if (prefix >= 100)
        ret_text[length++] = (char)('0' + prefix / 100);
    if (prefix >= 10)
        ret_text[length++] = (char)('0' + prefix / 10 % 10);
    ret_text[length++] = (char)('0' + prefix % 10);
    ret_text[length] = '\0';
    return length;
}

void nb_cidr_bounds(const struct nb_cidr *cidr, struct nb_ip *ret_first, struct nb_ip *ret_last)
{
    struct nb_ip first = cidr->network, last = cidr->network;
    int size = first.family == 4 ? 4 : 16;
    for (int i = 0; i < size; i++) {
        int network_bits = cidr->prefix - 8 * i;
        uint8_t hosts = (uint8_t)(network_bits >= 8 ? 0 : network_bits <= 0 ? 0xff : 0xff >> network_bits);
        first.bytes[i] &= (uint8_t)~hosts;
        last.bytes[i] |= hosts;
    }
    *ret_first = first;
    *ret_last = last;
}
