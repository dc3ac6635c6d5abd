#include <check.h>
#include <math.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <stdio.h>
#include <stdlib.h>

#include "msgpack_decode.h"
#include "notation.h"
#include "rpc.h"
#include "scan.h"

#define ck_assert_slice(slice, text)                                                                         \
    ck_assert_msg(nb_slice_is(slice, text), "%.*s", (int)(slice).length, (slice).data)

static struct nb_encoder encoder;

static void finish(void)
{
    nb_encoder_finish(&encoder);
}

/* What was encoded is the value written as text; begins anew. */
static void is_encoded(const char *text)
{
    struct nb_slice expected = notation(text);
    ck_assert(!encoder.failed);
    char *wanted = strdup(hex(expected.data, expected.length));
    ck_assert_str_eq(hex(encoder.data, encoder.length), wanted);
    free(wanted);
    free((void *)expected.data);
    nb_encoder_clear(&encoder);
}

/* The frames of section 1.4 that the broker sends, and the two of the client as far as shapes go. */
START_TEST(golden_data)
{
    static const char payload[] = "hello\r\n";
    const nb_Data data = {nb_slice_of(payload)};
    nb_encode_event(&encoder, &nb_events[NB_EVENT_SOCKET_DATA], 1, &data);
    nb_encoder_clear(&encoder);
    nb_encode_event(&encoder, &nb_events[NB_EVENT_SOCKET_DATA], 1, &data);
    ck_assert_str_eq(hex(encoder.data, encoder.length), "9302ab736f636b65742e646174619201c407");
    nb_encoder_clear(&encoder);
    encoder.payload_as_text = true;
    nb_encode_event(&encoder, &nb_events[NB_EVENT_SOCKET_DATA], 5000000000, &data);
    ck_assert_str_eq(hex(encoder.data, encoder.length), "9302ab736f636b65742e6461746192cf000000012a05f200a7");
    finish();
}
END_TEST

START_TEST(golden_flushed)
{
    nb_encode_event(&encoder, &nb_events[NB_EVENT_SOCKET_FLUSHED], 1, &(nb_Flushed){true, 8});
    ck_assert_str_eq(hex(encoder.data, encoder.length), "9302ae736f636b65742e666c7573686564920108");
    finish();
}
END_TEST

START_TEST(golden_create_connection)
{
    const nb_CreateConnection create = {
        .connect = {.has_port = true, .port = 8124, .host = nb_slice_of("localhost")}};
    nb_encode_shape(&encoder, &nb_shape_CreateConnection, &create);
    ck_assert_str_eq(hex(encoder.data, encoder.length), "82a4706f7274cd1fbca4686f7374a96c6f63616c686f7374");
    finish();
}
END_TEST

START_TEST(golden_write)
{
    static const uint8_t prefix[] = "\x93\x02\xacsocket.write\x92";
    const struct nb_event write = {
        .hot = true, .body = &nb_shape_SocketWrite, .prefix = {prefix, sizeof prefix - 1}};
    nb_encode_event(&encoder, &write, 1, &(nb_SocketWrite){.data = nb_slice_of("world!\r\n")});
    ck_assert_str_eq(hex(encoder.data, encoder.length), "9302ac736f636b65742e77726974659201c408");
    finish();
}
END_TEST

static const char *empty_body(const struct nb_event *event)
{
    if (!event->hot)
        return "{}";
    return nb_shape_is_payload(event->body) ? "x''" : "0";
}

START_TEST(every_event_begins_with_its_name)
{
    static const union nb_event_body body; /* all absent */
    for (int i = 0; i < NB_EVENT_COUNT; i++) {
        char text[128];
        ck_assert_int_eq(nb_events[i].index, i);
        ck_assert_uint_le(nb_events[i].body->size, sizeof body);
        nb_encode_event(&encoder, &nb_events[i], 7, &body);
        snprintf(text, sizeof text, "[2, '%s', [7, %s]]", nb_events[i].name, empty_body(&nb_events[i]));
        is_encoded(text);
    }
    finish();
}
END_TEST

