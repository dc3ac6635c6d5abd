#include "msgpack_decode.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "notation.h"
#include "schema_index.h"

#define ck_assert_slice(slice, text)                                                                         \
    ck_assert_msg(nb_slice_is(slice, text), "%.*s", (int)(slice).length, (slice).data)

union message {
    union nb_params params;
    union nb_result result;
    union nb_event_body body;
};

static union message message;
static struct nb_fault fault;
static struct nb_slice bytes; /* of the last decode: slices of message borrow from it */

static bool decode(const struct nb_shape *shape, const char *text)
{
    free((void *)bytes.data);
    bytes = notation(text);
    struct nb_cursor cursor = {bytes.data, bytes.data + bytes.length};
    memset(&fault, 0, sizeof fault);
    nb_message_clear(shape, &message);
    bool done = nb_decode_message(&cursor, shape, "options", &message, &fault);
    if (done)
        ck_assert_ptr_eq(cursor.at, cursor.end);
    else
        ck_assert_ptr_nonnull(fault.map.code.data);
    return done;
}

static void accepted(const struct nb_shape *shape, const char *text)
{
    bool done = decode(shape, text);
    ck_assert_msg(done, "%s: %.*s", text, (int)fault.map.message.length, fault.map.message.data);
}

START_TEST(every_type_arrives)
{
    nb_SocketConnect *connect = &message.params.socket_connect;
    accepted(&nb_shape_SocketConnect,
             "{'port': 8124, 'host': 'localhost', 'path': 'a/b', 'family': 4, 'hints': -1, 'noDelay': true,"
             " 'keepAlive': false, 'timeout': 1.5, 'keepAliveInitialDelay': 7, 'onread': {'size': 9}}");
    ck_assert(connect->has_port && connect->port == 8124);
    ck_assert_slice(connect->host, "localhost");
    ck_assert_slice(connect->path, "a/b");
    ck_assert(connect->has_family && connect->family == 4);
    ck_assert(connect->has_hints && connect->hints == -1);
    ck_assert(connect->has_no_delay && connect->no_delay);
    ck_assert(connect->has_keep_alive && !connect->keep_alive);
    ck_assert(connect->has_timeout && connect->timeout == 1.5);
    ck_assert(connect->has_keep_alive_initial_delay && connect->keep_alive_initial_delay == 7);
    ck_assert(connect->has_onread && connect->onread.has_size && connect->onread.size == 9);
    ck_assert_ptr_null(connect->local_address.data);
    ck_assert(!connect->has_local_port);
}
END_TEST

START_TEST(lists_arrive)
{
    accepted(&nb_shape_Hello, "{'protocol': 1, 'features': ['flow', x'666473', 'a-name-that-has-no-room']}");
    ck_assert_uint_eq(message.params.hello.features_count, 2);
    ck_assert_str_eq(message.params.hello.features[0], "flow");
    ck_assert_str_eq(message.params.hello.features[1], "fds");
    accepted(&nb_shape_SocketDestroy, "{'error': {'code': 'X', 'supported': [1, 2], 'errno': -5}}");
    ck_assert_uint_eq(message.params.socket_destroy.error.supported_count, 2);
    ck_assert_uint_eq(message.params.socket_destroy.error.supported[1], 2);
    ck_assert_int_eq(message.params.socket_destroy.error.error_number, -5);
    ck_assert(!decode(&nb_shape_SocketDestroy, "{'error': {'supported': [1, 2, 3]}}"));
    ck_assert_slice(fault.map.argument, "error.supported");
}
END_TEST

/* Names that cannot be features of this version use up no place, and what has no place does no harm. */
START_TEST(long_lists_of_features)
{
    char text[1024] = "{'features': ['a-name-that-has-no-room'";
    for (int i = 0; i < 33; i++)
        sprintf(text + strlen(text), ", 'eightxx%d', 'f%d'", i % 10, i);
    strcat(text, "], 'protocol': 7}");
    accepted(&nb_shape_Hello, text);
    ck_assert_uint_eq(message.params.hello.features_count, 32);
    ck_assert_str_eq(message.params.hello.features[31], "f31");
    ck_assert_uint_eq(message.params.hello.protocol, 7);
}
END_TEST

