#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "notation.h"
#include "rpc.h"
#include "scan.h"

#define ck_assert_slice(slice, text)                                                                         \
    ck_assert_msg(nb_slice_is(slice, text), "%.*s", (int)(slice).length, (slice).data)

enum { MAX_WRITE = 64 };

static struct nb_request request;
static struct nb_fault fault;
static struct nb_slice frame; /* of the last decode */

static enum nb_rpc_status decode_frame(struct nb_slice bytes)
{
    static const struct nb_scan_limits limits = {4096, 16, 512, 256};
    struct nb_scan scan = {0};
    free((void *)frame.data);
    frame = bytes;
    ck_assert_int_eq(nb_scan(&scan, &limits, frame.data, frame.length), NB_SCAN_FRAME);
    memset(&request, 0x55, sizeof request);
    memset(&fault, 0x55, sizeof fault);
    return nb_rpc_decode(frame.data, frame.length, MAX_WRITE, &request, &fault);
}

static enum nb_rpc_status decode(const char *text)
{
    return decode_frame(notation(text));
}

/* The frames of section 1.4 that a client sends. */
START_TEST(golden_create_connection)
{
    ck_assert_int_eq(
        decode_frame(unhex("940003b46e65742e637265617465436f6e6e656374696f6e920182a4706f7274cd1fbca4686f"
                           "7374a96c6f63616c686f7374")),
        NB_RPC_REQUEST);
    ck_assert_ptr_eq(request.method, &nb_methods[NB_METHOD_NET_CREATE_CONNECTION]);
    ck_assert_uint_eq(request.msgid, 3);
    ck_assert(!request.is_notification);
    ck_assert(request.has_target && request.target == 1);
    ck_assert(request.has_body);
    ck_assert_uint_eq(request.params.create_connection.connect.port, 8124);
    ck_assert_slice(request.params.create_connection.connect.host, "localhost");
}
END_TEST

START_TEST(golden_write)
{
    ck_assert_int_eq(decode_frame(unhex("9302ac736f636b65742e77726974659201c408776f726c64210d0a")),
                     NB_RPC_REQUEST);
    ck_assert_ptr_eq(request.method, &nb_methods[NB_METHOD_SOCKET_WRITE]);
    ck_assert(request.is_notification);
    ck_assert(!request.payload_is_text);
    ck_assert_slice(request.params.socket_write.data, "world!\r\n");
    ck_assert_ptr_eq(request.params.socket_write.data.data + 8, frame.data + frame.length);
    ck_assert_ptr_null(request.params.socket_write.encoding.data);
}
END_TEST

START_TEST(payload_forms)
{
    ck_assert_int_eq(decode("[0, 9, 'socket.write', [1, 'text', {'encoding': 'utf8'}]]"), NB_RPC_REQUEST);
    ck_assert(request.payload_is_text && request.has_body);
    ck_assert_slice(request.params.socket_write.encoding, "utf8");
    ck_assert_int_eq(decode("[0, 9, 'socket.end', [1, x'ff00ff', nil]]"), NB_RPC_REQUEST);
    ck_assert(!request.payload_is_text);
    ck_assert_uint_eq(request.params.socket_write.data.length, 3);
    ck_assert_int_eq(decode("[0, 9, 'socket.write', [1, <a2ff00>, []]]"), NB_RPC_REQUEST);
    ck_assert_uint_eq(request.params.socket_write.data.length, 2);
    ck_assert_int_eq(decode("[0, 9, 'socket.write', [1, x'', {'encoding': nil}]]"), NB_RPC_REQUEST);
    ck_assert_ptr_nonnull(request.params.socket_write.data.data);
    ck_assert_uint_eq(request.params.socket_write.data.length, 0);
}
END_TEST

