/* The library between callbacks that call back, and a broker that says too much, too little or what is not so. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char plain[] = "{\"protocol\": 1, \"features\": [\"flow\"], \"limits\": {\"maxWrite\": 1048576,"
                            "\"writeWindow\": 262144, \"sessionWriteWindow\": 16777216}}";
static const char channels[] =
    "{\"protocol\": 1, \"features\": [\"flow\", \"channel\", \"fds\"], \"limits\": {}}";

enum { LARGE = 5000 }; /* bytes that are borrowed, not copied */
static const char bytes[LARGE];

static struct netbroker_socket *socket_of(struct fake_broker *broker)
{
    struct netbroker_socket *socket;
    ck_assert_int_eq(netbroker_create_connection(broker->session,
                                                 &(struct netbroker_connect_options){.port = 80},
                                                 &recorded_socket, &broker->record, &socket),
                     0);
    return socket;
}

/* For a function that waits: it is all there when it looks. */
static void put(struct fake_broker *broker, const char *frame)
{
    struct netbroker_packer packer = pack_text(frame);
    ck_assert_int_eq(send(broker->fd, packer.bytes, packer.length, MSG_NOSIGNAL), packer.length);
    netbroker_packer_free(&packer);
}

/* ---- release ---- */

static void free_session(void *session)
{
    netbroker_free(session);
}

START_TEST(a_release_may_free_the_session)
{
    for (int waits = 0; waits < 2; waits++) {
        struct fake_broker broker;
        fake_broker_open(&broker, NULL, plain);
        struct netbroker_session *session = broker.session;
        struct netbroker_socket *socket = socket_of(&broker);
        ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LARGE, free_session, session), 0);
        ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LARGE, NULL, NULL), 0);
        if (waits) {
            ck_assert_int_eq(netbroker_wait(session, 1000), -ECANCELED);
        } else {
            ck_assert_int_eq(netbroker_flush(session), 0);
            ck_assert_int_eq(netbroker_timeout(session), 0);
            ck_assert_int_eq(netbroker_dispatch(session), -ECANCELED);
        }
        broker.session = NULL;
        fake_broker_close(&broker);
    }
}
END_TEST

static void flush_again(void *session)
{
    struct netbroker_result result;
    ck_assert_int_eq(netbroker_flush(session), 1);
    ck_assert_int_eq(netbroker_dispatch(session), -EBUSY);
    ck_assert_int_eq(netbroker_wait(session, 0), -EBUSY);
    ck_assert_int_eq(netbroker_call_wait(session, "session.ping", 0, NULL, 0, 0, &result), -EBUSY);
    ck_assert_int_eq(netbroker_notify(session, "session.ping", 0, NULL, 0), 0);
}

START_TEST(a_release_that_flushes_sends_nothing_twice)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = socket_of(&broker);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(netbroker_socket_write_borrowed(socket, bytes, LARGE, flush_again, broker.session),
                         0);
    ck_assert_int_eq(netbroker_flush(broker.session), 0);
    fake_broker_expect(&broker, "[0, 0, \"net.createConnection\", [1, \"*\"]]");
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, \"*\"]]");
    fake_broker_expect(&broker, "[2, \"socket.write\", [1, \"*\"]]");
    fake_broker_expect(&broker, "[2, \"session.ping\", [0]]");
    fake_broker_expect(&broker, "[2, \"session.ping\", [0]]");
    fake_broker_expect_nothing(&broker);
    fake_broker_close(&broker);
}
END_TEST

struct writer {
    struct netbroker_socket *socket;
    int released, refusals;
};

static void write_next(void *context)
{
    struct writer *writer = context;
    writer->released++;
    if (netbroker_socket_write_borrowed(writer->socket, bytes, LARGE, write_next, writer) == -ENOTCONN)
        writer->refusals++;
}

START_TEST(a_release_while_the_session_is_freed_may_still_write)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    struct writer writer = {socket_of(&broker), 0, 0};
    ck_assert_int_eq(netbroker_socket_write_borrowed(writer.socket, bytes, LARGE, write_next, &writer), 0);
    fake_broker_close(&broker);
    ck_assert_int_eq(writer.released, 1);
    ck_assert_int_eq(writer.refusals, 1);
}
END_TEST

/* ---- the end of a session ---- */

struct retry {
    struct netbroker_session *session;
    int closed, refused;
};

