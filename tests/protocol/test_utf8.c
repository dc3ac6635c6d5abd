#include "utf8.h"

#include <check.h>
#include <stdlib.h>

#include "notation.h"

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

/* The start of a text of one to four bytes a character, at each length. */
START_TEST(a_cut_falls_between_characters)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t length = 0; length < sizeof text; length++)
        ck_assert_uint_eq(nb_utf8_cut((const uint8_t *)text, length), cuts[length]);
}
END_TEST

START_TEST(a_cut_of_what_is_no_utf8_stays_near)
{
    static const uint8_t tails[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xff, 0xff};
    for (size_t length = 0; length <= sizeof tails; length++)
        ck_assert_uint_ge(nb_utf8_cut(tails, length) + 4, length);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utf8");
    TCase *values = tcase_create("values");
    tcase_add_test(values, utf8_is_that_of_the_rfc);
    tcase_add_test(values, a_cut_falls_between_characters);
    tcase_add_test(values, a_cut_of_what_is_no_utf8_stays_near);
    suite_add_tcase(suite, values);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
