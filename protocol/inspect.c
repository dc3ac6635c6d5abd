#include "inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "utf8.h"

enum { NUMBER_SIZE = 48 };

static const char HEX[] = "0123456789ABCDEF";

/* The shortest digits that give the same double again; returns the exponent of the first one. */
static int shortest_digits(double number, char *ret_digits)
{
    char text[NUMBER_SIZE];
    int precision = 0;
    do
        snprintf(text, sizeof text, "%.*e", precision, number);
    while (strtod(text, NULL) != number && ++precision < 17);
    char *exponent = strchr(text, 'e');
    size_t count = 0;
    for (const char *at = text; at < exponent; at++) {
        if (*at >= '0' && *at <= '9')
            ret_digits[count++] = *at;
    }
    while (count > 1 && ret_digits[count - 1] == '0')
        count--;
    ret_digits[count] = '\0';
    return atoi(exponent + 1);
}

/* Number.prototype.toString for a finite number above 0. */
static void write_positive(double number, char *text)
{
    char digits[NUMBER_SIZE];
    int exponent = shortest_digits(number, digits);
    int count = (int)strlen(digits);
    if (exponent >= 21 || exponent < -6)
        sprintf(text, "%c%s%se%+d", digits[0], count > 1 ? "." : "", digits + 1, exponent);
    else if (exponent < 0)
        sprintf(text, "0.%.*s%s", -exponent - 1, "000000", digits);
    else if (count <= exponent + 1)
        sprintf(text, "%s%.*s", digits, exponent + 1 - count, "00000000000000000000000");
    else
        sprintf(text, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
}

static void write_double(double number, char *text)
{
    if (isnan(number)) {
        strcpy(text, "NaN");
        return;
    }
    if (signbit(number))
        *text++ = '-';
    if (isinf(number))
        strcpy(text, "Infinity");
    else if (number == 0)
        strcpy(text, "0");
    else
        write_positive(fabs(number), text);
}

static void write_number(const struct nb_value *value, char *text)
{
    if (value->kind == NB_KIND_UINT)
        sprintf(text, "%" PRIu64, value->uint);
    else if (value->kind == NB_KIND_INT)
        sprintf(text, "%" PRId64, value->sint);
    else
        write_double(value->number, text);
}

/* Node's grouping, which knows nothing of exponents: 5_000_000_000. */
static void group_digits(const char *number, char *text)
{
    size_t length = strlen(number), start = number[0] == '-';
    for (size_t i = 0; i < length; i++) {
        if (i > start && (length - i) % 3 == 0)
            *text++ = '_';
        *text++ = number[i];
    }
    *text = '\0';
}

/* Text that grows character by character and is cut behind the limit. */
struct writer {
    char *text;
    size_t length;
    size_t characters;
    size_t limit; /* characters that are still shown whole */
    size_t cut; /* characters that are left of a longer text */
    size_t cut_length;
};

static void put(struct writer *writer, const void *bytes, size_t length)
{
    memcpy(writer->text + writer->length, bytes, length);
    writer->length += length;
    if (++writer->characters == writer->cut)
        writer->cut_length = writer->length;
}

static void put_ascii(struct writer *writer, const char *text)
{
    for (; *text; text++)
        put(writer, text, 1);
}

static bool contains(struct nb_slice text, char character)
{
    return memchr(text.data, character, text.length) != NULL;
}

/* Single quotes unless the text has them and not the others. */
static char choose_quote(struct nb_slice text)
{
    if (!contains(text, '\''))
        return '\'';
    if (!contains(text, '"'))
        return '"';
    return contains(text, '`') || memmem(text.data, text.length, "${", 2) ? '\'' : '`';
}

static void put_escaped(struct writer *writer, uint8_t byte, char quote)
{
    static const char *const short_forms[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r", ['\\'] = "\\\\"};
    if (byte < sizeof short_forms / sizeof *short_forms && short_forms[byte])
        put_ascii(writer, short_forms[byte]);
    else if (byte == (uint8_t)quote)
        put_ascii(writer, (char[]){'\\', quote, '\0'});
    else if (byte < 0x20 || byte == 0x7f)
        put_ascii(writer, (char[]){'\\', 'x', HEX[byte >> 4], HEX[byte & 15], '\0'});
    else
        put(writer, &byte, 1);
}

static void put_string(struct writer *writer, struct nb_slice text)
{
    char quote = choose_quote(text);
    put(writer, &quote, 1);
    for (size_t i = 0; i < text.length && writer->characters <= writer->limit;) {
        size_t size = nb_utf8_character(text.data + i, text.length - i);
        if (size == 1)
            put_escaped(writer, text.data[i], quote);
        else if (size == 0)
            put(writer, "\xef\xbf\xbd", 3);
        else
            put(writer, text.data + i, size);
        i += size ? size : 1;
    }
    put(writer, &quote, 1);
}

static void inspect_cut(const struct nb_value *value, size_t limit, size_t cut, char *text)
{
    struct writer writer = {.text = text, .limit = limit, .cut = cut};
    put_string(&writer, value->bytes);
    if (writer.characters > limit)
        strcpy(text + writer.cut_length, "...");
    else
        text[writer.length] = '\0';
}

static const char *constructor_of(const struct nb_value *value)
{
    switch (value->kind) {
    case NB_KIND_ARRAY:
        return "Array";
    case NB_KIND_BIN:
        return "Uint8Array";
    case NB_KIND_EXT:
        return "Ext";
    default:
        return "Object";
    }
}

static const char *absent_name(const struct nb_value *value)
{
    return value->kind == NB_KIND_NIL ? "null" : "undefined";
}

void nb_inspect(const struct nb_value *value, char *text)
{
    if (nb_value_is_absent(value))
        strcpy(text, absent_name(value));
    else if (value->kind == NB_KIND_BOOL)
        strcpy(text, value->boolean ? "true" : "false");
    else if (value->kind == NB_KIND_STR)
        inspect_cut(value, 128, 128, text);
    else if (value->kind <= NB_KIND_FLOAT)
        write_number(value, text);
    else
        sprintf(text, "[%s]", constructor_of(value));
}

void nb_inspect_type(const struct nb_value *value, char *text)
{
    char inner[NUMBER_SIZE * 4];
    if (nb_value_is_absent(value)) {
        strcpy(text, absent_name(value));
    } else if (value->kind == NB_KIND_STR) {
        inspect_cut(value, 28, 25, inner);
        sprintf(text, "type string (%s)", inner);
    } else if (value->kind <= NB_KIND_FLOAT) {
        nb_inspect(value, inner);
        sprintf(text, "type %s (%s)", value->kind == NB_KIND_BOOL ? "boolean" : "number", inner);
    } else {
        sprintf(text, "an instance of %s", constructor_of(value));
    }
}

static bool is_grouped(const struct nb_value *value)
{
    const double edge = 4294967296.0;
    if (value->kind == NB_KIND_FLOAT)
        return value->number == trunc(value->number) && fabs(value->number) > edge && isfinite(value->number);
    if (value->kind == NB_KIND_INT)
        return value->sint < -(INT64_C(1) << 32);
    return value->kind == NB_KIND_UINT && value->uint > UINT64_C(1) << 32;
}

void nb_inspect_range(const struct nb_value *value, char *text)
{
    char number[NUMBER_SIZE];
    if (!is_grouped(value)) {
        nb_inspect(value, text);
        return;
    }
    write_number(value, number);
    group_digits(number, text);
}

void nb_inspect_number(double number, char *text)
{
    nb_inspect_range(&(struct nb_value){.kind = NB_KIND_FLOAT, .number = number}, text);
}
