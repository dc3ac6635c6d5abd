/* session.c, receive.c, socket.c and server.c against a broker that the test plays. */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char plain[] = "{\"protocol\": 1, \"features\": [\"flow\"], \"limits\": {\"maxWrite\": 1048576,"
                            "\"writeWindow\": 262144, \"sessionWriteWindow\": 16777216}}";

static struct netbroker_socket *connect_to(struct fake_broker *broker,
                                           const struct netbroker_connect_options *options)
{
    struct netbroker_socket *socket;
    ck_assert_int_eq(
        netbroker_create_connection(broker->session, options, &recorded_socket, &broker->record, &socket), 0);
    return socket;
}

/* A connected socket with id 1; its creation was msgid 0. */
static struct netbroker_socket *connected(struct fake_broker *broker)
{
    struct netbroker_socket *socket =
        connect_to(broker, &(struct netbroker_connect_options){.port = 80, .allow_half_open = true});
    fake_broker_expect(broker, "[0, 0, \"net.createConnection\", [1, {\"port\": 80, \"allowHalfOpen\": true,"
                               "\"readWindow\": 262144}]]");
    ck_assert_int_eq(fake_broker_say(broker, "[2, \"socket.connect\", [1, {\"localAddress\": \"127.0.0.1\","
                                             "\"localPort\": 4000, \"localFamily\": \"IPv4\","
                                             "\"remoteAddress\": \"::1\", \"remotePort\": 80,"
                                             "\"remoteFamily\": \"IPv6\"}]]"),
                     0);
    ck_assert_int_eq(fake_broker_say(broker, "[1, 0, null, {\"id\": 1}]"), 0);
    expect_record(&broker->record, "connect 1");
    return socket;
}

/* ---- bytes that are no protocol ---- */

static const struct {
    const char *bytes;
    size_t length;
    int error;
} bad_input[] = {
#define BAD(text, error)                                                                                     \
    {                                                                                                        \
        text, sizeof(text) - 1, error                                                                        \
    }
    BAD("\xc1", -EBADMSG),
    BAD("\x01", -EBADMSG),
    BAD("\x80", -EBADMSG),
    BAD("GET / HTTP/1.1\r\n", -EBADMSG),
    BAD("\x90", -EBADMSG),
    BAD("\x91\x01", -EBADMSG),
    BAD("\x93\x00\x00\x00", -EBADMSG),
    BAD("\x93\x01\x00\xc0", -EBADMSG),
    BAD("\x94\x02\xa1x\x91\x00\x00", -EBADMSG),
    BAD("\x94\x03\x00\xc0\xc0", -EBADMSG),
    BAD("\x94\x01\x05\xc0\xc0", -EBADMSG), /* no such request */
    BAD("\x94\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc0\xc0", -EBADMSG),
    BAD("\x94\x01\xff\xc0\xc0", -EBADMSG),
    BAD("\x94\x01\x00\xa1x\xc0", -EBADMSG), /* an error that is no map */
    BAD("\x94\x01\x00\x80\xc0", -EBADMSG), /* an error without a code */
    BAD("\x94\x01\x01\x05\xc0", -EBADMSG), /* the same as the answer that is waited for */
    BAD("\x94\x01\x00\x81\xa4"
        "code\x05\xc0",
        -EBADMSG),
    BAD("\x93\x02\x05\x91\x00", -EBADMSG), /* a name that is no string */
    BAD("\x93\x02\xabsocket.data\x90", -EBADMSG),
    BAD("\x93\x02\xabsocket.data\xc0", -EBADMSG),
    BAD("\x93\x02\xabsocket.data\x91\xc0", -EBADMSG),
    BAD("\x93\x02\xabsocket.data\x91\x01", -EBADMSG), /* data without data */
    BAD("\x93\x02\xabsocket.data\x92\x01\x05", -EBADMSG),
    BAD("\x93\x02\xaesocket.flushed\x91\x01", -EBADMSG),
    BAD("\x93\x02\xaesocket.flushed\x92\x01\x04", -EBADMSG), /* more than was written */
    BAD("\x93\x02\xaesocket.flushed\x92\x01\xa1x", -EBADMSG),
    BAD("\x93\x02\xacsocket.close\x92\x01\x05", -EBADMSG),
    BAD("\x93\x02\xacsocket.close\x92\x01\x81\xa8hadError\x05", -EBADMSG),
    BAD("\x93\x02\xaesocket.connect\x92\x01\x81\xa9localPort\xce\xff\xff\xff\xff", -EBADMSG),
    BAD("\x93\x02\xaesocket.connect\x92\x01\x81\x05\x05", -EBADMSG),
    BAD("\x93\x02\xb0server.listening\x92\x01\x80", -EBADMSG), /* a socket's id */
    BAD("\x93\x02\xb1server.connection\x92\x03\x80", -EBADMSG), /* no id */
    BAD("\x93\x02\xb1server.connection\x92\x03\x81\xa6socket\x07", -EBADMSG), /* an odd one */
    BAD("\x93\x02\xb1server.connection\x92\x03\x81\xa6socket\xa1x", -EBADMSG),
    BAD("\x93\x02\xadsession.error\x92\x00\x80", -EBADMSG),
    BAD("\xdd\xff\xff\xff\xff", -EMSGSIZE),
    BAD("\x93\x02\xabsocket.data\x92\x01\xc6\xff\xff\xff\xff", -EMSGSIZE),
    BAD("\x93\x02\xabsocket.data\x92\x01\xdf\xff\xff\xff\xff", -EMSGSIZE),
};

enum { BAD_INPUTS = sizeof bad_input / sizeof *bad_input };

/* Everybody is, the actors in the order of their places in the table. */
#define TOLD(code)                                                                                           \
    "session fatal " code "; reply error " code "; error 1 " code "; close 1 with error; server error " code \
    "; server close"

