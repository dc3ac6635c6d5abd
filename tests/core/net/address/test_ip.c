/* Readers of addresses, against Node's answers, the C library and the grammar; built for each form of characters.h. */
#include "fence.h"
#include "ip.h"
#include "suite.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int version_of(const char *text)
{
    return nb_ip_version(text, strlen(text));
}

static struct nb_ip parse(const char *text)
{
    struct nb_ip ip;
    ck_assert_msg(nb_ip_parse(text, strlen(text), &ip, NULL), "%s is not read", text);
    return ip;
}

static json_t *load_cases(void)
{
    json_error_t error;
    const char *path = getenv("NB_ISIP_VECTORS");
    ck_assert_msg(path != NULL, "NB_ISIP_VECTORS is not set");
    json_t *vectors = json_load_file(path, JSON_ALLOW_NUL, &error);
    ck_assert_msg(vectors != NULL, "%s: %s", path, error.text);
    json_t *cases = json_incref(json_object_get(vectors, "cases"));
    json_decref(vectors);
    ck_assert_uint_gt(json_array_size(cases), 1900);
    return cases;
}

/* Pieces, each so many times. */
static char *build_text(json_t *pieces, size_t *ret_length)
{
    char *text = malloc(FENCE_ROOM);
    size_t i, length = 0;
    json_t *piece;
    json_array_foreach(pieces, i, piece)
    {
        json_t *part = json_array_get(piece, 0);
        for (json_int_t times = json_integer_value(json_array_get(piece, 1)); times > 0; times--) {
            memcpy(text + length, json_string_value(part), json_string_length(part));
            length += json_string_length(part);
        }
    }
    *ret_length = length;
    return text;
}

static char *text_of(json_t *vector, size_t *ret_length)
{
    json_t *in = json_object_get(vector, "in");
    if (!in)
        return build_text(json_object_get(vector, "build"), ret_length);
    *ret_length = json_string_length(in);
    char *text = malloc(*ret_length + 1);
    return memcpy(text, json_string_value(in), *ret_length + 1);
}

static const char *read_as(const char *text, size_t length, int family)
{
    static char formatted[NB_IP_TEXT];
    struct nb_ip ip;
    if (!nb_ip_parse_as(text, length, family, &ip))
        return NULL;
    ck_assert_int_eq(ip.family, family);
    nb_ip_format(&ip, formatted);
    return formatted;
}

/* Where Node looks at a part of the text only, the answer is for the whole of it. */
static bool is_right_for_whole(const char *text, size_t length, int family, const char *got)
{
    if (memchr(text, 0, length))
        return !got;
    const char *percent = memchr(text, '%', length);
    const char *plain = read_as(text, percent ? (size_t)(percent - text) : length, family);
    return plain ? got && percent && family == 6 : !got;
}

static void check_as(json_t *vector, const char *text, size_t length, int family)
{
    const char *want = json_string_value(json_object_get(vector, family == 4 ? "s4" : "s6"));
    const char *got = read_as(text, length, family);
    if (json_object_get(vector, "quirk"))
        ck_assert_msg(is_right_for_whole(text, length, family, got), "%.80s", text);
    else
        ck_assert_msg(want ? got && strcmp(want, got) == 0 : !got, "%.80s as %d: %s", text, family, got);
}

static void check_vector(json_t *vector, const char *text, size_t length)
{
    int want = (int)json_integer_value(json_object_get(vector, "is"));
    struct nb_ip ip = {.family = 9};
    ck_assert_msg(nb_ip_version(text, length) == want, "%.*s is not %d", (int)length, text, want);
    ck_assert(nb_ip_parse(text, length, &ip, NULL) == (want != 0));
    ck_assert_int_eq(ip.family, want ? want : 9);
    check_as(vector, text, length, 4);
    check_as(vector, text, length, 6);
}

START_TEST(texts_are_read_as_node_reads_them)
{
    json_t *cases = load_cases(), *vector;
    size_t i, length;
    json_array_foreach(cases, i, vector)
    {
        char *text = text_of(vector, &length);
        check_vector(vector, fence_behind(text, length), length);
        check_vector(vector, fence_before(text, length), length);
        free(text);
    }
    json_decref(cases);
}
END_TEST