START_TEST(open_messages_skip_what_they_do_not_know)
{
    accepted(&nb_shape_Hello, "{'later': {'a': [1, {2: 3}]}, 'protocol': 3, 'other': <c7020501 02>}");
    ck_assert_uint_eq(message.params.hello.protocol, 3);
    accepted(&nb_shape_Hello, "{'client': {'name': 'x', 'later': 1}, 'group': 'g'}");
    ck_assert_slice(message.params.hello.client.name, "x");
    ck_assert_slice(message.params.hello.group, "g");
}
END_TEST

START_TEST(inline_messages_are_flat)
{
    nb_CreateConnection *create = &message.params.create_connection;
    accepted(&nb_shape_CreateConnection, "{'port': 80, 'allowHalfOpen': true, 'onread': {'size': 3}}");
    ck_assert(create->has_create && create->has_connect);
    ck_assert(create->connect.has_port && create->connect.port == 80);
    ck_assert(create->create.has_allow_half_open && create->create.allow_half_open);
    ck_assert(create->create.has_onread && create->create.onread.size == 3);
    ck_assert(!create->connect.has_onread);
    accepted(&nb_shape_CreateConnection, "nil");
    ck_assert(create->has_create && create->has_connect);
}
END_TEST

START_TEST(absent_is_absent)
{
    static const char *const bodies[] = {"nil",
                                         "<d40000>",
                                         "<c7010000>",
                                         "[]",
                                         "{}",
                                         "{'port': nil, 'host': nil}",
                                         "{'port': <d40000>, 'host': <c7010000>, 'onread': nil}"};
    accepted(&nb_shape_SocketConnect, bodies[_i]);
    ck_assert(!message.params.socket_connect.has_port);
    ck_assert(!message.params.socket_connect.has_onread);
    ck_assert_ptr_null(message.params.socket_connect.host.data);
}
END_TEST

START_TEST(empty_is_present)
{
    accepted(&nb_shape_SocketConnect, "{'host': '', 'onread': {}, 'path': x''}");
    ck_assert_ptr_nonnull(message.params.socket_connect.host.data);
    ck_assert_uint_eq(message.params.socket_connect.host.length, 0);
    ck_assert_ptr_nonnull(message.params.socket_connect.path.data);
    ck_assert(message.params.socket_connect.has_onread);
    ck_assert(!message.params.socket_connect.onread.has_size);
    accepted(&nb_shape_SocketConnect, "{'onread': []}");
    ck_assert(message.params.socket_connect.has_onread);
}
END_TEST

START_TEST(numbers_of_any_width)
{
    static const char *const eighty[] = {"80",           "80.0",
                                         "<cc50>",       "<cd0050>",
                                         "<ce00000050>", "<cf0000000000000050>",
                                         "<d050>",       "<d10050>",
                                         "<d200000050>", "<d30000000000000050>",
                                         "<ca42a00000>", "<cb4054000000000000>"};
    static const char *const fields[] = {"port", "backlog"};
    char text[128];
    for (size_t field = 0; field < 2; field++) {
        snprintf(text, sizeof text, "{'%s': %s}", fields[field], eighty[_i]);
        accepted(&nb_shape_ServerListen, text);
    }
    ck_assert_int_eq(message.params.server_listen.backlog, 80);
    snprintf(text, sizeof text, "{'timeout': %s}", eighty[_i]);
    accepted(&nb_shape_SetTimeout, text);
    ck_assert(message.params.set_timeout.timeout == 80);
}
END_TEST

START_TEST(negative_numbers_of_any_width)
{
    static const char *const minus[] = {
        "-7", "-7.0", "<f9>", "<d0f9>", "<d1fff9>", "<d2fffffff9>", "<d3fffffffffffffff9>", "<cac0e00000>"};
    char text[64];
    snprintf(text, sizeof text, "{'hints': %s}", minus[_i]);
    accepted(&nb_shape_SocketConnect, text);
    ck_assert_int_eq(message.params.socket_connect.hints, -7);
}
END_TEST