START_TEST(bad_bytes_end_the_session_and_nothing_else)
{
    for (size_t i = 0; i < BAD_INPUTS; i++) {
        struct fake_broker broker;
        struct netbroker_server *server;
        fake_broker_open(&broker, NULL, plain);
        struct netbroker_socket *socket = connected(&broker);
        ck_assert_int_eq(
            netbroker_create_server(broker.session, NULL, &recorded_server, &broker.record, &server), 0);
        ck_assert_int_eq(
            netbroker_call(broker.session, "session.ping", 0, NULL, 0, recorded_reply, &broker.record), 0);
        ck_assert_int_eq(netbroker_socket_write(socket, "abc", 3), 0);
        netbroker_flush(broker.session);
        int result = fake_broker_send(&broker, bad_input[i].bytes, bad_input[i].length);
        ck_assert_msg(result == bad_input[i].error, "input %zu gives %d", i, result);
        bool is_large = result == -EMSGSIZE;
        ck_assert_ptr_nonnull(
            strstr(broker.record.text, is_large ? TOLD("ERR_NB_FRAME_TOO_BIG") : TOLD("ERR_NB_PROTOCOL")));
        ck_assert_int_eq(netbroker_dispatch(broker.session), bad_input[i].error);
        ck_assert_int_eq(netbroker_notify(broker.session, "session.ping", 0, NULL, 0), -ENOTCONN);
        fake_broker_close(&broker);
    }
}
END_TEST

/* The frames of bad_input cut short, then the broker gone. */
START_TEST(a_frame_cut_by_the_end_of_the_broker_is_no_event)
{
    struct netbroker_packer frame = pack_text("[2, \"socket.data\", [1, \"abcdef\"]]");
    for (size_t length = 0; length < frame.length; length++) {
        struct fake_broker broker;
        fake_broker_open(&broker, NULL, plain);
        connected(&broker);
        if (length > 0)
            ck_assert_int_eq(fake_broker_send(&broker, frame.bytes, length), 0);
        shutdown(broker.fd, SHUT_RDWR);
        ck_assert_int_eq(netbroker_dispatch(broker.session), -ECONNRESET);
        expect_record(&broker.record, "session fatal ECONNRESET; error 1 ECONNRESET; close 1 with error");
        fake_broker_close(&broker);
    }
    netbroker_packer_free(&frame);
}
END_TEST

START_TEST(mutated_frames_never_crash)
{
    struct netbroker_packer frame = pack_text(
        "[2, \"server.connection\", [3, {\"socket\": 2, \"localAddress\": \"::1\", \"localPort\": 80,"
        "\"remoteFamily\": \"IPv6\", \"peer\": {\"uid\": 1, \"gid\": 2, \"pid\": 3}}]]");
    unsigned seed = 11;
    for (int round = 0; round < 3000; round++) {
        struct fake_broker broker;
        struct netbroker_server *server;
        fake_broker_open(&broker, NULL, plain);
        connected(&broker);
        netbroker_create_server(broker.session, NULL, &recorded_server, &broker.record, &server);
        unsigned char *copy = malloc(frame.length);
        memcpy(copy, frame.bytes, frame.length);
        for (int i = 0; i < 3; i++)
            copy[(size_t)rand_r(&seed) % frame.length] = (unsigned char)rand_r(&seed);
        int result = fake_broker_send(&broker, copy, frame.length);
        ck_assert(result == 0 || result == -EBADMSG || result == -EMSGSIZE);
        free(copy);
        fake_broker_close(&broker);
    }
    netbroker_packer_free(&frame);
}
END_TEST

START_TEST(a_frame_above_max_frame_ends_the_session)
{
    struct fake_broker broker;
    char data[5000];
    struct netbroker_packer frame = {0};
    fake_broker_open(&broker, &(struct netbroker_options){.max_frame = 4096}, plain);
    netbroker_pack_array(&frame, 3);
    netbroker_pack_uint(&frame, 2);
    netbroker_pack_str(&frame, "socket.data");
    netbroker_pack_array(&frame, 2);
    netbroker_pack_uint(&frame, 1);
    memset(data, 0, sizeof data);
    netbroker_pack_bin(&frame, data, sizeof data);
    ck_assert_int_eq(fake_broker_send(&broker, frame.bytes, 100), -EMSGSIZE);
    netbroker_packer_free(&frame);
    fake_broker_close(&broker);
}
END_TEST

/* ---- tolerance ---- */

START_TEST(frames_may_come_byte_by_byte_or_all_at_once)
{
    static const char *const frames[] = {"[2, \"socket.data\", [1, \"hello\"]]",
                                         "[2, \"socket.timeout\", [1]]", "[2, \"socket.end\", [1]]",
                                         "[2, \"socket.close\", [1, {\"hadError\": false}]]"};
    struct netbroker_packer all = {0};
    for (size_t i = 0; i < 4; i++) {
        struct netbroker_packer frame = pack_text(frames[i]);
        all.bytes = realloc(all.bytes, all.length + frame.length);
        memcpy(all.bytes + all.length, frame.bytes, frame.length);
        all.length += frame.length;
        netbroker_packer_free(&frame);
    }
    for (size_t step = 1; step <= all.length; step++) {
        struct fake_broker broker;
        fake_broker_open(&broker, NULL, plain);
        connected(&broker);
        for (size_t at = 0; at < all.length; at += step) {
            size_t length = all.length - at < step ? all.length - at : step;
            ck_assert_int_eq(fake_broker_send(&broker, all.bytes + at, length), 0);
        }
        expect_record(&broker.record, "data 1 hello; timeout 1; end 1; close 1");
        fake_broker_close(&broker);
    }
    netbroker_packer_free(&all);
}
END_TEST

