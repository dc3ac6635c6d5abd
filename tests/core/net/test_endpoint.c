#include "endpoint.h"
#include "sockets.h"
#include "suite.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The family that a text is read as; 0: none. */
static int family_of(const char *text)
{
    struct nb_endpoint address;
    return nb_endpoint_parse(nb_slice_of(text), &address) ? address.ip.family : 0;
}

static const char *read_and_format(const char *text)
{
    static char formatted[NB_ENDPOINT_TEXT];
    struct nb_endpoint address;
    ck_assert_msg(nb_endpoint_parse(nb_slice_of(text), &address), "%s is not read", text);
    ck_assert_uint_eq(address.port, 0);
    return nb_endpoint_format(&address, formatted);
}

/* What net.isIP says, with answers recorded from Node. */
START_TEST(literals_are_read_as_node_reads_them)
{
    static const struct {
        const char *text;
        int family;
    } cases[] = {
        {"127.0.0.1", 4},
        {"0.0.0.0", 4},
        {"255.255.255.255", 4},
        {"256.0.0.1", 0},
        {"1.2.3", 0},
        {"1.2.3.4.5", 0},
        {"01.2.3.4", 0},
        {"127.000.000.001", 0},
        {"1.2.3.4 ", 0},
        {" 1.2.3.4", 0},
        {"1.2.3.4/24", 0},
        {"0x7f.0.0.1", 0},
        {"1.2.3.-4", 0},
        {"", 0},
        {"localhost", 0},
        {"1.2.3.4%eth0", 0},
        {".1.2.3", 0},
        {"1..2.3", 0},
        {"::", 6},
        {"::1", 6},
        {"1::", 6},
        {"1:2:3:4:5:6:7:8", 6},
        {"1:2:3:4:5:6:7", 0},
        {"1:2:3:4:5:6:7:8:9", 0},
        {"1:2:3:4:5:6:7::", 6},
        {"::2:3:4:5:6:7:8", 6},
        {"::1::", 0},
        {":::", 0},
        {":1", 0},
        {"12345::", 0},
        {"g::", 0},
        {"FE80::A", 6},
        {"::ffff:1.2.3.4", 6},
        {"::1.2.3.4", 6},
        {"::1.2.3.256", 0},
        {"1.2.3.4::", 0},
        {"[::1]", 0},
        {"::1%lo", 6},
        {"fe80::1%1", 6},
        {"fe80::1%a-b.c:d", 6},
        {"::1%", 0},
        {"::1%a%b", 0},
        {"::1%a b", 0},
        {"%lo", 0},
        {"::1/64", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(family_of(cases[i].text) == cases[i].family, "%s", cases[i].text);
}
END_TEST

START_TEST(what_is_no_text_is_no_address)
{
    struct nb_endpoint address = {.ip.family = 9};
    ck_assert(!nb_endpoint_parse((struct nb_slice){0}, &address));
    ck_assert(!nb_endpoint_parse((struct nb_slice){(const uint8_t *)"1.2.3.4\0", 8}, &address));
    ck_assert(!nb_endpoint_parse((struct nb_slice){(const uint8_t *)"::1%lo\0", 7}, &address));
    ck_assert_uint_eq(address.ip.family, 9);
}
END_TEST

START_TEST(a_slice_need_not_end_in_nul)
{
    struct nb_endpoint address;
    ck_assert(nb_endpoint_parse((struct nb_slice){(const uint8_t *)"10.0.0.12", 8}, &address));
    ck_assert_uint_eq(address.ip.bytes[3], 1);
}
END_TEST

START_TEST(addresses_have_one_text)
{
    ck_assert_str_eq(read_and_format("192.0.2.1"), "192.0.2.1");
    ck_assert_str_eq(read_and_format("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
    ck_assert_str_eq(read_and_format("0:0:0:0:0:0:0:0"), "::");
    ck_assert_str_eq(read_and_format("::ffff:127.0.0.1"), "::ffff:127.0.0.1");
    ck_assert_str_eq(read_and_format("::ffff:7f00:1"), "::ffff:127.0.0.1");
    struct nb_endpoint none = {0};
    char text[NB_ENDPOINT_TEXT];
    ck_assert_ptr_eq(nb_endpoint_format(&none, text), text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_zone_is_an_interface)
{
    char name[IF_NAMESIZE], text[NB_ENDPOINT_TEXT];
    struct nb_endpoint address;
    ck_assert_ptr_nonnull(if_indextoname(1, name));
    snprintf(text, sizeof text, "fe80::1%%%s", name);
    ck_assert(nb_endpoint_parse(nb_slice_of(text), &address));
    ck_assert_uint_eq(address.scope, 1);
    ck_assert_str_eq(read_and_format("fe80::1%1"), text);
    ck_assert_str_eq(read_and_format("fe80::1%nosuchif"), "fe80::1");
    ck_assert(nb_endpoint_parse(nb_slice_of("fe80::1%99999999999"), &address));
    ck_assert_uint_eq(address.scope, 0);
}
END_TEST

START_TEST(a_zone_may_be_of_any_length)
{
    enum { LENGTH = 1 << 20 };
    struct nb_endpoint address;
    char *text = malloc(LENGTH);
    memset(text, 'a', LENGTH);
    memcpy(text, "fe80::1%", 8);
    ck_assert(nb_endpoint_parse((struct nb_slice){(const uint8_t *)text, LENGTH}, &address));
    ck_assert_int_eq(address.ip.family, 6);
    ck_assert_uint_eq(address.scope, 0);
    text[LENGTH - 1] = '_';
    ck_assert(!nb_endpoint_parse((struct nb_slice){(const uint8_t *)text, LENGTH}, &address));
    free(text);
}
END_TEST

START_TEST(families_have_names)
{
    ck_assert_str_eq(nb_endpoint_family_name(&(struct nb_endpoint){.ip.family = 4}), "IPv4");
    ck_assert_str_eq(nb_endpoint_family_name(&(struct nb_endpoint){.ip.family = 6}), "IPv6");
}
END_TEST

/* There and back again. */
static void check_sockaddr(const char *text, uint16_t port, uint32_t scope, sa_family_t family,
                           socklen_t length)
{
    struct sockaddr_storage storage;
    struct nb_endpoint address, back;
    char before[NB_ENDPOINT_TEXT], after[NB_ENDPOINT_TEXT];
    ck_assert(nb_endpoint_parse(nb_slice_of(text), &address));
    address.port = port;
    address.scope = scope;
    ck_assert_uint_eq(nb_endpoint_to_sockaddr(&address, &storage), length);
    ck_assert_uint_eq(storage.ss_family, family);
    back = nb_endpoint_from_sockaddr(&storage);
    ck_assert_uint_eq(back.port, port);
    ck_assert_uint_eq(back.scope, scope);
    ck_assert_str_eq(nb_endpoint_format(&address, before), nb_endpoint_format(&back, after));
}

START_TEST(addresses_go_to_the_system_and_back)
{
    check_sockaddr("192.0.2.1", 80, 0, AF_INET, sizeof(struct sockaddr_in));
    check_sockaddr("2001:db8::1", 65535, 0, AF_INET6, sizeof(struct sockaddr_in6));
    check_sockaddr("fe80::1", 1, 1, AF_INET6, sizeof(struct sockaddr_in6));
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    ck_assert_uint_eq(nb_endpoint_from_sockaddr(&other).ip.family, 0);
}
END_TEST

START_TEST(a_socket_knows_both_ends)
{
    int ends[2];
    struct nb_endpoint local, peer, seen;
    char text[NB_ENDPOINT_TEXT];
    tcp_pair(ends);
    nb_endpoint_of_local(ends[0], &local);
    nb_endpoint_of_peer(ends[0], &peer);
    ck_assert_str_eq(nb_endpoint_format(&local, text), "127.0.0.1");
    nb_endpoint_of_peer(ends[1], &seen);
    ck_assert_uint_eq(seen.port, local.port);
    nb_endpoint_of_local(ends[1], &seen);
    ck_assert_uint_eq(seen.port, peer.port);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(an_end_that_is_not_there_has_no_family)
{
    int ends[2], fresh = tcp_socket();
    struct nb_endpoint address = {.ip.family = 9};
    nb_endpoint_of_peer(fresh, &address);
    ck_assert_uint_eq(address.ip.family, 0);
    unix_pair(ends);
    nb_endpoint_of_local(ends[0], &address);
    ck_assert_uint_eq(address.ip.family, 0);
    close(ends[0]);
    close(ends[1]);
    close(fresh);
    nb_endpoint_of_local(-1, &address);
    ck_assert_uint_eq(address.ip.family, 0);
}
END_TEST

int main(void)
{
    return run_suite(
        "address", (const TTest *[]){literals_are_read_as_node_reads_them, what_is_no_text_is_no_address,
                                     a_slice_need_not_end_in_nul, addresses_have_one_text,
                                     a_zone_is_an_interface, a_zone_may_be_of_any_length, families_have_names,
                                     addresses_go_to_the_system_and_back, a_socket_knows_both_ends,
                                     an_end_that_is_not_there_has_no_family, NULL});
}
