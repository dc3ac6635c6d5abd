#include "ip.h"

#include <string.h>

static char *put_decimal(char *at, unsigned value)
{
    if (value >= 100)
        *at++ = (char)('0' + value / 100);
    if (value >= 10)
        *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

static char *put_v4(char *at, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i)
            *at++ = '.';
        at = put_decimal(at, bytes[i]);
    }
    return at;
}

static char *put_hex(char *at, unsigned value)
{
    int shift = value >= 0x1000 ? 12 : value >= 0x100 ? 8 : value >= 0x10 ? 4 : 0;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[value >> shift & 0xf];
    return at;
}

static unsigned group_of(const uint8_t *bytes, int i)
{
    return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The longest run of zero groups, the first of equals; a single one is none. */
static int longest_gap(const uint8_t *bytes, int *ret_length)
{
    int best = -1, best_length = 1;
    for (int i = 0, run = 0; i < 8; i++) {
        run = group_of(bytes, i) ? 0 : run + 1;
        if (run > best_length) {
            best_length = run;
            best = i + 1 - run;
        }
    }
    *ret_length = best < 0 ? 0 : best_length;
    return best;
}

static char *put_v6(char *at, const uint8_t *bytes)
{
    int gap_length, gap = longest_gap(bytes, &gap_length);
    bool dotted = gap == 0 && (gap_length == 6 || (gap_length == 5 && group_of(bytes, 5) == 0xffff));
    int groups = dotted ? 6 : 8;
    for (int i = 0; i < groups; i++) {
        if (i == gap) {
            *at++ = ':';
            i += gap_length - 1;
        } else {
            if (i)
                *at++ = ':';
            at = put_hex(at, group_of(bytes, i));
        }
    }
    if (dotted || gap + gap_length == 8)
        *at++ = ':';
    return dotted ? put_v4(at, bytes + 12) : at;
}

size_t nb_ip_format(const struct nb_ip *ip, char ret_text[NB_IP_TEXT])
{
    char *end = ret_text;
    if (ip->family == 4)
        end = put_v4(ret_text, ip->bytes);
    else if (ip->family == 6)
        end = put_v6(ret_text, ip->bytes);
    *end = '\0';
    return (size_t)(end - ret_text);
}