START_TEST(what_is_not_known_is_ignored)
{
    struct fake_broker broker;
    fake_broker_open(
        &broker, NULL,
        "{\"protocol\": 1, \"new\": [1], \"features\": [\"new\", \"flow\"], \"limits\": {\"maxNew\": {}}}");
    connected(&broker);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.new\", [1, {\"a\": []}]]"), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"session.new\", [0]]"), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.data\", [99, \"late\"]]"), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.close\", [99, {\"hadError\": true}]]"), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.end\", [1, {\"new\": 1}, \"newer\"]]"), 0);
    ck_assert_int_eq(
        fake_broker_say(&broker, "[2, \"socket.close\", [1, {\"hadError\": null, \"new\": {\"a\": 1}}]]"), 0);
    expect_record(&broker.record, "end 1; close 1");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(session_events_are_told)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    fake_broker_say(&broker, "[2, \"session.idle\", [0, {}]]");
    fake_broker_say(&broker, "[2, \"session.closing\", [0, {\"reason\": \"shutdown\", \"deadline\": 5000}]]");
    fake_broker_say(&broker, "[2, \"session.error\", [0, {\"code\": \"ERR_OUT_OF_RANGE\", \"message\": \"\","
                             "\"method\": \"socket.setTimeout\", \"target\": 1}]]");
    expect_record(&broker.record, "idle; closing 5000; session error ERR_OUT_OF_RANGE");
    fake_broker_say(&broker, "[2, \"session.error\", [0, {\"code\": \"ERR_NB_SHUTDOWN\", \"fatal\": true}]]");
    expect_record(&broker.record, "");
    shutdown(broker.fd, SHUT_WR);
    ck_assert_int_eq(netbroker_dispatch(broker.session), -ECONNRESET);
    expect_record(&broker.record, "session fatal ERR_NB_SHUTDOWN");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_refused_hello_ends_the_session)
{
    int pair[2];
    struct record record = {.text = ""};
    struct netbroker_session *session;
    struct netbroker_options options = {.events = &recorded_session, .context = &record};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(netbroker_open(pair[1], &options, &session), 0);
    struct fake_broker broker = {.fd = pair[0], .session = session};
    ck_assert_int_eq(
        fake_broker_say(&broker, "[1, 0, {\"code\": \"ERR_NB_VERSION\", \"message\": \"no\"}, null]"),
        -ECONNRESET);
    expect_record(&record, "session fatal ERR_NB_VERSION");
    netbroker_free(session);
    close(pair[0]);
}
END_TEST

/* ---- sockets ---- */

START_TEST(addresses_come_with_the_connection)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    const struct netbroker_endpoints *ends = netbroker_socket_endpoints(connected(&broker));
    ck_assert_str_eq(ends->local.address, "127.0.0.1");
    ck_assert_uint_eq(ends->local.port, 4000);
    ck_assert_uint_eq(ends->local.family, 4);
    ck_assert_str_eq(ends->remote.address, "::1");
    ck_assert_uint_eq(ends->remote.family, 6);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(options_travel_under_their_names)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    connect_to(&broker, &(struct netbroker_connect_options){.host = "example.org",
                                                            .port = 443,
                                                            .family = 6,
                                                            .local_address = "::1",
                                                            .local_port = 99,
                                                            .no_delay = true,
                                                            .keep_alive = true,
                                                            .keep_alive_initial_delay = 1000,
                                                            .timeout = 500,
                                                            .read_chunk = 4096});
    fake_broker_expect(
        &broker,
        "[0, 0, \"net.createConnection\", [1, {\"host\": \"example.org\", \"port\": 443,"
        "\"family\": 6, \"localAddress\": \"::1\", \"localPort\": 99, \"noDelay\": true,"
        "\"keepAlive\": true, \"keepAliveInitialDelay\": 1000, \"timeout\": 500, \"allowHalfOpen\": true,"
        "\"readChunk\": 4096, \"readWindow\": 262144}]]");
    struct netbroker_socket *socket = connect_to(&broker, &(struct netbroker_connect_options){.path = "/a"});
    fake_broker_expect(
        &broker, "[0, 1, \"net.createConnection\", [3, {\"allowHalfOpen\": true, \"readWindow\": 262144,"
                 "\"path\": {\"$binary\": \"L2E=\"}}]]");
    netbroker_socket_pause(socket);
    fake_broker_expect(&broker, "[2, \"socket.pause\", [3]]");
    netbroker_socket_resume(socket);
    fake_broker_expect(&broker, "[2, \"socket.resume\", [3]]");
    netbroker_socket_set_no_delay(socket, false);
    fake_broker_expect(&broker, "[2, \"socket.setNoDelay\", [3, {\"noDelay\": false}]]");
    netbroker_socket_set_keep_alive(socket, true, 2000);
    fake_broker_expect(&broker,
                       "[2, \"socket.setKeepAlive\", [3, {\"enable\": true, \"initialDelay\": 2000}]]");
    netbroker_socket_set_timeout(socket, 0);
    fake_broker_expect(&broker, "[2, \"socket.setTimeout\", [3, {\"timeout\": 0}]]");
    ck_assert_int_eq(netbroker_socket_reset_and_destroy(socket), -EOPNOTSUPP);
    netbroker_socket_destroy(socket);
    fake_broker_expect(&broker, "[2, \"socket.destroy\", [3]]");
    fake_broker_expect_nothing(&broker);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_creation_that_is_refused_ends_the_socket)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    connect_to(&broker, &(struct netbroker_connect_options){.family = 5});
    fake_broker_say(&broker, "[1, 0, {\"code\": \"ERR_INVALID_ARG_VALUE\", \"message\": \"\"}, null]");
    expect_record(&broker.record, "error 1 ERR_INVALID_ARG_VALUE; close 1 with error");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_connection_that_fails_is_told_once)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    connect_to(&broker, &(struct netbroker_connect_options){.port = 1});
    fake_broker_say(&broker, "[2, \"socket.error\", [1, {\"code\": \"ECONNREFUSED\", \"message\": \"\"}]]");
    fake_broker_say(&broker, "[2, \"socket.close\", [1, {\"hadError\": true}]]");
    fake_broker_say(&broker, "[1, 0, {\"code\": \"ECONNREFUSED\", \"message\": \"\"}, null]");
    expect_record(&broker.record, "error 1 ECONNREFUSED; close 1 with error");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_destroyed_socket_hears_only_close)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write(socket, "abc", 3), 0);
    ck_assert_int_eq(netbroker_socket_destroy(socket), 0);
    ck_assert_int_eq(netbroker_socket_destroy(socket), 0);
    ck_assert_int_eq(netbroker_socket_write(socket, "abc", 3), -EPIPE);
    fake_broker_say(&broker, "[2, \"socket.data\", [1, \"late\"]]");
    fake_broker_say(&broker, "[2, \"socket.end\", [1]]");
    fake_broker_say(&broker, "[2, \"socket.close\", [1, {\"hadError\": false}]]");
    expect_record(&broker.record, "close 1");
    ck_assert_uint_eq(netbroker_unflushed(broker.session), 0);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(nothing_is_written_after_the_end)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connected(&broker);
    ck_assert_int_eq(netbroker_socket_end(socket), 0);
    ck_assert_int_eq(netbroker_socket_end(socket), 0);
    ck_assert_int_eq(netbroker_socket_write(socket, "abc", 3), -EPIPE);
    fake_broker_expect(&broker, "[2, \"socket.end\", [1]]");
    fake_broker_expect_nothing(&broker);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(without_half_open_the_peers_end_is_ours)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connect_to(&broker, &(struct netbroker_connect_options){.port = 80});
    json_decref(fake_broker_hear(&broker));
    ck_assert_int_eq(netbroker_socket_write(socket, "abc", 3), 0);
    fake_broker_say(&broker, "[2, \"socket.end\", [1]]");
    ck_assert_int_eq(netbroker_socket_write(socket, "abc", 3), -EPIPE);
    expect_record(&broker.record, "end 1");
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, {\"$binary\": \"YWJj\"}]]");
    fake_broker_expect(&broker, "[2, \"socket.end\", [1]]");
    fake_broker_close(&broker);
}
END_TEST

