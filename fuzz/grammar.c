#include "grammar.h"

#include <string.h>

/* What is left of a text. */
struct rest {
    const char *at, *end;
};

static bool take(struct rest *rest, char c)
{
    if (rest->at == rest->end || *rest->at != c)
        return false;
    rest->at++;
    return true;
}

static bool is_within(char c, char first, char last)
{
    return c >= first && c <= last;
}

/* 16: none. */
static int digit_of(char c)
{
    return is_within(c, '0', '9')   ? c - '0'
           : is_within(c, 'a', 'f') ? c - 'a' + 10
           : is_within(c, 'A', 'F') ? c - 'A' + 10
                                    : 16;
}

/* 1*most digits of a base. */
static bool take_number(struct rest *rest, int base, int most, unsigned *ret_number)
{
    unsigned number = 0;
    int count = 0;
    for (; rest->at < rest->end && digit_of(*rest->at) < base; rest->at++, count++) {
        if (count == most)
            return false;
        number = number * (unsigned)base + (unsigned)digit_of(*rest->at);
    }
    *ret_number = number;
    return count > 0;
}

/* "0" / %x31-39 *2DIGIT, up to 255 */
static bool take_octet(struct rest *rest, uint8_t *ret_octet)
{
    const char *start = rest->at;
    unsigned number;
    if (!take_number(rest, 10, 3, &number) || number > 255 || (rest->at - start > 1 && *start == '0'))
        return false;
    *ret_octet = (uint8_t)number;
    return true;
}

/* octet 3( "." octet ), and no more */
static bool take_dotted(struct rest *rest, uint8_t *ret_bytes)
{
    for (int i = 0; i < 4; i++)
        if ((i && !take(rest, '.')) || !take_octet(rest, ret_bytes + i))
            return false;
    return rest->at == rest->end;
}

bool grammar_v4(const char *text, size_t length, struct nb_ip *ret_ip)
{
    struct rest rest = {text, text + length};
    *ret_ip = (struct nb_ip){.family = 4};
    return take_dotted(&rest, ret_ip->bytes);
}

/* Groups with ":" between them; the last may be a dotted one. Returns their bytes, -1: it is no such list. */
static int take_groups(struct rest rest, uint8_t *ret_bytes)
{
    int used = 0;
    if (rest.at == rest.end)
        return 0;
    for (bool more = true; more; more = take(&rest, ':')) {
        struct rest dotted = rest;
        unsigned group;
        if (used <= 12 && take_dotted(&dotted, ret_bytes + used))
            return used + 4;
        if (used == 16 || !take_number(&rest, 16, 4, &group))
            return -1;
        ret_bytes[used++] = (uint8_t)(group >> 8);
        ret_bytes[used++] = (uint8_t)group;
    }
    return rest.at == rest.end ? used : -1;
}

static const char *find_gap(const char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++)
        if (text[i] == ':' && text[i + 1] == ':')
            return text + i;
    return NULL;
}

static bool has_dot(const char *text, size_t length)
{
    return length > 0 && memchr(text, '.', length);
}

/* groups / [ groups ] "::" [ groups ] of 16 bytes, with a "::" at most 14, and dots at the end only */
bool grammar_v6(const char *text, size_t length, struct nb_ip *ret_ip)
{
    uint8_t front[20], back[20];
    const char *gap = find_gap(text, length), *end = text + length;
    *ret_ip = (struct nb_ip){.family = 6};
    if (!gap)
        return take_groups((struct rest){text, end}, ret_ip->bytes) == 16;
    int before = take_groups((struct rest){text, gap}, front);
    int behind = take_groups((struct rest){gap + 2, end}, back);
    if (before < 0 || behind < 0 || before + behind > 14 || has_dot(text, (size_t)(gap - text)))
        return false;
    memcpy(ret_ip->bytes, front, (size_t)before);
    memcpy(ret_ip->bytes + 16 - behind, back, (size_t)behind);
    return true;
}

const char *grammar_find_percent(const char *text, size_t length)
{
    const char *found = length ? memchr(text, '%', length) : NULL;
    return found ? found : text + length;
}

/* [ "%" 1*( ALPHA / DIGIT / "-" / "." / ":" ) ] */
bool grammar_is_zone(const char *text, size_t length)
{
    for (size_t i = 1; i < length; i++) {
        char c = text[i];
        if (!is_within(c, 'a', 'z') && !is_within(c, 'A', 'Z') && !is_within(c, '0', '9') && c != '-' &&
            c != '.' && c != ':')
            return false;
    }
    return length == 0 || (text[0] == '%' && length > 1);
}

bool grammar_parse_as(const char *text, size_t length, int family, struct nb_ip *ret_ip)
{
    if (length && memchr(text, 0, length))
        return false;
    if (family == 4)
        return grammar_v4(text, length, ret_ip);
    return grammar_v6(text, (size_t)(grammar_find_percent(text, length) - text), ret_ip);
}