START_TEST(responses)
{
    const nb_Created created = {true, 42};
    nb_encode_response(&encoder, 3, &nb_methods[NB_METHOD_SOCKET_CREATE], &created);
    is_encoded("[1, 3, nil, {'id': 42}]");
    nb_encode_response(&encoder, 4294967295, &nb_methods[NB_METHOD_SOCKET_CREATE], NULL);
    is_encoded("[1, 4294967295, nil, nil]");
    nb_encode_response(&encoder, 1, &nb_methods[NB_METHOD_SOCKET_PAUSE], &(nb_Nothing){0});
    is_encoded("[1, 1, nil, {}]");
    nb_encode_response(&encoder, 1, &nb_methods[NB_METHOD_SESSION_PING], &(nb_Any){nb_slice_of("\x91\x05")});
    is_encoded("[1, 1, nil, [5]]");
    nb_encode_response(&encoder, 1, &nb_methods[NB_METHOD_SESSION_PING], &(nb_Any){{0}});
    is_encoded("[1, 1, nil, nil]");
    finish();
}
END_TEST

/* One whole value, within the limits that the broker itself keeps. */
START_TEST(the_description_is_a_value)
{
    static const struct nb_scan_limits limits = {
        .frame = 1 << 20, .depth = 16, .elements = 16384, .text = 1024};
    struct nb_scan scan = {0};
    nb_encode_response(&encoder, 1, &nb_methods[NB_METHOD_SESSION_DESCRIBE], &(nb_Any){nb_description});
    ck_assert_int_eq(nb_scan(&scan, &limits, encoder.data, encoder.length), NB_SCAN_FRAME);
    ck_assert_uint_eq(scan.position, encoder.length);
    finish();
}
END_TEST

START_TEST(errors)
{
    struct nb_fault fault;
    nb_fault_set(&fault, "ECONNREFUSED", NULL, "connect ECONNREFUSED 127.0.0.1:1");
    fault.map.has_error_number = true;
    fault.map.error_number = -111;
    fault.map.syscall = nb_slice_of("connect");
    fault.map.has_port = true;
    fault.map.port = 1;
    nb_encode_error(&encoder, 8, &fault.map);
    is_encoded("[1, 8, {'code': 'ECONNREFUSED', 'message': 'connect ECONNREFUSED 127.0.0.1:1', 'errno': -111,"
               " 'syscall': 'connect', 'port': 1}, nil]");
    const nb_Error version = {.supported_count = 2, .supported = {1, 1}};
    nb_encode_error(&encoder, 8, &version);
    is_encoded("[1, 8, {'supported': [1, 1]}, nil]");
    finish();
}
END_TEST

START_TEST(poll)
{
    nb_encode_poll(&encoder, 6, 0);
    is_encoded("[1, 6, nil, []]");
    struct nb_encoder held = {0};
    nb_encode_event(&held, &nb_events[NB_EVENT_SOCKET_READY], 2, &(nb_Nothing){0});
    nb_encode_poll(&encoder, 6, 1);
    const uint8_t item = NB_POLL_ITEM;
    size_t start = encoder.length;
    char *head = strdup(hex(encoder.data, start));
    char *frame = strdup(hex(held.data + NB_POLL_SKIP, held.length - NB_POLL_SKIP));
    char whole[256];
    snprintf(whole, sizeof whole, "<%s%02x%s>", head, item, frame);
    struct nb_slice joined = notation(whole), expected = notation("[1, 6, nil, [['socket.ready', [2, {}]]]]");
    ck_assert_uint_eq(joined.length, expected.length);
    ck_assert_mem_eq(joined.data, expected.data, expected.length);
    free(head), free(frame), free((void *)joined.data), free((void *)expected.data);
    nb_encoder_finish(&held);
    finish();
}
END_TEST

START_TEST(numbers_are_as_short_as_can_be)
{
    static const struct {
        double number;
        const char *text;
    } doubles[] = {{0, "0"},
                   {-0.0, "0"},
                   {1, "1"},
                   {-1, "-1"},
                   {127, "127"},
                   {128, "<cc80>"},
                   {255, "<ccff>"},
                   {256, "<cd0100>"},
                   {65536, "<ce00010000>"},
                   {5000000000.0, "<cf000000012a05f200>"},
                   {-32, "<e0>"},
                   {-33, "<d0df>"},
                   {-129, "<d1ff7f>"},
                   {9007199254740991.0, "<cf001fffffffffffff>"},
                   {9007199254740992.0, "<cb4340000000000000>"},
                   {1.5, "<cb3ff8000000000000>"},
                   {INFINITY, "<cb7ff0000000000000>"}};
    char text[64];
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        nb_encode_shape(&encoder, &nb_shape_SetTimeout, &(nb_SetTimeout){true, doubles[i].number});
        snprintf(text, sizeof text, "{'timeout': %s}", doubles[i].text);
        is_encoded(text);
    }
    nb_encode_shape(&encoder, &nb_shape_ServerListen,
                    &(nb_ServerListen){.has_backlog = true, .backlog = 511});
    is_encoded("{'backlog': <cd01ff>}");
    finish();
}
END_TEST