/* ---- writing ahead ---- */

/* The broker tells that the kernel has taken so much of socket 1. */
static int flushed(struct fake_broker *broker, size_t offset)
{
    char frame[64];
    snprintf(frame, sizeof frame, "[2, \"socket.flushed\", [1, %zu]]", offset);
    return fake_broker_say(broker, frame);
}

START_TEST(drain_follows_what_was_flushed)
{
    struct fake_broker broker;
    fake_broker_open(&broker, &(struct netbroker_options){.high_water_mark = 8}, plain);
    struct netbroker_socket *socket = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write(socket, "abcd", 4), 0);
    ck_assert_int_eq(netbroker_socket_write(socket, "efgh", 4), 1);
    ck_assert_int_eq(netbroker_socket_write(socket, "i", 1), 1);
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, {\"$binary\": \"YWJjZA==\"}]]");
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, {\"$binary\": \"ZWZnaA==\"}]]");
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, {\"$binary\": \"aQ==\"}]]");
    ck_assert_uint_eq(netbroker_socket_unflushed(socket), 9);
    flushed(&broker, 4);
    ck_assert_uint_eq(netbroker_socket_unflushed(socket), 5);
    expect_record(&broker.record, "");
    flushed(&broker, 8);
    expect_record(&broker.record, "drain 1");
    /* Said again, or too late, it does no harm. */
    flushed(&broker, 8);
    flushed(&broker, 2);
    ck_assert_uint_eq(netbroker_socket_unflushed(socket), 1);
    flushed(&broker, 9);
    expect_record(&broker.record, "");
    ck_assert_uint_eq(netbroker_socket_unflushed(socket), 0);
    ck_assert_uint_eq(netbroker_unflushed(broker.session), 0);
    ck_assert_int_eq(netbroker_socket_write(socket, "abcd", 4), 0);
    ck_assert_int_eq(flushed(&broker, 14), -EBADMSG);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(unflushed_bytes_are_bounded)
{
    struct fake_broker broker;
    char big[300] = {0};
    fake_broker_open(&broker, &(struct netbroker_options){.high_water_mark = 50, .max_unflushed = 200},
                     plain);
    struct netbroker_socket *socket = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write(socket, big, 150), 1);
    ck_assert_int_eq(netbroker_socket_write(socket, big, 51), -ENOBUFS);
    ck_assert_int_eq(netbroker_socket_write(socket, big, 50), 1);
    ck_assert_int_eq(netbroker_socket_write(socket, big, 1), -ENOBUFS);
    ck_assert_int_eq(netbroker_socket_write(socket, big, 0), 1);
    ck_assert_uint_eq(netbroker_socket_unflushed(socket), 200);
    flushed(&broker, 200);
    expect_record(&broker.record, "drain 1");
    ck_assert_int_eq(netbroker_socket_write(socket, big, 300), 1);
    ck_assert_int_eq(netbroker_socket_write(socket, big, 1), -ENOBUFS);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_write_is_cut_to_what_the_broker_takes)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL,
                     "{\"protocol\": 1, \"features\": [\"flow\"], \"limits\": {\"maxWrite\": 1024,"
                     "\"writeWindow\": 10000, \"sessionWriteWindow\": 100000}}");
    struct netbroker_socket *socket = connected(&broker);
    char bytes[2 * 1024 + 1];
    memset(bytes, 'a', sizeof bytes);
    ck_assert_int_eq(netbroker_socket_write(socket, bytes, sizeof bytes), 0);
    for (size_t left = sizeof bytes; left > 0;) {
        size_t length = left < 1024 ? left : 1024, shown = (length + 2) / 3 * 4;
        json_t *frame = fake_broker_hear(&broker);
        json_t *payload = json_object_get(json_array_get(json_array_get(frame, 2), 1), "$binary");
        ck_assert_uint_eq(json_string_length(payload), shown);
        json_decref(frame);
        left -= length;
    }
    fake_broker_expect_nothing(&broker);
    fake_broker_close(&broker);
}
END_TEST

