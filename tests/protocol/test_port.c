#include "port.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    const char *text;
    int port; /* -1: refused */
} port_texts[] = {
    {"80", 80},
    {" 80 ", 80},
    {"\t80\n", 80},
    {"0x50", 80},
    {"0X50", 80},
    {"0b11", 3},
    {"0o17", 15},
    {"1e2", 100},
    {"80.0", 80},
    {"+80", 80},
    {"-0", 0},
    {"0", 0},
    {"65535", 65535},
    {"0xffff", 65535},
    {"80.", 80},
    {".8e2", 80},
    {"00080", 80},
    {"65536", -1},
    {"-1", -1},
    {"", -1},
    {"  ", -1},
    {"abc", -1},
    {"80x", -1},
    {"0x", -1},
    {"0x-1", -1},
    {"0x0x5", -1},
    {"0b2", -1},
    {"0o", -1},
    {"--1", -1},
    {"1e-1", -1},
    {"10e-1", 1},
    {"0x 1", -1},
    {"-0x50", -1},
    {"1.5", -1},
    {"1e", -1},
    {"e1", -1},
    {".", -1},
    {"+-1", -1},
    {"8 0", -1},
    {"inf", -1},
    {"Infinity", -1},
    {"nan", -1},
    {"0b12", -1},
    {"0o8", -1},
    {"1_0", -1},
    {"0x10000", -1},
    {"1e999", -1},
    {"0xffffffffffffffffffffffff", -1},
    {"99999999999999999999999999999999999999999999999999999999999999999999999", -1},
};
enum { PORT_TEXT_COUNT = sizeof port_texts / sizeof *port_texts };

START_TEST(ports_as_text)
{
    uint32_t port = 12345;
    bool is_port = nb_port_of_text(nb_slice_of(port_texts[_i].text), &port);
    ck_assert_msg(is_port == (port_texts[_i].port >= 0), "%s", port_texts[_i].text);
    ck_assert_uint_eq(port, is_port ? (uint32_t)port_texts[_i].port : 12345);
}
END_TEST

START_TEST(a_text_with_nul_is_none)
{
    uint32_t port;
    ck_assert(!nb_port_of_text((struct nb_slice){(const uint8_t *)"80\0", 3}, &port));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, ports_as_text, 0, PORT_TEXT_COUNT);
    tcase_add_test(values, a_text_with_nul_is_none);
    suite_add_tcase(suite, values);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
