#include "ip.h"
#include "characters.h"

enum {
    V4_MIN = 7, /* characters */
    V4_MAX = 15,
    V6_MIN = 2,
    V6_MAX = 45, /* 0000:0000:0000:0000:0000:ffff:255.255.255.255 */
};

/* Where a text has the characters of an IPv6 address, up to the first other one. */
struct front {
    uint64_t hex, colons, dots;
    unsigned end;
};

/* The lowest n bits, n < 64. */
static uint64_t low_bits(size_t n)
{
    return ((uint64_t)1 << n) - 1;
}

static unsigned lowest(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

static unsigned highest(uint64_t bits)
{
    return 63 - (unsigned)__builtin_clzll(bits);
}

static uint64_t without_lowest(uint64_t bits)
{
    return bits & (bits - 1);
}

/* Plain C, since not every x86-64 has an instruction for it. */
static unsigned count(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
    return (unsigned)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56);
}

/* Three digits that are more than 255: where the first is. */
static uint64_t above_255(nb_characters characters)
{
    uint64_t is_2 = nb_characters_equal(characters, '2'), is_5 = nb_characters_equal(characters, '5');
    uint64_t above_2 = nb_characters_between(characters, '3', '9');
    uint64_t above_5 = nb_characters_between(characters, '6', '9');
    return above_2 | (is_2 & (above_5 >> 1 | (is_5 >> 1 & above_5 >> 2)));
}

/* Four numbers up to 255 without leading zeroes; the dots tell where. */
NB_INLINE bool is_v4(const char *text, size_t length, uint64_t *ret_dots)
{
    if (length < V4_MIN || length > V4_MAX)
        return false;
    nb_characters characters = nb_characters_load(text, length);
    uint64_t digits = nb_characters_between(characters, '0', '9');
    uint64_t dots = nb_characters_equal(characters, '.');
    uint64_t third_dot = without_lowest(without_lowest(dots));
    if ((digits | dots) != low_bits(length) || !third_dot || without_lowest(third_dot))
        return false;
    uint64_t starts = dots << 1 | 1, stops = dots | (uint64_t)1 << length;
    uint64_t of_two = starts & digits & digits >> 1, of_three = of_two & digits >> 2;
    uint64_t empty = starts & stops, too_long = of_three & digits >> 3;
    uint64_t leading_zero = of_two & nb_characters_equal(characters, '0');
    *ret_dots = dots;
    return !(empty | too_long | leading_zero | (of_three & above_255(characters)));
}

/* At most three digits, the last one in the highest byte, zeroes below the first; less than 256. */
static uint8_t decimal_of(uint32_t characters)
{
    return (uint8_t)((characters & 0x0f0f0f0f) * (100 << 16 | 10 << 8 | 1) >> 24);
}

static uint8_t decimal_at(const char *text, unsigned digits)
{
    return decimal_of(nb_load4(text) << 8 * (4 - digits));
}

static uint8_t decimal_before(const char *end, unsigned digits)
{
    return decimal_of(nb_load4(end - 4) & ~(uint32_t)0 << 8 * (4 - digits));
}

/* The first two numbers have four characters from their start, the last two up to their end. */
NB_INLINE void read_v4(const char *text, size_t length, uint64_t dots, uint8_t *ret_bytes)
{
    unsigned first = lowest(dots), second = lowest(without_lowest(dots)), third = highest(dots);
    ret_bytes[0] = decimal_at(text, first);
    ret_bytes[1] = decimal_at(text + first + 1, second - first - 1);
    ret_bytes[2] = decimal_before(text + third, third - second - 1);
    ret_bytes[3] = decimal_before(text + length, (unsigned)length - third - 1);
}