/* The bytes of the writes that have come, all of that socket; the last frame is another one if `rest` is its name. */
static size_t hear_writes(struct fake_broker *broker, json_int_t target, const char *rest)
{
    size_t all = 0;
    json_t *frame;
    while ((frame = fake_broker_hear(broker))) {
        const char *method = json_string_value(json_array_get(frame, 1));
        json_t *params = json_array_get(frame, 2);
        ck_assert_int_eq(json_integer_value(json_array_get(params, 0)), target);
        bool is_write = strcmp(method, "socket.write") == 0;
        if (is_write) {
            const char *text = json_string_value(json_object_get(json_array_get(params, 1), "$binary"));
            size_t length = strlen(text);
            all += length / 4 * 3 - (length > 0 && text[length - 1] == '=') -
                   (length > 1 && text[length - 2] == '=');
        }
        ck_assert_str_eq(method, is_write ? "socket.write" : rest ? rest : "nothing");
        json_decref(frame);
        if (!is_write)
            break;
    }
    return all;
}

START_TEST(no_more_than_a_window_is_ahead)
{
    enum { WINDOW = 256 << 10, LENGTH = 3 * WINDOW + 100 };
    static char bytes[LENGTH];
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write(socket, bytes, LENGTH), 1);
    ck_assert_int_eq(netbroker_socket_end(socket), 0);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), WINDOW);
    ck_assert_uint_eq(netbroker_socket_unflushed(socket), LENGTH);
    flushed(&broker, 64 << 10);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), 64 << 10);
    /* Too little room for a frame: the next news are waited for. */
    flushed(&broker, (64 << 10) + 1000);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), 0);
    flushed(&broker, WINDOW);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), WINDOW - (64 << 10));
    flushed(&broker, 2 * WINDOW);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), WINDOW);
    flushed(&broker, 3 * WINDOW);
    ck_assert_uint_eq(hear_writes(&broker, 1, "socket.end"), 100);
    fake_broker_expect_nothing(&broker);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(before_the_welcome_one_frame_goes)
{
    enum { LENGTH = 100000 };
    static char bytes[LENGTH];
    int pair[2];
    struct record record = {.text = ""};
    struct netbroker_socket *one, *other;
    struct fake_broker broker = {.fd = -1};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    broker.fd = pair[0];
    ck_assert_int_eq(netbroker_open(pair[1], NULL, &broker.session), 0);
    struct netbroker_connect_options options = {.port = 80};
    netbroker_create_connection(broker.session, &options, &recorded_socket, &record, &one);
    netbroker_create_connection(broker.session, &options, &recorded_socket, &record, &other);
    for (int i = 0; i < 3; i++)
        json_decref(fake_broker_hear(&broker));
    ck_assert_int_eq(netbroker_socket_write(one, bytes, LENGTH), 0);
    ck_assert_int_eq(netbroker_socket_write(other, bytes, LENGTH), 0);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), 64 << 10);
    char welcome[300];
    snprintf(welcome, sizeof welcome, "[1, 0, null, %s]", plain);
    ck_assert_int_eq(fake_broker_say(&broker, welcome), 0);
    ck_assert_uint_eq(hear_writes(&broker, 3, NULL), LENGTH);
    flushed(&broker, 64 << 10);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), LENGTH - (64 << 10));
    netbroker_free(broker.session);
    close(pair[0]);
}
END_TEST

