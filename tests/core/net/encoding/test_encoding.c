/* Against answers recorded from Node, see generate_vectors.mjs. */
#include "encoding.h"
#include "suite.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *load_vectors(const char *kind)
{
    json_error_t error;
    const char *path = getenv("NB_ENCODING_VECTORS");
    ck_assert_msg(path != NULL, "NB_ENCODING_VECTORS is not set");
    json_t *vectors = json_load_file(path, 0, &error);
    ck_assert_msg(vectors != NULL, "%s: %s", path, error.text);
    json_t *list = json_incref(json_object_get(vectors, kind));
    json_decref(vectors);
    ck_assert_uint_gt(json_array_size(list), 20);
    return list;
}

/* Hex of the vectors into memory of exactly that size, so that a sanitizer sees each byte too far. */
static uint8_t *unhex(const char *hex, size_t *ret_length)
{
    size_t length = strlen(hex) / 2;
    uint8_t *bytes = malloc(length ? length : 1);
    for (size_t i = 0; i < length; i++) {
        unsigned value;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    *ret_length = length;
    return bytes;
}

static void append_hex(char **text, const void *bytes, size_t length)
{
    size_t used = strlen(*text);
    *text = realloc(*text, used + 2 * length + 1);
    for (size_t i = 0; i < length; i++)
        sprintf(*text + used + 2 * i, "%02x", ((const uint8_t *)bytes)[i]);
}

static enum nb_encoding encoding_of(json_t *vector)
{
    int encoding = nb_encoding_of(nb_slice_of(json_string_value(json_object_get(vector, "encoding"))));
    ck_assert_int_ge(encoding, NB_UTF8);
    return (enum nb_encoding)encoding;
}

static void check_encode(json_t *vector)
{
    enum nb_encoding encoding = encoding_of(vector);
    struct nb_slice text;
    uint8_t *data = unhex(json_string_value(json_object_get(vector, "text")), &text.length);
    text.data = data;
    size_t bound = nb_encode_bound(encoding, text.length);
    uint8_t *out = malloc(bound ? bound : 1);
    char *got = calloc(1, 1);
    append_hex(&got, out, nb_encode_text(encoding, text, out));
    ck_assert_msg(strcmp(got, json_string_value(json_object_get(vector, "bytes"))) == 0, "%s gave %s",
                  json_dumps(vector, 0), got);
    free(got);
    free(out);
    free(data);
}

START_TEST(texts_become_the_bytes_of_node)
{
    json_t *vectors = load_vectors("encode"), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector) check_encode(vector);
    json_decref(vectors);
}
END_TEST

START_TEST(text_that_is_not_utf8_stays_within_the_bound)
{
    static const uint8_t bytes[] = {0xf0, 0x90, 0x80, 0xff, 0xe2, 0x82, 0x41, 0x80, 0xed, 0xa0, 0x80, 0xc3};
    for (enum nb_encoding encoding = NB_UTF8; encoding <= NB_HEX; encoding++)
        for (size_t length = 0; length <= sizeof bytes; length++) {
            size_t bound = nb_encode_bound(encoding, length);
            uint8_t *out = malloc(bound ? bound : 1), *text = malloc(length ? length : 1);
            memcpy(text, bytes, length);
            ck_assert_uint_le(nb_encode_text(encoding, (struct nb_slice){text, length}, out), bound);
            free(text);
            free(out);
        }
}
END_TEST

START_TEST(each_broken_start_is_one_replacement)
{
    static const uint8_t text[] = {0xf0, 0x90, 0x80, 'A', 0xe0, 0x80, 0xed, 0xa0};
    static const uint8_t wanted[] = {0xfd, 0xff, 'A', 0, 0xfd, 0xff, 0xfd, 0xff, 0xfd, 0xff, 0xfd, 0xff};
    uint8_t out[2 * sizeof text];
    ck_assert_uint_eq(nb_encode_text(NB_UTF16LE, (struct nb_slice){text, sizeof text}, out), sizeof wanted);
    ck_assert_mem_eq(out, wanted, sizeof wanted);
}
END_TEST

/* Decodes a chunk, or the end when hex is NULL, and adds what it gave to a list. */
static void decode_piece(struct nb_decoder *decoder, const char *hex, json_t *pieces, char **joined)
{
    size_t length = 0;
    uint8_t *bytes = hex ? unhex(hex, &length) : NULL;
    size_t bound = nb_decode_bound(decoder, length);
    char *out = malloc(bound ? bound : 1);
    size_t used = hex ? nb_decode(decoder, bytes, length, out) : nb_decode_end(decoder, out);
    char *piece = calloc(1, 1);
    append_hex(&piece, out, used);
    append_hex(joined, out, used);
    json_array_append_new(pieces, json_string(piece));
    free(piece);
    free(out);
    free(bytes);
}

