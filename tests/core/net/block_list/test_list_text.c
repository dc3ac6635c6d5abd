#include "list_text.h"
#include "memory.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 5000 };

static struct nb_block_list *list;
static struct nb_list_fault fault;

static void open_list(void)
{
    list = nb_block_list_new();
    ck_assert_ptr_nonnull(list);
    fault = (struct nb_list_fault){.line = 99};
}

static int load(const char *text, size_t max_rules)
{
    return nb_block_list_load_text(list, text, strlen(text), max_rules, &fault);
}

struct written {
    char text[MANY * 20];
    size_t length;
    unsigned pieces, fail_at; /* of which the piece of that number fails; 0: none */
};

static int write_piece(void *context, const char *text, size_t length)
{
    struct written *written = context;
    if (++written->pieces == written->fail_at)
        return -EIO;
    ck_assert_uint_gt(length, 0);
    ck_assert_uint_lt(written->length + length, sizeof written->text);
    memcpy(written->text + written->length, text, length);
    written->length += length;
    written->text[written->length] = '\0';
    return 1;
}

static void check_saved(const char *expected)
{
    struct written written = {0};
    ck_assert_int_eq(nb_block_list_save_text(list, write_piece, &written), 0);
    ck_assert_str_eq(written.text, expected);
}

START_TEST(lines_are_rules)
{
    open_list();
    ck_assert_int_eq(load("192.0.2.1\n"
                          "Subnet: IPv6 2001:db8::/32\n"
                          "10.0.0.1-10.0.0.9",
                          10),
                     0);
    check_saved("192.0.2.1\n2001:db8::/32\n10.0.0.1-10.0.0.9\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(blanks_and_comments_are_nothing)
{
    open_list();
    ck_assert_int_eq(load("# a list\r\n"
                          "\r\n"
                          "   \t\n"
                          "\t1.1.1.1 \t# one\r\n"
                          "2.2.2.2#two\n"
                          "   # 3.3.3.3\n"
                          "##\n"
                          "4.4.4.4 \r",
                          10),
                     0);
    check_saved("1.1.1.1\n2.2.2.2\n4.4.4.4\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(a_text_may_hold_no_rule)
{
    open_list();
    ck_assert_int_eq(load("", 0), 0);
    ck_assert_int_eq(load("\n\n# nothing", 0), 0);
    ck_assert_int_eq(nb_block_list_load_text(list, NULL, 0, 0, &fault), 0);
    ck_assert_uint_eq(fault.line, 99);
    check_saved("");
    nb_block_list_free(list);
}
END_TEST

static void check_fault(const char *text, size_t line, const char *reason)
{
    ck_assert_int_eq(load(text, 10), -EINVAL);
    ck_assert_uint_eq(fault.line, line);
    ck_assert_str_eq(fault.reason, reason);
}

START_TEST(the_first_bad_line_is_named)
{
    open_list();
    ck_assert_int_eq(load("9.9.9.9", 10), 0);
    check_fault("x", 1, "not an IP address");
    check_fault("1.1.1.1\n2.2.2.2\n\n# no\n1.1.1.1/33\nx", 5, "the prefix is larger than 32");
    check_fault("1.1.1.1\r\n1.1.1.1 2.2.2.2\r\n", 2, "not an IP address");
    check_fault("1.1.1.1\r2.2.2.2", 1, "not an IP address");
    check_fault("1.1.1.1\n\n2.2.2.2-2.2.2.1", 3, "the range starts after its end");
    check_saved("9.9.9.9\n");
    nb_block_list_free(list);
}
END_TEST

START_TEST(a_nul_is_a_bad_line)
{
    open_list();
    static const char text[] = "1.1.1.1\n2.2.2.2\0\n";
    ck_assert_int_eq(nb_block_list_load_text(list, text, sizeof text - 1, 10, &fault), -EINVAL);
    ck_assert_uint_eq(fault.line, 2);
    check_saved("");
    nb_block_list_free(list);
}
END_TEST

START_TEST(there_may_be_so_many_rules_in_all)
{
    open_list();
    ck_assert_int_eq(load("1.1.1.1\n2.2.2.2", 3), 0);
    ck_assert_int_eq(load("3.3.3.3\n4.4.4.4", 3), -ENOSPC);
    ck_assert_uint_eq(fault.line, 0);
    ck_assert_str_eq(fault.reason, "more rules than allowed");
    ck_assert_int_eq(load("3.3.3.3\n4.4.4.4", 1), -ENOSPC);
    check_saved("1.1.1.1\n2.2.2.2\n");
    ck_assert_int_eq(load("3.3.3.3\n# and no more", 3), 0);
    ck_assert_int_eq(load("# and no more", 3), 0);
    nb_block_list_free(list);
}
END_TEST

/* Enough for several growths and several pieces. */
static void write_many(char *text)
{
    for (unsigned i = 0; i < MANY; i++)
        text += sprintf(text, "10.%u.%u.1/%u\n", i >> 8, i & 0xff, 24 + i % 8);
}

START_TEST(what_is_written_is_read_as_the_same)
{
    static char text[MANY * 20];
    open_list();
    write_many(text);
    ck_assert_int_eq(load(text, MANY), 0);
    ck_assert_uint_eq(nb_block_list_size(list), MANY);
    check_saved(text);
    nb_block_list_free(list);
}
END_TEST

START_TEST(writing_ends_with_the_first_failure)
{
    static char text[MANY * 20];
    struct written written = {.fail_at = 2}, only = {.fail_at = 1};
    open_list();
    write_many(text);
    ck_assert_int_eq(load(text, MANY), 0);
    ck_assert_int_eq(nb_block_list_save_text(list, write_piece, &written), -EIO);
    ck_assert_uint_eq(written.pieces, 2);
    nb_block_list_clear(list);
    ck_assert_int_eq(load("1.1.1.1", 1), 0);
    ck_assert_int_eq(nb_block_list_save_text(list, write_piece, &only), -EIO);
    nb_block_list_free(list);
}
END_TEST

START_TEST(without_memory_nothing_is_added)
{
    static char text[MANY * 20];
    unsigned failures = 0;
    open_list();
    write_many(text);
    ck_assert_int_eq(load("9.9.9.9", MANY), 0);
    for (int status = -ENOMEM; status < 0; failures++) {
        nb_memory_fail_after(failures + 1);
        status = load(text, MANY + 1);
        nb_memory_fail_after(0);
        if (status == 0)
            break;
        ck_assert_int_eq(status, -ENOMEM);
        ck_assert_uint_eq(fault.line, 0);
        ck_assert_str_eq(fault.reason, "no memory");
        ck_assert_uint_eq(nb_block_list_size(list), 1);
    }
    ck_assert_uint_gt(failures, 5);
    ck_assert_uint_eq(nb_block_list_size(list), MANY + 1);
    nb_block_list_free(list);
}
END_TEST

int main(void)
{
    return run_suite("list_text", (const TTest *[]){lines_are_rules, blanks_and_comments_are_nothing,
                                                    a_text_may_hold_no_rule, the_first_bad_line_is_named,
                                                    a_nul_is_a_bad_line, there_may_be_so_many_rules_in_all,
                                                    what_is_written_is_read_as_the_same,
                                                    writing_ends_with_the_first_failure,
                                                    without_memory_nothing_is_added, NULL});
}
