/* How a session behaves in an event loop: idle, held up, at the end of its broker, and a thousand times. */
#include "daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Turns that a loop takes until `milliseconds` pass with nothing to do. */
static int turns_of_nothing(const struct loop_kind *kind, void *loop, int milliseconds)
{
    int turns = 0, result;
    while ((result = kind->turn(loop, milliseconds)) == 0)
        turns++;
    ck_assert_int_eq(result, -ETIMEDOUT);
    return turns;
}

START_TEST(an_idle_session_takes_no_turns)
{
    struct daemon daemon;
    daemon_start(&daemon, NULL);
    ck_assert_int_le(turns_of_nothing(daemon.kind, daemon.loop, 50), 2);
    daemon_stop(&daemon);
}
END_TEST

/* A session over one end of a pair, in the chosen loop. */
struct paired {
    struct netbroker_session *session;
    const struct loop_kind *kind;
    void *loop;
    int broker;
    struct record record;
};

static void paired_open(struct paired *paired, uint32_t timeout)
{
    int pair[2];
    struct netbroker_options options = {
        .events = &recorded_session, .context = &paired->record, .connect_timeout = timeout};
    paired->record.text[0] = '\0';
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    paired->broker = pair[0];
    ck_assert_int_eq(netbroker_open(pair[1], &options, &paired->session), 0);
    paired->kind = loop_kind_chosen();
    paired->loop = paired->kind->open(paired->session);
}

static void paired_close(struct paired *paired, bool is_freed)
{
    paired->kind->close(paired->loop);
    if (!is_freed)
        netbroker_free(paired->session);
    close(paired->broker);
}

START_TEST(a_broker_that_does_not_read_is_waited_for)
{
    static const char body[60000] = "\xda\xea\x5d";
    struct paired paired;
    paired_open(&paired, 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(netbroker_notify(paired.session, "session.ping", 0, body, sizeof body), 0);
    while (paired.kind->turn(paired.loop, 1) == 0) {
    }
    ck_assert(netbroker_events(paired.session) & POLLOUT);
    ck_assert_int_le(turns_of_nothing(paired.kind, paired.loop, 50), 2);
    size_t heard = 0;
    static char buffer[1 << 20];
    while (heard < 100 * sizeof body) {
        ssize_t length = recv(paired.broker, buffer, sizeof buffer, MSG_DONTWAIT);
        heard += length > 0 ? (size_t)length : 0;
        int result = paired.kind->turn(paired.loop, 1);
        ck_assert(result == 0 || result == -ETIMEDOUT);
    }
    paired_close(&paired, false);
}
END_TEST

START_TEST(a_broker_that_is_silent_is_given_up)
{
    struct paired paired;
    int result;
    paired_open(&paired, 30);
    ck_assert_int_le(netbroker_timeout(paired.session), 30);
    while ((result = paired.kind->turn(paired.loop, DEADLINE_MS)) == 0) {
    }
    ck_assert_int_eq(result, -ECONNABORTED);
    expect_record(&paired.record, "session fatal ETIMEDOUT");
    paired_close(&paired, false);
}
END_TEST

/* It leaves more than one buffer behind, and bytes of ours unread: the descriptor is in error from then on. */
START_TEST(all_that_a_dead_broker_has_said_is_read)
{
    static const char some[] = "\x93\x02\xa4some\x91\x00", last[] =
                                                               "\x93\x02\xafsession.closing\x92\x00\x81\xa8"
                                                               "deadline\x07";
    enum { EACH = sizeof some - 1, MANY = 15000 };
    static char said[MANY * EACH];
    struct paired paired;
    int result;
    for (size_t i = 0; i < MANY; i++)
        memcpy(said + i * EACH, some, EACH);
    paired_open(&paired, 0);
    ck_assert_int_eq(netbroker_flush(paired.session), 0);
    ck_assert_int_eq(send(paired.broker, said, sizeof said, MSG_DONTWAIT), sizeof said);
    ck_assert_int_eq(send(paired.broker, last, sizeof last - 1, MSG_DONTWAIT), sizeof last - 1);
    close(paired.broker);
    while ((result = paired.kind->turn(paired.loop, DEADLINE_MS)) == 0) {
    }
    ck_assert_int_eq(result, -ECONNRESET);
    expect_record(&paired.record, "closing 7; session fatal ECONNRESET");
    paired.broker = -1;
    paired_close(&paired, false);
}
END_TEST

START_TEST(what_is_over_before_the_loop_begins_is_told_in_it)
{
    struct paired paired;
    int result;
    paired_open(&paired, 0);
    paired.kind->close(paired.loop);
    ck_assert_int_eq(send(paired.broker, "\xc1", 1, 0), 1);
    ck_assert_int_eq(netbroker_dispatch(paired.session), -EBADMSG);
    paired.loop = paired.kind->open(paired.session);
    while ((result = paired.kind->turn(paired.loop, DEADLINE_MS)) == 0) {
    }
    ck_assert_int_eq(result, -EBADMSG);
    paired_close(&paired, false);
}
END_TEST

static void free_in_callback(struct netbroker_session *session, void *context,
                             const struct netbroker_reply *reply)
{
    netbroker_free(session);
}

START_TEST(a_callback_may_free_the_session)
{
    struct paired paired;
    int result;
    paired_open(&paired, 0);
    ck_assert_int_eq(netbroker_call(paired.session, "session.ping", 0, NULL, 0, free_in_callback, NULL), 0);
    ck_assert_int_eq(send(paired.broker, "\x94\x01\x01\xc0\x80", 5, 0), 5);
    while ((result = paired.kind->turn(paired.loop, DEADLINE_MS)) == 0) {
    }
    ck_assert_int_eq(result, -ECANCELED);
    paired_close(&paired, true);
}
END_TEST

/* ---- the end of the broker ---- */

struct load {
    struct daemon *daemon;
    uint64_t received;
    int connected, errors, closed, closed_with_error;
};

static void on_connect(struct netbroker_socket *socket, void *context)
{
    ((struct load *)context)->connected++;
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    ((struct load *)context)->received += length;
    netbroker_socket_write(socket, bytes, length);
}

static void on_error(struct netbroker_socket *socket, void *context, const struct netbroker_error *error)
{
    ck_assert_str_eq(error->code, "ECONNRESET");
    ck_assert(error->fatal);
    ck_assert_int_eq(netbroker_socket_write(socket, "x", 1), -ENOTCONN);
    ((struct load *)context)->errors++;
}

static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    ((struct load *)context)->closed++;
    ((struct load *)context)->closed_with_error += closed->had_error;
}