START_TEST(payload_that_is_absent)
{
    static const char *const frames[] = {"[0, 9, 'socket.end', [1]]", "[0, 9, 'socket.end', [1, nil]]",
                                         "[0, 9, 'socket.write', [1, <d40000>, {}]]",
                                         "[0, 9, 'socket.write', [1, nil, {'encoding': 'hex'}]]"};
    ck_assert_int_eq(decode(frames[_i]), NB_RPC_REQUEST);
    ck_assert_ptr_null(request.params.socket_write.data.data);
    ck_assert(!request.has_body);
}
END_TEST

START_TEST(payload_at_the_limit)
{
    char text[256], digits[2 * MAX_WRITE + 3];
    memset(digits, '0', sizeof digits);
    for (size_t length = MAX_WRITE - 1; length <= MAX_WRITE + 1; length++) {
        snprintf(text, sizeof text, "[0, 9, 'socket.write', [1, x'%.*s']]", (int)(2 * length), digits);
        enum nb_rpc_status status = decode(text);
        ck_assert_int_eq(status, length > MAX_WRITE ? NB_RPC_REFUSED : NB_RPC_REQUEST);
    }
    ck_assert_slice(fault.map.code, "ERR_NB_LIMIT");
    ck_assert_slice(fault.map.limit, "maxWrite");
    ck_assert(request.has_target && request.target == 1 && request.msgid == 9);
}
END_TEST

START_TEST(bodies)
{
    ck_assert_int_eq(decode("[0, 1, 'socket.pause', [5]]"), NB_RPC_REQUEST);
    ck_assert(!request.has_body);
    ck_assert_int_eq(decode("[0, 1, 'socket.pause', [5, nil]]"), NB_RPC_REQUEST);
    ck_assert(!request.has_body);
    ck_assert_int_eq(decode("[0, 1, 'socket.pause', [5, {}]]"), NB_RPC_REQUEST);
    ck_assert(request.has_body);
    ck_assert_int_eq(decode("[0, 1, 'socket.pause', [5, [], <d40000>]]"), NB_RPC_REQUEST);
    ck_assert(request.has_body);
    ck_assert_int_eq(decode("[0, 1, 'session.ping', [0, {'a': 1}]]"), NB_RPC_REQUEST);
    ck_assert_uint_eq(request.params.any.value.length, 4);
    ck_assert_int_eq(decode("[0, 1, 'net.createConnection', [1]]"), NB_RPC_REQUEST);
    ck_assert(request.params.create_connection.has_connect);
}
END_TEST

START_TEST(envelopes_of_odd_encoders)
{
    static const char *const frames[] = {
        "<940007ac736f636b65742e70617573659105>",
        "[0.0, 7.0, 'socket.pause', [5.0]]",
        "[<cf0000000000000000>, <d207000000>, 'socket.pause', [5]]",
        "<dd00000004 d000 cd0007 da000c 736f636b65742e7061757365 dc0001 d30000000000000005>",
        "[0, 7, x'736f636b65742e7061757365', <dd00000001 cb4014000000000000>]",
    };
    ck_assert_int_eq(decode(frames[_i]), NB_RPC_REQUEST);
    ck_assert_ptr_eq(request.method, &nb_methods[NB_METHOD_SOCKET_PAUSE]);
    ck_assert_uint_eq(request.target, 5);
    ck_assert_uint_eq(request.msgid, _i == 2 ? 0x07000000 : 7);
}
END_TEST

START_TEST(edges_of_msgid_and_target)
{
    ck_assert_int_eq(decode("[0, 4294967295, 'socket.pause', [9007199254740991]]"), NB_RPC_REQUEST);
    ck_assert_uint_eq(request.msgid, UINT32_MAX);
    ck_assert_uint_eq(request.target, (UINT64_C(1) << 53) - 1);
}
END_TEST

