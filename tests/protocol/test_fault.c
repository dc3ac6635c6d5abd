#include "fault.h"

#include <check.h>
#include <stdlib.h>

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
    ck_assert_slice(fault.map.argument, "path");
    nb_fault_range(&fault, "prefix", ">= 0 && <= 32", "33");
    ck_assert_slice(fault.map.message,
                    "The value of \"prefix\" is out of range. It must be >= 0 && <= 32. Received 33");
    ck_assert_slice(fault.map.name, "RangeError");
    nb_fault_value(&fault, "options.family", "must be one of: 0, 4, 6", "5");
    ck_assert_slice(fault.map.message, "The property 'options.family' must be one of: 0, 4, 6. Received 5");
    ck_assert_slice(fault.map.code, "ERR_INVALID_ARG_VALUE");
    nb_fault_port(&fault, "options.port", "type number (70000)");
    ck_assert_slice(fault.map.message,
                    "options.port should be >= 0 and < 65536. Received type number (70000).");
    ck_assert_slice(fault.map.name, "RangeError");
    ck_assert_slice(fault.map.argument, "port");
}
END_TEST

START_TEST(the_field_has_the_name_it_has_on_the_wire)
{
    struct nb_fault fault;
    nb_fault_type(&fault, "msecs", "of type number", "undefined");
    ck_assert_slice(fault.map.argument, "msecs");
    nb_fault_set_argument(&fault, "timeout");
    ck_assert_slice(fault.map.argument, "timeout");
    ck_assert_slice(fault.map.message, "The \"msecs\" argument must be of type number. Received undefined");
    nb_fault_range(&fault, "options.onread.size", ">= 1", "0");
    ck_assert_slice(fault.map.argument, "onread.size");
    size_t length = fault.text_length;
    nb_fault_set_argument(&fault, "onread.size");
    ck_assert_uint_eq(fault.text_length, length);
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

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *faults = tcase_create("faults");
    tcase_add_test(faults, set_starts_afresh);
    tcase_add_test(faults, long_texts_are_cut_at_a_character);
    tcase_add_test(faults, an_empty_text_is_present);
    tcase_add_test(faults, copies_stand_alone);
    tcase_add_test(faults, wording_is_that_of_node);
    tcase_add_test(faults, the_field_has_the_name_it_has_on_the_wire);
    tcase_add_test(faults, limits_are_named_with_their_number);
    suite_add_tcase(suite, faults);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
