#include "inspect.h"

#include <check.h>
#include <stdlib.h>

#include "notation.h"
#include "utf8.h"

/* value, as inspected, with its type, in a range error: as node 19.2 prints them. */
static const char *const inspected[][4] = {
    {"70000", "70000", "type number (70000)", "70000"},
    {"-1", "-1", "type number (-1)", "-1"},
    {"1.5", "1.5", "type number (1.5)", "1.5"},
    {"0.1", "0.1", "type number (0.1)", "0.1"},
    {"0.000001", "0.000001", "type number (0.000001)", "0.000001"},
    {"0.0000001", "1e-7", "type number (1e-7)", "1e-7"},
    {"-0.5", "-0.5", "type number (-0.5)", "-0.5"},
    {"-0.0", "-0", "type number (-0)", "-0"},
    {"1e21", "1e+21", "type number (1e+21)", "1e_+21"},
    {"1.5e300", "1.5e+300", "type number (1.5e+300)", "1._5e+_300"},
    {"1e20", "100000000000000000000", "type number (100000000000000000000)", "100_000_000_000_000_000_000"},
    {"12345678901.5", "12345678901.5", "type number (12345678901.5)", "12345678901.5"},
    {"4294967296", "4294967296", "type number (4294967296)", "4294967296"},
    {"-4294967297", "-4294967297", "type number (-4294967297)", "-4_294_967_297"},
    {"9007199254740992.0", "9007199254740992", "type number (9007199254740992)", "9_007_199_254_740_992"},
    {"18446744073709551615", "18446744073709551615", "type number (18446744073709551615)",
     "18_446_744_073_709_551_615"},
    {"<cb7ff8000000000000>", "NaN", "type number (NaN)", "NaN"},
    {"<cb7ff0000000000000>", "Infinity", "type number (Infinity)", "Infinity"},
    {"<cbfff0000000000000>", "-Infinity", "type number (-Infinity)", "-Infinity"},
    {"true", "true", "type boolean (true)", "true"},
    {"'abc'", "'abc'", "type string ('abc')", "'abc'"},
    {"''", "''", "type string ('')", "''"},
    {"<a46974 2773>", "\"it's\"", "type string (\"it's\")", "\"it's\""},
    {"<a5612227 6000>", "'a\"\\'`\\x00'", "type string ('a\"\\'`\\x00')", "'a\"\\'`\\x00'"},
    {"<a461 2227 00>", "`a\"'\\x00`", "type string (`a\"'\\x00`)", "`a\"'\\x00`"},
    {"<a3610a62>", "'a\\nb'", "type string ('a\\nb')", "'a\\nb'"},
    {"<a2c3a9>", "'\xc3\xa9'", "type string ('\xc3\xa9')", "'\xc3\xa9'"},
    {"<a2ff5c>", "'\xef\xbf\xbd\\\\'", "type string ('\xef\xbf\xbd\\\\')", "'\xef\xbf\xbd\\\\'"},
    {"'aaaaaaaaaaaaaaaaaaaaaaaaaa'", "'aaaaaaaaaaaaaaaaaaaaaaaaaa'",
     "type string ('aaaaaaaaaaaaaaaaaaaaaaaaaa')", "'aaaaaaaaaaaaaaaaaaaaaaaaaa'"},
    {"'aaaaaaaaaaaaaaaaaaaaaaaaaaa'", "'aaaaaaaaaaaaaaaaaaaaaaaaaaa'",
     "type string ('aaaaaaaaaaaaaaaaaaaaaaaa...)", "'aaaaaaaaaaaaaaaaaaaaaaaaaaa'"},
    {"nil", "null", "null", "null"},
    {"<d40000>", "undefined", "undefined", "undefined"},
    {"[1]", "[Array]", "an instance of Array", "[Array]"},
    {"{}", "[Object]", "an instance of Object", "[Object]"},
    {"x'0102'", "[Uint8Array]", "an instance of Uint8Array", "[Uint8Array]"},
};
enum { INSPECTED_COUNT = sizeof inspected / sizeof *inspected };

static struct nb_value value_of(struct nb_slice bytes)
{
    struct nb_cursor cursor = {bytes.data, bytes.data + bytes.length};
    return nb_cursor_take(&cursor);
}

START_TEST(values_are_printed_as_node_does)
{
    char text[NB_INSPECT_SIZE];
    struct nb_slice bytes = notation(inspected[_i][0]);
    struct nb_value value = value_of(bytes);
    nb_inspect(&value, text);
    ck_assert_str_eq(text, inspected[_i][1]);
    nb_inspect_type(&value, text);
    ck_assert_str_eq(text, inspected[_i][2]);
    nb_inspect_range(&value, text);
    ck_assert_str_eq(text, inspected[_i][3]);
    free((void *)bytes.data);
}
END_TEST

START_TEST(printed_strings_are_bounded)
{
    static const uint8_t characters[] = {'x', 0x01, 0xff, '\'', 0xf0};
    uint8_t many[1000];
    char text[NB_INSPECT_SIZE];
    memset(many, characters[_i], sizeof many);
    if (characters[_i] == 0xf0) {
        for (size_t i = 0; i < sizeof many; i += 4)
            memcpy(many + i, "\xf0\x9f\x98\x80", 4);
    }
    struct nb_value value = {.kind = NB_KIND_STR, .bytes = {many, sizeof many}};
    nb_inspect(&value, text);
    ck_assert_uint_lt(strlen(text), NB_INSPECT_SIZE);
    ck_assert_str_eq(text + strlen(text) - 3, "...");
    ck_assert_uint_eq(nb_utf8_valid((const uint8_t *)text, strlen(text)), strlen(text));
    nb_inspect_type(&value, text);
    ck_assert_str_eq(text + strlen(text) - 4, "...)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inspect");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, values_are_printed_as_node_does, 0, INSPECTED_COUNT);
    tcase_add_loop_test(values, printed_strings_are_bounded, 0, 5);
    suite_add_tcase(suite, values);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
