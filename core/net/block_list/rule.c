#include "rule.h"

#include "cidr.h"

#include <string.h>

/* What Node writes in front of a rule of that kind. */
static const struct {
    const char *word;
    size_t length;
} kinds[] = {
    [NB_RULE_ADDRESS] = {"Address: ", 9},
    [NB_RULE_RANGE] = {"Range: ", 7},
    [NB_RULE_SUBNET] = {"Subnet: ", 8},
};

enum { KINDS = sizeof kinds / sizeof *kinds, FAMILY_WORD = 5 /* "IPv4 " */ };

static bool is_family(uint8_t family)
{
    return family == 4 || family == 6;
}

static uint8_t widest_prefix(const struct nb_ip *network)
{
    return network->family == 4 ? 32 : 128;
}

/* ---- order of a range's ends ---- */

/* The IPv4 address in an address of either family; NULL: there is none. */
static const uint8_t *v4_bytes(const struct nb_ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (ip->family == 4)
        return ip->bytes;
    return memcmp(ip->bytes, mapped, sizeof mapped) == 0 ? ip->bytes + sizeof mapped : NULL;
}

/* As Node has it: addresses of two families have an order only if both are IPv4 in some form. */
static bool is_after(const struct nb_ip *a, const struct nb_ip *b)
{
    if (a->family == b->family)
        return memcmp(a->bytes, b->bytes, sizeof a->bytes) > 0;
    const uint8_t *a4 = v4_bytes(a), *b4 = v4_bytes(b);
    return a4 && b4 && memcmp(a4, b4, 4) > 0;
}

bool nb_rule_is_valid(const struct nb_rule *rule)
{
    if (!is_family(rule->first.family))
        return false;
    if (rule->kind == NB_RULE_RANGE)
        return is_family(rule->last.family) && !is_after(&rule->first, &rule->last);
    if (rule->kind == NB_RULE_SUBNET && rule->prefix > widest_prefix(&rule->first))
        return false;
    return rule->kind < KINDS && rule->last.family == 0;
}

static bool same_ip(const struct nb_ip *a, const struct nb_ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool nb_rule_equals(const struct nb_rule *a, const struct nb_rule *b)
{
    if (a->kind != b->kind || !same_ip(&a->first, &b->first))
        return false;
    if (a->kind == NB_RULE_RANGE)
        return same_ip(&a->last, &b->last);
    return a->kind != NB_RULE_SUBNET || a->prefix == b->prefix;
}

/* ---- writing ---- */

size_t nb_rule_format_line(const struct nb_rule *rule, char ret_text[NB_RULE_TEXT])
{
    if (rule->kind == NB_RULE_SUBNET)
        return nb_cidr_format(&(struct nb_cidr){.network = rule->first, .prefix = rule->prefix}, ret_text);
    size_t length = nb_ip_format(&rule->first, ret_text);
    if (rule->kind != NB_RULE_RANGE)
        return length;
    ret_text[length++] = '-';
    return length + nb_ip_format(&rule->last, ret_text + length);
}

size_t nb_rule_format(const struct nb_rule *rule, char ret_text[NB_RULE_TEXT])
{
    size_t length = kinds[rule->kind].length;
    memcpy(ret_text, kinds[rule->kind].word, length);
    memcpy(ret_text + length, rule->first.family == 4 ? "IPv4 " : "IPv6 ", FAMILY_WORD);
    length += FAMILY_WORD;
    return length + nb_rule_format_line(rule, ret_text + length);
}

/* ---- reading ---- */

static const char *read_ip(const char *text, size_t length, struct nb_ip *ret_ip)
{
    size_t zone;
    if (!nb_ip_parse(text, length, ret_ip, &zone))
        return length ? "not an IP address" : "an address is missing";
    return zone == length ? NULL : "an address in a rule has no zone";
}

static const char *read_prefix(const char *text, size_t length, struct nb_rule *rule)
{
    unsigned value = 0, widest = widest_prefix(&rule->first);
    if (length == 0 || (length > 1 && text[0] == '0'))
        return "the prefix is not a decimal number";
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return "the prefix is not a decimal number";
        if (value <= widest)
            value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > widest)
        return widest == 32 ? "the prefix is larger than 32" : "the prefix is larger than 128";
    rule->prefix = (uint8_t)value;
    return NULL;
}

/* What follows the first address, from '/' or '-' on; nothing, where text is NULL. */
static const char *read_tail(const char *text, size_t length, struct nb_rule *rule)
{
    if (!text)
        return NULL;
    rule->kind = *text == '/' ? NB_RULE_SUBNET : NB_RULE_RANGE;
    if (rule->kind == NB_RULE_SUBNET)
        return read_prefix(text + 1, length - 1, rule);
    const char *fault = read_ip(text + 1, length - 1, &rule->last);
    if (fault)
        return fault;
    return is_after(&rule->first, &rule->last) ? "the range starts after its end" : NULL;
}

/* Where the first address ends and more follows; NULL: nothing follows. */
static const char *find_tail(const char *text, size_t length)
{
    const char *mark = length ? memchr(text, '/', length) : NULL;
    return mark || !length ? mark : memchr(text, '-', length);
}

static const char *read_line(const char *text, size_t length, struct nb_rule *rule)
{
    const char *mark = find_tail(text, length);
    size_t head = mark ? (size_t)(mark - text) : length;
    const char *fault = read_ip(text, head, &rule->first);
    return fault ? fault : read_tail(mark, length - head, rule);
}

/* 4 or 6, 0: something else is written there. */
static uint8_t read_family(const char *text, size_t length)
{
    if (length < FAMILY_WORD || memcmp(text, "IPv", 3) != 0 || text[4] != ' ')
        return 0;
    return text[3] == '4' ? 4 : text[3] == '6' ? 6 : 0;
}

static const char *read_named(const char *text, size_t length, enum nb_rule_kind kind, struct nb_rule *rule)
{
    uint8_t family = read_family(text, length);
    if (!family)
        return "neither IPv4 nor IPv6 stands in front of the address";
    const char *fault = read_line(text + FAMILY_WORD, length - FAMILY_WORD, rule);
    if (fault)
        return fault;
    if (rule->kind != kind)
        return "not the kind of rule that its first word says";
    return rule->first.family == family ? NULL : "not an address of the family that stands in front of it";
}

/* KINDS: the text is a line. No address starts with these words, though one may with an 'A'. */
static unsigned named_kind(const char *text, size_t length)
{
    unsigned kind = 0;
    if (length == 0 || (text[0] != 'A' && text[0] != 'R' && text[0] != 'S'))
        return KINDS;
    while (kind < KINDS &&
           (length < kinds[kind].length || memcmp(text, kinds[kind].word, kinds[kind].length) != 0))
        kind++;
    return kind;
}

const char *nb_rule_parse(const char *text, size_t length, struct nb_rule *ret_rule)
{
    struct nb_rule rule = {.kind = NB_RULE_ADDRESS};
    unsigned kind = named_kind(text, length);
    const char *fault;
    if (kind == KINDS) {
        fault = read_line(text, length, &rule);
    } else {
        size_t word = kinds[kind].length;
        fault = read_named(text + word, length - word, (enum nb_rule_kind)kind, &rule);
    }
    if (!fault)
        *ret_rule = rule;
    return fault;
}
