#include "list_text.h"

#include "rule_array.h"

#include <errno.h>
#include <string.h>

enum { PIECE = 4096 }; /* bytes that are written at once */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int read_line(struct nb_rule_array *rules, const char *text, size_t length, const char **ret_reason)
{
    const char *comment = memchr(text, '#', length);
    if (comment)
        length = (size_t)(comment - text);
    while (length && is_blank(text[length - 1]))
        length--;
    for (; length && is_blank(*text); text++)
        length--;
    return length ? nb_rule_array_read(rules, text, length, ret_reason) : 0;
}

static int read_lines(struct nb_rule_array *rules, const char *text, size_t length,
                      struct nb_list_fault *fault)
{
    size_t at = 0;
    for (size_t line = 1; at < length; line++) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t line_length = newline ? (size_t)(newline - text) - at : length - at;
        int status = read_line(rules, text + at, line_length, &fault->reason);
        if (status == -EINVAL)
            fault->line = line;
        if (status < 0)
            return status;
        at += line_length + 1;
    }
    return 0;
}

static size_t room_of(const struct nb_block_list *list, size_t max_rules)
{
    size_t size = nb_block_list_size(list);
    return size < max_rules ? max_rules - size : 0;
}

int nb_block_list_load_text(struct nb_block_list *list, const char *text, size_t length, size_t max_rules,
                            struct nb_list_fault *ret_fault)
{
    struct nb_rule_array rules = {.max = room_of(list, max_rules)};
    struct nb_list_fault fault = {0};
    int status = read_lines(&rules, text, length, &fault);
    if (status == 0)
        status = nb_block_list_add_all(list, rules.rules, rules.count);
    nb_rule_array_finish(&rules);
    if (status == 0)
        return 0;
    if (status != -EINVAL)
        fault.reason = status == -ENOSPC ? "more rules than allowed" : "no memory";
    *ret_fault = fault;
    return status;
}

int nb_block_list_save_text(const struct nb_block_list *list,
                            int (*write)(void *context, const char *text, size_t length), void *context)
{
    char piece[PIECE];
    size_t length = 0;
    struct nb_rule_walk walk = {0};
    struct nb_rule rule;
    while (nb_block_list_oldest(list, &walk, &rule, NULL)) {
        if (length + NB_RULE_TEXT > sizeof piece) {
            int status = write(context, piece, length);
            if (status < 0)
                return status;
            length = 0;
        }
        length += nb_rule_format_line(&rule, piece + length);
        piece[length++] = '\n';
    }
    int status = length ? write(context, piece, length) : 0;
    return status < 0 ? status : 0;
}
