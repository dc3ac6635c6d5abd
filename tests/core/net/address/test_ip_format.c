/* Canonical text: the rules of RFC 5952 one by one, and what inet_ntop writes. */
#include "ip.h"
#include "suite.h"

#include <arpa/inet.h>
#include <string.h>

static void check(const char *text, const char *want)
{
    struct nb_ip ip;
    char got[NB_IP_TEXT];
    ck_assert_msg(nb_ip_parse(text, strlen(text), &ip, NULL), "%s is not read", text);
    ck_assert_uint_eq(nb_ip_format(&ip, got), strlen(want));
    ck_assert_str_eq(got, want);
}

START_TEST(leading_zeroes_are_left_out)
{
    check("2001:0db8::0001", "2001:db8::1");
    check("0:00:000:0000:1:20:300:4000", "::1:20:300:4000");
}
END_TEST

START_TEST(the_longest_run_of_zeroes_is_shortened)
{
    check("2001:db8:0:0:0:0:2:1", "2001:db8::2:1");
    check("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
    check("0:0:0:0:0:0:0:0", "::");
    check("1:0:0:0:0:0:0:0", "1::");
}
END_TEST

START_TEST(the_first_of_equal_runs_is_shortened)
{
    check("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
    check("0:0:1:1:1:1:0:0", "::1:1:1:1:0:0");
}
END_TEST

START_TEST(a_single_zero_group_stays)
{
    check("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
    check("0:1:1:1:1:1:1:1", "0:1:1:1:1:1:1:1");
    check("1:1:1:1:1:1:1::", "1:1:1:1:1:1:1:0");
}
END_TEST

START_TEST(letters_are_small)
{
    check("ABCD:EF01::", "abcd:ef01::");
}
END_TEST

START_TEST(embedded_ipv4_is_dotted)
{
    check("::ffff:c000:0201", "::ffff:192.0.2.1");
    check("::c000:0201", "::192.0.2.1");
    check("::1:0", "::0.1.0.0");
    check("::1", "::1");
    check("::ffff", "::ffff");
    check("::ffff:0:0", "::ffff:0.0.0.0");
    check("::ffff:0:1.2.3.4", "::ffff:0:102:304");
    check("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
}
END_TEST

static void compare_with_system(const struct nb_ip *ip)
{
    char got[NB_IP_TEXT], want[INET6_ADDRSTRLEN];
    struct nb_ip back;
    size_t length = nb_ip_format(ip, got);
    inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, want, sizeof want);
    if (strcmp(got, want) != 0 || length != strlen(want) || !nb_ip_parse(got, length, &back, NULL) ||
        memcmp(&back, ip, sizeof back) != 0)
        ck_abort_msg("%s is written as %s", want, got);
}

/* Groups of one to four digits in all places, with all patterns of zeroes. */
START_TEST(each_pattern_of_groups_goes_there_and_back)
{
    static const uint16_t values[] = {0, 0xf, 0x10, 0x100, 0xffff};
    for (unsigned pattern = 0; pattern < 5 * 5 * 5 * 5 * 5 * 5 * 5 * 5; pattern++) {
        struct nb_ip ip = {.family = 6};
        unsigned rest = pattern;
        for (int i = 0; i < 8; i++, rest /= 5) {
            ip.bytes[2 * i] = (uint8_t)(values[rest % 5] >> 8);
            ip.bytes[2 * i + 1] = (uint8_t)values[rest % 5];
        }
        compare_with_system(&ip);
    }
}
END_TEST

START_TEST(each_number_goes_there_and_back)
{
    for (int place = 0; place < 4; place++)
        for (int value = 0; value < 256; value++) {
            struct nb_ip ip = {.family = 4, .bytes = {9, 99, 199, 0}};
            ip.bytes[place] = (uint8_t)value;
            compare_with_system(&ip);
        }
}
END_TEST

START_TEST(no_family_has_no_text)
{
    char text[NB_IP_TEXT] = "x";
    ck_assert_uint_eq(nb_ip_format(&(struct nb_ip){0}, text), 0);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(the_longest_text_fits)
{
    struct nb_ip ip = {.family = 6};
    memset(ip.bytes, 0xff, 16);
    char text[NB_IP_TEXT];
    ck_assert_uint_lt(nb_ip_format(&ip, text), NB_IP_TEXT);
}
END_TEST

int main(void)
{
    return run_suite("ip format",
                     (const TTest *[]){leading_zeroes_are_left_out, the_longest_run_of_zeroes_is_shortened,
                                       the_first_of_equal_runs_is_shortened, a_single_zero_group_stays,
                                       letters_are_small, embedded_ipv4_is_dotted,
                                       each_pattern_of_groups_goes_there_and_back,
                                       each_number_goes_there_and_back, no_family_has_no_text,
                                       the_longest_text_fits, NULL});
}
