#include "list_json.h"
#include "memory.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 2000 };

static struct nb_block_list *list;
static struct nb_list_json_fault fault;

static void open_list(void)
{
    list = nb_block_list_new();
    ck_assert_ptr_nonnull(list);
    fault = (struct nb_list_json_fault){.element = 99};
}

static int load(const char *text, size_t max_rules)
{
    return nb_block_list_load_json(list, text, strlen(text), max_rules, &fault);
}

struct written {
    char text[MANY * 40];
    size_t length;
    unsigned pieces, fail_at; /* of which the piece of that number fails; 0: none */
};

static int write_piece(void *context, const char *text, size_t length)
{
    struct written *written = context;
    if (++written->pieces == written->fail_at)
        return -EIO;
    ck_assert_uint_lt(written->length + length, sizeof written->text);
    memcpy(written->text + written->length, text, length);
    written->length += length;
    written->text[written->length] = '\0';
    return 1;
}

static void check_saved(const char *expected)
{
    struct written written = {0};
    ck_assert_int_eq(nb_block_list_save_json(list, write_piece, &written), 0);
    ck_assert_str_eq(written.text, expected);
}

START_TEST(an_array_has_the_newest_rule_first)
{
    struct nb_rule newest;
    open_list();
    ck_assert_int_eq(load("[\"Address: IPv4 192.0.2.1\", \"2001:db8::/32\"]", 2), 0);
    check_saved("[\"Address: IPv4 192.0.2.1\",\n\"Subnet: IPv6 2001:db8::/32\"]\n");
    nb_block_list_newest(list, &(struct nb_rule_walk){0}, &newest, NULL);
    ck_assert_int_eq(newest.kind, NB_RULE_ADDRESS);
    nb_block_list_free(list);
}
END_TEST

