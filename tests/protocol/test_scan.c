#include "scan.h"

#include <check.h>
#include <stdlib.h>

#include "notation.h"

static const struct nb_scan_limits limits = {.frame = 4096, .depth = 16, .elements = 512, .text = 256};

static const char *const frames[] = {
    "[0, 3, 'net.createConnection', [1, {'port': 8124, 'host': 'localhost'}]]",
    "[2, 'socket.write', [1, x'776f726c64210d0a']]",
    "[2, 'socket.write', [1, x'', {'encoding': 'hex'}]]",
    "[]",
    "[[], {}, [[]], [{}], {1: []}]",
    "[2, 'x', [0, {'a': [1.5, -1, 70000, -70000, 5000000000], 'b': nil, 'c': true}]]",
    "[<c7010000>, <d400 00>, <d500 0000>, <d8000102030405060708090a0b0c0d0e0f10>]",
    "[<dc0001 c0>, <dd00000001 c0>, <de0001 c0c0>, <df00000001 c0c0>, <d90161>, <da000161>, <db0000000161>]",
    "[<c40161>, <c5000161>, <c6000000 0161>, <c800010061>, <c9000000010061>, <ca3f800000>]",
};
enum { FRAME_COUNT = sizeof frames / sizeof *frames };

static enum nb_scan_status scan_once(const struct nb_scan_limits *with, struct nb_slice bytes,
                                     size_t *ret_position)
{
    struct nb_scan scan = {0};
    enum nb_scan_status status = nb_scan(&scan, with, bytes.data, bytes.length);
    *ret_position = scan.position;
    return status;
}

/* Each piece is in memory of its own, as far as the frame came. */
static enum nb_scan_status scan_grown(struct nb_scan *scan, struct nb_slice bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    memcpy(copy, bytes.data, length);
    enum nb_scan_status status = nb_scan(scan, &limits, copy, length);
    free(copy);
    return status;
}

static enum nb_scan_status status_of(const struct nb_scan_limits *with, const char *text)
{
    size_t position;
    struct nb_slice bytes = notation(text);
    enum nb_scan_status status = scan_once(with, bytes, &position);
    if (status == NB_SCAN_FRAME)
        ck_assert_uint_eq(position, bytes.length);
    free((void *)bytes.data);
    return status;
}

START_TEST(every_split_gives_the_same_frame)
{
    struct nb_slice frame = notation(frames[_i]);
    for (size_t split = 0; split < frame.length; split++) {
        struct nb_scan scan = {0};
        ck_assert_int_eq(scan_grown(&scan, frame, split), NB_SCAN_MORE);
        ck_assert_int_eq(scan_grown(&scan, frame, frame.length), NB_SCAN_FRAME);
        ck_assert_uint_eq(scan.position, frame.length);
    }
    free((void *)frame.data);
}
END_TEST

START_TEST(one_byte_at_a_time)
{
    struct nb_slice frame = notation(frames[_i]);
    struct nb_scan scan = {0};
    for (size_t length = 0; length < frame.length; length++)
        ck_assert_int_eq(scan_grown(&scan, frame, length), NB_SCAN_MORE);
    ck_assert_int_eq(scan_grown(&scan, frame, frame.length), NB_SCAN_FRAME);
    free((void *)frame.data);
}
END_TEST

START_TEST(stops_at_the_end_of_the_first_frame)
{
    struct nb_slice two = unhex("9302c092c0c0939393");
    struct nb_scan scan = {0};
    ck_assert_int_eq(nb_scan(&scan, &limits, two.data, two.length), NB_SCAN_FRAME);
    ck_assert_uint_eq(scan.position, 6);
    nb_scan_restart(&scan);
    ck_assert_int_eq(nb_scan(&scan, &limits, two.data + 6, two.length - 6), NB_SCAN_MORE);
    free((void *)two.data);
}
END_TEST

