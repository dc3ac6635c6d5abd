#include "ip.h"
#include "text.h"

/* How an IPv6 address is written. */
struct form {
    uint64_t starts; /* a bit where a group of hex digits starts */
    uint64_t ends; /* and behind its last digit */
    unsigned groups; /* of 16 bits, with the dotted tail's two */
    unsigned gap; /* where "::" is; NO_GAP: nowhere */
    unsigned tail; /* where the dotted tail is; the end of the address: nowhere */
};

enum { NO_GAP = 64 };

static unsigned lowest(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

static unsigned highest(uint64_t bits)
{
    return 63 - (unsigned)__builtin_clzll(bits);
}

static bool at_most_one(uint64_t bits)
{
    return (bits & (bits - 1)) == 0;
}

static unsigned count(uint64_t bits)
{
    unsigned n = 0;
    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

/* Where the address part of a text ends: at the first character that no address has. */
static unsigned address_end(const struct nb_text_masks *masks)
{
    return lowest(~(masks->hex | masks->colons | masks->dots));
}

/* Four parts of one to three digits, none with a leading zero; values are not looked at. */
static bool is_dotted_form(uint64_t digits, uint64_t dots, size_t length)
{
    uint64_t stops = dots | (uint64_t)1 << length;
    uint64_t starts = dots << 1 | 1;
    uint64_t long_runs = digits & digits >> 1 & digits >> 2 & digits >> 3;
    return (digits | dots) == nb_low_bits(length) && count(dots) == 3 && (starts & stops) == 0 &&
           long_runs == 0;
}

/* One part: its value, or more than 255 where it has a leading zero. */
static unsigned part_of(uint64_t text, unsigned length)
{
    uint32_t part = (uint32_t)text << 8 * (4 - length) & 0x0f0f0f00;
    unsigned hundreds = part >> 8 & 0xf, tens = part >> 16 & 0xf, value;
    value = hundreds * 100 + tens * 10 + (part >> 24);
    static const uint16_t least[] = {0, 0, 10, 100};
    return value < least[length] ? 256 : value;
}

/* Reads a dotted form of 7 to 15 characters. */
static bool read_parts(const char *text, size_t length, uint64_t dots, uint8_t *ret_bytes)
{
    uint64_t low = nb_load_at(text, length, 0);
    uint64_t high = length > 8 ? nb_load_at(text, length, 8) : 0;
    uint64_t stops = dots | (uint64_t)1 << length;
    unsigned wrong = 0;
    for (int i = 0; i < 4; i++) {
        unsigned digits = lowest(stops), bits = 8 * (digits + 1);
        unsigned value = part_of(low, digits);
        wrong |= value >> 8;
        ret_bytes[i] = (uint8_t)value;
        stops >>= digits + 1;
        low = low >> bits | high << (64 - bits);
        high >>= bits;
    }
    return !wrong;
}

/* Characters at to end - 1 are an IPv4 address. May write to ret_bytes even if not. */
static bool read_v4(const char *text, const struct nb_text_masks *masks, size_t at, size_t end,
                    uint8_t *ret_bytes)
{
    size_t length = end - at;
    if (length < 7 || length > 15)
        return false;
    uint64_t digits = masks->digits >> at & nb_low_bits(length);
    uint64_t dots = masks->dots >> at & nb_low_bits(length);
    return is_dotted_form(digits, dots, length) && read_parts(text + at, length, dots, ret_bytes);
}

/* The colon notation of the first `end` characters. */
static bool read_form(const struct nb_text_masks *masks, unsigned end, struct form *ret_form)
{
    bool has_tail = (masks->dots & nb_low_bits(end)) != 0;
    unsigned tail = has_tail ? highest(masks->colons & nb_low_bits(end)) + 1 : end;
    uint64_t hex = masks->hex & nb_low_bits(tail), colons = masks->colons & nb_low_bits(tail);
    uint64_t pairs = colons & colons >> 1;
    uint64_t single = colons & ~pairs & ~(pairs << 1);
    uint64_t long_runs = hex & hex >> 1 & hex >> 2 & hex >> 3 & hex >> 4;
    uint64_t edges = has_tail ? 1 : 1 | (uint64_t)1 << (tail - 1);
    ret_form->starts = hex & ~(hex << 1);
    ret_form->ends = ~hex & hex << 1;
    ret_form->groups = count(ret_form->starts) + 2 * has_tail;
    ret_form->gap = pairs ? lowest(pairs) : NO_GAP;
    ret_form->tail = tail;
    return (hex | colons) == nb_low_bits(tail) && long_runs == 0 && at_most_one(pairs) &&
           (single & edges) == 0 && (pairs ? ret_form->groups <= 7 : ret_form->groups == 8);
}

/* One group of one to four hex digits that starts at `at`. */
static void read_group(const char *text, size_t length, unsigned at, unsigned digits, uint8_t *ret_bytes)
{
    uint32_t word = (uint32_t)nb_load_at(text, length, at) << 8 * (4 - digits);
    uint32_t nibbles = (word & 0x0f0f0f0f) + 9 * (word >> 6 & 0x01010101);
    uint32_t pairs = nibbles << 4 | nibbles >> 8;
    ret_bytes[0] = (uint8_t)pairs;
    ret_bytes[1] = (uint8_t)(pairs >> 16);
}

static void read_groups(const char *text, size_t length, const struct form *form, uint8_t *ret_bytes)
{
    uint64_t starts = form->starts, ends = form->ends;
    uint8_t *to = ret_bytes;
    unsigned skipped = 2 * (8 - form->groups);
    for (; starts; starts &= starts - 1, ends &= ends - 1, to += 2) {
        unsigned at = lowest(starts);
        uint8_t *place = at > form->gap ? to + skipped : to;
        read_group(text, length, at, lowest(ends) - at, place);
    }
}

/* The first `end` characters are an IPv6 address. ret_ip may be NULL. */
static bool read_v6(const char *text, const struct nb_text_masks *masks, unsigned end, struct nb_ip *ret_ip)
{
    struct form form;
    uint8_t tail[4];
    if (end < 2 || end > NB_ADDRESS_MAX || !(masks->colons & nb_low_bits(end)) ||
        !read_form(masks, end, &form))
        return false;
    if (form.tail < end && !read_v4(text, masks, form.tail, end, tail))
        return false;
    if (ret_ip) {
        *ret_ip = (struct nb_ip){.family = 6};
        read_groups(text, end, &form, ret_ip->bytes);
        if (form.tail < end)
            memcpy(ret_ip->bytes + 12, tail, 4);
    }
    return true;
}

static bool is_zone_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == ':';
}

/* Nothing, or '%' and at least one character of a zone. */
static bool is_zone(const char *text, size_t length)
{
    if (length == 0)
        return true;
    if (text[0] != '%' || length == 1)
        return false;
    for (size_t i = 1; i < length; i++)
        if (!is_zone_character(text[i]))
            return false;
    return true;
}

/* As nb_ip_version, with the end of the address part; ret_ip may be NULL. */
static int read_ip(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_end)
{
    struct nb_text_masks masks = nb_text_masks(text, length);
    unsigned end = address_end(&masks);
    struct nb_ip v4 = {.family = 4};
    *ret_end = end;
    if (masks.colons)
        return read_v6(text, &masks, end, ret_ip) && is_zone(text + end, length - end) ? 6 : 0;
    if (end != length || !read_v4(text, &masks, 0, length, v4.bytes))
        return 0;
    if (ret_ip)
        *ret_ip = v4;
    return 4;
}

int nb_ip_version(const char *text, size_t length)
{
    size_t end;
    return read_ip(text, length, NULL, &end);
}

bool nb_ip_parse(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_zone_at)
{
    struct nb_ip ip;
    size_t end;
    if (!read_ip(text, length, &ip, &end))
        return false;
    *ret_ip = ip;
    if (ret_zone_at)
        *ret_zone_at = end == length ? length : end + 1;
    return true;
}

bool nb_ip_parse_as(const char *text, size_t length, int family, struct nb_ip *ret_ip)
{
    struct nb_text_masks masks = nb_text_masks(text, length);
    unsigned end = address_end(&masks);
    struct nb_ip ip = {.family = 4};
    if (family == 6 ? !read_v6(text, &masks, end, &ip) || (end < length && text[end] != '%') ||
                          memchr(text + end, 0, length - end)
                    : family != 4 || end != length || !read_v4(text, &masks, 0, length, ip.bytes))
        return false;
    *ret_ip = ip;
    return true;
}