static const struct netbroker_socket_events load_events = {
    .on_connect = on_connect, .on_data = on_data, .on_error = on_error, .on_close = on_close};

static void on_load_connection(struct netbroker_server *server, void *context,
                               struct netbroker_socket *socket)
{
    netbroker_socket_set_events(socket, &load_events, context);
    on_connect(socket, context);
}

static const struct netbroker_server_events load_server = {.on_connection = on_load_connection};

enum { PAIRS = 25 };

static uint16_t start_server(struct load *load)
{
    struct netbroker_server *server;
    ck_assert_int_eq(netbroker_create_server(load->daemon->session, NULL, &load_server, load, &server), 0);
    netbroker_server_listen(server, &(struct netbroker_listen_options){.host = "127.0.0.1"});
    ping(load->daemon);
    return netbroker_server_address(server)->port;
}

/* Both ends of each connection are the session's, and send back what they get, for ever. */
static void start_load(struct load *load)
{
    static const char bytes[50000];
    struct netbroker_socket *socket;
    struct netbroker_connect_options options = {.host = "127.0.0.1", .port = start_server(load)};
    for (int i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(
            netbroker_create_connection(load->daemon->session, &options, &load_events, load, &socket), 0);
        ck_assert_int_eq(netbroker_socket_write(socket, bytes, sizeof bytes), 0);
    }
    while (load->received < 10 << 20)
        ck_assert_int_eq(daemon_turn(load->daemon, DEADLINE_MS), 0);
    ck_assert_int_eq(load->connected, 2 * PAIRS);
}

START_TEST(a_broker_killed_under_load_ends_every_socket_with_an_error)
{
    struct daemon daemon;
    struct load load = {.daemon = &daemon};
    int result;
    daemon_start(&daemon, NULL);
    start_load(&load);
    daemon_kill(&daemon);
    while ((result = daemon_turn(&daemon, DEADLINE_MS)) == 0) {
    }
    ck_assert_int_eq(result, -ECONNRESET);
    ck_assert_int_eq(load.errors, 2 * PAIRS);
    ck_assert_int_eq(load.closed, 2 * PAIRS);
    ck_assert_int_eq(load.closed_with_error, 2 * PAIRS);
    expect_record(&daemon.record, "session fatal ECONNRESET");
    ck_assert_int_eq(netbroker_unflushed(daemon.session), 0);
    daemon_bury(&daemon);
}
END_TEST