START_TEST(what_node_cuts_off_is_read)
{
    static const char mapped[] = "0000:0000:0000:0000:0000:ffff:1.22.33.244%eth0";
    static const char too_long[] = "1111:2222:3333:4444:5555:6666:7777:88889%eth0";
    ck_assert_str_eq(read_as(mapped, strlen(mapped), 6), "::ffff:1.22.33.244");
    ck_assert_ptr_null(read_as(too_long, strlen(too_long), 6));
    ck_assert_ptr_null(read_as("1.2.3.4\0", 8, 4));
    ck_assert_ptr_null(read_as("::1\0", 4, 6));
    ck_assert_ptr_null(read_as("::1%\0", 5, 6));
}
END_TEST

/* As the C library reads a text without a zone. */
static int system_parse(const char *text, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    return inet_pton(AF_INET, text, bytes) == 1 ? 4 : inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
}

static bool agrees_with_system(const char *text)
{
    uint8_t bytes[16];
    int family = system_parse(text, bytes);
    struct nb_ip ip = {0};
    size_t length = strlen(text), zone_at = 99;
    return nb_ip_version(text, length) == family &&
           nb_ip_parse(text, length, &ip, &zone_at) == (family != 0) && ip.family == family &&
           zone_at == (family ? length : 99) && (!family || memcmp(ip.bytes, bytes, 16) == 0);
}

/* Called millions of times: an assertion each would take longer than all the rest. */
static void compare_with_system(const char *text)
{
    if (!agrees_with_system(text))
        ck_abort_msg("%s is read in another way", text);
}

/* Each text of up to `most` of these characters. */
static void compare_all_texts(const char *characters, size_t most)
{
    size_t base = strlen(characters), digits[16] = {0};
    char text[17];
    for (size_t length = 0; length <= most; length++) {
        size_t at;
        do {
            for (size_t i = 0; i < length; i++)
                text[i] = characters[digits[i]];
            text[length] = '\0';
            compare_with_system(text);
            for (at = 0; at < length && ++digits[at] == base; at++)
                digits[at] = 0;
        } while (at < length);
    }
}

START_TEST(short_texts_are_read_as_the_system_reads_them)
{
    compare_all_texts("0:.", 11);
    compare_all_texts("1aG:.", 7);
    compare_all_texts("25.", 11);
    compare_all_texts(":f", 16);
}
END_TEST

/* Each text of `count` of these parts with that character between them. */
static void compare_all_joined(const char *const *parts, size_t base, size_t count, char between)
{
    size_t chosen[10] = {0}, at;
    do {
        char text[160], *end = text;
        for (size_t i = 0; i < count; i++)
            end += sprintf(end, "%.*s%s", i > 0, &between, parts[chosen[i]]);
        compare_with_system(text);
        for (at = 0; at < count && ++chosen[at] == base; at++)
            chosen[at] = 0;
    } while (at < count);
}

START_TEST(numbers_are_read_as_the_system_reads_them)
{
    static const char *const parts[] = {"",    "0",   "1",   "9",   "00",  "01",  "10",  "99",  "000", "010",
                                        "100", "199", "200", "249", "250", "255", "256", "260", "300", "999",
                                        "1a",  "+1",  "1 ",  "1/",  "1:",  "25",  "2",   "5",   "2550"};
    compare_all_joined(parts, sizeof parts / sizeof *parts, 4, '.');
    compare_all_joined(parts, 12, 3, '.');
    compare_all_joined(parts, 8, 5, '.');
}
END_TEST

START_TEST(groups_are_read_as_the_system_reads_them)
{
    static const char *const parts[] = {"", "0", "fFfF", "1.2.3.4"};
    static const char *const odd[] = {"", "a", "12345", "g", "1.2.3.400"};
    for (size_t count = 1; count <= 9; count++)
        compare_all_joined(parts, 4, count, ':');
    for (size_t count = 1; count <= 7; count++)
        compare_all_joined(odd, 5, count, ':');
}
END_TEST

START_TEST(each_byte_is_what_it_is_anywhere)
{
    static const char *const texts[] = {"1.2.3.4",
                                        "101.202.30.44",
                                        "::ffff:1.2.3.4",
                                        "1:2:3:4:5:6:7:8",
                                        "1111:2222:3333:4444:5555:6666:7777:8888",
                                        "0000:0000:0000:0000:0000:ffff:255.255.255.255"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[64];
        strcpy(text, texts[i]);
        for (size_t at = 0; at < strlen(texts[i]); at++) {
            for (int byte = 1; byte < 256; byte++) {
                text[at] = (char)byte;
                if (byte != '%')
                    compare_with_system(text);
            }
            text[at] = texts[i][at];
        }
    }
}
END_TEST