START_TEST(only_arrays_start_a_frame)
{
    uint8_t first = (uint8_t)_i;
    struct nb_scan scan = {0};
    bool is_array = (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;
    enum nb_scan_status status = nb_scan(&scan, &limits, &first, 1);
    if (first == 0x90)
        ck_assert_int_eq(status, NB_SCAN_FRAME);
    else
        ck_assert_int_eq(status, is_array ? NB_SCAN_MORE : NB_SCAN_MALFORMED);
}
END_TEST

/* Bytes of the value that begins with first when only zeros follow. */
static size_t size_among_zeros(uint8_t first)
{
    static const uint8_t from_c0[] = {1, 1, 1, 1, 2, 3, 5, 3,  4,  6, 5, 9, 2, 3, 5, 9,
                                      2, 3, 5, 9, 3, 4, 6, 10, 18, 2, 3, 5, 3, 5, 3, 5};
    if (first < 0x80 || first >= 0xe0)
        return 1;
    if (first < 0x90)
        return 1 + 2 * (first - 0x80u);
    if (first < 0xa0)
        return 1 + first - 0x90u;
    return first < 0xc0 ? 1 + first - 0xa0u : from_c0[first - 0xc0];
}

START_TEST(each_first_byte_as_a_value)
{
    uint8_t bytes[64] = {0x91, (uint8_t)_i};
    size_t size = 1 + size_among_zeros((uint8_t)_i);
    struct nb_scan scan = {0};
    for (size_t length = 2; _i != 0xc1 && length < size; length++)
        ck_assert_int_eq(nb_scan(&scan, &limits, bytes, length), NB_SCAN_MORE);
    enum nb_scan_status status = nb_scan(&scan, &limits, bytes, sizeof bytes);
    ck_assert_int_eq(status, _i == 0xc1 ? NB_SCAN_MALFORMED : NB_SCAN_FRAME);
    if (_i != 0xc1)
        ck_assert_uint_eq(scan.position, size);
}
END_TEST

START_TEST(depth_at_the_edge)
{
    struct nb_scan_limits with = limits;
    with.depth = 3;
    ck_assert_int_eq(status_of(&with, "[1, [2, {3: 4}]]"), NB_SCAN_FRAME);
    ck_assert_int_eq(status_of(&with, "[1, [2, {3: []}]]"), NB_SCAN_TOO_DEEP);
    ck_assert_int_eq(status_of(&with, "[1, [2, {3: {}}]]"), NB_SCAN_TOO_DEEP);
    ck_assert_int_eq(status_of(&with, "[[[]], [[]], [{}]]"), NB_SCAN_FRAME);
}
END_TEST

START_TEST(deep_nesting_ends_at_the_limit)
{
    uint8_t bytes[4096];
    memset(bytes, _i, sizeof bytes);
    bytes[0] = 0x91;
    struct nb_scan_limits with = limits;
    with.depth = NB_SCAN_DEPTH_MAX;
    struct nb_scan scan = {0};
    ck_assert_int_eq(nb_scan(&scan, &with, bytes, NB_SCAN_DEPTH_MAX), NB_SCAN_MORE);
    ck_assert_int_eq(nb_scan(&scan, &with, bytes, sizeof bytes), NB_SCAN_TOO_DEEP);
}
END_TEST

START_TEST(elements_at_the_edge)
{
    struct nb_scan_limits with = limits;
    with.elements = 6;
    ck_assert_int_eq(status_of(&with, "[1, 2, {3: 4, 5: 6}, 7, 8, 9]"), NB_SCAN_TOO_MANY_ELEMENTS);
    ck_assert_int_eq(status_of(&with, "[1, {3: 4, 5: 6}]"), NB_SCAN_FRAME);
    ck_assert_int_eq(status_of(&with, "[1, {3: 4, 5: 6}, 7]"), NB_SCAN_TOO_MANY_ELEMENTS);
    ck_assert_int_eq(status_of(&with, "[1, 2, 3, 4, 5, 6]"), NB_SCAN_FRAME);
    ck_assert_int_eq(status_of(&with, "[1, 2, 3, 4, 5, 6, 7]"), NB_SCAN_TOO_MANY_ELEMENTS);
}
END_TEST

static enum nb_scan_status scan_with_text(const char *head, uint8_t first, uint32_t length)
{
    struct nb_slice start = unhex(head);
    uint8_t *bytes = calloc(1, start.length + 6 + length + 16);
    struct nb_scan scan = {0};
    memcpy(bytes, start.data, start.length);
    uint8_t *at = bytes + start.length;
    const uint8_t text[] = {first, (uint8_t)(length >> 8), (uint8_t)length};
    memcpy(at, text, sizeof text);
    enum nb_scan_status status = nb_scan(&scan, &limits, bytes, start.length + 6 + length + 16);
    free(bytes);
    free((void *)start.data);
    return status;
}

START_TEST(text_at_the_edge)
{
    static const uint8_t kinds[] = {0xda, 0xc5, 0xc8}; /* str16, bin16, ext16 */
    static const char *const places[] = {"91",       "9300",         "93029101", "93029300",
                                         "93029200", "930291939200", "930281"};
    for (size_t kind = 0; kind < sizeof kinds; kind++) {
        ck_assert_int_eq(scan_with_text(places[_i], kinds[kind], 256), NB_SCAN_FRAME);
        ck_assert_int_eq(scan_with_text(places[_i], kinds[kind], 257), NB_SCAN_TEXT_TOO_LONG);
    }
}
END_TEST

START_TEST(payload_may_be_longer_than_text)
{
    static const char *const places[] = {"9302a1789201", "940002a1789201", "9302a1789301", "92019201"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(scan_with_text(places[i], 0xda, 257), NB_SCAN_FRAME);
        ck_assert_int_eq(scan_with_text(places[i], 0xc5, 257), NB_SCAN_FRAME);
        ck_assert_int_eq(scan_with_text(places[i], 0xc8, 257), NB_SCAN_TEXT_TOO_LONG);
    }
    ck_assert_int_eq(scan_with_text("9302a1788101", 0xda, 257), NB_SCAN_TEXT_TOO_LONG);
}
END_TEST

START_TEST(frame_at_the_edge)
{
    struct nb_slice frame = notation("[2, 'socket.write', [1, x'0102030405060708']]");
    for (size_t limit = 0; limit <= frame.length; limit++) {
        struct nb_scan_limits with = limits;
        with.frame = limit;
        size_t position;
        enum nb_scan_status expected = limit < frame.length ? NB_SCAN_FRAME_TOO_BIG : NB_SCAN_FRAME;
        ck_assert_int_eq(scan_once(&with, frame, &position), expected);
    }
    free((void *)frame.data);
}
END_TEST

/* Refused from the announced length alone. */
START_TEST(lies_are_refused_at_once)
{
    static const struct {
        const char *bytes;
        enum nb_scan_status status;
    } lies[] = {
        {"ddffffffff", NB_SCAN_TOO_MANY_ELEMENTS},         {"dcffff", NB_SCAN_TOO_MANY_ELEMENTS},
        {"91dfffffffff", NB_SCAN_TOO_MANY_ELEMENTS},       {"91df80000000", NB_SCAN_TOO_MANY_ELEMENTS},
        {"91df80000001", NB_SCAN_TOO_MANY_ELEMENTS},       {"92ddfffffffe", NB_SCAN_TOO_MANY_ELEMENTS},
        {"91dbffffffff", NB_SCAN_FRAME_TOO_BIG},           {"91c6ffffffff", NB_SCAN_FRAME_TOO_BIG},
        {"91c9ffffffff", NB_SCAN_FRAME_TOO_BIG},           {"9302a1789201c6ffffffff", NB_SCAN_FRAME_TOO_BIG},
        {"9302a1789201c600000ff6", NB_SCAN_FRAME_TOO_BIG}, {"9302a1789201c600000ff5", NB_SCAN_MORE},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        size_t position;
        struct nb_slice bytes = unhex(lies[i].bytes);
        ck_assert_msg(scan_once(&limits, bytes, &position) == lies[i].status, "%s", lies[i].bytes);
        free((void *)bytes.data);
    }
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Whatever the bytes are, how they are cut changes nothing. */
START_TEST(mutated_frames_do_not_depend_on_splits)
{
    uint32_t seed = 20240117;
    for (int round = 0; round < 20000; round++) {
        struct nb_slice frame = notation(frames[next_random(&seed) % FRAME_COUNT]);
        uint8_t *bytes = (uint8_t *)frame.data;
        for (uint32_t i = next_random(&seed) % 4; i > 0; i--)
            bytes[next_random(&seed) % frame.length] = (uint8_t)next_random(&seed);
        size_t position, split = next_random(&seed) % (frame.length + 1);
        enum nb_scan_status whole = scan_once(&limits, frame, &position);
        struct nb_scan scan = {0};
        enum nb_scan_status parts = scan_grown(&scan, frame, split);
        if (parts == NB_SCAN_MORE)
            parts = scan_grown(&scan, frame, frame.length);
        ck_assert_int_eq(whole, parts);
        ck_assert_uint_eq(position, scan.position);
        free(bytes);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *frames_case = tcase_create("frames"), *limits_case = tcase_create("limits");
    tcase_add_loop_test(frames_case, every_split_gives_the_same_frame, 0, FRAME_COUNT);
    tcase_add_loop_test(frames_case, one_byte_at_a_time, 0, FRAME_COUNT);
    tcase_add_test(frames_case, stops_at_the_end_of_the_first_frame);
    tcase_add_loop_test(frames_case, only_arrays_start_a_frame, 0, 256);
    tcase_add_loop_test(frames_case, each_first_byte_as_a_value, 0, 256);
    tcase_add_test(frames_case, mutated_frames_do_not_depend_on_splits);
    tcase_add_test(limits_case, depth_at_the_edge);
    tcase_add_loop_test(limits_case, deep_nesting_ends_at_the_limit, 0x91, 0x92);
    tcase_add_loop_test(limits_case, deep_nesting_ends_at_the_limit, 0x81, 0x82);
    tcase_add_test(limits_case, elements_at_the_edge);
    tcase_add_loop_test(limits_case, text_at_the_edge, 0, 7);
    tcase_add_test(limits_case, payload_may_be_longer_than_text);
    tcase_add_test(limits_case, frame_at_the_edge);
    tcase_add_test(limits_case, lies_are_refused_at_once);
    tcase_set_timeout(frames_case, 60);
    suite_add_tcase(suite, frames_case);
    suite_add_tcase(suite, limits_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
