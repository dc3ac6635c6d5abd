#include "fault.h"

#include <check.h>
#include <stdlib.h>

#include "inspect.h"
#include "notation.h"
#include "utf8.h"

#define ck_assert_slice(slice, text)                                                                         \
    ck_assert_msg(nb_slice_is(slice, text), "%.*s", (int)(slice).length, (slice).data)

START_TEST(set_starts_afresh)
{
    struct nb_fault fault;
    memset(&fault, 0x55, sizeof fault);
    nb_fault_set(&fault, "ERR_NB_POLICY", NULL, "no %s below %d", "ports", 1024);
    ck_assert_slice(fault.map.code, "ERR_NB_POLICY");
    ck_assert_slice(fault.map.message, "no ports below 1024");
    ck_assert_ptr_null(fault.map.name.data);
    ck_assert(!fault.map.has_error_number && !fault.map.has_fatal);
}
END_TEST

START_TEST(long_texts_are_cut_at_a_character)
{
    struct nb_fault fault;
    char text[2 * NB_FAULT_TEXT + 1] = "";
    for (int i = 0; i < NB_FAULT_TEXT / 2; i++)
        strcat(text, "\xe2\x82\xac"); /* three bytes each */
    nb_fault_set(&fault, "EINVAL", NULL, "%s", text);
    ck_assert_uint_eq(fault.map.message.length, (NB_FAULT_TEXT - 1) / 3 * 3);
    struct nb_slice kept = nb_fault_keep(&fault, text, strlen(text));
    ck_assert_ptr_nonnull(kept.data);
    ck_assert_uint_le(kept.length, NB_FAULT_TEXT - fault.map.message.length);
    ck_assert_uint_eq(nb_utf8_valid(kept.data, kept.length), kept.length);
    ck_assert_uint_le(fault.text_length, NB_FAULT_TEXT);
}
END_TEST

START_TEST(an_empty_text_is_present)
{
    struct nb_fault fault;
    nb_fault_set(&fault, "EINVAL", NULL, "x");
    struct nb_slice kept = nb_fault_keep(&fault, "", 0);
    ck_assert_ptr_nonnull(kept.data);
    ck_assert_uint_eq(kept.length, 0);
}
END_TEST

START_TEST(copies_stand_alone)
{
    struct nb_fault *from = malloc(sizeof *from), to;
    nb_fault_set(from, "ECONNREFUSED", NULL, "connect ECONNREFUSED %s:%d", "127.0.0.1", 1);
    from->map.address = nb_fault_keep(from, "127.0.0.1", 9);
    from->map.syscall = nb_slice_of("connect");
    from->map.has_port = true;
    from->map.port = 1;
    nb_fault_copy(&to, from);
    nb_fault_copy(&to, &to);
    free(from);
    ck_assert_slice(to.map.message, "connect ECONNREFUSED 127.0.0.1:1");
    ck_assert_slice(to.map.address, "127.0.0.1");
    ck_assert_slice(to.map.syscall, "connect");
    ck_assert_int_eq(to.map.port, 1);
}
END_TEST

/* The texts below were printed by node 19.2. */
START_TEST(wording_is_that_of_node)
{
    struct nb_fault fault;
    nb_fault_type(&fault, "prefix", "of type number", "type string ('33')");
    ck_assert_slice(fault.map.message,
                    "The \"prefix\" argument must be of type number. Received type string ('33')");
    ck_assert_slice(fault.map.code, "ERR_INVALID_ARG_TYPE");
    ck_assert_slice(fault.map.name, "TypeError");
    ck_assert_slice(fault.map.argument, "prefix");
    nb_fault_type(&fault, "options.path", "of type string", "type number (5)");
    ck_assert_slice(fault.map.message,
                    "The \"options.path\" property must be of type string. Received type number (5)");
    nb_fault_range(&fault, "prefix", ">= 0 && <= 32", "33");
    ck_assert_slice(fault.map.message,
                    "The value of \"prefix\" is out of range. It must be >= 0 && <= 32. Received 33");
    ck_assert_slice(fault.map.name, "RangeError");
    nb_fault_value(&fault, "options.family", "must be one of: 0, 4, 6", "5");
    ck_assert_slice(fault.map.message, "The property 'options.family' must be one of: 0, 4, 6. Received 5");
    ck_assert_slice(fault.map.code, "ERR_INVALID_ARG_VALUE");
    nb_fault_port(&fault, "port", "type number (70000)");
    ck_assert_slice(fault.map.message,
                    "options.port should be >= 0 and < 65536. Received type number (70000).");
    ck_assert_slice(fault.map.name, "RangeError");
    ck_assert_slice(fault.map.argument, "port");
}
END_TEST

START_TEST(limits_are_named_with_their_number)
{
    struct nb_fault fault;
    nb_fault_limit(&fault, "maxWrite", 1048576);
    ck_assert_slice(fault.map.code, "ERR_NB_LIMIT");
    ck_assert_slice(fault.map.limit, "maxWrite");
    ck_assert_ptr_nonnull(strstr(fault.text, "1048576"));
}
END_TEST

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

START_TEST(utf8_is_that_of_the_rfc)
{
    static const struct {
        const char *bytes;
        size_t valid;
    } cases[] = {{"61", 1},
                 {"c3a9", 2},
                 {"e282ac", 3},
                 {"f09f9880", 4},
                 {"f48fbfbf", 4},
                 {"7f", 1},
                 {"c080", 0},
                 {"c1bf", 0},
                 {"e09fbf", 0},
                 {"eda080", 0},
                 {"ed9fbf", 3},
                 {"f08fbfbf", 0},
                 {"f4908080", 0},
                 {"f5808080", 0},
                 {"80", 0},
                 {"ff", 0},
                 {"61c3", 1},
                 {"61e282", 1},
                 {"61f09f98", 1},
                 {"6161616161616161c3", 8},
                 {"61616161616161616161616161616161ff61", 16},
                 {"c361", 0},
                 {"e28261", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nb_slice bytes = unhex(cases[i].bytes);
        ck_assert_msg(nb_utf8_valid(bytes.data, bytes.length) == cases[i].valid, "%s", cases[i].bytes);
        free((void *)bytes.data);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *faults = tcase_create("faults");
    tcase_add_test(faults, set_starts_afresh);
    tcase_add_test(faults, long_texts_are_cut_at_a_character);
    tcase_add_test(faults, an_empty_text_is_present);
    tcase_add_test(faults, copies_stand_alone);
    tcase_add_test(faults, wording_is_that_of_node);
    tcase_add_test(faults, limits_are_named_with_their_number);
    tcase_add_loop_test(faults, values_are_printed_as_node_does, 0, INSPECTED_COUNT);
    tcase_add_loop_test(faults, printed_strings_are_bounded, 0, 5);
    tcase_add_test(faults, utf8_is_that_of_the_rfc);
    suite_add_tcase(suite, faults);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