START_TEST(stuck_sockets_leave_something_to_the_others)
{
    enum { LENGTH = 2 << 20, STUCK = 40, WINDOW = 1 << 20 };
    static char bytes[LENGTH];
    struct fake_broker broker;
    fake_broker_open(&broker, NULL,
                     "{\"protocol\": 1, \"features\": [\"flow\"], \"limits\": {\"writeWindow\": 262144,"
                     "\"sessionWriteWindow\": 1048576}}");
    size_t under_way = 0;
    for (int i = 0; i < STUCK; i++) {
        struct netbroker_socket *socket =
            connect_to(&broker, &(struct netbroker_connect_options){.port = 80});
        json_decref(fake_broker_hear(&broker));
        ck_assert_int_eq(netbroker_socket_write(socket, bytes, LENGTH), 1);
        under_way += hear_writes(&broker, 2 * i + 1, NULL);
    }
    ck_assert_uint_le(under_way, WINDOW);
    struct netbroker_socket *socket = connect_to(&broker, &(struct netbroker_connect_options){.port = 80});
    json_decref(fake_broker_hear(&broker));
    ck_assert_int_eq(netbroker_socket_write(socket, "small", 5), 0);
    ck_assert_uint_eq(hear_writes(&broker, 2 * STUCK + 1, NULL), 5);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(in_line_for_the_session_window)
{
    struct fake_broker broker;
    struct netbroker_socket *sockets[4];
    fake_broker_open(&broker, NULL,
                     "{\"protocol\": 1, \"features\": [\"flow\"], \"limits\": {\"maxWrite\": 1024,"
                     "\"writeWindow\": 1024, \"sessionWriteWindow\": 1024}}");
    sockets[0] = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write(sockets[0], (char[1024]){0}, 1024), 0);
    ck_assert_uint_eq(hear_writes(&broker, 1, NULL), 1024);
    for (int i = 1; i < 4; i++) {
        sockets[i] = connect_to(&broker, &(struct netbroker_connect_options){.port = 80});
        json_decref(fake_broker_hear(&broker));
        ck_assert_int_eq(netbroker_socket_write(sockets[i], (char[10]){0}, 10), 0);
        ck_assert_uint_eq(hear_writes(&broker, 2 * i + 1, NULL), 0);
    }
    /* One in the middle goes; then there is room for those who are left. */
    netbroker_socket_destroy(sockets[2]);
    json_decref(fake_broker_hear(&broker));
    fake_broker_say(&broker, "[2, \"socket.close\", [5, {\"hadError\": false}]]");
    flushed(&broker, 1024);
    fake_broker_expect(&broker, "[2, \"socket.write\", [3, {\"$binary\": \"AAAAAAAAAAAAAA==\"}]]");
    fake_broker_expect(&broker, "[2, \"socket.write\", [7, {\"$binary\": \"AAAAAAAAAAAAAA==\"}]]");
    fake_broker_expect_nothing(&broker);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(what_a_closed_socket_had_ahead_is_room_for_others)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL,
                     "{\"protocol\": 1, \"features\": [\"flow\"], \"limits\": {\"maxWrite\": 1024,"
                     "\"writeWindow\": 1024, \"sessionWriteWindow\": 1024}}");
    struct netbroker_socket *first = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write(first, (char[1024]){0}, 1024), 0);
    struct netbroker_socket *second = connect_to(&broker, &(struct netbroker_connect_options){.port = 80});
    ck_assert_int_eq(netbroker_socket_write(second, (char[10]){0}, 10), 0);
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, \"*\"]]");
    json_decref(fake_broker_hear(&broker));
    fake_broker_expect_nothing(&broker);
    fake_broker_say(&broker, "[2, \"socket.close\", [1, {\"hadError\": true}]]");
    ck_assert_uint_eq(hear_writes(&broker, 3, NULL), 10);
    ck_assert_uint_eq(netbroker_unflushed(broker.session), 10);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_broker_without_windows_is_refused)
{
    int pair[2];
    struct record record = {.text = ""};
    struct netbroker_options options = {.events = &recorded_session, .context = &record};
    struct fake_broker broker = {.fd = -1};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    broker.fd = pair[0];
    ck_assert_int_eq(netbroker_open(pair[1], &options, &broker.session), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[1, 0, null, {\"protocol\": 1, \"features\": [\"group\"]}]"),
                     -EPROTONOSUPPORT);
    expect_record(&record, "session fatal ERR_NB_NOT_NEGOTIATED");
    netbroker_free(broker.session);
    close(pair[0]);
}
END_TEST

/* ---- reading ahead ---- */

static void say_data(struct fake_broker *broker, size_t length)
{
    struct netbroker_packer frame = {0};
    static const char bytes[1 << 16];
    netbroker_pack_array(&frame, 3);
    netbroker_pack_uint(&frame, 2);
    netbroker_pack_str(&frame, "socket.data");
    netbroker_pack_array(&frame, 2);
    netbroker_pack_uint(&frame, 1);
    netbroker_pack_bin(&frame, bytes, length);
    ck_assert_int_eq(fake_broker_send(broker, frame.bytes, frame.length), 0);
    netbroker_packer_free(&frame);
}

START_TEST(credit_follows_what_was_consumed)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    connected(&broker);
    say_data(&broker, 65000);
    say_data(&broker, 65000);
    fake_broker_expect_nothing(&broker);
    say_data(&broker, 2000);
    fake_broker_expect(&broker, "[2, \"socket.credit\", [1, 394144]]");
    say_data(&broker, 65000);
    say_data(&broker, 65000);
    say_data(&broker, 2000);
    fake_broker_expect(&broker, "[2, \"socket.credit\", [1, 526144]]");
    fake_broker_expect_nothing(&broker);
    fake_broker_say(&broker, "[2, \"socket.end\", [1]]");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(by_hand_nothing_is_consumed_before_the_program_says_so)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connect_to(
        &broker,
        &(struct netbroker_connect_options){.port = 80, .read_window = 1000, .consume_by_hand = true});
    fake_broker_expect(&broker, "[0, 0, \"net.createConnection\", [1, {\"port\": 80, \"allowHalfOpen\": true,"
                                "\"readWindow\": 1000}]]");
    say_data(&broker, 1000);
    fake_broker_expect_nothing(&broker);
    ck_assert_int_eq(netbroker_socket_consumed(socket, 1001), -EINVAL);
    ck_assert_int_eq(netbroker_socket_consumed(socket, 499), 0);
    fake_broker_expect_nothing(&broker);
    ck_assert_int_eq(netbroker_socket_consumed(socket, 1), 0);
    fake_broker_expect(&broker, "[2, \"socket.credit\", [1, 1500]]");
    ck_assert_int_eq(netbroker_socket_consumed(socket, 501), -EINVAL);
    fake_broker_close(&broker);
}
END_TEST

static void count_release(void *context)
{
    ++*(int *)context;
}

START_TEST(bytes_in_the_backlog_are_released_when_the_socket_goes)
{
    enum { LENGTH = 1500 << 10 };
    static char bytes[LENGTH];
    struct fake_broker broker;
    int released = 0;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connected(&broker);
    ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LENGTH, count_release, &released), 1);
    ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LENGTH, count_release, &released), 1);
    ck_assert_int_eq(netbroker_socket_destroy(socket), 0);
    /* Part of the first waits in the outbox: its bytes are still needed. */
    ck_assert_int_eq(released, 1);
    netbroker_flush(broker.session);
    hear_writes(&broker, 1, "socket.destroy");
    ck_assert_int_eq(released, 2);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(borrowed_bytes_are_released_once)
{
    enum { LENGTH = 150000 };
    struct fake_broker broker;
    int released = 0;
    static char bytes[LENGTH];
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connected(&broker);
    memset(bytes, 'b', LENGTH);
    ck_assert_int_eq(netbroker_socket_write_borrowed(socket, "small", 5, count_release, &released), 0);
    ck_assert_int_eq(released, 1);
    ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LENGTH, count_release, &released), 0);
    ck_assert_int_eq(released, 1);
    ck_assert_int_eq(netbroker_flush(broker.session), 0);
    ck_assert_int_eq(released, 2);
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, {\"$binary\": \"c21hbGw=\"}]]");
    for (int i = 1; i <= 3; i++)
        json_decref(fake_broker_hear(&broker));
    fake_broker_expect_nothing(&broker);
    netbroker_socket_end(socket);
    ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LENGTH, count_release, &released),
                     -EPIPE);
    ck_assert_int_eq(released, 2);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(frames_in_the_steady_state_allocate_nothing)
{
    struct fake_broker broker;
    struct netbroker_packer data = pack_text("[2, \"socket.data\", [1, \"0123456789\"]]");
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = connected(&broker);
    long allocations = 0;
    unsigned char flush[64];
    for (int round = 0; round < 10000; round++) {
        if (round == 10)
            allocations = broker.memory.allocations;
        ck_assert_int_eq(netbroker_socket_write(socket, "0123456789", 10), 0);
        ck_assert_int_eq(fake_broker_send(&broker, data.bytes, data.length), 0);
        struct netbroker_packer told = {.bytes = flush, .capacity = sizeof flush};
        netbroker_pack_array(&told, 3);
        netbroker_pack_uint(&told, 2);
        netbroker_pack_str(&told, "socket.flushed");
        netbroker_pack_array(&told, 2);
        netbroker_pack_uint(&told, 1);
        netbroker_pack_uint(&told, (uint64_t)(round + 1) * 10);
        ck_assert_int_eq(fake_broker_send(&broker, told.bytes, told.length), 0);
        expect_record(&broker.record, "data 1 0123456789");
        json_decref(fake_broker_hear(&broker));
    }
    ck_assert_int_eq(broker.memory.allocations, allocations);
    netbroker_packer_free(&data);
    fake_broker_close(&broker);
}
END_TEST

