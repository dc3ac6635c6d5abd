#include "rule.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct nb_rule rule_of(const char *text)
{
    struct nb_rule rule;
    const char *fault = nb_rule_parse(text, strlen(text), &rule);
    ck_assert_msg(!fault, "%s: %s", text, fault);
    ck_assert_msg(nb_rule_is_valid(&rule), "%s", text);
    return rule;
}

static struct nb_ip ip_of(const char *text)
{
    struct nb_ip ip;
    ck_assert_msg(nb_ip_parse(text, strlen(text), &ip, NULL), "%s", text);
    return ip;
}

/* Reads either notation; both texts come out, and both are read as the same rule again. */
static void check_texts(const char *read, const char *line, const char *nodes)
{
    struct nb_rule rule = rule_of(read), again;
    char text[NB_RULE_TEXT];
    ck_assert_uint_eq(nb_rule_format(&rule, text), strlen(nodes));
    ck_assert_str_eq(text, nodes);
    again = rule_of(text);
    ck_assert(nb_rule_equals(&rule, &again));
    ck_assert_uint_eq(nb_rule_format_line(&rule, text), strlen(line));
    ck_assert_str_eq(text, line);
    again = rule_of(text);
    ck_assert(nb_rule_equals(&rule, &again));
}

START_TEST(rules_have_a_text_in_both_notations)
{
    check_texts("192.0.2.1", "192.0.2.1", "Address: IPv4 192.0.2.1");
    check_texts("0.0.0.0/0", "0.0.0.0/0", "Subnet: IPv4 0.0.0.0/0");
    check_texts("192.0.2.129/24", "192.0.2.129/24", "Subnet: IPv4 192.0.2.129/24");
    check_texts("192.0.2.1/32", "192.0.2.1/32", "Subnet: IPv4 192.0.2.1/32");
    check_texts("192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9", "Range: IPv4 192.0.2.1-192.0.2.9");
    check_texts("192.0.2.1-192.0.2.1", "192.0.2.1-192.0.2.1", "Range: IPv4 192.0.2.1-192.0.2.1");
    check_texts("2001:DB8:0::1", "2001:db8::1", "Address: IPv6 2001:db8::1");
    check_texts("ABCD::", "abcd::", "Address: IPv6 abcd::");
    check_texts("::/0", "::/0", "Subnet: IPv6 ::/0");
    check_texts("2001:db8::/128", "2001:db8::/128", "Subnet: IPv6 2001:db8::/128");
    check_texts("::1-::2", "::1-::2", "Range: IPv6 ::1-::2");
    check_texts("::ffff:1.2.3.4", "::ffff:1.2.3.4", "Address: IPv6 ::ffff:1.2.3.4");
    check_texts("Address: IPv6 A::", "a::", "Address: IPv6 a::");
}
END_TEST

START_TEST(a_range_is_named_after_its_start)
{
    check_texts("1.2.3.4-::", "1.2.3.4-::", "Range: IPv4 1.2.3.4-::");
    check_texts("::-1.2.3.4", "::-1.2.3.4", "Range: IPv6 ::-1.2.3.4");
    check_texts("Range: IPv6 ::ffff:1.2.3.4-1.2.3.5", "::ffff:1.2.3.4-1.2.3.5",
                "Range: IPv6 ::ffff:1.2.3.4-1.2.3.5");
}
END_TEST