static void check_decode(json_t *vector)
{
    struct nb_decoder decoder = {.encoding = encoding_of(vector)};
    json_t *pieces = json_array(), *chunk, *expected = json_object_get(vector, "pieces");
    char *joined = calloc(1, 1);
    size_t i;
    json_array_foreach(json_object_get(vector, "chunks"), i, chunk)
        decode_piece(&decoder, json_string_value(chunk), pieces, &joined);
    decode_piece(&decoder, NULL, pieces, &joined);
    ck_assert_uint_eq(decoder.kept_length, 0);
    ck_assert_msg(!expected || json_equal(pieces, expected), "%s gave %s", json_dumps(vector, 0),
                  json_dumps(pieces, 0));
    ck_assert_msg(strcmp(joined, json_string_value(json_object_get(vector, "text"))) == 0, "%s gave %s",
                  json_dumps(vector, 0), joined);
    free(joined);
    json_decref(pieces);
}

START_TEST(chunks_become_the_texts_of_node)
{
    json_t *vectors = load_vectors("decode"), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector) check_decode(vector);
    json_decref(vectors);
}
END_TEST

static void assert_named(const char *name, const char *canonical)
{
    int encoding = nb_encoding_of(nb_slice_of(name));
    ck_assert_msg(encoding > NB_ENCODING_NONE, "%s is not known", name);
    ck_assert_str_eq(nb_encoding_name((enum nb_encoding)encoding), canonical);
}

START_TEST(names_are_those_of_node)
{
    static const char *const known[][2] = {
        {"utf8", "utf8"},       {"UTF-8", "utf8"},       {"ucs2", "utf16le"},        {"Ucs-2", "utf16le"},
        {"utf16le", "utf16le"}, {"UTF-16LE", "utf16le"}, {"latin1", "latin1"},       {"BINARY", "latin1"},
        {"ascii", "ascii"},     {"Base64", "base64"},    {"base64URL", "base64url"}, {"hex", "hex"},
        {"", "utf8"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_named(known[i][0], known[i][1]);
    ck_assert_str_eq(nb_encoding_name(NB_ENCODING_NONE), "");
}
END_TEST

START_TEST(names_are_those_that_were_recorded)
{
    json_t *vectors = load_vectors("names"), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector)
    {
        const char *canonical = json_string_value(json_object_get(vector, "encoding"));
        const char *name = json_string_value(json_object_get(vector, "name"));
        if (canonical)
            assert_named(name, canonical);
        else
            ck_assert_int_eq(nb_encoding_of(nb_slice_of(name)), -1);
    }
    json_decref(vectors);
}
END_TEST

START_TEST(other_names_are_unknown)
{
    static const char *const unknown[] = {"utf",     "utf88", "utf-16", "iso-8859-1",
                                          "base-64", "hex ",  "buffer", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_assert_int_eq(nb_encoding_of(nb_slice_of(unknown[i])), -1);
    ck_assert_int_eq(nb_encoding_of((struct nb_slice){(const uint8_t *)"utf8\0", 5}), -1);
}
END_TEST

START_TEST(without_an_encoding_bytes_stay_bytes)
{
    struct nb_decoder decoder = {.encoding = NB_ENCODING_NONE};
    static const uint8_t bytes[] = {0x00, 0x80, 0xff, 0x41};
    char out[sizeof bytes];
    ck_assert_uint_eq(nb_decode_bound(&decoder, sizeof bytes), sizeof out);
    ck_assert_uint_eq(nb_decode(&decoder, bytes, sizeof bytes, out), sizeof out);
    ck_assert_mem_eq(out, bytes, sizeof out);
    ck_assert_uint_eq(nb_decode_end(&decoder, out), 0);
}
END_TEST

int main(void)
{
    return run_suite("encoding",
                     (const TTest *[]){texts_become_the_bytes_of_node,
                                       text_that_is_not_utf8_stays_within_the_bound,
                                       each_broken_start_is_one_replacement, chunks_become_the_texts_of_node,
                                       names_are_those_of_node, names_are_those_that_were_recorded,
                                       other_names_are_unknown, without_an_encoding_bytes_stay_bytes, NULL});
}