START_TEST(a_broker_that_is_back_takes_a_new_session)
{
    struct daemon daemon;
    int result;
    daemon_start(&daemon, NULL);
    for (int round = 0; round < 3; round++) {
        struct load load = {.daemon = &daemon};
        start_load(&load);
        daemon_kill(&daemon);
        while ((result = daemon_turn(&daemon, DEADLINE_MS)) == 0) {
        }
        ck_assert_int_eq(result, -ECONNRESET);
        daemon_restart(&daemon);
    }
    daemon_stop(&daemon);
}
END_TEST

/* ---- again and again ---- */

/* Less than what the leak of a socket in each round would come to, and more than a late page fault of the C library's. */
enum { MORE_PAGES = 64 };

static long resident_pages(void)
{
    long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return resident;
}

static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    return false;
#endif
}

static void cycle(struct daemon *daemon, int listener, uint16_t port)
{
    struct netbroker_socket *socket;
    struct netbroker_connect_options options = {.host = "127.0.0.1", .port = port};
    char heard[5];
    ck_assert_int_eq(
        netbroker_create_connection(daemon->session, &options, &recorded_socket, &daemon->record, &socket),
        0);
    ck_assert_int_eq(netbroker_socket_write(socket, "hello", 5), 0);
    wait_for(daemon, "connect");
    int peer = peer_accept(listener);
    peer_receive(peer, heard, 5);
    close(peer);
    wait_for(daemon, "close");
    daemon->record.text[0] = '\0';
}

START_TEST(a_thousand_connections_leave_nothing)
{
    enum { ROUNDS = 1000, WARM = 200 };
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port), descriptors = 0, own_descriptors = 0;
    long live = 0, pages = 0;
    for (int round = 0; round < ROUNDS; round++) {
        cycle(&daemon, listener, port);
        if (round != WARM)
            continue;
        ping(&daemon);
        descriptors = daemon_descriptors(&daemon);
        own_descriptors = count_descriptors();
        live = daemon.memory.live;
        pages = resident_pages();
    }
    ping(&daemon);
    ck_assert_int_eq(daemon_descriptors(&daemon), descriptors);
    ck_assert_int_eq(count_descriptors(), own_descriptors);
    ck_assert_int_eq(daemon.memory.live, live);
    /* Sanitizers keep freed memory for a while. */
    if (!is_sanitized())
        ck_assert_int_le(resident_pages(), pages + MORE_PAGES);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_thousand_connections_of_a_server_leave_nothing)
{
    enum { ROUNDS = 1000, WARM = 200 };
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    struct netbroker_server *server = listen_here(&daemon, NULL, &port);
    long live = 0;
    int descriptors = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int peer = peer_connect(port);
        wait_for(&daemon, "connection");
        ck_assert_int_eq(netbroker_socket_write(daemon.record.accepted, "bye", 3), 0);
        ck_assert_int_eq(netbroker_socket_end(daemon.record.accepted), 0);
        netbroker_flush(daemon.session);
        char heard[3];
        peer_receive(peer, heard, 3);
        close(peer);
        wait_for(&daemon, "close");
        daemon.record.text[0] = '\0';
        if (round == WARM) {
            ping(&daemon);
            live = daemon.memory.live;
            descriptors = daemon_descriptors(&daemon);
        }
    }
    ping(&daemon);
    ck_assert_int_eq(daemon.memory.live, live);
    ck_assert_int_eq(daemon_descriptors(&daemon), descriptors);
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_thousand_sessions_leave_nothing)
{
    enum { ROUNDS = 1000, WARM = 200 };
    int own_descriptors = 0;
    long pages = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct paired paired;
        paired_open(&paired, 0);
        ck_assert_int_eq(paired.kind->turn(paired.loop, 0), -ETIMEDOUT);
        paired_close(&paired, false);
        if (round == WARM) {
            own_descriptors = count_descriptors();
            pages = resident_pages();
        }
    }
    ck_assert_int_eq(count_descriptors(), own_descriptors);
    if (!is_sanitized())
        ck_assert_int_le(resident_pages(), pages + MORE_PAGES);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_idle_session_takes_no_turns,
                                  a_broker_that_does_not_read_is_waited_for,
                                  a_broker_that_is_silent_is_given_up,
                                  all_that_a_dead_broker_has_said_is_read,
                                  what_is_over_before_the_loop_begins_is_told_in_it,
                                  a_callback_may_free_the_session,
                                  a_broker_killed_under_load_ends_every_socket_with_an_error,
                                  a_broker_that_is_back_takes_a_new_session,
                                  a_thousand_connections_leave_nothing,
                                  a_thousand_connections_of_a_server_leave_nothing,
                                  a_thousand_sessions_leave_nothing,
                                  NULL};
    return run_suite("client/loops", tests);
}