START_TEST(the_longest_text_fits)
{
    struct nb_ip longest = {.family = 6};
    memset(longest.bytes, 0xff, sizeof longest.bytes);
    struct nb_rule rule = {.kind = NB_RULE_RANGE, .first = longest, .last = longest};
    char text[NB_RULE_TEXT];
    ck_assert_uint_eq(nb_rule_format(&rule, text), 12 + 39 + 1 + 39);
    ck_assert(NB_RULE_TEXT > 12 + 2 * (NB_IP_TEXT - 1) + 1);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"", "an address is missing"},
        {"1.2.3", "not an IP address"},
        {"example.org", "not an IP address"},
        {" 1.2.3.4", "not an IP address"},
        {"1.2.3.4 ", "not an IP address"},
        {"[::1]", "not an IP address"},
        {"fe80::1%eth0", "an address in a rule has no zone"},
        {"fe80::1%a-b", "an address in a rule has no zone"},
        {"fe80::%a/64", "an address in a rule has no zone"},
        {"::1-fe80::1%a", "an address in a rule has no zone"},
        {"/8", "an address is missing"},
        {"-", "an address is missing"},
        {"1.2.3.4-", "an address is missing"},
        {"-1.2.3.4", "an address is missing"},
        {"1.2.3.4-x", "not an IP address"},
        {"1.2.3.4 - 1.2.3.5", "not an IP address"},
        {"1.2.3.4-1.2.3.5-1.2.3.6", "not an IP address"},
        {"1.2.3.5-1.2.3.4", "the range starts after its end"},
        {"::2-::1", "the range starts after its end"},
        {"1.2.3.5-::ffff:1.2.3.4", "the range starts after its end"},
        {"1.2.3.4/", "the prefix is not a decimal number"},
        {"1.2.3.4/x", "the prefix is not a decimal number"},
        {"1.2.3.4/-1", "the prefix is not a decimal number"},
        {"1.2.3.4/08", "the prefix is not a decimal number"},
        {"1.2.3.4/8 ", "the prefix is not a decimal number"},
        {"1.2.3.4/8/8", "the prefix is not a decimal number"},
        {"1.2.3.4/255.0.0.0", "the prefix is not a decimal number"},
        {"1.2.3.4-1.2.3.5/8", "not an IP address"},
        {"1.2.3.4/33", "the prefix is larger than 32"},
        {"1.2.3.4/4294967304", "the prefix is larger than 32"},
        {"1.2.3.4/18446744073709551624", "the prefix is larger than 32"},
        {"::/129", "the prefix is larger than 128"},
        {"Address: 1.2.3.4", "neither IPv4 nor IPv6 stands in front of the address"},
        {"Address: ", "neither IPv4 nor IPv6 stands in front of the address"},
        {"Address: IPv", "neither IPv4 nor IPv6 stands in front of the address"},
        {"Address: IPv41.2.3.4", "neither IPv4 nor IPv6 stands in front of the address"},
        {"Address: IPv5 1.2.3.4", "neither IPv4 nor IPv6 stands in front of the address"},
        {"Address: ipv4 1.2.3.4", "neither IPv4 nor IPv6 stands in front of the address"},
        {"Address: IPv4 ", "an address is missing"},
        {"Address: IPv4  1.2.3.4", "not an IP address"},
        {"Address: IPv4 ::1", "not an address of the family that stands in front of it"},
        {"Subnet: IPv6 1.2.3.4/8", "not an address of the family that stands in front of it"},
        {"Range: IPv4 ::1-::2", "not an address of the family that stands in front of it"},
        {"Address: IPv4 1.2.3.4/8", "not the kind of rule that its first word says"},
        {"Subnet: IPv4 1.2.3.4", "not the kind of rule that its first word says"},
        {"Range: IPv4 1.2.3.4", "not the kind of rule that its first word says"},
        {"Range: IPv4 1.2.3.5-1.2.3.4", "the range starts after its end"},
        {"Subnet: IPv4 1.2.3.4/33", "the prefix is larger than 32"},
        {"address: IPv4 1.2.3.4", "not an IP address"},
        {"Address", "not an IP address"},
        {"Address:", "not an IP address"},
        {"Subnet", "not an IP address"},
        {"Address: IPv4 Address: IPv4 1.2.3.4", "not an IP address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nb_rule rule = {.prefix = 99};
        const char *fault = nb_rule_parse(cases[i].text, strlen(cases[i].text), &rule);
        ck_assert_msg(fault && strcmp(fault, cases[i].fault) == 0, "%s: %s", cases[i].text, fault);
        ck_assert_uint_eq(rule.prefix, 99);
    }
}
END_TEST

START_TEST(texts_need_no_nul_and_may_hold_one)
{
    struct nb_rule rule;
    char text[NB_RULE_TEXT];
    ck_assert_ptr_nonnull(nb_rule_parse(NULL, 0, &rule));
    ck_assert_ptr_nonnull(nb_rule_parse("1.2.3.4\0", 8, &rule));
    ck_assert_ptr_nonnull(nb_rule_parse("1.2.3.4/8\0", 10, &rule));
    ck_assert_ptr_nonnull(nb_rule_parse("Address: IPv4 1.2.3.4\0", 22, &rule));
    ck_assert_ptr_null(nb_rule_parse("1.2.3.44/80", 10, &rule));
    nb_rule_format_line(&rule, text);
    ck_assert_str_eq(text, "1.2.3.44/8");
    ck_assert_ptr_null(nb_rule_parse("1.2.3.4-1.2.3.44", 15, &rule));
    nb_rule_format_line(&rule, text);
    ck_assert_str_eq(text, "1.2.3.4-1.2.3.4");
}
END_TEST

