#include "msgpack_any.h"

#include <check.h>
#include <stdlib.h>

#include "msgpack_encode.h"
#include "notation.h"
#include "scan.h"

static const struct {
    const char *given;
    const char *sent;
} forms[] = {
    {"{}", "{}"},
    {"<de0000>", "{}"},
    {"<df00000000>", "{}"},
    {"<dd0000000101>", "[1]"},
    {"<dc000100>", "[0]"},
    /* integers: the shortest that holds them, whatever their sign was said to be */
    {"[<cc05> <cd0005> <ce00000005> <cf0000000000000005>]", "[5 5 5 5]"},
    {"[<d005> <d10005> <d200000005> <d30000000000000005>]", "[5 5 5 5]"},
    {"[<d0ff> <d1ffff> <d2ffffffff> <d3ffffffffffffffff>]", "[-1 -1 -1 -1]"},
    {"[<d1ffdf> <d2ffffff7f> <d3ffffffffffff7fff>]", "[-33 -129 -32769]"},
    {"[<d3000000012a05f200> <cfffffffffffffffff>]", "[5000000000 18446744073709551615]"},
    /* floats stay floats, of 64 bits */
    {"[<ca3fc00000> <cb3ff8000000000000>]", "[1.5 1.5]"},
    {"[<ca40000000> 2.0 <cb8000000000000000>]", "[2.0 2.0 -0.0]"},
    {"[<ca7f800000>]", "[<cb7ff0000000000000>]"},
    /* texts: the shortest heads; a key that came as bin is a str */
    {"[<d90161> <da000161> <db0000000161>]", "['a' 'a' 'a']"},
    {"[<c50001ff> <c600000001ff>]", "[x'ff' x'ff']"},
    {"{x'61': 1, <d90162>: 2}", "{'a': 1, 'b': 2}"},
    /* what is absent is left out of maps, at any depth, and is nil elsewhere */
    {"{'a': nil, 'b': 1, 'c': <d40000>, 'd': <c7010000>}", "{'b': 1}"},
    {"{'a': {'b': nil}, 'c': [{'d': nil}]}", "{'a': {}, 'c': [{}]}"},
    {"[nil, <d40000>, 1]", "[nil, nil, 1]"},
    {"nil", "nil"},
    {"true", "true"},
    {"{'a': false, 'b': [true]}", "{'a': false, 'b': [true]}"},
};

enum { FORM_COUNT = sizeof forms / sizeof *forms };

static enum nb_any_status take(struct nb_slice value, struct nb_value *ret_wrong, size_t *ret_taken)
{
    struct nb_cursor cursor = {value.data, value.data + value.length};
    enum nb_any_status status = nb_any_take(&cursor, ret_wrong);
    *ret_taken = (size_t)(cursor.at - value.data);
    return status;
}

static struct nb_encoder pack(struct nb_slice value)
{
    struct nb_encoder encoder = {0};
    msgpack_packer packer = nb_encoder_packer(&encoder);
    nb_any_pack(&packer, value);
    ck_assert(!encoder.failed);
    return encoder;
}

static void is_packed_as(struct nb_slice given, struct nb_slice expected)
{
    struct nb_encoder encoder = pack(given);
    char *wanted = strdup(hex(expected.data, expected.length));
    ck_assert_str_eq(hex(encoder.data, encoder.length), wanted);
    free(wanted);
    nb_encoder_finish(&encoder);
}

START_TEST(packed_in_the_promised_form)
{
    struct nb_value wrong;
    size_t taken;
    struct nb_slice given = notation(forms[_i].given), expected = notation(forms[_i].sent);
    ck_assert_int_eq(take(given, &wrong, &taken), NB_ANY);
    ck_assert_uint_eq(taken, given.length);
    is_packed_as(given, expected);
    is_packed_as(expected, expected);
    free((void *)given.data);
    free((void *)expected.data);
}
END_TEST

static const struct {
    const char *given;
    enum nb_any_status status;
    enum nb_kind wrong;
} refusals[] = {
    {"<d40500>", NB_ANY_EXTENSION, NB_KIND_EXT},
    {"[1, {'a': <d6ff00000000>}]", NB_ANY_EXTENSION, NB_KIND_EXT},
    {"[<c7020000 00>]", NB_ANY_EXTENSION, NB_KIND_EXT},
    {"{1: 2}", NB_ANY_KEY_NOT_TEXT, NB_KIND_UINT},
    {"{nil: 2}", NB_ANY_KEY_NOT_TEXT, NB_KIND_NIL},
    {"{[]: 2}", NB_ANY_KEY_NOT_TEXT, NB_KIND_ARRAY},
    {"[[{'a': {2.5: 1}}]]", NB_ANY_KEY_NOT_TEXT, NB_KIND_FLOAT},
    {"<a1ff>", NB_ANY_NOT_UTF8, NB_KIND_STR},
    {"{'a': <a1ff>}", NB_ANY_NOT_UTF8, NB_KIND_STR},
    {"{<a1ff>: 1}", NB_ANY_NOT_UTF8, NB_KIND_STR},
    {"{x'ff': 1}", NB_ANY_NOT_UTF8, NB_KIND_BIN},
};

enum { REFUSAL_COUNT = sizeof refusals / sizeof *refusals };

START_TEST(refused)
{
    struct nb_value wrong;
    size_t taken;
    struct nb_slice given = notation(refusals[_i].given);
    ck_assert_int_eq(take(given, &wrong, &taken), refusals[_i].status);
    ck_assert_int_eq(wrong.kind, refusals[_i].wrong);
    free((void *)given.data);
}
END_TEST

START_TEST(as_deep_as_the_scanner_lets_through)
{
    uint8_t nested[NB_SCAN_DEPTH_MAX + 1];
    memset(nested, 0x91, NB_SCAN_DEPTH_MAX);
    nested[NB_SCAN_DEPTH_MAX] = 0x05;
    struct nb_slice given = {nested, sizeof nested};
    struct nb_value wrong;
    size_t taken;
    ck_assert_int_eq(take(given, &wrong, &taken), NB_ANY);
    is_packed_as(given, given);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msgpack_any");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, packed_in_the_promised_form, 0, FORM_COUNT);
    tcase_add_loop_test(values, refused, 0, REFUSAL_COUNT);
    tcase_add_test(values, as_deep_as_the_scanner_lets_through);
    suite_add_tcase(suite, values);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
