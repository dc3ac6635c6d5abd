/* cursor.c, token.c and pack.c: MessagePack values in and out. */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct netbroker_cursor over(const struct netbroker_packer *packer)
{
    return (struct netbroker_cursor){packer->bytes, packer->bytes + packer->length};
}

/* A copy of exactly the size, so that reading past it is seen by the sanitizer. */
static unsigned char *exact_copy(const void *bytes, size_t length)
{
    unsigned char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    return copy;
}

START_TEST(integers_survive_in_their_shortest_form)
{
    static const struct {
        int64_t value;
        size_t length;
    } cases[] = {
        {0, 1},         {127, 1},        {128, 2},
        {255, 2},       {256, 3},        {65535, 3},
        {65536, 5},     {UINT32_MAX, 5}, {INT64_C(1) << 32, 9},
        {INT64_MAX, 9}, {-1, 1},         {-32, 1},
        {-33, 5},       {INT32_MIN, 5},  {INT64_MIN, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct netbroker_packer packer = {0};
        netbroker_pack_int(&packer, cases[i].value);
        ck_assert_uint_eq(packer.length, cases[i].length);
        struct netbroker_cursor cursor = over(&packer);
        struct netbroker_value value;
        ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
        ck_assert_int_eq(value.type, cases[i].value < 0 ? NETBROKER_INT : NETBROKER_UINT);
        ck_assert_int_eq(value.int64, cases[i].value);
        ck_assert_ptr_eq(cursor.at, cursor.end);
        netbroker_packer_free(&packer);
    }
}
END_TEST

START_TEST(every_width_of_integer_is_read)
{
    static const struct {
        const char *bytes;
        size_t length;
        int64_t value;
    } cases[] = {
        {"\xcc\x05", 2, 5},
        {"\xcd\x00\x05", 3, 5},
        {"\xce\x00\x00\x00\x05", 5, 5},
        {"\xcf\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5},
        {"\xd0\x05", 2, 5},
        {"\xd0\xfb", 2, -5},
        {"\xd1\xff\xfb", 3, -5},
        {"\xd2\xff\xff\xff\xfb", 5, -5},
        {"\xd3\xff\xff\xff\xff\xff\xff\xff\xfb", 9, -5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned char *bytes = (const unsigned char *)cases[i].bytes;
        struct netbroker_cursor cursor = {bytes, bytes + cases[i].length};
        struct netbroker_value value;
        ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
        ck_assert_int_eq(value.int64, cases[i].value);
        ck_assert_int_eq(value.type, cases[i].value < 0 ? NETBROKER_INT : NETBROKER_UINT);
    }
}
END_TEST

START_TEST(strings_and_bytes_survive_at_each_header_width)
{
    static const size_t lengths[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 100000};
    char *text = malloc(100000);
    memset(text, 'x', 100000);
    for (size_t i = 0; i < 2 * sizeof lengths / sizeof *lengths; i++) {
        struct netbroker_packer packer = {0};
        size_t length = lengths[i / 2];
        if (i % 2)
            netbroker_pack_bin(&packer, text, length);
        else
            netbroker_pack_str_n(&packer, text, length);
        struct netbroker_cursor cursor = over(&packer);
        struct netbroker_value value;
        ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
        ck_assert_int_eq(value.type, i % 2 ? NETBROKER_BIN : NETBROKER_STR);
        ck_assert_uint_eq(value.slice.length, length);
        ck_assert_int_eq(memcmp(value.slice.bytes, text, length), 0);
        netbroker_packer_free(&packer);
    }
    free(text);
}
END_TEST

START_TEST(other_scalars_survive)
{
    struct netbroker_packer packer = {0};
    netbroker_pack_nil(&packer);
    netbroker_pack_bool(&packer, true);
    netbroker_pack_bool(&packer, false);
    netbroker_pack_double(&packer, -0.5);
    struct netbroker_cursor cursor = over(&packer);
    struct netbroker_value value;
    ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
    ck_assert_int_eq(value.type, NETBROKER_NIL);
    ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
    ck_assert(value.type == NETBROKER_BOOL && value.boolean);
    ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
    ck_assert(value.type == NETBROKER_BOOL && !value.boolean);
    ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
    ck_assert(value.type == NETBROKER_DOUBLE && value.real == -0.5);
    netbroker_packer_free(&packer);
    static const unsigned char single[] = {0xca, 0x3f, 0x80, 0, 0};
    cursor = (struct netbroker_cursor){single, single + sizeof single};
    ck_assert_int_eq(netbroker_read(&cursor, &value), 0);
    ck_assert(value.type == NETBROKER_DOUBLE && value.real == 1.0);
}
END_TEST

START_TEST(a_cut_value_is_refused_at_every_byte)
{
    struct netbroker_packer packer = pack_text("{\"text\": \"abc\", \"list\": [1, 70000, -7, 1.5, "
                                               "{\"$binary\": \"AAEC\"}], \"map\": {\"a\": null}}");
    for (size_t length = 0; length < packer.length; length++) {
        unsigned char *copy = exact_copy(packer.bytes, length);
        struct netbroker_cursor cursor = {copy, copy + length};
        ck_assert_int_eq(netbroker_skip(&cursor), -EBADMSG);
        ck_assert_ptr_eq(cursor.at, copy);
        free(copy);
    }
    struct netbroker_cursor whole = over(&packer);
    ck_assert_int_eq(netbroker_skip(&whole), 0);
    ck_assert_ptr_eq(whole.at, whole.end);
    netbroker_packer_free(&packer);
}
END_TEST

START_TEST(announced_sizes_are_checked_against_what_is_there)
{
    static const char *const lies[] = {
        "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff",
        "\xdd\x00\x00\x01\x00", "\xdf\x80\x00\x00\x00", "\xc6\x00\x00\x00\x01", "\xdb\x00\x00\x00\x01",
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        unsigned char *copy = exact_copy(lies[i], 5);
        struct netbroker_cursor cursor = {copy, copy + 5};
        struct netbroker_value value;
        ck_assert_int_eq(netbroker_read(&cursor, &value), -EBADMSG);
        ck_assert_int_eq(netbroker_skip(&cursor), -EBADMSG);
        free(copy);
    }
}
END_TEST

START_TEST(ext_types_and_the_unused_byte_are_refused)
{
    static const unsigned char firsts[] = {0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8};
    for (size_t i = 0; i < sizeof firsts; i++) {
        unsigned char bytes[32] = {firsts[i], 1, 1};
        struct netbroker_cursor cursor = {bytes, bytes + sizeof bytes};
        ck_assert_int_eq(netbroker_skip(&cursor), -EBADMSG);
    }
}
END_TEST

START_TEST(depth_costs_no_stack)
{
    size_t depth = 4 << 20;
    unsigned char *nested = malloc(depth);
    memset(nested, 0x91, depth - 1);
    nested[depth - 1] = 0xc0;
    struct netbroker_cursor cursor = {nested, nested + depth};
    ck_assert_int_eq(netbroker_skip(&cursor), 0);
    ck_assert_ptr_eq(cursor.at, nested + depth);
    free(nested);
}
END_TEST

START_TEST(find_gives_the_value_of_a_key)
{
    struct netbroker_packer packer = pack_text("{\"a\": {\"b\": 1}, \"bb\": 2, \"b\": [3, 4]}");
    struct netbroker_cursor found;
    struct netbroker_value value;
    ck_assert_int_eq(netbroker_find(over(&packer), "b", &found), 0);
    ck_assert_int_eq(netbroker_read(&found, &value), 0);
    ck_assert(value.type == NETBROKER_ARRAY && value.count == 2);
    ck_assert_int_eq(netbroker_find(over(&packer), "c", &found), -ENOENT);
    netbroker_packer_free(&packer);
    packer = pack_text("[1]");
    ck_assert_int_eq(netbroker_find(over(&packer), "a", &found), -EBADMSG);
    netbroker_packer_free(&packer);
}
END_TEST

START_TEST(a_failed_allocation_sticks)
{
    struct counted_memory memory;
    counted_memory_init(&memory);
    memory.fail_at = 2;
    struct netbroker_packer packer = {.allocator = &memory.allocator};
    char text[1000] = {0};
    netbroker_pack_uint(&packer, 1);
    ck_assert(!packer.failed);
    netbroker_pack_bin(&packer, text, sizeof text);
    ck_assert(packer.failed);
    size_t length = packer.length;
    netbroker_pack_uint(&packer, 1);
    ck_assert_uint_eq(packer.length, length);
    netbroker_packer_free(&packer);
    ck_assert_int_eq(memory.live, 0);
}
END_TEST

START_TEST(random_bytes_are_read_or_refused_within_their_bounds)
{
    unsigned seed = 1;
    for (int round = 0; round < 200000; round++) {
        unsigned char bytes[24];
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (unsigned char)(rand_r(&seed) % 3 ? 0x80 + rand_r(&seed) % 0x80 : rand_r(&seed));
        unsigned char *copy = exact_copy(bytes, length);
        struct netbroker_cursor cursor = {copy, copy + length};
        int result = netbroker_skip(&cursor);
        ck_assert(result == 0 || (result == -EBADMSG && cursor.at == copy));
        ck_assert(cursor.at <= cursor.end);
        free(copy);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {integers_survive_in_their_shortest_form,
                                  every_width_of_integer_is_read,
                                  strings_and_bytes_survive_at_each_header_width,
                                  other_scalars_survive,
                                  a_cut_value_is_refused_at_every_byte,
                                  announced_sizes_are_checked_against_what_is_there,
                                  ext_types_and_the_unused_byte_are_refused,
                                  depth_costs_no_stack,
                                  find_gives_the_value_of_a_key,
                                  a_failed_allocation_sticks,
                                  random_bytes_are_read_or_refused_within_their_bounds,
                                  NULL};
    return run_suite("client/values", tests);
}