static bool is_valid_range(const char *first, const char *last)
{
    struct nb_rule rule = {.kind = NB_RULE_RANGE, .first = ip_of(first), .last = ip_of(last)};
    return nb_rule_is_valid(&rule);
}

/* Recorded from Node: whether addRange takes them. */
START_TEST(ends_of_a_range_are_in_order)
{
    ck_assert(is_valid_range("1.2.3.4", "1.2.3.4"));
    ck_assert(is_valid_range("1.2.3.4", "1.2.4.0"));
    ck_assert(!is_valid_range("1.2.4.0", "1.2.3.4"));
    ck_assert(is_valid_range("::1", "::1"));
    ck_assert(!is_valid_range("::2", "::1"));
    ck_assert(!is_valid_range("ffff::", "::"));
    ck_assert(is_valid_range("1.2.3.4", "::ffff:1.2.3.4"));
    ck_assert(is_valid_range("::ffff:1.2.3.4", "1.2.3.4"));
    ck_assert(!is_valid_range("1.2.3.5", "::ffff:1.2.3.4"));
    ck_assert(!is_valid_range("::ffff:1.2.3.5", "1.2.3.4"));
    ck_assert(is_valid_range("1.2.3.4", "::"));
    ck_assert(is_valid_range("ffff::", "1.2.3.4"));
    ck_assert(is_valid_range("::1.2.3.5", "1.2.3.4"));
}
END_TEST

START_TEST(rules_that_no_text_gives_are_not_valid)
{
    struct nb_ip v4 = ip_of("1.2.3.4"), v6 = ip_of("::1"), none = {0}, odd = {.family = 5};
    struct nb_rule bad[] = {
        {.kind = NB_RULE_ADDRESS},
        {.kind = NB_RULE_ADDRESS, .first = odd},
        {.kind = NB_RULE_ADDRESS, .first = v4, .last = v4},
        {.kind = NB_RULE_SUBNET, .first = none, .prefix = 0},
        {.kind = NB_RULE_SUBNET, .first = v4, .prefix = 33},
        {.kind = NB_RULE_SUBNET, .first = v6, .prefix = 129},
        {.kind = NB_RULE_SUBNET, .first = v6, .last = v6, .prefix = 1},
        {.kind = NB_RULE_RANGE, .first = v4},
        {.kind = NB_RULE_RANGE, .first = none, .last = v4},
        {.kind = NB_RULE_RANGE, .first = v4, .last = odd},
        {.kind = NB_RULE_SUBNET + 1, .first = v4},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!nb_rule_is_valid(&bad[i]), "%zu", i);
}
END_TEST

START_TEST(equal_rules_are_written_alike)
{
    static const char *const texts[] = {
        "1.2.3.4",         "1.2.3.5",
        "1.2.3.4/32",      "1.2.3.4/31",
        "1.2.3.5/31",      "1.2.3.4-1.2.3.4",
        "1.2.3.4-1.2.3.5", "1.2.3.4-::ffff:1.2.3.4",
        "::ffff:1.2.3.4",  "::ffff:1.2.3.4/128",
        "102:304::",
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t j = 0; j < TEXTS; j++) {
            struct nb_rule a = rule_of(texts[i]), b = rule_of(texts[j]);
            ck_assert_msg(nb_rule_equals(&a, &b) == (i == j), "%s and %s", texts[i], texts[j]);
        }
    struct nb_rule a = rule_of("2001:DB8::0:1"), b = rule_of("Address: IPv6 2001:db8::1");
    ck_assert(nb_rule_equals(&a, &b));
}
END_TEST

int main(void)
{
    return run_suite("rule",
                     (const TTest *[]){rules_have_a_text_in_both_notations, a_range_is_named_after_its_start,
                                       the_longest_text_fits, what_is_wrong_is_said,
                                       texts_need_no_nul_and_may_hold_one, ends_of_a_range_are_in_order,
                                       rules_that_no_text_gives_are_not_valid, equal_rules_are_written_alike,
                                       NULL});
}