/* Adds up to sixteen characters from `at` on; true while there is no other among them. */
NB_INLINE bool look_at(struct front *front, size_t at, const char *text, size_t length)
{
    nb_characters characters = nb_characters_load(text, length);
    uint64_t hex = nb_characters_hex(characters);
    uint64_t colons = nb_characters_equal(characters, ':');
    uint64_t dots = nb_characters_equal(characters, '.');
    front->hex |= hex << at;
    front->colons |= colons << at;
    front->dots |= dots << at;
    return (hex | colons | dots) == 0xffff;
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The last sixteen overlap those before rather than that anything beyond the end is read. */
NB_INLINE struct front look_at_front(const char *text, size_t length)
{
    struct front front = {0};
    bool more = look_at(&front, 0, text, length);
    for (size_t next = 16; more && next < length && next <= V6_MAX; next += 16) {
        size_t at = lesser(next, length - 16);
        more = look_at(&front, at, text + at, 16);
    }
    front.end = lowest(~(front.hex | front.colons | front.dots));
    if (front.end < length) {
        front.colons &= low_bits(front.end);
        front.dots &= low_bits(front.end);
    }
    return front;
}

/* Where the dotted tail starts; the end where there is none. */
static unsigned tail_of(const struct front *front)
{
    return front->dots ? highest(front->colons) + 1 : front->end;
}

/* Groups of hex digits between single colons, but for one "::" in place of at least one group. */
NB_INLINE bool is_colon_notation(uint64_t hex, uint64_t colons, unsigned length, bool has_tail)
{
    uint64_t gap = colons & colons >> 1;
    uint64_t single = colons & ~gap & ~(gap << 1);
    uint64_t edges = 1 | (uint64_t)!has_tail << (length - 1);
    uint64_t too_long = hex & hex >> 1 & hex >> 2 & hex >> 3 & hex >> 4;
    uint64_t others = (hex | colons) ^ low_bits(length);
    unsigned groups = count(hex & ~(hex << 1)) + 2 * has_tail;
    return !(others | too_long | (single & edges) | without_lowest(gap)) && (gap ? groups < 8 : groups == 8);
}

NB_INLINE bool is_v6(const char *text, const struct front *front)
{
    if (front->end < V6_MIN || front->end > V6_MAX || !front->colons)
        return false;
    unsigned tail = tail_of(front);
    uint64_t dots;
    return is_colon_notation(front->hex & low_bits(tail), front->colons, tail, front->dots) &&
           (tail == front->end || is_v4(text + tail, front->end - tail, &dots));
}

/* One to four hex digits at `at`, in a text of at least four characters. */
static void read_group(const char *text, size_t length, size_t at, unsigned digits, uint8_t *ret_bytes)
{
    size_t from = at + 4 > length ? length - 4 : at;
    uint32_t characters = nb_load4(text + from) >> 8 * (at - from) << 8 * (4 - digits);
    uint32_t nibbles = (characters & 0x0f0f0f0f) + 9 * (characters >> 6 & 0x01010101);
    uint32_t pairs = nibbles << 4 | nibbles >> 8;
    ret_bytes[0] = (uint8_t)pairs;
    ret_bytes[1] = (uint8_t)(pairs >> 16);
}

/* ret_bytes are zeroes before. */
static void read_groups(const char *text, size_t length, uint64_t hex, uint64_t colons, bool has_tail,
                        uint8_t *ret_bytes)
{
    uint64_t starts = hex & ~(hex << 1), ends = hex << 1 & ~hex, gap = colons & colons >> 1;
    unsigned missing = 8 - 2 * has_tail - count(starts);
    for (; starts; starts = without_lowest(starts), ends = without_lowest(ends), ret_bytes += 2) {
        unsigned at = lowest(starts);
        bool is_behind_gap = gap & low_bits(at);
        read_group(text, length, at, lowest(ends) - at, ret_bytes + (is_behind_gap ? 2 * missing : 0));
    }
}

static void read_v6(const char *text, const struct front *front, uint8_t *ret_bytes)
{
    unsigned tail = tail_of(front);
    bool has_tail = tail < front->end;
    uint64_t hex = front->hex & low_bits(tail);
    if (has_tail)
        read_v4(text + tail, front->end - tail, front->dots >> tail, ret_bytes + 12);
    char four[4] = {0};
    if (front->end < sizeof four)
        text = memcpy(four, text, front->end);
    read_groups(text, front->end < 4 ? 4 : front->end, hex, front->colons, has_tail, ret_bytes);
}

static bool is_zone_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == ':';
}

/* Nothing, or '%' and at least one character. */
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

/* Nothing, or '%' and whatever has no NUL. */
static bool is_any_zone(const char *text, size_t length)
{
    return length == 0 || (text[0] == '%' && !memchr(text, 0, length));
}

int nb_ip_version(const char *text, size_t length)
{
    uint64_t dots;
    if (is_v4(text, length, &dots))
        return 4;
    struct front front = look_at_front(text, length);
    return is_v6(text, &front) && is_zone(text + front.end, length - front.end) ? 6 : 0;
}

static bool parse_v4(const char *text, size_t length, struct nb_ip *ret_ip)
{
    uint64_t dots;
    if (!is_v4(text, length, &dots))
        return false;
    *ret_ip = (struct nb_ip){.family = 4};
    read_v4(text, length, dots, ret_ip->bytes);
    return true;
}

static bool parse_v6(const char *text, size_t length, bool (*takes_zone)(const char *, size_t),
                     struct nb_ip *ret_ip, size_t *ret_end)
{
    struct front front = look_at_front(text, length);
    if (!is_v6(text, &front) || !takes_zone(text + front.end, length - front.end))
        return false;
    *ret_ip = (struct nb_ip){.family = 6};
    read_v6(text, &front, ret_ip->bytes);
    *ret_end = front.end;
    return true;
}

bool nb_ip_parse(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_zone_at)
{
    size_t end = length;
    if (!parse_v4(text, length, ret_ip) && !parse_v6(text, length, is_zone, ret_ip, &end))
        return false;
    if (ret_zone_at)
        *ret_zone_at = end < length ? end + 1 : length;
    return true;
}

bool nb_ip_parse_as(const char *text, size_t length, int family, struct nb_ip *ret_ip)
{
    size_t end;
    if (family == 4)
        return parse_v4(text, length, ret_ip);
    return family == 6 && parse_v6(text, length, is_any_zone, ret_ip, &end);
}
