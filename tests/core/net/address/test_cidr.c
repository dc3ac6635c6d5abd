#include "cidr.h"
#include "fence.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static bool reads(const char *text)
{
    struct nb_cidr cidr;
    size_t length = strlen(text);
    bool read = nb_cidr_parse(fence_behind(text, length), length, &cidr);
    ck_assert(nb_cidr_parse(fence_before(text, length), length, &cidr) == read);
    return read;
}

static struct nb_cidr parse(const char *text)
{
    struct nb_cidr cidr;
    ck_assert_msg(nb_cidr_parse(text, strlen(text), &cidr), "%s is not read", text);
    return cidr;
}

START_TEST(an_address_and_a_prefix_are_a_block)
{
    struct nb_cidr cidr = parse("192.0.2.77/24");
    ck_assert_int_eq(cidr.network.family, 4);
    ck_assert_uint_eq(cidr.network.bytes[3], 77);
    ck_assert_uint_eq(cidr.prefix, 24);
    cidr = parse("2001:db8::/128");
    ck_assert_int_eq(cidr.network.family, 6);
    ck_assert_uint_eq(cidr.prefix, 128);
}
END_TEST

START_TEST(each_prefix_has_one_text)
{
    for (int family = 4; family <= 6; family += 2)
        for (int prefix = 0; prefix < 1000; prefix++) {
            char text[NB_CIDR_TEXT], again[NB_CIDR_TEXT];
            struct nb_cidr cidr;
            int length = sprintf(text, "%s/%d", family == 4 ? "10.0.0.0" : "2001:db8::", prefix);
            bool read = nb_cidr_parse(text, (size_t)length, &cidr);
            ck_assert_msg(read == (prefix <= (family == 4 ? 32 : 128)), "%s", text);
            if (!read)
                continue;
            ck_assert_int_eq(cidr.prefix, prefix);
            ck_assert_uint_eq(nb_cidr_format(&cidr, again), strlen(text));
            ck_assert_str_eq(again, text);
        }
}
END_TEST

START_TEST(all_else_is_none)
{
    static const char *const wrong[] = {"",
                                        "/",
                                        "/8",
                                        "1.2.3.4",
                                        "1.2.3.4/",
                                        "1.2.3.4/08",
                                        "1.2.3.4/00",
                                        "1.2.3.4/33",
                                        "1.2.3.4/-1",
                                        "1.2.3.4/+8",
                                        "1.2.3.4/ 8",
                                        "1.2.3.4/8 ",
                                        "1.2.3.4/8a",
                                        "1.2.3.4/0x8",
                                        "1.2.3.4/4294967304",
                                        "1.2.3.4//8",
                                        "1.2.3.4/8/8",
                                        "1.2.3/8",
                                        "::/129",
                                        "::/1000",
                                        "::/0008",
                                        "::",
                                        "fe80::1%eth0/64",
                                        "fe80::1/64%eth0",
                                        "1.2.3.4/255.0.0.0",
                                        "g::/8"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!reads(wrong[i]), "%s", wrong[i]);
    ck_assert(reads("::/0"));
    ck_assert(reads("0.0.0.0/0"));
}
END_TEST

START_TEST(nothing_is_written_on_failure)
{
    struct nb_cidr cidr = {.prefix = 99};
    ck_assert(!nb_cidr_parse("1.2.3.4/33", 10, &cidr));
    ck_assert_uint_eq(cidr.prefix, 99);
    ck_assert_uint_eq(cidr.network.family, 0);
}
END_TEST

static bool bit_of(const struct nb_ip *ip, int bit)
{
    return ip->bytes[bit / 8] >> (7 - bit % 8) & 1;
}

/* Bit by bit: the network's within the prefix, then zeroes and ones. */
static void check_bounds(const struct nb_cidr *cidr, int bits)
{
    struct nb_ip first, last;
    nb_cidr_bounds(cidr, &first, &last);
    ck_assert_int_eq(first.family, cidr->network.family);
    ck_assert_int_eq(last.family, cidr->network.family);
    for (int bit = 0; bit < 128; bit++) {
        bool is_network = bit < cidr->prefix || bit >= bits;
        ck_assert(bit_of(&first, bit) == (is_network && bit_of(&cidr->network, bit)));
        ck_assert(bit_of(&last, bit) == (is_network ? bit_of(&cidr->network, bit) : true));
    }
}

START_TEST(bounds_follow_from_the_bits)
{
    static const char *const texts[] = {"85.170.0.255/0", "::/0", "5555:aaaa:ff00:ff::5a5a/0",
                                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0", "255.255.255.255/0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct nb_cidr cidr = parse(texts[i]);
        int bits = cidr.network.family == 4 ? 32 : 128;
        for (int prefix = 0; prefix <= bits; prefix++) {
            cidr.prefix = (uint8_t)prefix;
            check_bounds(&cidr, bits);
        }
    }
}
END_TEST

START_TEST(bounds_may_replace_the_network)
{
    struct nb_cidr cidr = parse("10.1.2.3/8");
    struct nb_ip last;
    char text[NB_IP_TEXT];
    nb_cidr_bounds(&cidr, &cidr.network, &last);
    nb_ip_format(&cidr.network, text);
    ck_assert_str_eq(text, "10.0.0.0");
    nb_ip_format(&last, text);
    ck_assert_str_eq(text, "10.255.255.255");
}
END_TEST

int main(void)
{
    return run_suite("cidr",
                     (const TTest *[]){an_address_and_a_prefix_are_a_block, each_prefix_has_one_text,
                                       all_else_is_none, nothing_is_written_on_failure,
                                       bounds_follow_from_the_bits, bounds_may_replace_the_network, NULL});
}