/* ---- servers ---- */

static struct netbroker_server *listening(struct fake_broker *broker)
{
    struct netbroker_server *server;
    ck_assert_int_eq(netbroker_create_server(broker->session,
                                             &(struct netbroker_server_options){.limit_connections = true},
                                             &recorded_server, &broker->record, &server),
                     0);
    ck_assert_int_eq(netbroker_server_listen(server, &(struct netbroker_listen_options){.port = 80}), 0);
    fake_broker_expect(broker,
                       "[0, 0, \"server.create\", [1, {\"allowHalfOpen\": true, \"readWindow\": 262144,"
                       "\"maxConnections\": 0}]]");
    fake_broker_expect(broker, "[0, 1, \"server.listen\", [1, {\"port\": 80}]]");
    ck_assert_ptr_null(netbroker_server_address(server));
    fake_broker_say(broker, "[1, 0, null, {\"id\": 1}]");
    return server;
}

START_TEST(a_server_tells_of_its_connections)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_server *server = listening(&broker);
    fake_broker_say(
        &broker, "[2, \"server.listening\", [1, {\"address\": \"::\", \"family\": \"IPv6\", \"port\": 80}]]");
    fake_broker_say(&broker, "[1, 1, null, {}]");
    ck_assert_uint_eq(netbroker_server_address(server)->port, 80);
    fake_broker_say(&broker,
                    "[2, \"server.connection\", [1, {\"socket\": 2, \"peer\": {\"uid\": 7, \"pid\": 8}}]]");
    fake_broker_say(&broker, "[2, \"socket.data\", [2, \"hi\"]]");
    fake_broker_say(&broker, "[2, \"server.drop\", [1, {\"remoteAddress\": \"::1\"}]]");
    expect_record(&broker.record, "listening ::; connection 2; data 2 hi; drop ::1");
    ck_assert_uint_eq(netbroker_socket_peer(broker.record.accepted)->uid, 7);
    ck_assert_int_eq(netbroker_server_close(server), 0);
    ck_assert_int_eq(netbroker_server_close(server), 0);
    ck_assert_ptr_null(netbroker_server_address(server));
    fake_broker_expect(&broker, "[0, 1, \"server.close\", [1]]");
    fake_broker_say(&broker, "[2, \"server.close\", [1, {}]]");
    fake_broker_say(&broker, "[1, 1, null, {}]");
    expect_record(&broker.record, "server close");
    fake_broker_expect(&broker, "[2, \"server.release\", [1]]");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_listen_that_fails_is_told_once)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_server *server = listening(&broker);
    fake_broker_say(&broker, "[2, \"server.error\", [1, {\"code\": \"EADDRINUSE\", \"message\": \"\"}]]");
    fake_broker_say(&broker, "[1, 1, {\"code\": \"EADDRINUSE\", \"message\": \"\"}, null]");
    expect_record(&broker.record, "server error EADDRINUSE");
    ck_assert_int_eq(netbroker_server_listen(server, &(struct netbroker_listen_options){.host = "x"}), 0);
    fake_broker_say(&broker, "[1, 1, {\"code\": \"ERR_INVALID_ARG_VALUE\", \"message\": \"\"}, null]");
    expect_record(&broker.record, "server error ERR_INVALID_ARG_VALUE");
    ck_assert_int_eq(netbroker_server_close(server), 0);
    fake_broker_say(&broker, "[1, 1, {\"code\": \"ERR_SERVER_NOT_RUNNING\", \"message\": \"\"}, null]");
    fake_broker_say(&broker, "[2, \"server.close\", [1, {}]]");
    expect_record(&broker.record, "server close");
    fake_broker_close(&broker);
}
END_TEST

/* ---- calls ---- */