static void connect_again(struct netbroker_socket *socket, void *context,
                          const struct netbroker_closed *closed)
{
    struct retry *retry = context;
    struct netbroker_socket *next;
    struct netbroker_server *server;
    retry->closed++;
    retry->refused +=
        netbroker_create_connection(retry->session, &(struct netbroker_connect_options){.port = 1}, NULL,
                                    NULL, &next) == -ENOTCONN;
    retry->refused += netbroker_create_server(retry->session, NULL, NULL, NULL, &server) == -ENOTCONN;
}

/* Any number of them: the table is at each size where it would grow. */
START_TEST(who_connects_again_in_on_close_keeps_nobody_from_being_told)
{
    static const struct netbroker_socket_events events = {.on_close = connect_again};
    for (int count = 1; count <= 33; count++) {
        struct fake_broker broker;
        fake_broker_open(&broker, NULL, plain);
        struct retry retry = {broker.session, 0, 0};
        for (int i = 0; i < count; i++)
            netbroker_socket_set_events(socket_of(&broker), &events, &retry);
        shutdown(broker.fd, SHUT_WR);
        ck_assert_int_eq(netbroker_dispatch(broker.session), -ECONNRESET);
        ck_assert_int_eq(retry.closed, count);
        ck_assert_int_eq(retry.refused, 2 * count);
        fake_broker_close(&broker);
    }
}
END_TEST

START_TEST(a_broker_that_takes_no_more_ends_the_session)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    socket_of(&broker);
    put(&broker, "[2, \"session.closing\", [0, {\"deadline\": 7}]]");
    shutdown(broker.fd, SHUT_RD);
    ck_assert_int_eq(netbroker_flush(broker.session), -EPIPE);
    ck_assert_int_eq(netbroker_wait(broker.session, 1000), 0); /* what it still said */
    ck_assert_int_eq(netbroker_wait(broker.session, 1000), -ECONNRESET);
    expect_record(&broker.record,
                  "closing 7; session fatal ECONNRESET; error 1 ECONNRESET; close 1 with error");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(more_data_than_the_window_ends_the_session)
{
    struct fake_broker broker;
    fake_broker_open(&broker, &(struct netbroker_options){.read_window = 4}, plain);
    socket_of(&broker);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.data\", [1, \"1234\"]]"), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.data\", [1, \"5678\"]]"), 0);
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.data\", [1, \"90abc\"]]"), -EBADMSG);
    expect_record(&broker.record, "data 1 1234; data 1 5678; session fatal ERR_NB_PROTOCOL; "
                                  "error 1 ERR_NB_PROTOCOL; close 1 with error");
    fake_broker_close(&broker);
}
END_TEST

START_TEST(a_maximum_that_lets_nothing_through_is_no_welcome)
{
    int pair[2];
    struct netbroker_session *session;
    struct record record = {.text = ""};
    struct netbroker_options options = {.events = &recorded_session, .context = &record};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(netbroker_open(pair[1], &options, &session), 0);
    struct fake_broker broker = {.fd = pair[0], .session = session};
    ck_assert_int_eq(
        fake_broker_say(&broker, "[1, 0, null, {\"features\": [\"flow\"], \"limits\": {\"maxWrite\": 1}}]"),
        -EBADMSG);
    netbroker_free(session);
    close(pair[0]);
}
END_TEST

START_TEST(calls_wait_for_a_broker_that_does_not_read_up_to_a_limit)
{
    enum { LENGTH = 1 << 20 };
    struct fake_broker broker;
    int result, taken = 0;
    char *body = malloc(LENGTH);
    memset(body, 1, LENGTH);
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_socket *socket = socket_of(&broker);
    while ((result = netbroker_notify(broker.session, "session.ping", 0, body, LENGTH)) == 0)
        taken++;
    ck_assert_int_eq(result, -ENOBUFS);
    ck_assert_int_eq(taken, 16);
    ck_assert_int_eq(netbroker_call(broker.session, "session.ping", 0, NULL, 0, NULL, NULL), -ENOBUFS);
    ck_assert_int_eq(netbroker_socket_destroy(socket), 0);
    fake_broker_close(&broker);
    free(body);
}
END_TEST