START_TEST(every_method_is_found)
{
    for (int i = 0; i < NB_METHOD_COUNT; i++) {
        ck_assert_int_eq(nb_methods[i].index, i);
        ck_assert_ptr_eq(nb_method_find(nb_slice_of(nb_methods[i].name)), &nb_methods[i]);
        ck_assert_uint_eq(strlen(nb_methods[i].name), nb_methods[i].name_length);
        ck_assert_uint_le(nb_methods[i].params->size, sizeof(union nb_params));
        ck_assert_uint_le(nb_methods[i].result->size, sizeof(union nb_result));
    }
    ck_assert_ptr_eq(nb_method_find(nb_slice_of("net.connect")),
                     &nb_methods[NB_METHOD_NET_CREATE_CONNECTION]);
    ck_assert_ptr_eq(nb_method_find(nb_slice_of("net.createServer")), &nb_methods[NB_METHOD_SERVER_CREATE]);
}
END_TEST

START_TEST(no_other_name_is_a_method)
{
    ck_assert_ptr_null(nb_method_find((struct nb_slice){0}));
    ck_assert_ptr_null(nb_method_find(nb_slice_of("")));
    for (int i = 0; i < NB_METHOD_COUNT; i++) {
        char name[64];
        size_t length = nb_methods[i].name_length;
        strcpy(name, nb_methods[i].name);
        for (size_t at = 0; at < length; at++) {
            name[at] ^= 0x20;
            ck_assert_ptr_null(nb_method_find((struct nb_slice){(const uint8_t *)name, length}));
            name[at] ^= 0x20;
        }
        strcpy(name + length, "x");
        ck_assert_ptr_null(nb_method_find((struct nb_slice){(const uint8_t *)name, length + 1}));
    }
}
END_TEST

static const char *const broken[] = {
    "[]",
    "[0]",
    "[0, 1]",
    "[1, 1, nil, nil]",
    "[3, 'socket.pause', [1]]",
    "[-1, 'socket.pause', [1]]",
    "[nil, 1, 'socket.pause', [1]]",
    "['0', 1, 'socket.pause', [1]]",
    "[0.5, 1, 'socket.pause', [1]]",
    "[0, 1, 'socket.pause']",
    "[0, 1, 'socket.pause', [1], 5]",
    "[0, 'socket.pause', [1]]",
    "[2, 'socket.pause']",
    "[2, 1, 'socket.pause', [1]]",
    "[0, -1, 'socket.pause', [1]]",
    "[0, 4294967296, 'socket.pause', [1]]",
    "[0, 1.5, 'socket.pause', [1]]",
    "[0, nil, 'socket.pause', [1]]",
    "[0, 'x', 'socket.pause', [1]]",
    "[0, 1, 5, [1]]",
    "[0, 1, nil, [1]]",
    "[0, 1, ['socket.pause'], [1]]",
    "[0, 1, 'socket.pause', []]",
    "[0, 1, 'socket.pause', {}]",
    "[0, 1, 'socket.pause', nil]",
    "[0, 1, 'socket.pause', 5]",
    "[0, 1, 'socket.pause', 'x']",
    "[2, 'socket.pause', <d40000>]",
    "[2, 'no.such', []]",
};

START_TEST(broken_frames_are_fatal)
{
    ck_assert_int_eq(decode(broken[_i]), NB_RPC_BROKEN);
    ck_assert_slice(fault.map.code, "ERR_NB_PROTOCOL");
    ck_assert(fault.map.has_fatal && fault.map.fatal);
    ck_assert_uint_gt(fault.map.message.length, 0);
}
END_TEST

