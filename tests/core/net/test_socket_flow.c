#include "driver.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <sys/socket.h>
#include <unistd.h>

static int listener, peer;
static uint16_t port;
static struct nb_actor_id socket_id;

/* In a session with windows of 100 bytes, 300 for writes of all sockets. */
static void begin(void)
{
    driver_start();
    driver_account->has_flow = true;
    driver_account->read_window = driver_account->write_window = 100;
    driver_account->session_write_window = 300;
    listener = peer_listen(&port);
    socket_id = driver_socket(1);
    peer = -1;
}

static void connect_peer(void)
{
    connect_to_port(socket_id, 100, port);
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 100");
}

static void begin_with(nb_SocketCreate create)
{
    begin();
    DRIVE(socket_id, 1, SOCKET_CREATE, socket_create, &create);
    expect_line("answer 1");
    connect_peer();
}

static void end(void)
{
    driver_on_event = NULL;
    driver_end();
    close(listener);
    if (peer >= 0)
        close(peer);
}

static void credit(uint32_t msgid, uint64_t limit)
{
    nb_Credit params = {.has_limit = true, .limit = limit};
    DRIVE(socket_id, msgid, SOCKET_CREDIT, socket_credit, &params);
    expect_line("answer *");
}

static uint8_t bytes[1000];

/* ---- writing ---- */

START_TEST(what_the_kernel_took_is_told_before_the_answer)
{
    begin();
    connect_peer();
    write_bytes(socket_id, 1, bytes, 40);
    expect_line("flushed 1 40");
    expect_line("answer 1 written=40");
    ck_assert_uint_eq(driver_account->untold, 0);
    end();
}
END_TEST

START_TEST(the_writes_of_a_turn_are_told_of_once)
{
    begin();
    connect_peer();
    for (int i = 0; i < 10; i++)
        write_bytes(socket_id, 0, bytes, 10);
    expect_line("flushed 1 100");
    expect_silence();
    end();
}
END_TEST

/* As a client that answers each flushed with a write, which still goes out in the same turn. */
static uint64_t turns_told[64];
static unsigned told;

static void note_turn(const struct nb_event_message *event)
{
    if (event->event->index != NB_EVENT_SOCKET_FLUSHED || told == 64)
        return;
    turns_told[told++] = driver_loop->turn;
    write_bytes(socket_id, 0, bytes, 1);
}

START_TEST(a_socket_is_told_of_once_in_a_turn)
{
    begin();
    connect_peer();
    told = 0;
    driver_on_event = note_turn;
    write_bytes(socket_id, 0, bytes, 1);
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(told, 64);
    for (unsigned i = 1; i < told; i++)
        ck_assert_uint_lt(turns_told[i - 1], turns_told[i]);
    end();
}
END_TEST

START_TEST(a_quarter_of_the_window_is_told_of_and_less_is_not)
{
    begin();
    driver_account->write_window = 16 << 20;
    driver_account->session_write_window = 64 << 20;
    connect_peer();
    static uint8_t much[1 << 20];
    for (int i = 0; i < 12; i++)
        write_bytes(socket_id, 0, much, sizeof much);
    turn_until_quiet(driver_loop);
    const struct nb_socket *socket = driver_look(socket_id);
    ck_assert_uint_gt(socket->bytes_sent, 0);
    for (size_t left = 12 * sizeof much; left; left -= sizeof much) {
        uint64_t before = socket->flow.told;
        peer_read(driver_loop, peer, much, sizeof much);
        turn_until_quiet(driver_loop);
        ck_assert(socket->flow.told == before || socket->flow.told - before >= 4 << 20 ||
                  socket->bytes_sent == socket->bytes_written);
        ck_assert(socket->bytes_sent - socket->flow.told < 4 << 20);
    }
    ck_assert_uint_eq(socket->flow.told, 12 * sizeof much);
    end();
}
END_TEST

START_TEST(more_than_the_window_ends_the_socket)
{
    begin();
    connect_to_port(socket_id, 1, port); /* the connection is not there in this turn */
    write_bytes(socket_id, 2, bytes, 100);
    write_bytes(socket_id, 3, bytes, 0);
    write_bytes(socket_id, 4, bytes, 1);
    expect_line("error 1 ERR_NB_FLOW");
    expect_line("close 1 hadError*");
    expect_line("answer 1 ERR_NB_FLOW");
    expect_line("answer 2 ERR_STREAM_DESTROYED");
    expect_line("answer 3 ERR_STREAM_DESTROYED");
    expect_line("answer 4 ERR_NB_FLOW");
    expect_line("idle 0");
    expect_line("farewell 1");
    ck_assert_uint_eq(driver_account->untold, 0);
    end();
}
END_TEST

START_TEST(the_first_write_may_be_larger)
{
    begin();
    connect_to_port(socket_id, 1, port);
    write_bytes(socket_id, 0, bytes, 1000);
    peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 1");
    expect_line("flushed 1 1000");
    end();
}
END_TEST

/* Three sockets have 90 bytes on their way; so many more are written to the fourth. */
static void share_window(size_t length)
{
    begin();
    for (unsigned i = 1; i <= 3; i++) {
        struct nb_actor_id other = driver_socket(1 + 2 * i);
        connect_to_port(other, 0, port);
        write_bytes(other, 0, bytes, 90);
    }
    connect_to_port(socket_id, 0, port);
    write_bytes(socket_id, 0, bytes, 1);
    write_bytes(socket_id, 0, bytes, length - 1);
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(driver_account->untold, 0);
}

