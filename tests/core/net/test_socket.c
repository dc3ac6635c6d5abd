#include "driver.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener, peer;
static uint16_t port;
static struct nb_actor_id socket_id;

static void begin(void)
{
    driver_start();
    listener = peer_listen(&port);
    peer = -1;
    socket_id = driver_socket(1);
}

static void end(void)
{
    driver_end();
    close(listener);
    if (peer >= 0)
        close(peer);
}

/* Socket 1, connected to peer. */
static void begin_connected(void)
{
    begin();
    connect_to_port(socket_id, 1, port);
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    expect_silence();
}

static void begin_with(nb_SocketCreate create)
{
    begin();
    DRIVE(socket_id, 1, SOCKET_CREATE, socket_create, &create);
    expect_line("answer 1");
    connect_to_port(socket_id, 2, port);
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 2");
}

static enum nb_socket_state state(void)
{
    return driver_look(socket_id)->state;
}

/* A port where nobody listens. */
static uint16_t closed_port(void)
{
    uint16_t closed;
    close(peer_listen(&closed));
    return closed;
}

/* More than the kernel takes for a peer that does not read; sent in pieces. */
enum { TOO_MUCH = 16 << 20, PIECE = 1 << 20 };
static uint8_t piece[PIECE];

static void write_too_much(void)
{
    for (size_t sent = 0; sent < TOO_MUCH; sent += PIECE)
        write_bytes(socket_id, 0, piece, PIECE);
    turn_until_quiet(driver_loop);
    ck_assert_uint_gt(driver_account->unflushed, 0);
}

static void read_at_peer(size_t length)
{
    static uint8_t bytes[PIECE];
    while (length) {
        size_t part = length < sizeof bytes ? length : sizeof bytes;
        peer_read(driver_loop, peer, bytes, part);
        length -= part;
    }
}

/* ---- a whole life ---- */

START_TEST(bytes_go_both_ways_and_both_sides_end)
{
    begin_connected();
    write_text(socket_id, 2, "hello");
    peer_expect(driver_loop, peer, "hello");
    expect_line("answer 2 written=5");
    peer_send(driver_loop, peer, "world!", 6);
    expect_line("data 1 world!");
    end_socket(socket_id, 3);
    peer_expect_end(driver_loop, peer);
    expect_line("answer 3");
    peer_send(driver_loop, peer, "more", 4);
    expect_line("data 1 more");
    shutdown(peer, SHUT_WR);
    expect_line("end 1");
    expect_line("close 1 read=10 written=5");
    expect_line("idle 0");
    expect_line("farewell 1");
    ck_assert(driver_is_gone(socket_id));
    end();
}
END_TEST