START_TEST(strings_leave_as_utf8)
{
    static const struct {
        const char *bytes;
        const char *text;
    } strings[] = {{"6162", "'ab'"},
                   {"", "''"},
                   {"ff", "<a3efbfbd>"},
                   {"61ff62", "<a561efbfbd62>"},
                   {"ffff", "<a6efbfbdefbfbd>"},
                   {"c3a9", "<a2c3a9>"},
                   {"61c3", "<a461efbfbd>"},
                   {"eda080", "<a9efbfbdefbfbdefbfbd>"}};
    char text[64];
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        struct nb_slice bytes = unhex(strings[i].bytes);
        nb_encode_shape(&encoder, &nb_shape_SetEncoding, &(nb_SetEncoding){bytes});
        snprintf(text, sizeof text, "{'encoding': %s}", strings[i].text);
        is_encoded(text);
        free((void *)bytes.data);
    }
    nb_encode_shape(&encoder, &nb_shape_Address, &(nb_Address){.path = nb_slice_of("/tmp/\xff")});
    is_encoded("{'path': x'2f746d702fff'}");
    nb_encode_shape(&encoder, &nb_shape_Address, &(nb_Address){.path = nb_slice_of("/tmp/x")});
    is_encoded("{'path': '/tmp/x'}");
    finish();
}
END_TEST

static const struct {
    const struct nb_shape *shape;
    const char *text;
} identities[] = {
    {&nb_shape_Nothing, "{}"},
    {&nb_shape_Hello, "{'protocol': 1, 'minProtocol': 1, 'client': {'name': 'x', 'version': '1'},"
                      " 'features': ['flow', 'fds'], 'events': 'poll', 'expiry': 5, 'group': 'g'}"},
    {&nb_shape_Welcome, "{'protocol': 1, 'broker': {'name': 'n', 'version': 'v', 'libuv': '1.44.2'},"
                        " 'features': ['flow'], 'limits': {'maxWrite': 1048576, 'outLow': 5}, 'session': 's',"
                        " 'peer': {'uid': 0, 'gid': 1, 'pid': 4294967295}}"},
    {&nb_shape_Welcome, "{'features': []}"},
    {&nb_shape_Error, "{}"},
    {&nb_shape_CreateConnection,
     "{'allowHalfOpen': true, 'onread': {'size': 8}, 'highWaterMark': 0, 'port': 80,"
     " 'host': '', 'path': x'ff', 'keepAliveInitialDelay': 1000, 'timeout': 1.5}"},
    {&nb_shape_SocketInfo,
     "{'readyState': 'open', 'pending': false, 'timeout': 0, 'bytesRead': 9007199254740991,"
     " 'localAddress': '::1', 'localPort': 65535, 'kind': 'tcp', 'server': 4}"},
    {&nb_shape_SocketDestroy,
     "{'error': {'code': 'X', 'errno': -5, 'supported': [1, 4294967295], 'fatal': true}}"},
    {&nb_shape_ServerConnection, "{'socket': 2, 'localAddress': '1.2.3.4', 'peer': {'uid': 7}}"},
    {&nb_shape_SocketWrite, "{'data': x'00ff', 'encoding': 'hex'}"},
    {&nb_shape_Any, "{'a': [1, 2.5, nil, true, x'00'], 'b': {'c': -1}}"},
    {&nb_shape_Lookup, "{'err': {'code': 'ENOTFOUND', 'hostname': 'x.invalid'}, 'host': 'x.invalid'}"},
};
enum { IDENTITY_COUNT = sizeof identities / sizeof *identities };

START_TEST(decoding_and_encoding_is_the_identity)
{
    union {
        union nb_params params;
        union nb_result result;
        union nb_event_body body;
    } message;
    struct nb_fault fault = {0};
    struct nb_slice bytes = notation(identities[_i].text);
    struct nb_cursor cursor = {bytes.data, bytes.data + bytes.length};
    nb_message_clear(identities[_i].shape, &message);
    ck_assert_msg(nb_decode_message(&cursor, identities[_i].shape, "options", &message, &fault), "%.*s",
                  (int)fault.map.message.length, fault.map.message.data);
    nb_encode_shape(&encoder, identities[_i].shape, &message);
    is_encoded(identities[_i].text);
    free((void *)bytes.data);
    finish();
}
END_TEST