START_TEST(the_sockets_of_a_session_share_a_window)
{
    share_window(30);
    ck_assert_uint_eq(driver_account->sockets, 4);
    end();
    share_window(31);
    ck_assert_uint_eq(driver_account->sockets, 3);
    ck_assert(driver_is_gone(socket_id));
    end();
}
END_TEST

START_TEST(without_the_feature_nothing_is_told_and_nothing_is_bounded)
{
    begin();
    driver_account->has_flow = false;
    connect_peer();
    for (int i = 0; i < 10; i++)
        write_bytes(socket_id, 0, bytes, 100);
    expect_silence();
    ck_assert_uint_eq(driver_look(socket_id)->bytes_sent, 1000);
    end();
}
END_TEST

/* ---- reading ---- */

START_TEST(data_stops_at_the_limit)
{
    begin_with((nb_SocketCreate){.has_read_window = true, .read_window = 4});
    peer_send(driver_loop, peer, "0123456789", 10);
    expect_line("data 1 0123");
    expect_silence();
    credit(2, 3);
    expect_silence();
    credit(3, 6);
    expect_line("data 1 45");
    credit(0x7fffffff, UINT64_C(9007199254740991));
    expect_line("data 1 6789");
    end();
}
END_TEST

START_TEST(a_credit_needs_a_limit)
{
    begin();
    connect_peer();
    DRIVE(socket_id, 1, SOCKET_CREDIT, socket_credit, NULL);
    expect_line("thrown 1 ERR_INVALID_ARG_TYPE");
    end();
}
END_TEST

START_TEST(credit_does_not_undo_a_pause)
{
    begin_with((nb_SocketCreate){.has_read_window = true, .read_window = 2});
    peer_send(driver_loop, peer, "0123", 4);
    expect_line("data 1 01");
    DRIVE(socket_id, 2, SOCKET_PAUSE, socket_pause, NULL);
    expect_line("answer 2");
    credit(3, 100);
    expect_silence();
    DRIVE(socket_id, 4, SOCKET_RESUME, socket_resume, NULL);
    expect_line("answer 4");
    expect_line("data 1 23");
    end();
}
END_TEST

START_TEST(a_resume_gives_no_credit)
{
    begin_with((nb_SocketCreate){.has_read_window = true, .read_window = 2});
    peer_send(driver_loop, peer, "0123", 4);
    expect_line("data 1 01");
    DRIVE(socket_id, 2, SOCKET_RESUME, socket_resume, NULL);
    expect_line("answer 2");
    nb_account_open_gate(driver_account);
    expect_silence();
    end();
}
END_TEST

START_TEST(the_end_needs_no_credit)
{
    begin_with((nb_SocketCreate){.has_read_window = true, .read_window = 2});
    peer_send(driver_loop, peer, "01", 2);
    expect_line("data 1 01");
    shutdown(peer, SHUT_WR);
    expect_line("end 1");
    expect_line("close 1 read=2 written=0");
    end();
}
END_TEST

START_TEST(a_buffer_is_given_back_by_a_raise)
{
    begin_with(
        (nb_SocketCreate){.has_onread = true, .onread = {.has_size = true, .size = 3}, .auto_release = true});
    peer_send(driver_loop, peer, "01", 2);
    expect_line("data 1 01");
    peer_send(driver_loop, peer, "2345", 4);
    expect_silence();
    credit(2, 3);
    expect_silence();
    credit(3, 5);
    expect_line("data 1 234");
    credit(4, 8);
    expect_line("data 1 5");
    end();
}
END_TEST

/* The parts of a character count once it is whole: else the second byte would never be read. */
START_TEST(a_character_longer_than_the_window)
{
    begin_with((nb_SocketCreate){.has_read_window = true, .read_window = 1, .encoding = nb_slice_of("utf8")});
    peer_send(driver_loop, peer, "\xe2\x82\xac\xe2\x82\xac", 6);
    expect_line("data 1 '\xe2\x82\xac'");
    expect_silence();
    credit(2, 3);
    expect_silence();
    credit(3, 4);
    expect_line("data 1 '\xe2\x82\xac'");
    end();
}
END_TEST

START_TEST(lives_have_windows_of_their_own)
{
    begin_with((nb_SocketCreate){
        .has_auto_release = true, .auto_release = false, .has_read_window = true, .read_window = 4});
    peer_send(driver_loop, peer, "012345", 6);
    expect_line("data 1 0123");
    write_bytes(socket_id, 0, bytes, 50);
    expect_line("flushed 1 50");
    credit(2, 1000);
    expect_line("data 1 45");
    destroy_socket(socket_id, 3);
    expect_line("close 1*");
    expect_line("answer 3");
    expect_line("idle 0");
    close(peer);
    connect_peer();
    peer_send(driver_loop, peer, "012345", 6);
    expect_line("data 1 0123");
    expect_silence();
    write_bytes(socket_id, 0, bytes, 60);
    expect_line("flushed 1 60");
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_the_kernel_took_is_told_before_the_answer,
        the_writes_of_a_turn_are_told_of_once,
        a_socket_is_told_of_once_in_a_turn,
        a_quarter_of_the_window_is_told_of_and_less_is_not,
        more_than_the_window_ends_the_socket,
        the_first_write_may_be_larger,
        the_sockets_of_a_session_share_a_window,
        without_the_feature_nothing_is_told_and_nothing_is_bounded,
        data_stops_at_the_limit,
        a_credit_needs_a_limit,
        credit_does_not_undo_a_pause,
        a_resume_gives_no_credit,
        the_end_needs_no_credit,
        a_buffer_is_given_back_by_a_raise,
        a_character_longer_than_the_window,
        lives_have_windows_of_their_own,
        NULL,
    };
    return run_suite("socket flow", tests);
}