START_TEST(over_a_path)
{
    char path[] = "/tmp/nb-socket-XXXXXX";
    begin();
    close(mkstemp(path));
    unlink(path);
    int unix_listener = peer_listen_at(path);
    nb_SocketConnect params = {.path = nb_slice_of(path)};
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
    peer = peer_accept(driver_loop, unix_listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    write_text(socket_id, 2, "hello");
    peer_expect(driver_loop, peer, "hello");
    expect_line("answer 2 written=5");
    DRIVE(socket_id, 3, SOCKET_RESET_AND_DESTROY, socket_reset_and_destroy, NULL);
    expect_line("thrown 3 ERR_INVALID_HANDLE_TYPE");
    close(unix_listener);
    unlink(path);
    end();
}
END_TEST

START_TEST(a_path_with_nobody)
{
    static const char long_path[109] = {[0 ... 107] = 'a'};
    static const struct {
        const char *path, *code;
    } rows[] = {{"/tmp/nb-nowhere/s", "ENOENT"}, {long_path, "ENAMETOOLONG"}, {"", "EINVAL"}};
    for (unsigned i = 0; i < 3; i++) {
        char line[64];
        begin();
        nb_SocketConnect params = {.path = nb_slice_of(rows[i].path)};
        DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
        snprintf(line, sizeof line, "error 1 %s", rows[i].code);
        expect_line(line);
        expect_line("close 1 hadError read=0 written=0");
        snprintf(line, sizeof line, "answer 1 %s", rows[i].code);
        expect_line(line);
        end();
    }
}
END_TEST

START_TEST(a_refused_connection)
{
    begin();
    connect_to_port(socket_id, 1, closed_port());
    write_text(socket_id, 2, "early");
    write_text(socket_id, 0, "bytes");
    end_socket(socket_id, 3);
    expect_line("error 1 ECONNREFUSED");
    expect_line("close 1 hadError read=0 written=10");
    expect_line("answer 1 ECONNREFUSED");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    expect_line("answer 3 ERR_STREAM_DESTROYED");
    expect_line("idle 0");
    expect_line("farewell 1");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

START_TEST(a_name_is_looked_up)
{
    begin();
    nb_SocketConnect params = {
        .has_port = true, .port = port, .has_family = true, .family = 4}; /* localhost */
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
    expect_line("lookup 1");
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    end();
}
END_TEST

static struct nb_filter *blocking(const char *text)
{
    struct nb_filter *filter;
    struct nb_rule rule;
    ck_assert_int_eq(nb_filter_new(NULL, false, &filter), 0);
    ck_assert_ptr_null(nb_rule_parse(text, strlen(text), &rule));
    ck_assert_int_eq(nb_filter_add(filter, &rule, 1), 0);
    return filter;
}

/* The answer to the first lookup of a name, before the system's own comes: 127.0.0.2, then 127.0.0.1. */
static void answer_with_two(void)
{
    struct nb_lookup_answer *answer = nb_message_new(driver_loop, &nb_lookup_answer_class);
    *answer = (struct nb_lookup_answer){.message = answer->message, .ticket = 1, .count = 2};
    for (unsigned i = 0; i < 2; i++)
        answer->addresses[i] = (struct nb_endpoint){.ip = {.family = 4, .bytes = {127, 0, 0, i ? 1 : 2}}};
    nb_send(driver_loop, socket_id, &answer->message);
}

START_TEST(a_blocked_address_leaves_the_next_one)
{
    struct nb_ip blocked = {.family = 4, .bytes = {127, 0, 0, 2}};
    struct nb_rule rule;
    begin();
    driver_look(socket_id)->filter = blocking("127.0.0.2");
    nb_SocketConnect params = {.has_port = true, .port = port};
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
    answer_with_two();
    expect_line("lookup 1");
    expect_line("lookup 1");
    expect_line("connectionAttemptFailed 1 127.0.0.2:* ERR_IP_BLOCKED");
    expect_line("connectionAttempt 1 127.0.0.1:*");
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    ck_assert_uint_eq(driver_look(socket_id)->remote.ip.bytes[3], 1);
    ck_assert(nb_filter_match(driver_look(socket_id)->filter, 0, &blocked, &rule));
    end();
}
END_TEST

START_TEST(when_all_are_blocked_the_first_is_told)
{
    begin();
    driver_look(socket_id)->filter = blocking("127.0.0.0/8");
    nb_SocketConnect params = {.has_port = true, .port = port};
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
    answer_with_two();
    expect_line("lookup 1");
    expect_line("lookup 1");
    expect_line("connectionAttemptFailed 1 127.0.0.2:* ERR_IP_BLOCKED");
    expect_line("connectionAttemptFailed 1 127.0.0.1:* ERR_IP_BLOCKED");
    expect_line("error 1 ERR_IP_BLOCKED");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 1 ERR_IP_BLOCKED");
    end();
}
END_TEST

START_TEST(what_the_configuration_denies)
{
    begin();
    struct nb_filter *denied = blocking("127.0.0.1");
    driver_account->deny_connect = denied;
    connect_to_port(socket_id, 1, port);
    expect_line("error 1 ERR_NB_POLICY");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 1 ERR_NB_POLICY");
    end();
    nb_filter_unref(denied);
}
END_TEST

START_TEST(a_name_that_is_none)
{
    begin();
    nb_SocketConnect params = {.has_port = true, .port = port, .host = nb_slice_of("no..name")};
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
    expect_line("lookup 1 ENOTFOUND");
    expect_line("error 1 ENOTFOUND");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 1 ENOTFOUND");
    end();
}
END_TEST

/* Only net.createConnection with target 0 answers first: here the client has the even id from socket.create. */
START_TEST(an_even_id_that_is_known_has_events_before_the_answer)
{
    begin();
    struct nb_actor_id even = driver_socket(2);
    nb_SocketConnect params = {.has_port = true, .port = port, .has_family = true, .family = 4};
    DRIVE(even, 1, SOCKET_CONNECT, socket_connect, &params);
    expect_line("lookup 2");
    expect_line("connect 2");
    expect_line("ready 2");
    expect_line("answer 1");
    end();
}
END_TEST

static void create_connection(struct nb_actor_id socket, uint32_t msgid, uint16_t to)
{
    nb_CreateConnection params = {.has_connect = true,
                                  .connect = {.has_port = true, .port = to, .has_family = true, .family = 4}};
    DRIVE(socket, msgid, NET_CREATE_CONNECTION, net_create_connection, &params);
}

START_TEST(a_creation_whose_id_is_not_known_is_answered_first)
{
    begin();
    struct nb_actor_id even = driver_socket(2), other = driver_socket(4);
    create_connection(even, 1, port);
    expect_line("answer 1");
    expect_line("lookup 2");
    expect_line("connect 2");
    expect_line("ready 2");
    create_connection(other, 2, closed_port());
    expect_line("answer 2 ECONNREFUSED");
    expect_line("lookup 4");
    expect_line("error 4 ECONNREFUSED");
    expect_line("close 4 hadError read=0 written=0");
    end();
}
END_TEST

/* A client may guess the number. */
START_TEST(a_creation_under_way_that_is_destroyed)
{
    begin();
    struct nb_actor_id even = driver_socket(2);
    create_connection(even, 1, port);
    destroy_socket(even, 2);
    expect_line("answer 1 ERR_SOCKET_CLOSED");
    expect_line("close 2 read=0 written=0");
    expect_line("answer 2");
    expect_line("idle 0");
    end();
}
END_TEST

START_TEST(arguments_are_checked_and_nothing_happens)
{
    begin();
    nb_SocketConnect none = {.host = nb_slice_of("127.0.0.1")};
    nb_SocketConnect family = {.has_port = true, .port = port, .has_family = true, .family = 5};
    nb_SocketConnect hints = {.has_port = true, .port = port, .has_hints = true, .hints = 1};
    nb_SocketConnect local = {.has_port = true, .port = port, .local_address = nb_slice_of("here")};
    nb_SocketConnect timeout = {.has_port = true, .port = port, .has_timeout = true, .timeout = -1};
    nb_SocketConnect onread = {.has_port = true, .port = port, .has_onread = true, .onread.has_size = true};
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &none);
    expect_line("thrown 1 ERR_MISSING_ARGS");
    DRIVE(socket_id, 2, SOCKET_CONNECT, socket_connect, &family);
    expect_line("thrown 2 ERR_INVALID_ARG_VALUE");
    DRIVE(socket_id, 3, SOCKET_CONNECT, socket_connect, &hints);
    expect_line("thrown 3 ERR_INVALID_ARG_VALUE");
    DRIVE(socket_id, 4, SOCKET_CONNECT, socket_connect, &local);
    expect_line("thrown 4 ERR_INVALID_IP_ADDRESS");
    DRIVE(socket_id, 5, SOCKET_CONNECT, socket_connect, &timeout);
    expect_line("thrown 5 ERR_OUT_OF_RANGE");
    DRIVE(socket_id, 6, SOCKET_CONNECT, socket_connect, &onread);
    expect_line("thrown 6 ERR_OUT_OF_RANGE");
    ck_assert_int_eq(state(), NB_SOCKET_FRESH);
    connect_to_port(socket_id, 7, port);
    connect_to_port(socket_id, 8, port);
    expect_line("thrown 8 EALREADY");
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 7");
    connect_to_port(socket_id, 9, port);
    expect_line("thrown 9 EISCONN");
    end();
}
END_TEST

START_TEST(a_refused_creation_leaves_no_socket)
{
    begin();
    nb_SocketCreate create = {.encoding = nb_slice_of("klingon")};
    DRIVE(socket_id, 1, SOCKET_CREATE, socket_create, &create);
    write_text(socket_id, 2, "pipelined");
    write_text(socket_id, 0, "pipelined");
    expect_line("thrown 1 ERR_UNKNOWN_ENCODING");
    expect_line("farewell 1");
    expect_line("answer 2 ERR_NB_NO_SUCH_TARGET");
    expect_silence();
    ck_assert(driver_is_gone(socket_id));
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

/* ---- writing ---- */

START_TEST(writes_before_the_connection_wait_for_it)
{
    begin();
    connect_to_port(socket_id, 1, port);
    write_text(socket_id, 2, "one ");
    write_text(socket_id, 0, "two ");
    write_text(socket_id, 3, "three");
    DRIVE(socket_id, 4, SOCKET_INFO, socket_info, NULL);
    end_socket(socket_id, 5);
    expect_line("answer 4 opening buffer=13");
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    expect_line("answer 2 written=13");
    expect_line("answer 3 written=13");
    expect_line("answer 5");
    peer = peer_accept(driver_loop, listener);
    peer_expect(driver_loop, peer, "one two three");
    peer_expect_end(driver_loop, peer);
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

START_TEST(empty_writes_are_answered_in_order)
{
    begin_connected();
    write_text(socket_id, 2, "");
    write_text(socket_id, 3, "a");
    write_text(socket_id, 4, "");
    expect_line("answer 2 written=0");
    expect_line("answer 3 written=1");
    expect_line("answer 4 written=1");
    nb_SocketWrite nothing = {{0}};
    DRIVE(socket_id, 5, SOCKET_WRITE, socket_write, &nothing);
    expect_line("thrown 5 ERR_STREAM_NULL_VALUES");
    end();
}
END_TEST

START_TEST(a_write_after_end_ends_the_socket)
{
    begin_connected();
    end_socket(socket_id, 2);
    write_text(socket_id, 3, "late");
    write_text(socket_id, 4, "later");
    expect_line("answer 4 ERR_STREAM_DESTROYED");
    expect_line("error 1 ERR_STREAM_WRITE_AFTER_END");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    expect_line("answer 3 ERR_STREAM_WRITE_AFTER_END");
    end();
}
END_TEST

START_TEST(a_write_after_the_peers_end)
{
    begin_connected();
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    write_too_much(); /* so that the own end has to wait */
    DRIVE(socket_id, 0, SOCKET_RESUME, socket_resume, NULL);
    shutdown(peer, SHUT_WR);
    expect_line("end 1");
    write_text(socket_id, 3, "late");
    expect_line("error 1 EPIPE");
    expect_line("close 1 hadError read=0 written=*");
    expect_line("answer 3 EPIPE");
    end();
}
END_TEST

START_TEST(a_write_without_a_connection)
{
    begin();
    write_text(socket_id, 1, "to nobody");
    expect_line("error 1 ERR_SOCKET_CLOSED");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 1 ERR_SOCKET_CLOSED");
    expect_line("farewell 1");
    end();
}
END_TEST

START_TEST(a_write_after_the_close)
{
    begin_with((nb_SocketCreate){.has_auto_release = true});
    destroy_socket(socket_id, 3);
    expect_line("close 1 read=0 written=0");
    expect_line("answer 3");
    expect_line("idle 0");
    write_text(socket_id, 4, "a");
    expect_line("answer 4 ERR_STREAM_DESTROYED");
    end_socket(socket_id, 5);
    expect_line("answer 5 ERR_STREAM_DESTROYED");
    destroy_socket(socket_id, 6);
    expect_line("answer 6");
    expect_silence();
    end();
}
END_TEST

START_TEST(drain_comes_when_the_queue_was_high_and_is_empty)
{
    begin_connected();
    write_text(socket_id, 2, "little");
    expect_line("answer 2 written=6");
    write_bytes(socket_id, 0, piece, NB_HIGH_WATER_MARK - 1);
    expect_silence();
    write_bytes(socket_id, 0, piece, NB_HIGH_WATER_MARK);
    expect_line("drain 1");
    expect_silence();
    end();
}
END_TEST

START_TEST(the_ledger_counts_each_byte_once)
{
    begin_connected();
    write_too_much();
    size_t unflushed = driver_account->unflushed;
    ck_assert_uint_le(unflushed, TOO_MUCH);
    write_bytes(socket_id, 2, piece, PIECE); /* a request stays open, its bytes are still counted once */
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(driver_account->unflushed, unflushed + PIECE);
    ck_assert_uint_eq(driver_look(socket_id)->debt.length, unflushed + PIECE);
    read_at_peer(TOO_MUCH + PIECE);
    expect_line("drain 1");
    expect_line("answer 2 written=*");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

START_TEST(a_stalled_socket_fails)
{
    begin_connected();
    write_too_much();
    write_text(socket_id, 2, "waits");
    nb_send(driver_loop, socket_id, nb_message_new(driver_loop, &nb_stalled_class));
    expect_line("error 1 ERR_NB_STALLED");
    expect_line("close 1 hadError *");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

/* ---- destroy, in every state ---- */

START_TEST(destroy_when_fresh)
{
    begin();
    destroy_socket(socket_id, 1);
    expect_line("close 1 read=0 written=0");
    expect_line("answer 1");
    expect_line("farewell 1");
    expect_silence();
    end();
}
END_TEST

START_TEST(destroy_when_resolving)
{
    begin();
    nb_SocketConnect params = {.has_port = true, .port = port};
    DRIVE(socket_id, 1, SOCKET_CONNECT, socket_connect, &params);
    write_text(socket_id, 2, "never sent");
    destroy_socket(socket_id, 3);
    expect_line("answer 1 ERR_SOCKET_CLOSED");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    expect_line("close 1 read=0 written=10");
    expect_line("answer 3");
    expect_line("idle 0");
    expect_line("farewell 1");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

START_TEST(destroy_when_connecting)
{
    begin();
    connect_to_port(socket_id, 1, port);
    write_text(socket_id, 2, "never sent");
    end_socket(socket_id, 3);
    nb_SocketDestroy params = {.has_error = true, .error.code = nb_slice_of("ABORT_ERR")};
    DRIVE(socket_id, 4, SOCKET_DESTROY, socket_destroy, &params);
    destroy_socket(socket_id, 5);
    expect_line("answer 1 ERR_SOCKET_CLOSED");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    expect_line("answer 3 ERR_STREAM_DESTROYED");
    expect_line("error 1 ABORT_ERR");
    expect_line("close 1 hadError read=0 written=10");
    expect_line("answer 4");
    expect_line("answer 5");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

START_TEST(destroy_when_open)
{
    begin_connected();
    write_too_much();
    write_text(socket_id, 2, "a");
    destroy_socket(socket_id, 3);
    write_text(socket_id, 4, "b");
    write_text(socket_id, 0, "c");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    expect_line("answer 4 ERR_STREAM_DESTROYED");
    expect_line("close 1 read=0 written=*");
    expect_line("answer 3");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

START_TEST(destroy_when_closing)
{
    begin_connected();
    destroy_socket(socket_id, 2);
    destroy_socket(socket_id, 3);
    DRIVE(socket_id, 4, SOCKET_RESET_AND_DESTROY, socket_reset_and_destroy, NULL);
    connect_to_port(socket_id, 5, port);
    expect_line("answer 4 ERR_SOCKET_CLOSED");
    expect_line("thrown 5 ERR_SOCKET_CLOSED");
    expect_line("close 1 read=0 written=0");
    expect_line("answer 2");
    expect_line("answer 3");
    end();
}
END_TEST

/* ---- reset ---- */

START_TEST(reset_when_open)
{
    begin_connected();
    DRIVE(socket_id, 2, SOCKET_RESET_AND_DESTROY, socket_reset_and_destroy, NULL);
    expect_line("close 1 read=0 written=0");
    expect_line("answer 2");
    peer_expect_reset(driver_loop, peer);
    end();
}
END_TEST

START_TEST(reset_when_connecting_waits_for_the_connection)
{
    begin();
    connect_to_port(socket_id, 1, port);
    DRIVE(socket_id, 2, SOCKET_RESET_AND_DESTROY, socket_reset_and_destroy, NULL);
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    expect_line("close 1 read=0 written=0");
    expect_line("answer 2");
    peer_expect_reset(driver_loop, peer);
    end();
}
END_TEST

START_TEST(reset_when_fresh)
{
    begin();
    DRIVE(socket_id, 1, SOCKET_RESET_AND_DESTROY, socket_reset_and_destroy, NULL);
    expect_line("error 1 ERR_SOCKET_CLOSED");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 1 ERR_SOCKET_CLOSED");
    end();
}
END_TEST

START_TEST(a_reset_by_the_peer)
{
    begin_connected();
    peer_reset(peer);
    peer = -1;
    expect_line("error 1 ECONNRESET");
    expect_line("close 1 hadError read=0 written=0");
    end();
}
END_TEST

START_TEST(a_reset_by_the_peer_while_writing)
{
    begin_connected();
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    write_too_much();
    write_text(socket_id, 3, "waits");
    peer_reset(peer);
    peer = -1;
    expect_line("error 1 E*"); /* ECONNRESET or EPIPE: which call meets it first */
    expect_line("close 1 hadError *");
    expect_line("answer 3 E*");
    ck_assert_uint_eq(driver_account->unflushed, 0);
    end();
}
END_TEST

/* ---- half-open ---- */

START_TEST(the_peers_end_ends_the_socket)
{
    begin_connected();
    write_text(socket_id, 0, "last words");
    shutdown(peer, SHUT_WR);
    expect_line("end 1");
    expect_line("close 1 read=0 written=10");
    peer_expect(driver_loop, peer, "last words");
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

START_TEST(half_open_stays_writable)
{
    begin_with((nb_SocketCreate){.has_allow_half_open = true, .allow_half_open = true});
    shutdown(peer, SHUT_WR);
    expect_line("end 1");
    expect_silence();
    DRIVE(socket_id, 3, SOCKET_INFO, socket_info, NULL);
    expect_line("answer 3 writeOnly buffer=0");
    write_text(socket_id, 4, "still");
    expect_line("answer 4 written=5");
    peer_expect(driver_loop, peer, "still");
    end_socket(socket_id, 5);
    expect_line("answer 5");
    expect_line("close 1 read=0 written=5");
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

/* ---- reading ---- */

START_TEST(pause_is_a_fence)
{
    begin_connected();
    peer_send(driver_loop, peer, "before", 6);
    expect_line("data 1 before");
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    peer_send(driver_loop, peer, "after", 5);
    expect_silence();
    DRIVE(socket_id, 3, SOCKET_RESUME, socket_resume, NULL);
    expect_line("answer 3");
    expect_line("data 1 after");
    end();
}
END_TEST

START_TEST(the_gate_holds_data_back)
{
    begin_connected();
    nb_account_close_gate(driver_account);
    peer_send(driver_loop, peer, "waits", 5);
    shutdown(peer, SHUT_WR);
    expect_silence();
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    nb_account_open_gate(driver_account);
    expect_silence(); /* paused as well */
    DRIVE(socket_id, 3, SOCKET_RESUME, socket_resume, NULL);
    expect_line("answer 3");
    expect_line("data 1 waits");
    expect_line("end 1");
    expect_line("close 1 read=5 written=0");
    end();
}
END_TEST

START_TEST(destroy_while_waiting_at_the_gate)
{
    begin_connected();
    nb_account_close_gate(driver_account);
    peer_send(driver_loop, peer, "waits", 5);
    expect_silence();
    ck_assert(!nb_line_is_empty(&driver_account->at_gate));
    destroy_socket(socket_id, 2);
    expect_line("close 1 read=0 written=0");
    ck_assert(nb_line_is_empty(&driver_account->at_gate));
    nb_account_open_gate(driver_account);
    end();
}
END_TEST

/* What is on its way to the session is bounded, however much a peer sends. */
START_TEST(in_flight_is_bounded)
{
    begin_connected();
    driver_account->in_flight_max = 1000;
    peer_send(driver_loop, peer, piece, 200000);
    turn_until_quiet(driver_loop);
    ck_assert(driver_account->gate_is_closed);
    ck_assert_uint_le(driver_look(socket_id)->bytes_read, 1000 + 4 * 65536);
    for (size_t got = 0; got < 200000; got = driver_look(socket_id)->bytes_read) {
        nb_account_open_gate(driver_account);
        turn_until_quiet(driver_loop);
    }
    expect_data(1, 200000);
    end();
}
END_TEST

START_TEST(chunks_are_no_larger_than_asked_for)
{
    begin_with((nb_SocketCreate){.has_read_chunk = true, .read_chunk = 10});
    peer_send(driver_loop, peer, "0123456789012345678901234", 25);
    expect_line("data 1 0123456789");
    expect_line("data 1 0123456789");
    expect_line("data 1 01234");
    end();
}
END_TEST

START_TEST(text_is_cut_between_characters)
{
    begin_connected();
    nb_SetEncoding utf8 = {.encoding = nb_slice_of("utf8")}, klingon = {.encoding = nb_slice_of("klingon")};
    DRIVE(socket_id, 2, SOCKET_SET_ENCODING, socket_set_encoding, &utf8);
    expect_line("answer 2");
    DRIVE(socket_id, 3, SOCKET_SET_ENCODING, socket_set_encoding, &klingon);
    expect_line("thrown 3 ERR_UNKNOWN_ENCODING");
    peer_send(driver_loop, peer, "a\xe2\x82", 3);
    expect_line("data 1 'a'");
    peer_send(driver_loop, peer, "\xac", 1);
    expect_line("data 1 '\xe2\x82\xac'");
    peer_send(driver_loop, peer, "\xe2\x82", 2);
    expect_silence();
    shutdown(peer, SHUT_WR);
    expect_line("data 1 '\xef\xbf\xbd'"); /* what never became a character */
    expect_line("end 1");
    expect_line("close 1 read=6 written=0");
    end();
}
END_TEST

START_TEST(a_written_text_is_encoded)
{
    begin_connected();
    nb_SocketWrite params = {.data = nb_slice_of("68656c6c6f"), .encoding = nb_slice_of("hex")};
    struct nb_command *command = nb_command_new(driver_loop);
    command->run = nb_on_socket_write;
    command->reply = (struct nb_reply_to){
        .session = driver_account->session, .method = &nb_methods[NB_METHOD_SOCKET_WRITE], .msgid = 2};
    command->payload_is_text = true;
    command->params.socket_write = params;
    nb_send(driver_loop, socket_id, &command->message);
    expect_line("answer 2 written=5");
    peer_expect(driver_loop, peer, "hello");
    params.encoding = nb_slice_of("klingon");
    DRIVE(socket_id, 3, SOCKET_WRITE, socket_write, &params);
    expect_line("thrown 3 ERR_UNKNOWN_ENCODING");
    expect_silence(); /* it lives on */
    end();
}
END_TEST

/* ---- timeouts ---- */

static void set_timeout(uint32_t msgid, double milliseconds)
{
    nb_SetTimeout params = {.has_timeout = true, .timeout = milliseconds};
    DRIVE(socket_id, msgid, SOCKET_SET_TIMEOUT, socket_set_timeout, &params);
}

START_TEST(an_idle_socket_times_out_once)
{
    begin_connected();
    set_timeout(2, 30);
    expect_line("answer 2");
    expect_line("timeout 1");
    turn_for(driver_loop, 80);
    expect_silence(); /* nothing is closed, and nothing is told twice */
    write_text(socket_id, 0, "a sign of life");
    expect_line("timeout 1");
    end();
}
END_TEST

START_TEST(an_active_socket_does_not_time_out)
{
    begin_connected();
    set_timeout(2, 200);
    expect_line("answer 2");
    for (unsigned i = 0; i < 8; i++) {
        turn_for(driver_loop, 50);
        peer_send(driver_loop, peer, "x", 1);
        expect_line("data 1 x");
    }
    set_timeout(3, 0);
    expect_line("answer 3");
    turn_for(driver_loop, 250);
    expect_silence();
    end();
}
END_TEST

START_TEST(timeouts_have_a_range)
{
    begin();
    set_timeout(1, -1);
    expect_line("thrown 1 ERR_OUT_OF_RANGE");
    set_timeout(2, 0.0 / 0.0);
    expect_line("thrown 2 ERR_OUT_OF_RANGE");
    set_timeout(3, 1e300);
    expect_line("answer 3");
    DRIVE(socket_id, 4, SOCKET_SET_TIMEOUT, socket_set_timeout, NULL);
    expect_line("thrown 4 ERR_INVALID_ARG_TYPE");
    end();
}
END_TEST

START_TEST(no_timeout_after_the_close)
{
    begin_with((nb_SocketCreate){.has_auto_release = true});
    set_timeout(3, 20);
    expect_line("answer 3");
    destroy_socket(socket_id, 4);
    expect_line("close 1 read=0 written=0");
    expect_line("answer 4");
    expect_line("idle 0");
    set_timeout(5, 20);
    expect_line("answer 5");
    turn_for(driver_loop, 60);
    expect_silence();
    end();
}
END_TEST

/* ---- ids ---- */

START_TEST(a_kept_id_connects_again)
{
    begin_with((nb_SocketCreate){.has_auto_release = true});
    DRIVE(socket_id, 3, SOCKET_RELEASE, socket_release, NULL);
    expect_line("thrown 3 ERR_NB_BUSY");
    write_text(socket_id, 0, "first");
    peer_send(driver_loop, peer, "life", 4);
    shutdown(peer, SHUT_WR);
    expect_line("data 1 life");
    expect_line("end 1");
    expect_line("close 1 read=4 written=5");
    expect_line("idle 0");
    close(peer);
    connect_to_port(socket_id, 4, port);
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 4");
    peer_send(driver_loop, peer, "second", 6);
    expect_line("data 1 second");
    end_socket(socket_id, 5);
    expect_line("answer 5");
    shutdown(peer, SHUT_WR);
    expect_line("end 1");
    expect_line("close 1 read=6 written=0");
    expect_line("idle 0");
    DRIVE(socket_id, 6, SOCKET_RELEASE, socket_release, NULL);
    expect_line("answer 6");
    expect_line("farewell 1");
    ck_assert(driver_is_gone(socket_id));
    end();
}
END_TEST

START_TEST(unref_counts_as_idle)
{
    begin_connected();
    DRIVE(socket_id, 2, SOCKET_UNREF, socket_unref, NULL);
    expect_line("idle 0");
    expect_line("answer 2");
    DRIVE(socket_id, 3, SOCKET_REF, socket_ref, NULL);
    expect_line("answer 3");
    ck_assert_uint_eq(driver_account->active, 1);
    DRIVE(socket_id, 4, SOCKET_UNREF, socket_unref, NULL);
    expect_line("idle 0");
    expect_line("answer 4");
    destroy_socket(socket_id, 5);
    expect_line("close 1 read=0 written=0");
    expect_line("answer 5");
    expect_line("farewell 1");
    expect_silence();
    end();
}
END_TEST

START_TEST(options_reach_the_descriptor)
{
    begin();
    nb_SetNoDelay no_delay = {0};
    nb_SetKeepAlive keep_alive = {
        .has_enable = true, .enable = true, .has_initial_delay = true, .initial_delay = 7999};
    DRIVE(socket_id, 1, SOCKET_SET_NO_DELAY, socket_set_no_delay, &no_delay); /* before there is one */
    expect_line("answer 1");
    connect_to_port(socket_id, 2, port);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 2");
    int fd = driver_look(socket_id)->stream.fd, value;
    socklen_t length = sizeof value;
    ck_assert_int_eq(getsockopt(fd, 6 /* TCP */, 1 /* TCP_NODELAY */, &value, &length), 0);
    ck_assert_int_eq(value, 1);
    DRIVE(socket_id, 3, SOCKET_SET_KEEP_ALIVE, socket_set_keep_alive, &keep_alive);
    expect_line("answer 3");
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
    ck_assert_int_eq(value, 1);
    ck_assert_int_eq(getsockopt(fd, 6, 4 /* TCP_KEEPIDLE */, &value, &length), 0);
    ck_assert_int_eq(value, 7);
    no_delay = (nb_SetNoDelay){.has_no_delay = true};
    DRIVE(socket_id, 4, SOCKET_SET_NO_DELAY, socket_set_no_delay, &no_delay);
    expect_line("answer 4");
    ck_assert_int_eq(getsockopt(fd, 6, 1, &value, &length), 0);
    ck_assert_int_eq(value, 0);
    end();
}
END_TEST

/* ---- the session goes, in every state ---- */

START_TEST(what_was_written_outlives_the_session)
{
    begin_connected();
    write_too_much();
    driver_leave();
    turn_until_quiet(driver_loop);
    read_at_peer(TOO_MUCH);
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

/* Bytes of the peer's that nobody read must not take ours away. */
START_TEST(unread_bytes_do_not_reset_the_last_ones)
{
    begin_connected();
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    peer_send(driver_loop, peer, "unread", 6);
    write_too_much();
    driver_leave();
    read_at_peer(TOO_MUCH);
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

/* The same when the end was already sent, and the kernel still has it to deliver. */
START_TEST(unread_bytes_do_not_reset_an_ended_socket)
{
    begin_connected();
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    size_t sent = 0;
    while (driver_account->unflushed == 0) {
        write_bytes(socket_id, 0, piece, 65536);
        sent += 65536;
        turn_until_quiet(driver_loop);
    }
    end_socket(socket_id, 3);
    size_t read = 0;
    while (!driver_look(socket_id)->has_finished) {
        read_at_peer(65536);
        read += 65536;
        turn_until_quiet(driver_loop);
    }
    peer_send(driver_loop, peer, "unread", 6);
    driver_leave();
    turn_until_quiet(driver_loop);
    read_at_peer(sent - read);
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

START_TEST(a_peer_that_never_reads_is_left_in_the_end)
{
    begin_connected();
    write_too_much();
    driver_leave();
    end(); /* the linger limit is within its patience */
}
END_TEST

START_TEST(a_session_that_goes_takes_the_rest_along)
{
    begin();
    struct nb_actor_id resolving = driver_socket(3), connecting = driver_socket(5),
                       closing = driver_socket(7), kept = driver_socket(9);
    nb_SocketCreate keep = {.has_auto_release = true};
    DRIVE(kept, 0, SOCKET_CREATE, socket_create, &keep);
    destroy_socket(kept, 1);
    connect_to_port(closing, 2, port);
    expect_line("close 9 read=0 written=0");
    expect_line("answer 1");
    expect_line("connect 7");
    nb_SocketConnect params = {.has_port = true, .port = port};
    DRIVE(resolving, 3, SOCKET_CONNECT, socket_connect, &params);
    connect_to_port(connecting, 4, port);
    write_text(connecting, 5, "never sent");
    destroy_socket(closing, 6);
    uv_run(&driver_loop->uv, UV_RUN_NOWAIT);
    driver_leave();
    end();
}
END_TEST

START_TEST(a_socket_at_the_gate_lingers_too)
{
    begin_connected();
    nb_account_close_gate(driver_account);
    peer_send(driver_loop, peer, "unread", 6);
    turn_until_quiet(driver_loop);
    driver_leave();
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

/* ---- notifications and the end ---- */

START_TEST(an_empty_write_is_drained_at_once)
{
    begin_with((nb_SocketCreate){.has_high_water_mark = true});
    write_text(socket_id, 3, "");
    expect_line("drain 1");
    expect_line("answer 3 written=0");
    ck_assert(!driver_look(socket_id)->needs_drain);
    end();
}
END_TEST

START_TEST(a_notification_is_not_kept)
{
    begin_connected();
    write_too_much();
    end_socket(socket_id, 0);
    end_socket(socket_id, 0);
    turn_until_quiet(driver_loop);
    ck_assert_ptr_null(driver_look(socket_id)->requests.first);
    close(peer);
    peer = -1;
    end();
}
END_TEST

/* What is queued goes out within the linger limit, whatever the last burst of the session held behind its end. */
START_TEST(commands_behind_the_end_of_the_session_do_nothing)
{
    static const nb_SetTimeout never = {.has_timeout = true};
    begin_connected();
    write_too_much();
    driver_leave();
    DRIVE(socket_id, 0, SOCKET_SET_TIMEOUT, socket_set_timeout, &never);
    write_text(socket_id, 0, "late");
    destroy_socket(socket_id, 0);
    turn_until_quiet(driver_loop);
    ck_assert_int_eq(state(), NB_SOCKET_OPEN);
    ck_assert(nb_timer_is_running(&driver_look(socket_id)->timer));
    read_at_peer(TOO_MUCH);
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        bytes_go_both_ways_and_both_sides_end,
        over_a_path,
        a_path_with_nobody,
        a_refused_connection,
        a_name_is_looked_up,
        a_blocked_address_leaves_the_next_one,
        when_all_are_blocked_the_first_is_told,
        what_the_configuration_denies,
        a_name_that_is_none,
        an_even_id_that_is_known_has_events_before_the_answer,
        a_creation_whose_id_is_not_known_is_answered_first,
        a_creation_under_way_that_is_destroyed,
        arguments_are_checked_and_nothing_happens,
        a_refused_creation_leaves_no_socket,
        writes_before_the_connection_wait_for_it,
        empty_writes_are_answered_in_order,
        a_write_after_end_ends_the_socket,
        a_write_after_the_peers_end,
        a_write_without_a_connection,
        a_write_after_the_close,
        drain_comes_when_the_queue_was_high_and_is_empty,
        the_ledger_counts_each_byte_once,
        a_stalled_socket_fails,
        destroy_when_fresh,
        destroy_when_resolving,
        destroy_when_connecting,
        destroy_when_open,
        destroy_when_closing,
        reset_when_open,
        reset_when_connecting_waits_for_the_connection,
        reset_when_fresh,
        a_reset_by_the_peer,
        a_reset_by_the_peer_while_writing,
        the_peers_end_ends_the_socket,
        half_open_stays_writable,
        pause_is_a_fence,
        the_gate_holds_data_back,
        destroy_while_waiting_at_the_gate,
        in_flight_is_bounded,
        chunks_are_no_larger_than_asked_for,
        text_is_cut_between_characters,
        a_written_text_is_encoded,
        an_idle_socket_times_out_once,
        an_active_socket_does_not_time_out,
        timeouts_have_a_range,
        no_timeout_after_the_close,
        a_kept_id_connects_again,
        unref_counts_as_idle,
        options_reach_the_descriptor,
        what_was_written_outlives_the_session,
        unread_bytes_do_not_reset_the_last_ones,
        unread_bytes_do_not_reset_an_ended_socket,
        a_peer_that_never_reads_is_left_in_the_end,
        a_session_that_goes_takes_the_rest_along,
        a_socket_at_the_gate_lingers_too,
        an_empty_write_is_drained_at_once,
        a_notification_is_not_kept,
        commands_behind_the_end_of_the_session_do_nothing,
        NULL,
    };
    return run_suite("socket", tests);
}