static const struct refusal {
    const char *frame;
    const char *code;
    const char *argument; /* NULL: none */
    const char *message;
    int target; /* -1: not known */
} refusals[] = {
    {"[0, 7, 'socket.fly', [1]]", "ERR_NB_UNKNOWN_METHOD", NULL, "Unknown method 'socket.fly'", 1},
    {"[0, 7, '', [1]]", "ERR_NB_UNKNOWN_METHOD", NULL, "Unknown method ''", 1},
    {"[0, 7, <a2ff00>, [1]]", "ERR_NB_UNKNOWN_METHOD", NULL, NULL, 1},
    {"[0, 7, 'Socket.Pause', [1, 5, 6, 7]]", "ERR_NB_UNKNOWN_METHOD", NULL, NULL, 1},
    {"[0, 7, 'socket.fly', [nil]]", "ERR_NB_UNKNOWN_METHOD", NULL, NULL, -1},
    {"[0, 7, 'socket.pause', ['1']]", "ERR_INVALID_ARG_TYPE", "target",
     "The \"target\" argument must be of type number. Received type string ('1')", -1},
    {"[0, 7, 'socket.pause', [nil]]", "ERR_INVALID_ARG_TYPE", "target", NULL, -1},
    {"[0, 7, 'socket.pause', [true]]", "ERR_INVALID_ARG_TYPE", "target", NULL, -1},
    {"[0, 7, 'socket.pause', [-1]]", "ERR_OUT_OF_RANGE", "target",
     "The value of \"target\" is out of range. It must be >= 0 && <= 9007199254740991. Received -1", -1},
    {"[0, 7, 'socket.pause', [1.5]]", "ERR_OUT_OF_RANGE", "target",
     "The value of \"target\" is out of range. It must be an integer. Received 1.5", -1},
    {"[0, 7, 'socket.pause', [9007199254740992]]", "ERR_OUT_OF_RANGE", "target", NULL, -1},
    {"[0, 7, 'socket.pause', [1, {}, {}, {}]]", "ERR_INVALID_ARG_VALUE", "params", NULL, 1},
    {"[0, 7, 'socket.write', [1, 'x', {}, nil]]", "ERR_INVALID_ARG_VALUE", "params", NULL, 1},
    {"[0, 7, 'socket.pause', [1, {}, {}]]", "ERR_INVALID_ARG_VALUE", "options", NULL, 1},
    {"[0, 7, 'socket.pause', [1, 5]]", "ERR_INVALID_ARG_TYPE", "options", NULL, 1},
    {"[0, 7, 'socket.setNoDelay', [1, {'nodelay': true}]]", "ERR_NB_UNKNOWN_OPTION", "nodelay", NULL, 1},
    {"[0, 7, 'socket.write', [1, 5]]", "ERR_INVALID_ARG_TYPE", "chunk",
     "The \"chunk\" argument must be of type string or an instance of Buffer or Uint8Array. Received type "
     "number (5)",
     1},
    {"[0, 7, 'socket.write', [1, {'data': 'x'}]]", "ERR_INVALID_ARG_TYPE", "chunk", NULL, 1},
    {"[0, 7, 'socket.write', [1, <d40100>]]", "ERR_INVALID_ARG_TYPE", "chunk", NULL, 1},
    {"[0, 7, 'socket.write', [1, 'x', 'utf8']]", "ERR_INVALID_ARG_TYPE", "options", NULL, 1},
    {"[0, 7, 'socket.write', [1, 'x', {'data': 'y'}]]", "ERR_NB_UNKNOWN_OPTION", "data", NULL, 1},
    {"[0, 7, 'socket.write', [1, 'x', {'encoding': 5}]]", "ERR_INVALID_ARG_TYPE", "encoding", NULL, 1},
};
enum { REFUSAL_COUNT = sizeof refusals / sizeof *refusals };

START_TEST(wrong_frames_are_refused)
{
    const struct refusal *refusal = &refusals[_i];
    ck_assert_int_eq(decode(refusal->frame), NB_RPC_REFUSED);
    ck_assert_slice(fault.map.code, refusal->code);
    if (refusal->argument)
        ck_assert_slice(fault.map.argument, refusal->argument);
    if (refusal->message)
        ck_assert_slice(fault.map.message, refusal->message);
    ck_assert_uint_eq(request.msgid, 7);
    ck_assert(!request.is_notification);
    ck_assert_int_eq(request.has_target, refusal->target >= 0);
    if (request.has_target)
        ck_assert_uint_eq(request.target, (uint64_t)refusal->target);
    ck_assert_ptr_nonnull(request.method_name.data);
}
END_TEST

