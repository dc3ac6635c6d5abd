#include "list_json.h"

#include "rule_array.h"

#include <errno.h>
#include <string.h>

enum { PIECE = 4096 }; /* bytes that are written at once */

/* ---- reading ---- */

struct reading {
    const char *text; /* borrowed */
    size_t length, at;
    struct nb_rule_array rules; /* owned */
    struct nb_list_json_fault fault;
};

static int fail(struct reading *reading, const char *reason)
{
    reading->fault = (struct nb_list_json_fault){reading->rules.count + 1, reason};
    return -EINVAL;
}

/* The character that comes next behind blanks; NUL: the text has ended, or a NUL. */
static char peek(struct reading *reading)
{
    while (reading->at < reading->length && memchr(" \t\r\n", reading->text[reading->at], 4))
        reading->at++;
    return reading->at < reading->length ? reading->text[reading->at] : '\0';
}

static bool accept(struct reading *reading, char c)
{
    bool is_there = peek(reading) == c;
    reading->at += is_there;
    return is_there;
}

static const char not_a_rule[] = "not a string that could be a rule";

/* Four hex digits of an ASCII character; -1: they are something else. */
static int read_code(const char *text, size_t length)
{
    int code = 0;
    if (length < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return -1;
        code = code << 4 | (int)((digit - digits) & 0xf);
    }
    return code < 0x80 ? code : -1;
}

/* What stands behind a backslash; -1: nothing that may stand there, or no ASCII. */
static int read_escape(struct reading *reading)
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    if (reading->at == reading->length)
        return -1;
    char c = reading->text[reading->at++];
    if (c == 'u') {
        int code = read_code(reading->text + reading->at, reading->length - reading->at);
        reading->at += code < 0 ? 0 : 4;
        return code;
    }
    for (size_t i = 0; i < sizeof escapes - 1; i += 2)
        if (escapes[i] == c)
            return escapes[i + 1];
    return -1;
}

/* One character of a string; -1: none that a rule could have. */
static int read_character(struct reading *reading)
{
    char c = reading->text[reading->at++];
    if (c == '\\')
        return read_escape(reading);
    return c >= ' ' && c <= '~' ? c : -1;
}

/* The rest of a string behind its first quote, no longer than a rule may be. */
static int read_string(struct reading *reading, char ret_text[NB_RULE_TEXT], size_t *ret_length)
{
    size_t length = 0;
    while (reading->at < reading->length && reading->text[reading->at] != '"') {
        int c = read_character(reading);
        if (c < 0 || length == NB_RULE_TEXT)
            return fail(reading, not_a_rule);
        ret_text[length++] = (char)c;
    }
    if (reading->at == reading->length)
        return fail(reading, "a string without an end");
    reading->at++;
    *ret_length = length;
    return 0;
}

static int read_element(struct reading *reading)
{
    char text[NB_RULE_TEXT];
    size_t length = 0;
    const char *reason;
    if (!accept(reading, '"'))
        return fail(reading, "not a string");
    int status = read_string(reading, text, &length);
    if (status < 0)
        return status;
    status = nb_rule_array_read(&reading->rules, text, length, &reason);
    return status == -EINVAL ? fail(reading, reason) : status;
}

static int read_elements(struct reading *reading)
{
    do {
        int status = read_element(reading);
        if (status < 0)
            return status;
    } while (accept(reading, ','));
    return accept(reading, ']') ? 0 : fail(reading, "a ',' or the array's end is missing");
}

static int read_array(struct reading *reading)
{
    if (!accept(reading, '['))
        return fail(reading, "not a JSON array");
    int status = accept(reading, ']') ? 0 : read_elements(reading);
    if (status < 0)
        return status;
    peek(reading);
    return reading->at == reading->length ? 0 : fail(reading, "more text after the array");
}

static void reverse(struct nb_rule_array *array)
{
    for (size_t i = 0; i < array->count / 2; i++) {
        struct nb_rule *a = &array->rules[i], *b = &array->rules[array->count - 1 - i], rule = *a;
        *a = *b;
        *b = rule;
    }
}

int nb_block_list_load_json(struct nb_block_list *list, const char *text, size_t length, size_t max_rules,
                            struct nb_list_json_fault *ret_fault)
{
    size_t size = nb_block_list_size(list);
    struct reading reading = {
        .text = text, .length = length, .rules.max = size < max_rules ? max_rules - size : 0};
    int status = read_array(&reading);
    if (status == 0) {
        reverse(&reading.rules);
        status = nb_block_list_add_all(list, reading.rules.rules, reading.rules.count);
    }
    nb_rule_array_finish(&reading.rules);
    if (status < 0 && status != -EINVAL)
        reading.fault.reason = status == -ENOSPC ? "more rules than allowed" : "no memory";
    if (status < 0)
        *ret_fault = reading.fault;
    return status;
}

/* ---- writing ---- */

/* A rule's text has nothing that JSON would have to escape. */
static size_t put_element(const struct nb_rule *rule, bool is_first, char *to)
{
    size_t length = 0;
    to[length++] = is_first ? '[' : ',';
    if (!is_first)
        to[length++] = '\n';
    to[length++] = '"';
    length += nb_rule_format(rule, to + length);
    to[length++] = '"';
    return length;
}

int nb_block_list_save_json(const struct nb_block_list *list,
                            int (*write)(void *context, const char *text, size_t length), void *context)
{
    char piece[PIECE];
    size_t length = 0;
    bool is_first = true;
    struct nb_rule_walk walk = {0};
    struct nb_rule rule;
    for (; nb_block_list_newest(list, &walk, &rule, NULL); is_first = false) {
        if (length + NB_RULE_TEXT + sizeof "[,\n\"\"]\n" > sizeof piece) {
            int status = write(context, piece, length);
            if (status < 0)
                return status;
            length = 0;
        }
        length += put_element(&rule, is_first, piece + length);
    }
    if (is_first)
        piece[length++] = '[';
    piece[length++] = ']';
    piece[length++] = '\n';
    int status = write(context, piece, length);
    return status < 0 ? status : 0;
}