START_TEST(integers_at_their_edges)
{
    accepted(&nb_shape_SocketCreate, "{'readChunk': 4294967295, 'highWaterMark': 0}");
    ck_assert_uint_eq(message.params.socket_create.read_chunk, UINT32_MAX);
    accepted(&nb_shape_SocketCreate, "{'readChunk': 4294967295.0}");
    accepted(&nb_shape_SocketConnect, "{'hints': -2147483648, 'family': 2147483647}");
    ck_assert_int_eq(message.params.socket_connect.hints, INT32_MIN);
    accepted(&nb_shape_Created, "{'id': 9007199254740991}");
    accepted(&nb_shape_Created, "{'id': 9007199254740991.0}");
    ck_assert_uint_eq(message.result.created.id, (UINT64_C(1) << 53) - 1);
}
END_TEST

START_TEST(text_of_any_bytes)
{
    accepted(&nb_shape_IpText, "{'input': <a3610062>}");
    ck_assert_uint_eq(message.params.ip_text.input.length, 3);
    accepted(&nb_shape_IpText, "{'input': x'ff'}");
    ck_assert_uint_eq(message.params.ip_text.input.length, 1);
    accepted(&nb_shape_SocketAddress, "{'family': <a1ff>, 'port': '0x50'}");
    ck_assert_uint_eq(message.params.socket_address.port, 80);
}
END_TEST

START_TEST(ports_as_text)
{
    accepted(&nb_shape_SocketConnect, "{'port': ' 0x50 '}");
    ck_assert_uint_eq(message.params.socket_connect.port, 80);
    accepted(&nb_shape_ServerListen, "{'port': x'3830'}");
    ck_assert_uint_eq(message.params.server_listen.port, 80);
}
END_TEST

START_TEST(str_and_bin_stand_for_each_other)
{
    accepted(&nb_shape_SocketConnect, "{x'686f7374': x'c3a9', 'path': x'ff'}");
    ck_assert_slice(message.params.socket_connect.host, "\xc3\xa9");
    ck_assert_slice(message.params.socket_connect.path, "\xff");
    accepted(&nb_shape_SocketConnect, "{'path': <a1ff>}");
    ck_assert_slice(message.params.socket_connect.path, "\xff");
}
END_TEST

START_TEST(any_is_kept_as_it_came)
{
    static const char *const values[] = {"{'a': [1, <d40000>, nil, <dc0001c0>], x'62': 1.5}", "true", "[]",
                                         "'x'"};
    accepted(&nb_shape_Any, values[_i]);
    ck_assert_uint_eq(message.params.any.value.length, bytes.length);
    ck_assert_mem_eq(message.params.any.value.data, bytes.data, bytes.length);
}
END_TEST

START_TEST(any_that_is_absent)
{
    accepted(&nb_shape_Any, "nil");
    ck_assert_ptr_null(message.params.any.value.data);
}
END_TEST