START_TEST(refused_notifications_say_so)
{
    ck_assert_int_eq(decode("[2, 'socket.pause', [3, 5]]"), NB_RPC_REFUSED);
    ck_assert(request.is_notification && request.target == 3);
    ck_assert_ptr_eq(request.method, &nb_methods[NB_METHOD_SOCKET_PAUSE]);
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Sanitizers watch: no byte outside of the frame may matter, and every answer is one of the three. */
START_TEST(mutated_frames_are_answered)
{
    static const struct nb_scan_limits limits = {4096, 16, 512, 256};
    static const char *const seeds[] = {
        "[0, 3, 'net.createConnection', [1, {'port': 8124, 'host': 'localhost', 'onread': {'size': 5}}]]",
        "[0, 3, 'session.hello', [0, {'protocol': 1, 'features': ['a', 'b'], 'client': {'name': 'x'}}]]",
        "[0, 3, 'socket.destroy', [1, {'error': {'code': 'X', 'message': 'm', 'supported': [1, 2]}}]]",
        "[2, 'socket.write', [1, x'776f726c64210d0a', {'encoding': 'hex'}]]",
        "[0, 1, 'session.ping', [0, {'a': [1.5, -1, 70000, {'b': 'c'}]}]]",
        "[0, 1, 'server.listen', [3, {'port': ' 0x50 ', 'backlog': 1.0, 'path': 'x'}]]",
    };
    uint32_t seed = 4711, decoded = 0;
    for (int round = 0; round < 100000; round++) {
        struct nb_slice bytes = notation(seeds[next_random(&seed) % 6]);
        uint8_t *data = (uint8_t *)bytes.data;
        for (uint32_t i = 1 + next_random(&seed) % 3; i > 0; i--)
            data[next_random(&seed) % bytes.length] = (uint8_t)next_random(&seed);
        struct nb_scan scan = {0};
        if (nb_scan(&scan, &limits, data, bytes.length) == NB_SCAN_FRAME) {
            enum nb_rpc_status status = nb_rpc_decode(data, scan.position, MAX_WRITE, &request, &fault);
            ck_assert(status == NB_RPC_REQUEST || status == NB_RPC_REFUSED || status == NB_RPC_BROKEN);
            if (status != NB_RPC_REQUEST)
                ck_assert_uint_gt(fault.map.message.length, 0);
            decoded++;
        }
        free(data);
    }
    ck_assert_uint_gt(decoded, 10000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_decode");
    TCase *requests = tcase_create("requests"), *refused = tcase_create("refused");
    tcase_add_test(requests, golden_create_connection);
    tcase_add_test(requests, golden_write);
    tcase_add_test(requests, payload_forms);
    tcase_add_loop_test(requests, payload_that_is_absent, 0, 4);
    tcase_add_test(requests, payload_at_the_limit);
    tcase_add_test(requests, bodies);
    tcase_add_loop_test(requests, envelopes_of_odd_encoders, 0, 5);
    tcase_add_test(requests, edges_of_msgid_and_target);
    tcase_add_test(requests, every_method_is_found);
    tcase_add_test(requests, no_other_name_is_a_method);
    tcase_add_loop_test(refused, broken_frames_are_fatal, 0, sizeof broken / sizeof *broken);
    tcase_add_loop_test(refused, wrong_frames_are_refused, 0, REFUSAL_COUNT);
    tcase_add_test(refused, refused_notifications_say_so);
    tcase_add_test(refused, mutated_frames_are_answered);
    tcase_set_timeout(refused, 60);
    suite_add_tcase(suite, requests);
    suite_add_tcase(suite, refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