START_TEST(an_empty_body_is_none)
{
    struct fake_broker broker;
    fake_broker_open(&broker, NULL, plain);
    ck_assert_int_eq(netbroker_notify(broker.session, "session.ping", 0, bytes, 0), 0);
    fake_broker_expect(&broker, "[2, \"session.ping\", [0]]");
    fake_broker_close(&broker);
}
END_TEST

/* ---- waiting ---- */

static void say_more(struct netbroker_socket *socket, void *context, const void *data, size_t length)
{
    put(context, "[2, \"socket.data\", [1, \"more\"]]");
}

START_TEST(a_timeout_holds_while_much_else_comes)
{
    static const struct netbroker_socket_events events = {.on_data = say_more};
    struct fake_broker broker;
    struct netbroker_result result;
    fake_broker_open(&broker, NULL, plain);
    netbroker_socket_set_events(socket_of(&broker), &events, &broker);
    put(&broker, "[2, \"socket.data\", [1, \"more\"]]");
    ck_assert_int_eq(netbroker_call_wait(broker.session, "session.ping", 0, NULL, 0, 30, &result),
                     -ETIMEDOUT);
    fake_broker_close(&broker);
}
END_TEST

static struct netbroker_stream *stream_to(struct fake_broker *broker)
{
    struct netbroker_stream *stream;
    put(broker, "[2, \"socket.connect\", [1, {}]]");
    ck_assert_int_eq(netbroker_stream_connect(broker->session,
                                              &(struct netbroker_connect_options){.port = 80}, 1000, &stream,
                                              NULL),
                     0);
    return stream;
}

START_TEST(a_stream_that_is_cut_short_does_not_end_well)
{
    struct fake_broker broker;
    char buffer[8];
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_stream *stream = stream_to(&broker);
    put(&broker, "[2, \"socket.data\", [1, \"half\"]]");
    put(&broker, "[2, \"socket.close\", [1, {\"hadError\": true}]]");
    ck_assert_int_eq(netbroker_stream_read(stream, buffer, sizeof buffer, 1000), 4);
    ck_assert_int_eq(netbroker_stream_read(stream, buffer, sizeof buffer, 1000), -EREMOTEIO);
    ck_assert_str_eq(netbroker_stream_error(stream)->code, "ERR_SOCKET_CLOSED");
    ck_assert_int_eq(netbroker_stream_write(stream, "x", 1, 1000), -EREMOTEIO);
    netbroker_stream_free(stream);
    fake_broker_close(&broker);
}
END_TEST

static void free_on_reply(struct netbroker_session *session, void *context,
                          const struct netbroker_reply *reply)
{
    netbroker_free(session);
}

START_TEST(a_stream_whose_session_is_freed_does_not_end_well)
{
    struct fake_broker broker;
    char buffer[8];
    fake_broker_open(&broker, NULL, plain);
    struct netbroker_stream *stream = stream_to(&broker);
    ck_assert_int_eq(netbroker_call(broker.session, "session.ping", 0, NULL, 0, free_on_reply, NULL), 0);
    put(&broker, "[1, 1, null, {}]");
    ck_assert_int_eq(netbroker_stream_read(stream, buffer, sizeof buffer, 1000), -ECANCELED);
    ck_assert_int_eq(netbroker_stream_read(stream, buffer, sizeof buffer, 1000), -ECANCELED);
    ck_assert_int_eq(netbroker_stream_write(stream, "x", 1, 1000), -ECANCELED);
    netbroker_stream_free(stream);
    broker.session = NULL;
    fake_broker_close(&broker);
}
END_TEST