START_TEST(zones_are_letters_digits_and_three_signs)
{
    char text[] = "fe80::1%a?b";
    for (int byte = 0; byte < 256; byte++) {
        text[9] = (char)byte;
        bool is_allowed =
            byte && strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.:", byte);
        ck_assert_msg(nb_ip_version(text, 11) == (is_allowed ? 6 : 0), "byte %d", byte);
    }
    ck_assert_int_eq(version_of("fe80::1%"), 0);
    ck_assert_int_eq(version_of("%a"), 0);
    ck_assert_int_eq(version_of("1.2.3.4%a"), 0);
}
END_TEST

START_TEST(the_zone_is_where_it_is_said_to_be)
{
    struct nb_ip ip;
    size_t zone_at;
    ck_assert(nb_ip_parse("fe80::1%eth0", 12, &ip, &zone_at));
    ck_assert_uint_eq(zone_at, 8);
    ck_assert(nb_ip_parse("fe80::1.2.3.4%e.0", 17, &ip, &zone_at));
    ck_assert_uint_eq(zone_at, 14);
    ck_assert(nb_ip_parse("::", 2, &ip, &zone_at));
    ck_assert_uint_eq(zone_at, 2);
}
END_TEST

START_TEST(nothing_is_written_on_failure)
{
    static const char *const wrong[] = {"",     "1.2.3.256", "1.2.3",   "::ffff:1.2.3.256", "::g",
                                        "::1%", "::1%_",     "1::2::3", "1:2:3:4:5:6:7",    "localhost"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct nb_ip ip, before;
        size_t zone_at = 99, length = strlen(wrong[i]);
        memset(&ip, 0x55, sizeof ip);
        before = ip;
        ck_assert(!nb_ip_parse(wrong[i], length, &ip, &zone_at));
        ck_assert(!nb_ip_parse_as(wrong[i], length, 4, &ip));
        ck_assert_uint_eq(zone_at, 99);
        ck_assert_mem_eq(&ip, &before, sizeof ip);
    }
}
END_TEST

START_TEST(nothing_is_an_empty_text)
{
    struct nb_ip ip;
    ck_assert_int_eq(nb_ip_version(NULL, 0), 0);
    ck_assert(!nb_ip_parse(NULL, 0, &ip, NULL));
    ck_assert(!nb_ip_parse_as(NULL, 0, 4, &ip));
    ck_assert(!nb_ip_parse_as(NULL, 0, 6, &ip));
}
END_TEST

START_TEST(there_are_two_families)
{
    struct nb_ip ip = {.family = 9};
    ck_assert(!nb_ip_parse_as("1.2.3.4", 7, 0, &ip));
    ck_assert(!nb_ip_parse_as("::", 2, 5, &ip));
    ck_assert(!nb_ip_parse_as("1.2.3.4", 7, 6, &ip));
    ck_assert(!nb_ip_parse_as("::", 2, 4, &ip));
    ck_assert_int_eq(ip.family, 9);
}
END_TEST

START_TEST(unused_bytes_are_zeroes)
{
    struct nb_ip ip = parse("255.255.255.255"), same = {.family = 4, .bytes = {255, 255, 255, 255}};
    ck_assert_mem_eq(&ip, &same, sizeof ip);
    ip = parse("::");
    same = (struct nb_ip){.family = 6};
    ck_assert_mem_eq(&ip, &same, sizeof ip);
}
END_TEST

int main(void)
{
    return run_suite(
        "ip",
        (const TTest *[]){texts_are_read_as_node_reads_them, what_node_cuts_off_is_read,
                          short_texts_are_read_as_the_system_reads_them,
                          numbers_are_read_as_the_system_reads_them, groups_are_read_as_the_system_reads_them,
                          each_byte_is_what_it_is_anywhere, zones_are_letters_digits_and_three_signs,
                          the_zone_is_where_it_is_said_to_be, nothing_is_written_on_failure,
                          nothing_is_an_empty_text, there_are_two_families, unused_bytes_are_zeroes, NULL});
}