START_TEST(what_is_read_comes_on_top)
{
    open_list();
    ck_assert_int_eq(load("[\"1.1.1.1\"]", 9), 0);
    ck_assert_int_eq(load("[\"3.3.3.3\",\"2.2.2.2\"]", 9), 0);
    check_saved("[\"Address: IPv4 3.3.3.3\",\n\"Address: IPv4 2.2.2.2\",\n\"Address: IPv4 1.1.1.1\"]\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(an_array_may_be_empty)
{
    open_list();
    ck_assert_int_eq(load("[]", 0), 0);
    ck_assert_int_eq(load(" \t\r\n[ \n] \n", 0), 0);
    check_saved("[]\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(strings_may_be_escaped)
{
    open_list();
    ck_assert_int_eq(load("\n[ \"10.0.0.0\\/8\" ,\t\"\\u003A:\\u0031\"\r]", 9), 0);
    check_saved("[\"Subnet: IPv4 10.0.0.0/8\",\n\"Address: IPv6 ::1\"]\n");
    nb_block_list_free(list);
}
END_TEST

static void check_fault(const char *text, size_t element, const char *reason)
{
    ck_assert_int_eq(load(text, 9), -EINVAL);
    ck_assert_msg(fault.element == element, "%s: %zu", text, fault.element);
    ck_assert_str_eq(fault.reason, reason);
}

START_TEST(the_first_bad_element_is_named)
{
    open_list();
    ck_assert_int_eq(load("[\"9.9.9.9\"]", 9), 0);
    check_fault("", 1, "not a JSON array");
    check_fault("{}", 1, "not a JSON array");
    check_fault("\"1.1.1.1\"", 1, "not a JSON array");
    check_fault("[", 1, "not a string");
    check_fault("[,]", 1, "not a string");
    check_fault("[\"1.1.1.1\"", 2, "a ',' or the array's end is missing");
    check_fault("[\"1.1.1.1\",", 2, "not a string");
    check_fault("[\"1.1.1.1\",]", 2, "not a string");
    check_fault("[\"1.1.1.1\" \"2.2.2.2\"]", 2, "a ',' or the array's end is missing");
    check_fault("[\"1.1.1.1\"}", 2, "a ',' or the array's end is missing");
    check_fault("[\"1.1.1.1\"] []", 2, "more text after the array");
    check_fault("[[\"1.1.1.1\"]]", 1, "not a string");
    check_fault("[1]", 1, "not a string");
    check_fault("[\"1.1.1.1\", null]", 2, "not a string");
    check_fault("[\"1.1.1.1\", \"x\", 1]", 2, "not an IP address");
    check_fault("[\"1.1.1.1\", \"\"]", 2, "an address is missing");
    check_fault("[\" 1.1.1.1\"]", 1, "not an IP address");
    check_fault("[\"1.1.1.1\\u0000\"]", 1, "not an IP address");
    check_fault("[\"1.1.1.1]", 1, "a string without an end");
    check_fault("[\"1.1.1.1", 1, "a string without an end");
    check_fault("[\"1.1.1.1\\", 1, "not a string that could be a rule");
    check_fault("[\"1.1.1.1\\\"", 1, "a string without an end");
    check_fault("[\"\\u003", 1, "not a string that could be a rule");
    check_fault("[\"\\u003g\"]", 1, "not a string that could be a rule");
    check_fault("[\"\\u013a\"]", 1, "not a string that could be a rule");
    check_fault("[\"\\n1.1.1.1\"]", 1, "not an IP address");
    check_fault("[\"1.1.1.1\t\"]", 1, "not a string that could be a rule");
    check_fault("[\"\\x\"]", 1, "not a string that could be a rule");
    check_fault("[\"\x7f\"]", 1, "not a string that could be a rule");
    check_fault("[\"\xff\"]", 1, "not a string that could be a rule");
    check_saved("[\"Address: IPv4 9.9.9.9\"]\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(a_nul_ends_nothing)
{
    static const char text[] = "[\"1.1.1.1\"]\0", inside[] = "[\0]",
                      in_escape[] = "[\"\\u00\0"
                                    "31\"]";
    open_list();
    ck_assert_int_eq(nb_block_list_load_json(list, text, sizeof text - 1, 9, &fault), -EINVAL);
    ck_assert_str_eq(fault.reason, "more text after the array");
    ck_assert_int_eq(nb_block_list_load_json(list, inside, sizeof inside - 1, 9, &fault), -EINVAL);
    ck_assert_int_eq(nb_block_list_load_json(list, in_escape, sizeof in_escape - 1, 9, &fault), -EINVAL);
    ck_assert_str_eq(fault.reason, "not a string that could be a rule");
    ck_assert_int_eq(nb_block_list_load_json(list, NULL, 0, 9, &fault), -EINVAL);
    nb_block_list_free(list);
}
END_TEST

/* Nothing as long as the string is allocated for it. */
START_TEST(a_long_string_is_not_read_to_its_end)
{
    enum { LONG = 1 << 20 };
    char *text = malloc(LONG + 1);
    memset(text, '1', LONG);
    memcpy(text, "[\"", 2);
    memcpy(text + LONG - 2, "\"]", 3);
    open_list();
    check_fault(text, 1, "not a string that could be a rule");
    nb_block_list_free(list);
    free(text);
}
END_TEST

START_TEST(the_longest_rule_may_be_escaped)
{
    static const char rule[] = "Range: IPv6 0000:0000:0000:0000:0000:ffff:100.100.100.100-"
                               "0000:0000:0000:0000:0000:ffff:255.255.255.255";
    char text[NB_RULE_TEXT * 6 + 8] = "[\"";
    for (const char *c = rule; *c; c++)
        sprintf(text + strlen(text), "\\u%04x", (unsigned)*c);
    strcat(text, "\"]");
    open_list();
    ck_assert_int_eq(load(text, 1), 0);
    check_saved("[\"Range: IPv6 ::ffff:100.100.100.100-::ffff:255.255.255.255\"]\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(there_may_be_so_many_rules_in_all)
{
    open_list();
    ck_assert_int_eq(load("[\"1.1.1.1\",\"2.2.2.2\"]", 2), 0);
    ck_assert_int_eq(load("[\"3.3.3.3\",5]", 2), -ENOSPC);
    ck_assert_uint_eq(fault.element, 0);
    ck_assert_str_eq(fault.reason, "more rules than allowed");
    ck_assert_int_eq(load("[\"3.3.3.3\"]", 1), -ENOSPC);
    ck_assert_uint_eq(nb_block_list_size(list), 2);
    nb_block_list_free(list);
}
END_TEST

static void write_many(char *text)
{
    text += sprintf(text, "[");
    for (unsigned i = 0; i < MANY; i++)
        text +=
            sprintf(text, "%s\"Subnet: IPv4 10.%u.%u.1/%u\"", i ? ",\n" : "", i >> 8, i & 0xff, 24 + i % 8);
    sprintf(text, "]\n");
}

START_TEST(what_is_written_is_read_as_the_same)
{
    static char text[MANY * 40];
    struct written failing = {.fail_at = 2};
    open_list();
    write_many(text);
    ck_assert_int_eq(load(text, MANY), 0);
    check_saved(text);
    ck_assert_int_eq(nb_block_list_save_json(list, write_piece, &failing), -EIO);
    ck_assert_uint_eq(failing.pieces, 2);
    nb_block_list_clear(list);
    failing = (struct written){.fail_at = 1};
    ck_assert_int_eq(nb_block_list_save_json(list, write_piece, &failing), -EIO);
    nb_block_list_free(list);
}
END_TEST

START_TEST(without_memory_nothing_is_added)
{
    unsigned failures = 0;
    open_list();
    for (;; failures++) {
        nb_memory_fail_after(failures + 1);
        int status = load("[\"1.1.1.1\",\"2001:db8::/32\"]", 2);
        nb_memory_fail_after(0);
        if (status == 0)
            break;
        ck_assert_int_eq(status, -ENOMEM);
        ck_assert_uint_eq(fault.element, 0);
        ck_assert_str_eq(fault.reason, "no memory");
        ck_assert_uint_eq(nb_block_list_size(list), 0);
    }
    ck_assert_uint_gt(failures, 3);
    nb_block_list_free(list);
}
END_TEST

int main(void)
{
    return run_suite("list_json",
                     (const TTest *[]){an_array_has_the_newest_rule_first, what_is_read_comes_on_top,
                                       an_array_may_be_empty, strings_may_be_escaped,
                                       the_first_bad_element_is_named, a_nul_ends_nothing,
                                       a_long_string_is_not_read_to_its_end, the_longest_rule_may_be_escaped,
                                       there_may_be_so_many_rules_in_all, what_is_written_is_read_as_the_same,
                                       without_memory_nothing_is_added, NULL});
}