static int allocations_left;

static void *failing_reallocate(void *memory, size_t size)
{
    if (size == 0) {
        free(memory);
        return NULL;
    }
    return allocations_left-- > 0 ? realloc(memory, size) : NULL;
}

/* Ten frames of a hundred bytes; returns how many are whole. */
static int encode_ten(void)
{
    char text[101] = "";
    memset(text, 'x', 100);
    for (int i = 0; i < 10; i++)
        nb_encode_shape(&encoder, &nb_shape_SetEncoding, &(nb_SetEncoding){nb_slice_of(text)});
    return (int)(encoder.length / (1 + 9 + 2 + 100));
}

/* Whole frames stay, nothing of the one that failed does, and nothing comes behind it. */
START_TEST(the_nth_allocation_fails)
{
    static const int whole[] = {0, 2, 4, 9, 10};
    encoder = (struct nb_encoder){.reallocate = failing_reallocate};
    allocations_left = _i;
    ck_assert_int_eq(encode_ten(), whole[_i]);
    ck_assert_uint_eq(encoder.length % 112, 0);
    ck_assert_int_eq(encoder.failed, whole[_i] < 10);
    nb_encode_poll(&encoder, 1, 1);
    nb_encode_response(&encoder, 1, &nb_methods[NB_METHOD_SOCKET_PAUSE], NULL);
    nb_encode_error(&encoder, 1, &(nb_Error){0});
    nb_encode_event(&encoder, &nb_events[NB_EVENT_SOCKET_END], 1, &(nb_Nothing){0});
    if (encoder.failed)
        ck_assert_uint_eq(encoder.length, 112 * (size_t)whole[_i]);
    allocations_left = 10;
    nb_encoder_clear(&encoder);
    ck_assert_int_eq(encode_ten(), 10);
    ck_assert(!encoder.failed);
    finish();
    finish();
}
END_TEST

/* The callback of all slices, through nanopb's own coder. */
START_TEST(slices_pass_through_protobuf)
{
    uint8_t wire[256];
    pb_ostream_t out = pb_ostream_from_buffer(wire, sizeof wire);
    const nb_ServerConnection sent = {.has_socket = true,
                                      .socket = 2,
                                      .has_endpoints = true,
                                      .endpoints = {.local_address = nb_slice_of("::1"),
                                                    .remote_address = nb_slice_of(""),
                                                    .has_remote_port = true,
                                                    .remote_port = 9}};
    ck_assert(pb_encode(&out, nb_ServerConnection_fields, &sent));
    pb_istream_t in = pb_istream_from_buffer(wire, out.bytes_written);
    nb_ServerConnection got = {0};
    ck_assert(pb_decode_noinit(&in, nb_ServerConnection_fields, &got));
    ck_assert(got.has_endpoints && got.socket == 2 && got.endpoints.remote_port == 9);
    ck_assert_slice(got.endpoints.local_address, "::1");
    ck_assert_ptr_nonnull(got.endpoints.remote_address.data);
    ck_assert_uint_eq(got.endpoints.remote_address.length, 0);
    ck_assert_ptr_null(got.endpoints.local_family.data);
    ck_assert(got.endpoints.local_address.data >= wire &&
              got.endpoints.local_address.data < wire + sizeof wire);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encode");
    TCase *golden = tcase_create("golden"), *values = tcase_create("values"),
          *memory = tcase_create("memory");
    tcase_add_test(golden, golden_data);
    tcase_add_test(golden, golden_flushed);
    tcase_add_test(golden, golden_create_connection);
    tcase_add_test(golden, golden_write);
    tcase_add_test(golden, every_event_begins_with_its_name);
    tcase_add_test(golden, responses);
    tcase_add_test(golden, the_description_is_a_value);
    tcase_add_test(golden, errors);
    tcase_add_test(golden, poll);
    tcase_add_test(values, numbers_are_as_short_as_can_be);
    tcase_add_test(values, strings_leave_as_utf8);
    tcase_add_loop_test(values, decoding_and_encoding_is_the_identity, 0, IDENTITY_COUNT);
    tcase_add_test(values, slices_pass_through_protobuf);
    tcase_add_loop_test(memory, the_nth_allocation_fails, 0, 5);
    suite_add_tcase(suite, golden);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, memory);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