START_TEST(every_call_is_answered_once)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            netbroker_call(broker.session, "session.ping", 0, "\x80", 1, recorded_reply, &broker.record), 0);
    fake_broker_expect(&broker, "[0, 0, \"session.ping\", [0, {}]]");
    fake_broker_say(&broker, "[1, 2, null, {}]");
    fake_broker_say(&broker, "[1, 0, {\"code\": \"ERR_NB_BUSY\", \"message\": \"\"}, null]");
    expect_record(&broker.record, "reply 1 bytes; reply error ERR_NB_BUSY");
    shutdown(broker.fd, SHUT_WR);
    netbroker_dispatch(broker.session);
    expect_record(&broker.record, "session fatal ECONNRESET; reply error ECONNRESET");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(an_answer_after_the_timeout_is_dropped)
{
    struct fake_broker broker;
    struct netbroker_result result;
    fake_broker_open(&broker, NULL, plain);
    ck_assert_int_eq(netbroker_call_wait(broker.session, "session.ping", 0, NULL, 0, 1, &result), -ETIMEDOUT);
    ck_assert_ptr_null(result.bytes);
    fake_broker_say(&broker, "[1, 0, null, {}]");
    netbroker_result_free(&result);
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_call_that_waits_gives_result_or_error)
{
    struct fake_broker broker;
    struct netbroker_result result;
    struct netbroker_packer good = pack_text("[1, 0, null, [1, 2]]"),
                            bad = pack_text("[1, 0, {\"code\": \"ERR_NB_BUSY\", \"message\": \"m\"}, null]");
    fake_broker_open(&broker, NULL, plain);
    ck_assert_int_eq(send(broker.fd, good.bytes, good.length, 0), good.length);
    ck_assert_int_eq(netbroker_call_wait(broker.session, "session.ping", 0, NULL, 0, 1000, &result), 0);
    ck_assert_uint_eq(result.length, 3);
    netbroker_result_free(&result);
    ck_assert_int_eq(send(broker.fd, bad.bytes, bad.length, 0), bad.length);
    ck_assert_int_eq(netbroker_call_wait(broker.session, "session.ping", 0, NULL, 0, 1000, &result),
                     -EREMOTEIO);
    ck_assert_str_eq(result.error.code, "ERR_NB_BUSY");
    netbroker_result_free(&result);
    shutdown(broker.fd, SHUT_WR);
    ck_assert_int_eq(netbroker_call_wait(broker.session, "session.ping", 0, NULL, 0, 1000, &result),
                     -ECONNRESET);
    netbroker_result_free(&result);
    netbroker_packer_free(&good);
    netbroker_packer_free(&bad);
    fake_broker_close(&broker);
}
END_TEST

static void free_and_dispatch(struct netbroker_session *session, void *context,
                              const struct netbroker_reply *reply)
{
    struct netbroker_result result;
    ck_assert_int_eq(netbroker_dispatch(session), -EBUSY);
    ck_assert_int_eq(netbroker_wait(session, 0), -EBUSY);
    ck_assert_int_eq(netbroker_call_wait(session, "session.ping", 0, NULL, 0, 0, &result), -EBUSY);
    netbroker_free(session);
}

START_TEST(a_callback_may_free_the_session)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    connected(&broker);
    ck_assert_int_eq(netbroker_call(broker.session, "session.ping", 0, NULL, 0, free_and_dispatch, NULL), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[1, 0, null, {}]"), -ECANCELED);
    broker.session = NULL;
    fake_broker_close(&broker);
}
END_TEST

/* ---- no memory ---- */

/* A little of everything, with the n-th allocation failing. Gives whether it got through. */
static bool run_without_memory(long fail_at)
{
    int pair[2];
    struct counted_memory memory;
    struct record record = {.text = ""};
    counted_memory_init(&memory);
    memory.fail_at = fail_at;
    struct netbroker_options options = {
        .allocator = &memory.allocator, .events = &recorded_session, .context = &record};
    struct netbroker_session *session = NULL;
    struct netbroker_socket *socket;
    struct netbroker_server *server;
    static const char big[100000];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int result = netbroker_open(pair[1], &options, &session);
    if (result < 0)
        close(pair[1]);
    if (result == 0)
        result = netbroker_create_connection(session, &(struct netbroker_connect_options){.port = 1},
                                             &recorded_socket, &record, &socket);
    if (result == 0)
        result = netbroker_create_server(session, NULL, &recorded_server, &record, &server);
    for (int i = 0; i < 30 && result >= 0; i++)
        result = netbroker_socket_write_borrowed(socket, big, 5000, NULL, NULL);
    if (result >= 0)
        result = netbroker_socket_write(socket, big, sizeof big);
    struct fake_broker broker = {.fd = pair[0], .session = session};
    if (result >= 0)
        result = fake_broker_say(&broker, "[2, \"server.connection\", [3, {\"socket\": 2}]]");
    ck_assert_msg(result >= 0 || result == -ENOMEM, "allocation %ld gives %d", fail_at, result);
    netbroker_free(session);
    close(pair[0]);
    ck_assert_int_eq(memory.live, 0);
    return result >= 0;
}

START_TEST(each_allocation_may_fail)
{
    long fail_at = 1;
    while (!run_without_memory(fail_at))
        fail_at++;
    ck_assert_int_gt(fail_at, 10);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {bad_bytes_end_the_session_and_nothing_else,
                                  a_frame_cut_by_the_end_of_the_broker_is_no_event,
                                  mutated_frames_never_crash,
                                  a_frame_above_max_frame_ends_the_session,
                                  frames_may_come_byte_by_byte_or_all_at_once,
                                  what_is_not_known_is_ignored,
                                  session_events_are_told,
                                  a_refused_hello_ends_the_session,
                                  addresses_come_with_the_connection,
                                  options_travel_under_their_names,
                                  a_creation_that_is_refused_ends_the_socket,
                                  a_connection_that_fails_is_told_once,
                                  a_destroyed_socket_hears_only_close,
                                  nothing_is_written_after_the_end,
                                  without_half_open_the_peers_end_is_ours,
                                  drain_follows_what_was_flushed,
                                  unflushed_bytes_are_bounded,
                                  a_write_is_cut_to_what_the_broker_takes,
                                  no_more_than_a_window_is_ahead,
                                  before_the_welcome_one_frame_goes,
                                  stuck_sockets_leave_something_to_the_others,
                                  in_line_for_the_session_window,
                                  what_a_closed_socket_had_ahead_is_room_for_others,
                                  a_broker_without_windows_is_refused,
                                  credit_follows_what_was_consumed,
                                  by_hand_nothing_is_consumed_before_the_program_says_so,
                                  bytes_in_the_backlog_are_released_when_the_socket_goes,
                                  borrowed_bytes_are_released_once,
                                  frames_in_the_steady_state_allocate_nothing,
                                  a_server_tells_of_its_connections,
                                  a_listen_that_fails_is_told_once,
                                  every_call_is_answered_once,
                                  an_answer_after_the_timeout_is_dropped,
                                  a_call_that_waits_gives_result_or_error,
                                  a_callback_may_free_the_session,
                                  each_allocation_may_fail,
                                  NULL};
    return run_suite("client/session", tests);
}