static const struct refusal {
    const struct nb_shape *shape;
    const char *text;
    const char *code;
    const char *argument;
    const char *message; /* NULL: not looked at */
} refusals[] = {
    {&nb_shape_SetNoDelay, "{'noDelay': 1}", "ERR_INVALID_ARG_TYPE", "noDelay",
     "The \"noDelay\" argument must be of type boolean. Received type number (1)"},
    {&nb_shape_SetNoDelay, "{'noDelay': 'true'}", "ERR_INVALID_ARG_TYPE", "noDelay",
     "The \"noDelay\" argument must be of type boolean. Received type string ('true')"},
    {&nb_shape_SetNoDelay, "{'noDelay': []}", "ERR_INVALID_ARG_TYPE", "noDelay",
     "The \"noDelay\" argument must be of type boolean. Received an instance of Array"},
    {&nb_shape_SetNoDelay, "{'noDelay': <d60500000000>}", "ERR_INVALID_ARG_TYPE", "noDelay", NULL},
    {&nb_shape_SetNoDelay, "{'noDelay': <d50000 00>}", "ERR_INVALID_ARG_TYPE", "noDelay", NULL},
    {&nb_shape_SetNoDelay, "{'noDelay': <d40100>}", "ERR_INVALID_ARG_TYPE", "noDelay", NULL},
    {&nb_shape_SetNoDelay, "5", "ERR_INVALID_ARG_TYPE", "options",
     "The \"options\" argument must be of type object. Received type number (5)"},
    {&nb_shape_SetNoDelay, "[true]", "ERR_INVALID_ARG_TYPE", "options",
     "The \"options\" argument must be of type object. Received an instance of Array"},
    {&nb_shape_SetNoDelay, "'x'", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_SetNoDelay, "{1: true}", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_SetNoDelay, "{nil: true}", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_SetNoDelay, "{'nodelay': true}", "ERR_NB_UNKNOWN_OPTION", "nodelay",
     "Unknown option \"nodelay\""},
    {&nb_shape_SetNoDelay, "{'noDela': true}", "ERR_NB_UNKNOWN_OPTION", "noDela", NULL},
    {&nb_shape_SetNoDelay, "{'': true}", "ERR_NB_UNKNOWN_OPTION", "", NULL},
    {&nb_shape_Nothing, "{'x': 1}", "ERR_NB_UNKNOWN_OPTION", "x", NULL},
    {&nb_shape_Nothing, "1", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_SetNoDelay, "{'noDelay': true, 'noDelay': true}", "ERR_INVALID_ARG_VALUE", "noDelay", NULL},
    {&nb_shape_SetNoDelay, "{'noDelay': nil, 'noDelay': nil}", "ERR_INVALID_ARG_VALUE", "noDelay", NULL},
    {&nb_shape_SocketConnect, "{'onread': {'size': 1.5}}", "ERR_OUT_OF_RANGE", "onread.size",
     "The value of \"options.onread.size\" is out of range. It must be an integer. Received 1.5"},
    {&nb_shape_SocketConnect, "{'onread': {'size': true}}", "ERR_INVALID_ARG_TYPE", "onread.size",
     "The \"options.onread.size\" property must be of type number. Received type boolean (true)"},
    {&nb_shape_SocketConnect, "{'onread': {'sise': 1}}", "ERR_NB_UNKNOWN_OPTION", "onread.sise", NULL},
    {&nb_shape_SocketConnect, "{'onread': 5}", "ERR_INVALID_ARG_TYPE", "onread", NULL},
    {&nb_shape_ServerListen, "{'backlog': 1.5}", "ERR_OUT_OF_RANGE", "backlog",
     "The value of \"options.backlog\" is out of range. It must be an integer. Received 1.5"},
    {&nb_shape_ServerListen, "{'backlog': 2147483648}", "ERR_OUT_OF_RANGE", "backlog",
     "The value of \"options.backlog\" is out of range. It must be >= -2147483648 && <= 2147483647. Received "
     "2147483648"},
    {&nb_shape_ServerListen, "{'backlog': <cb7ff8000000000000>}", "ERR_OUT_OF_RANGE", "backlog",
     "The value of \"options.backlog\" is out of range. It must be an integer. Received NaN"},
    {&nb_shape_SocketCreate, "{'readChunk': -1}", "ERR_OUT_OF_RANGE", "readChunk",
     "The value of \"options.readChunk\" is out of range. It must be >= 0 && <= 4294967295. Received -1"},
    {&nb_shape_SocketCreate, "{'readChunk': 5000000000}", "ERR_OUT_OF_RANGE", "readChunk",
     "The value of \"options.readChunk\" is out of range. It must be >= 0 && <= 4294967295. Received "
     "5_000_000_000"},
    {&nb_shape_SocketCreate, "{'readChunk': 18446744073709551615}", "ERR_OUT_OF_RANGE", "readChunk", NULL},
    {&nb_shape_SocketCreate, "{'readChunk': 1e300}", "ERR_OUT_OF_RANGE", "readChunk", NULL},
    {&nb_shape_SocketCreate, "{'readChunk': '5'}", "ERR_INVALID_ARG_TYPE", "readChunk", NULL},
    {&nb_shape_Created, "{'id': 9007199254740992}", "ERR_OUT_OF_RANGE", "id", NULL},
    {&nb_shape_Created, "{'id': 9007199254740992.0}", "ERR_OUT_OF_RANGE", "id", NULL},
    {&nb_shape_SetTimeout, "{'timeout': 'x'}", "ERR_INVALID_ARG_TYPE", "timeout",
     "The \"msecs\" argument must be of type number. Received type string ('x')"},
    {&nb_shape_SocketConnect, "{'port': 70000}", "ERR_SOCKET_BAD_PORT", "port",
     "Port should be >= 0 and < 65536. Received type number (70000)."},
    {&nb_shape_CreateConnection, "{'port': -1}", "ERR_SOCKET_BAD_PORT", "port",
     "Port should be >= 0 and < 65536. Received type number (-1)."},
    {&nb_shape_SocketConnect, "{'localPort': 65536}", "ERR_SOCKET_BAD_PORT", "localPort",
     "options.localPort should be >= 0 and < 65536. Received type number (65536)."},
    {&nb_shape_ServerListen, "{'port': 1.5}", "ERR_SOCKET_BAD_PORT", "port",
     "options.port should be >= 0 and < 65536. Received type number (1.5)."},
    {&nb_shape_ServerListen, "{'port': 'abc'}", "ERR_SOCKET_BAD_PORT", "port",
     "options.port should be >= 0 and < 65536. Received type string ('abc')."},
    {&nb_shape_ServerListen, "{'port': <cb7ff8000000000000>}", "ERR_SOCKET_BAD_PORT", "port", NULL},
    {&nb_shape_SocketConnect, "{'port': true}", "ERR_INVALID_ARG_TYPE", "port",
     "The \"options.port\" property must be one of type number or string. Received type boolean (true)"},
    {&nb_shape_SocketConnect, "{'port': []}", "ERR_INVALID_ARG_TYPE", "port", NULL},
    {&nb_shape_SocketConnect, "{'path': 3}", "ERR_INVALID_ARG_TYPE", "path",
     "The \"options.path\" property must be of type string. Received type number (3)"},
    {&nb_shape_ServerListen, "{'port': true}", "ERR_INVALID_ARG_VALUE", "port",
     "The argument 'options' is invalid. Received { port: true }"},
    {&nb_shape_ServerListen, "{'port': []}", "ERR_INVALID_ARG_VALUE", "port",
     "The argument 'options' is invalid. Received { port: [Array] }"},
    {&nb_shape_ServerListen, "{'port': {}}", "ERR_INVALID_ARG_VALUE", "port", NULL},
    {&nb_shape_ServerListen, "{'port': <d40500>}", "ERR_INVALID_ARG_VALUE", "port", NULL},
    {&nb_shape_ServerListen, "{'path': false}", "ERR_INVALID_ARG_VALUE", "path",
     "The argument 'options' is invalid. Received { path: false }"},
    {&nb_shape_ServerListen, "{'path': 1.5}", "ERR_INVALID_ARG_VALUE", "path",
     "The argument 'options' is invalid. Received { path: 1.5 }"},
    {&nb_shape_ServerListen, "{'port': 1, 'host': true}", "ERR_INVALID_ARG_TYPE", "host",
     "The \"hostname\" argument must be of type string. Received type boolean (true)"},
    {&nb_shape_SocketConnect, "{'host': 5}", "ERR_INVALID_ARG_TYPE", "host",
     "The \"hostname\" argument must be of type string. Received type number (5)"},
    {&nb_shape_CreateConnection, "{'timeout': {}}", "ERR_INVALID_ARG_TYPE", "timeout",
     "The \"msecs\" argument must be of type number. Received an instance of Object"},
    {&nb_shape_ServerCreate, "{'keepAliveInitialDelay': 'x'}", "ERR_INVALID_ARG_TYPE",
     "keepAliveInitialDelay",
     "The \"options.keepAliveInitialDelay\" property must be of type number. Received type string ('x')"},
    {&nb_shape_SocketCreate, "{'allowHalfOpen': true, 'allowHalfOpen': true}", "ERR_INVALID_ARG_VALUE",
     "allowHalfOpen", "The property 'options.allowHalfOpen' is given twice. Received 'allowHalfOpen'"},
    {&nb_shape_SocketConnect, "{'host': <a1ff>}", "ERR_INVALID_ARG_VALUE", "host", NULL},
    {&nb_shape_SocketConnect, "{'host': x'ff'}", "ERR_INVALID_ARG_VALUE", "host", NULL},
    {&nb_shape_SocketConnect, "{'host': <a3610062>}", "ERR_INVALID_ARG_VALUE", "host",
     "The argument 'hostname' must be a string without null bytes. Received 'a\\x00b'"},
    {&nb_shape_SocketConnect, "{'path': <a3610062>}", "ERR_INVALID_ARG_VALUE", "path",
     "The property 'options.path' must be a string or Uint8Array without null bytes. Received 'a\\x00b'"},
    {&nb_shape_Hello, "{'features': 'flow'}", "ERR_INVALID_ARG_TYPE", "features", NULL},
    {&nb_shape_Hello, "{'features': [1]}", "ERR_INVALID_ARG_TYPE", "features", NULL},
    {&nb_shape_Hello, "{'protocol': 'x'}", "ERR_INVALID_ARG_TYPE", "protocol", NULL},
    {&nb_shape_Any, "[1, <d40100>]", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_Any, "{'a': <a1ff>}", "ERR_INVALID_ARG_VALUE", "options", NULL},
    {&nb_shape_Any, "<d6ff00000000>", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_Any, "{'a': {[1]: 2}}", "ERR_INVALID_ARG_TYPE", "options", NULL},
    {&nb_shape_SocketWrite, "{'data': 5}", "ERR_INVALID_ARG_TYPE", "chunk", NULL},
    {&nb_shape_BlockListLoad, "{'data': 5}", "ERR_INVALID_ARG_TYPE", "data", NULL},
    {&nb_shape_SocketAddress, "{'family': 4}", "ERR_INVALID_ARG_VALUE", "family",
     "The property 'options.family' is invalid. Received 4"},
    {&nb_shape_SocketAddress, "{'port': true}", "ERR_SOCKET_BAD_PORT", "port",
     "options.port should be >= 0 and < 65536. Received type boolean (true)."},
    {&nb_shape_SocketAddress, "{'address': 1}", "ERR_INVALID_ARG_TYPE", "address",
     "The \"options.address\" property must be of type string. Received type number (1)"},
    {&nb_shape_BlockListSubnet, "{'net': 1}", "ERR_INVALID_ARG_TYPE", "net",
     "The \"network\" argument must be of type string. Received type number (1)"},
};
enum { REFUSAL_COUNT = sizeof refusals / sizeof *refusals };