START_TEST(no_more_connections_wait_than_the_backlog_has_room_for)
{
    struct fake_broker broker;
    struct netbroker_listener *listener;
    struct netbroker_stream *stream;
    fake_broker_open(&broker, NULL, plain);
    put(&broker,
        "[2, \"server.listening\", [1, {\"address\": \"127.0.0.1\", \"port\": 80, \"family\": \"IPv4\"}]]");
    for (int id = 2; id <= 8; id += 2) {
        char frame[64];
        snprintf(frame, sizeof frame, "[2, \"server.connection\", [1, {\"socket\": %d}]]", id);
        put(&broker, frame);
    }
    ck_assert_int_eq(
        netbroker_listener_open(broker.session, NULL,
                                &(struct netbroker_listen_options){.host = "127.0.0.1", .backlog = 2}, 1000,
                                &listener, NULL),
        0);
    fake_broker_expect(&broker, "[0, 0, \"server.create\", [1, \"*\"]]");
    fake_broker_expect(&broker, "[0, 1, \"server.listen\", [1, \"*\"]]");
    fake_broker_expect(&broker, "[2, \"socket.destroy\", [6]]");
    fake_broker_expect(&broker, "[2, \"socket.destroy\", [8]]");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(netbroker_listener_accept(listener, 1000, &stream), 0);
        netbroker_stream_free(stream);
    }
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"server.connection\", [1, {\"socket\": 10}]]"), 0);
    ck_assert_int_eq(netbroker_listener_accept(listener, 1000, &stream), 0);
    netbroker_stream_free(stream);
    netbroker_listener_free(listener);
    fake_broker_close(&broker);
}
END_TEST

/* ---- channels ---- */

static void on_channel(struct netbroker_socket *socket, void *context, int fd,
                       const struct netbroker_error *error)
{
    note(context, "channel %s", error ? error->code : "there");
    if (fd >= 0)
        close(fd);
}

START_TEST(a_channel_that_is_refused_after_the_end_has_the_end_answered)
{
    struct fake_broker broker;
    fake_broker_open(&broker, &(struct netbroker_options){.with_channels = true}, channels);
    struct netbroker_socket *socket = socket_of(&broker);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &broker.record), 0);
    fake_broker_expect(&broker, "[0, 0, \"net.createConnection\", [1, \"*\"]]");
    fake_broker_expect(&broker, "[0, 1, \"socket.channel\", [1, {\"via\": \"fd\"}]]");
    ck_assert_int_eq(fake_broker_say(&broker, "[2, \"socket.end\", [1]]"), 0);
    fake_broker_expect_nothing(&broker);
    ck_assert_int_eq(
        fake_broker_say(&broker, "[1, 1, {\"code\": \"ERR_NB_BUSY\", \"message\": \"m\"}, null]"), 0);
    fake_broker_expect(&broker, "[2, \"socket.end\", [1]]");
    expect_record(&broker.record, "end 1; channel ERR_NB_BUSY");
    fake_broker_close(&broker);
}
END_TEST

/* Its frame, and the descriptor with it. */
static void put_with(struct fake_broker *broker, const char *frame, int fd)
{
    struct netbroker_packer packer = pack_text(frame);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec vector = {packer.bytes, packer.length};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    ck_assert_int_eq(sendmsg(broker->fd, &message, 0), packer.length);
    netbroker_packer_free(&packer);
}

START_TEST(a_channel_is_a_socket_or_none)
{
    for (int is_socket = 0; is_socket < 2; is_socket++) {
        struct fake_broker broker;
        int ends[2];
        fake_broker_open(&broker, &(struct netbroker_options){.with_channels = true}, channels);
        struct netbroker_socket *socket = socket_of(&broker);
        ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &broker.record), 0);
        ck_assert_int_eq(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
        put_with(&broker, "[1, 1, null, {\"fd\": 0}]", ends[0]);
        close(ends[0]);
        close(ends[1]);
        ck_assert_int_eq(netbroker_dispatch(broker.session), 0);
        expect_record(&broker.record, is_socket ? "channel there" : "channel ERR_NB_PROTOCOL");
        fake_broker_close(&broker);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_release_may_free_the_session,
                                  a_release_that_flushes_sends_nothing_twice,
                                  a_release_while_the_session_is_freed_may_still_write,
                                  who_connects_again_in_on_close_keeps_nobody_from_being_told,
                                  a_broker_that_takes_no_more_ends_the_session,
                                  more_data_than_the_window_ends_the_session,
                                  a_maximum_that_lets_nothing_through_is_no_welcome,
                                  calls_wait_for_a_broker_that_does_not_read_up_to_a_limit,
                                  an_empty_body_is_none,
                                  a_timeout_holds_while_much_else_comes,
                                  a_stream_that_is_cut_short_does_not_end_well,
                                  a_stream_whose_session_is_freed_does_not_end_well,
                                  no_more_connections_wait_than_the_backlog_has_room_for,
                                  a_channel_that_is_refused_after_the_end_has_the_end_answered,
                                  a_channel_is_a_socket_or_none,
                                  NULL};
    return run_suite("client/adversity", tests);
}
