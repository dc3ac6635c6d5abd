#include "port.h"

#include <stdlib.h>

enum { TEXT_SIZE = 64 };

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct nb_slice trim(struct nb_slice text)
{
    while (text.length > 0 && is_space(text.data[0]))
        text = (struct nb_slice){text.data + 1, text.length - 1};
    while (text.length > 0 && is_space(text.data[text.length - 1]))
        text.length--;
    return text;
}

/* 0x, 0o and 0b, of either case; 0 for none of them. */
static int base_of(const char *text)
{
    if (text[0] != '0')
        return 0;
    switch (text[1] | 0x20) {
    case 'x':
        return 16;
    case 'o':
        return 8;
    case 'b':
        return 2;
    default:
        return 0;
    }
}

/* JavaScript's Number(text), or -1 for what is no number. */
static double number_of(const char *text)
{
    int base = base_of(text);
    const char *digits = base ? text + 2 : text;
    const char *allowed = base ? "0123456789abcdefABCDEF" : "0123456789.eE+-";
    if (*digits == '\0' || strspn(digits, allowed) != strlen(digits))
        return -1;
    char *end;
    double number = base ? (double)strtoull(digits, &end, base) : strtod(digits, &end);
    return *end == '\0' ? number : -1;
}

bool nb_port_of_text(struct nb_slice text, uint32_t *ret_port)
{
    char copy[TEXT_SIZE];
    text = trim(text);
    if (text.length == 0 || text.length >= TEXT_SIZE)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (strlen(copy) != text.length)
        return false;
    double number = number_of(copy);
    if (!(number >= 0 && number <= UINT16_MAX) || number != (uint32_t)number)
        return false;
    *ret_port = (uint32_t)number;
    return true;
}