START_TEST(wrong_values_are_refused_with_their_name)
{
    const struct refusal *refusal = &refusals[_i];
    ck_assert_msg(!decode(refusal->shape, refusal->text), "%s", refusal->text);
    ck_assert_msg(nb_slice_is(fault.map.code, refusal->code), "%s: %.*s", refusal->text,
                  (int)fault.map.message.length, fault.map.message.data);
    ck_assert_slice(fault.map.argument, refusal->argument);
    if (refusal->message)
        ck_assert_slice(fault.map.message, refusal->message);
}
END_TEST

START_TEST(long_unknown_names_are_cut)
{
    char text[1200] = "{'";
    memset(text + 2, 'k', 1000);
    strcpy(text + 1002, "': 1}");
    ck_assert(!decode(&nb_shape_SetNoDelay, text));
    ck_assert_slice(fault.map.code, "ERR_NB_UNKNOWN_OPTION");
    ck_assert_uint_lt(fault.map.argument.length, 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msgpack_decode");
    TCase *values = tcase_create("values"), *refused = tcase_create("refused");
    tcase_add_test(values, every_type_arrives);
    tcase_add_test(values, lists_arrive);
    tcase_add_test(values, long_lists_of_features);
    tcase_add_test(values, open_messages_skip_what_they_do_not_know);
    tcase_add_test(values, inline_messages_are_flat);
    tcase_add_loop_test(values, absent_is_absent, 0, 7);
    tcase_add_test(values, empty_is_present);
    tcase_add_loop_test(values, numbers_of_any_width, 0, 12);
    tcase_add_loop_test(values, negative_numbers_of_any_width, 0, 8);
    tcase_add_test(values, integers_at_their_edges);
    tcase_add_test(values, text_of_any_bytes);
    tcase_add_test(values, ports_as_text);
    tcase_add_test(values, str_and_bin_stand_for_each_other);
    tcase_add_loop_test(values, any_is_kept_as_it_came, 0, 4);
    tcase_add_test(values, any_that_is_absent);
    tcase_add_loop_test(refused, wrong_values_are_refused_with_their_name, 0, REFUSAL_COUNT);
    tcase_add_test(refused, long_unknown_names_are_cut);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
