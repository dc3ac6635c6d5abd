/*
 * Answers questions about addresses and block lists, one a line, as answer.js does
 * with Node. For ./run, which describes the lines.
 */
#include "block_list.h"
#include "socket_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 5 };

/* A line taken apart; texts are decoded in place. */
struct question {
    const char *words[WORDS]; /* "" behind the last one */
    struct nb_socket_address_text texts[WORDS]; /* of the words that are texts; else data NULL */
};

static struct nb_block_list *list;

static void give_up(const char *why, const char *what)
{
    fprintf(stderr, "answer: %s: %s\n", why, what);
    exit(EXIT_FAILURE);
}

static unsigned nibble(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* "x" and hex digits: the bytes. */
static struct nb_socket_address_text decode(char *word)
{
    struct nb_socket_address_text text = {0};
    if (*word != 'x')
        return text;
    text.data = word;
    for (const char *digits = word + 1; *digits; digits += 2)
        word[text.length++] = (char)(nibble(digits[0]) << 4 | nibble(digits[1]));
    return text;
}

static struct question take_apart(char *line)
{
    struct question question;
    char *rest = line, *word;
    for (int i = 0; i < WORDS; i++) {
        word = strtok_r(rest, " \n", &rest);
        question.words[i] = word ? word : "";
        question.texts[i] = word ? decode(word) : (struct nb_socket_address_text){0};
    }
    return question;
}

static bool read_address(const struct question *question, int family_at, struct nb_ip *ret_ip)
{
    struct nb_socket_address_text text = question->texts[family_at + 1];
    return nb_ip_parse_as(text.data, text.length, atoi(question->words[family_at]), ret_ip);
}

/* ---- addresses ---- */

static void answer_ip(const struct question *question)
{
    printf("%d\n", nb_ip_version(question->texts[1].data, question->texts[1].length));
}

static struct nb_socket_address_number number(const char *word)
{
    bool given = strcmp(word, "-") != 0;
    return (struct nb_socket_address_number){given, given ? strtod(word, NULL) : 0};
}

static const char *code_of(enum nb_socket_address_fault fault)
{
    switch (fault) {
    case NB_SOCKET_ADDRESS_FAMILY:
        return "ERR_INVALID_ARG_VALUE";
    case NB_SOCKET_ADDRESS_PORT:
        return "ERR_SOCKET_BAD_PORT";
    case NB_SOCKET_ADDRESS_ADDRESS:
        return "ERR_INVALID_ADDRESS";
    default:
        return "ERR_OUT_OF_RANGE";
    }
}

static void answer_socket_address(const struct question *question)
{
    struct nb_socket_address_options options = {.family = question->texts[1],
                                                .address = question->texts[2],
                                                .port = number(question->words[3]),
                                                .flowlabel = number(question->words[4])};
    struct nb_socket_address address;
    char text[NB_IP_TEXT];
    enum nb_socket_address_fault fault = nb_socket_address_make(&options, &address);
    if (fault) {
        puts(code_of(fault));
        return;
    }
    nb_ip_format(&address.ip, text);
    printf("%s %s %u %u\n", nb_socket_address_family(&address), text, address.port,
           (unsigned)address.flowlabel);
}

/* ---- block lists ---- */

static void answer_new(const struct question *question)
{
    nb_block_list_clear(list);
    puts("new");
}

static void add(const struct nb_rule *rule, const char *code)
{
    puts(nb_block_list_add(list, rule) == 0 ? "ok" : code);
}

static void answer_address(const struct question *question)
{
    struct nb_rule rule = {.kind = NB_RULE_ADDRESS};
    if (!read_address(question, 1, &rule.first))
        puts("ERR_INVALID_ADDRESS");
    else
        add(&rule, "");
}

static void answer_range(const struct question *question)
{
    struct nb_rule rule = {.kind = NB_RULE_RANGE};
    if (!read_address(question, 1, &rule.first) || !read_address(question, 3, &rule.last))
        puts("ERR_INVALID_ADDRESS");
    else
        add(&rule, "ERR_INVALID_ARG_VALUE");
}

static void answer_subnet(const struct question *question)
{
    struct nb_rule rule = {.kind = NB_RULE_SUBNET};
    double prefix = strtod(question->words[3], NULL);
    bool is_number = prefix >= 0 && prefix <= UINT8_MAX && prefix == (uint8_t)prefix;
    rule.prefix = is_number ? (uint8_t)prefix : UINT8_MAX;
    if (!read_address(question, 1, &rule.first))
        puts("ERR_INVALID_ADDRESS");
    else
        add(&rule, "ERR_OUT_OF_RANGE");
}

/* All ways to ask must agree. */
static void answer_check(const struct question *question)
{
    struct nb_ip ip = {0};
    struct nb_rule rule;
    bool at_once;
    (void)read_address(question, 1, &ip);
    bool blocked = nb_block_list_check(list, &ip);
    nb_block_list_check_many(list, &ip, 1, &at_once);
    if (blocked != nb_block_list_match(list, &ip, &rule) || blocked != at_once)
        give_up("answers differ", question->words[1]);
    puts(blocked ? "true" : "false");
}

/* Each text must be read as the rule that it is of. */
static void answer_rules(const struct question *question)
{
    struct nb_rule_walk walk = {0};
    struct nb_rule rule, again;
    char text[NB_RULE_TEXT];
    while (nb_block_list_newest(list, &walk, &rule, NULL)) {
        size_t length = nb_rule_format(&rule, text);
        if (nb_rule_parse(text, length, &again) || !nb_rule_equals(&rule, &again))
            give_up("a rule is not read again", text);
        printf("%s; ", text);
    }
    puts("");
}

static const struct {
    const char *word;
    void (*answer)(const struct question *question);
} kinds[] = {
    {"ip", answer_ip},       {"socketaddress", answer_socket_address},
    {"new", answer_new},     {"address", answer_address},
    {"range", answer_range}, {"subnet", answer_subnet},
    {"check", answer_check}, {"rules", answer_rules},
};

static void answer(char *line)
{
    struct question question = take_apart(line);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].word, question.words[0]) == 0) {
            kinds[i].answer(&question);
            return;
        }
    give_up("an unknown question", question.words[0]);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    list = nb_block_list_new();
    if (!list)
        give_up("no memory", "for a list");
    while (getline(&line, &capacity, stdin) > 0)
        answer(line);
    free(line);
    nb_block_list_free(list);
    return EXIT_SUCCESS;
}
