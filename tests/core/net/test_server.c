#include "driver.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEERS = 16 };

static struct nb_actor_id server;
static uint16_t port;
static int peers[PEERS];
static unsigned peer_count;

static struct nb_server *look(void)
{
    return (struct nb_server *)driver_look(server);
}

static void begin(void)
{
    driver_start();
    driver_account->next_id = 2;
    peer_count = 0;
    server = driver_server(1);
}

static void end(void)
{
    while (peer_count)
        close(peers[--peer_count]);
    driver_end();
}

static void listen_at_loopback(uint32_t msgid)
{
    nb_ServerListen params = {.host = nb_slice_of("127.0.0.1"), .has_port = true};
    DRIVE(server, msgid, SERVER_LISTEN, server_listen, &params);
    expect_line("listening 1");
    expect_line("answer *");
    port = (uint16_t)look()->address.port;
}

static void begin_listening(nb_ServerCreate create)
{
    begin();
    DRIVE(server, 0, SERVER_CREATE, server_create, &create);
    listen_at_loopback(1);
}

static int join(void)
{
    peers[peer_count] = peer_connect(port);
    return peers[peer_count++];
}

static void send_simple(uint32_t msgid, enum nb_method_index index, nb_handler *run)
{
    driver_send(server, msgid, index, run, NULL);
}

#define TELL(msgid, METHOD, method) send_simple(msgid, NB_METHOD_##METHOD, nb_on_##method)

static void set_max(bool has_max, uint32_t most)
{
    nb_ServerSet params = {.has_max_connections = has_max, .max_connections = most};
    DRIVE(server, 0, SERVER_SET, server_set, &params);
}

/* ---- a whole life ---- */

START_TEST(connections_are_announced_before_their_bytes)
{
    begin_listening((nb_ServerCreate){0});
    int peer = join();
    peer_send(driver_loop, peer, "hello", 5);
    expect_line("connection 1 socket=2");
    expect_line("data 2 hello");
    struct nb_socket *socket = driver_look(driver_accepted);
    ck_assert_uint_eq(socket->server, 1);
    ck_assert_uint_eq(socket->local.port, port);
    write_text(driver_accepted, 2, "hi");
    peer_expect(driver_loop, peer, "hi");
    expect_line("answer 2 written=2");
    join();
    expect_line("connection 1 socket=4");
    TELL(3, SERVER_GET_CONNECTIONS, server_get_connections);
    expect_line("answer 3 count=2");
    end();
}
END_TEST

START_TEST(close_waits_for_the_connections)
{
    begin_listening((nb_ServerCreate){0});
    int peer = join();
    expect_line("connection 1 socket=2");
    TELL(2, SERVER_CLOSE, server_close);
    expect_silence();
    ck_assert_int_eq(look()->state, NB_SERVER_IDLE);
    TELL(3, SERVER_ADDRESS, server_address);
    expect_line("answer 3 nil");
    shutdown(peer, SHUT_WR);
    expect_line("end 2");
    expect_line("close 2 read=0 written=0");
    expect_line("idle 0");
    expect_line("farewell 2");
    expect_line("close 1");
    expect_line("answer 2");
    TELL(4, SERVER_RELEASE, server_release);
    expect_line("answer 4");
    expect_line("farewell 1");
    ck_assert(driver_is_gone(server));
    end();
}
END_TEST

START_TEST(close_without_listening)
{
    begin();
    TELL(1, SERVER_CLOSE, server_close);
    expect_line("close 1");
    expect_line("answer 1 ERR_SERVER_NOT_RUNNING");
    expect_silence();
    end();
}
END_TEST

START_TEST(closed_twice_while_connections_are_left)
{
    begin_listening((nb_ServerCreate){0});
    int peer = join();
    expect_line("connection 1 socket=2");
    TELL(2, SERVER_CLOSE, server_close);
    TELL(0, SERVER_CLOSE, server_close);
    TELL(3, SERVER_CLOSE, server_close);
    const struct nb_server *closed = (struct nb_server *)nb_loop_find(driver_loop, server);
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(closed->closes.first->reply.msgid, 2);
    ck_assert_uint_eq(closed->closes.first->next->reply.msgid, 3); /* nothing is owed to the notification */
    TELL(4, SERVER_RELEASE, server_release);
    expect_line("thrown 4 ERR_NB_BUSY");
    shutdown(peer, SHUT_WR);
    expect_line("end 2");
    expect_line("close 2 *");
    expect_line("idle 0");
    expect_line("farewell 2");
    expect_line("close 1");
    expect_line("answer 2");
    expect_line("answer 3 ERR_SERVER_NOT_RUNNING");
    end();
}
END_TEST

START_TEST(it_listens_again_after_a_close)
{
    begin_listening((nb_ServerCreate){0});
    nb_ServerListen params = {.host = nb_slice_of("127.0.0.1"), .has_port = true};
    DRIVE(server, 2, SERVER_LISTEN, server_listen, &params);
    expect_line("thrown 2 ERR_SERVER_ALREADY_LISTEN");
    TELL(3, SERVER_RELEASE, server_release);
    expect_line("thrown 3 ERR_NB_BUSY");
    TELL(4, SERVER_CLOSE, server_close);
    expect_line("close 1");
    expect_line("answer 4");
    expect_line("idle 0");
    listen_at_loopback(5);
    join();
    expect_line("connection 1 socket=2");
    end();
}
END_TEST

/* ---- listening that fails ---- */

START_TEST(a_port_that_is_taken)
{
    uint16_t taken;
    begin();
    int other = peer_listen(&taken);
    nb_ServerListen params = {.host = nb_slice_of("127.0.0.1"), .has_port = true, .port = taken};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    expect_line("error 1 EADDRINUSE");
    expect_line("answer 1 EADDRINUSE");
    expect_line("idle 0");
    close(other);
    listen_at_loopback(2);
    end();
}
END_TEST

START_TEST(where_to_listen_must_be_said)
{
    begin();
    nb_ServerListen params = {.has_backlog = true, .backlog = 5};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    expect_line("thrown 1 ERR_INVALID_ARG_VALUE");
    expect_silence();
    ck_assert_int_eq(look()->state, NB_SERVER_IDLE);
    end();
}
END_TEST

START_TEST(a_host_name_that_is_none)
{
    begin();
    nb_ServerListen params = {.host = nb_slice_of("no..name"), .has_port = true};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    expect_line("error 1 ENOTFOUND");
    expect_line("answer 1 ENOTFOUND");
    expect_line("idle 0");
    end();
}
END_TEST

START_TEST(close_while_the_host_is_looked_up)
{
    begin();
    nb_ServerListen params = {.host = nb_slice_of("localhost"), .has_port = true};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    TELL(2, SERVER_CLOSE, server_close);
    expect_line("answer 1 ERR_SERVER_NOT_RUNNING");
    expect_line("close 1");
    expect_line("answer 2");
    expect_line("idle 0");
    DRIVE(server, 3, SERVER_LISTEN, server_listen,
          &params); /* the first answer is not taken for this one's */
    expect_line("listening 1");
    expect_line("answer 3");
    end();
}
END_TEST

/* ---- paths ---- */

static char path[64];

static void make_path(void)
{
    strcpy(path, "/tmp/nb-server-XXXXXX");
    close(mkstemp(path));
    unlink(path);
}

START_TEST(a_path_is_made_and_removed)
{
    struct stat file;
    mode_t mask = umask(0);
    make_path();
    begin();
    nb_ServerListen params = {.path = nb_slice_of(path), .has_writable_all = true, .writable_all = true};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    expect_line("listening 1");
    expect_line("answer 1");
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, nb_server_path_mode | 0222);
    peers[peer_count++] = peer_connect_to(path);
    expect_line("connection 1 socket=2");
    ck_assert(driver_look(driver_accepted)->is_pipe);
    peer_send(driver_loop, peers[0], "x", 1);
    expect_line("data 2 x");
    TELL(2, SERVER_CLOSE, server_close);
    expect_silence();
    ck_assert_int_lt(stat(path, &file), 0); /* at once: nobody new can come */
    umask(mask);
    end();
}
END_TEST

START_TEST(a_path_of_another_is_left_alone)
{
    make_path();
    begin();
    int other = peer_listen_at(path);
    nb_ServerListen params = {.path = nb_slice_of(path)};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    expect_line("error 1 EADDRINUSE");
    expect_line("answer 1 EADDRINUSE");
    expect_line("idle 0");
    close(peer_connect_to(path));
    close(other);
    unlink(path);
    end();
}
END_TEST

START_TEST(a_session_that_goes_takes_the_path_along)
{
    make_path();
    begin();
    nb_ServerListen params = {.path = nb_slice_of(path)};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    expect_line("listening 1");
    peers[peer_count++] = peer_connect_to(path);
    expect_line("answer 1");
    expect_line("connection 1 socket=2");
    driver_leave();
    turn_until_quiet(driver_loop);
    ck_assert_int_lt(access(path, F_OK), 0);
    peer_expect_end(driver_loop, peers[0]);
    end();
}
END_TEST

/* ---- limits ---- */

START_TEST(at_max_connections_others_are_dropped)
{
    begin_listening((nb_ServerCreate){.has_max_connections = true, .max_connections = 1});
    int first = join();
    expect_line("connection 1 socket=2");
    int second = join();
    expect_line("drop 1");
    peer_expect_end(driver_loop, second);
    set_max(true, 0);
    peer_expect_end(driver_loop, join());
    expect_line("drop 1");
    set_max(false, 0);
    join();
    expect_line("connection 1 socket=4");
    shutdown(first, SHUT_WR);
    expect_line("end 2");
    expect_line("close 2 *");
    expect_line("farewell 2");
    set_max(true, 2);
    join();
    expect_line("connection 1 socket=6");
    join();
    expect_line("drop 1");
    end();
}
END_TEST

START_TEST(without_room_for_sockets_connections_wait)
{
    begin_listening((nb_ServerCreate){0});
    driver_account->max_sockets = 2;
    join();
    expect_line("connection 1 socket=2");
    struct nb_actor_id first = driver_accepted;
    join();
    expect_line("connection 1 socket=4");
    int third = join();
    peer_send(driver_loop, third, "waits", 5);
    expect_silence();
    ck_assert_uint_eq(driver_account->sockets, 2);
    destroy_socket(first, 2);
    expect_line("close 2 *");
    expect_line("answer 2");
    expect_line("farewell 2");
    expect_line("connection 1 socket=6");
    expect_line("data 6 waits");
    ck_assert_uint_eq(driver_account->sockets, 2);
    end();
}
END_TEST

START_TEST(servers_that_wait_for_room_do_not_add_up)
{
    begin_listening((nb_ServerCreate){0});
    uint16_t first_port = port;
    server = driver_server(3);
    nb_ServerListen params = {.host = nb_slice_of("127.0.0.1"), .has_port = true};
    DRIVE(server, 2, SERVER_LISTEN, server_listen, &params);
    expect_line("listening 3");
    expect_line("answer 2");
    driver_account->max_sockets = 2;
    peers[peer_count++] = peer_connect(first_port);
    expect_line("connection 1 socket=2");
    struct nb_actor_id oldest = driver_accepted;
    peers[peer_count++] = peer_connect((uint16_t)look()->address.port);
    expect_line("connection 3 socket=4");
    peers[peer_count++] = peer_connect(first_port);
    peers[peer_count++] = peer_connect((uint16_t)look()->address.port);
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(driver_account->sockets, 2);
    destroy_socket(oldest, 3);
    turn_until_quiet(driver_loop);
    ck_assert_uint_eq(driver_account->sockets, 2);
    end();
}
END_TEST

START_TEST(a_closed_gate_holds_connections_back)
{
    begin_listening((nb_ServerCreate){0});
    nb_account_close_gate(driver_account);
    join();
    join();
    expect_silence();
    nb_account_open_gate(driver_account);
    expect_line("connection 1 socket=2");
    expect_line("connection 1 socket=4");
    nb_account_close_gate(driver_account);
    join();
    expect_silence();
    TELL(2, SERVER_CLOSE, server_close); /* while it waits */
    turn_until_quiet(driver_loop);
    ck_assert(nb_line_is_empty(&driver_account->at_gate));
    nb_account_open_gate(driver_account);
    end();
}
END_TEST

/* ---- options ---- */

START_TEST(sockets_get_the_servers_options)
{
    begin_listening((nb_ServerCreate){.has_allow_half_open = true,
                                      .allow_half_open = true,
                                      .has_pause_on_connect = true,
                                      .pause_on_connect = true,
                                      .has_no_delay = true,
                                      .no_delay = true,
                                      .has_read_chunk = true,
                                      .read_chunk = 3,
                                      .has_high_water_mark = true,
                                      .high_water_mark = 77});
    int peer = join();
    expect_line("connection 1 socket=2");
    const struct nb_socket *socket = driver_look(driver_accepted);
    ck_assert_int_eq(socket->options.values[NB_OPTION_NO_DELAY], 1);
    ck_assert_uint_eq(socket->high_water_mark, 77);
    peer_send(driver_loop, peer, "01234", 5);
    shutdown(peer, SHUT_WR);
    expect_silence(); /* paused */
    DRIVE(driver_accepted, 2, SOCKET_RESUME, socket_resume, NULL);
    expect_line("answer 2");
    expect_line("data 2 012");
    expect_line("data 2 34");
    expect_line("end 2");
    expect_silence(); /* half-open */
    write_text(driver_accepted, 3, "still");
    peer_expect(driver_loop, peer, "still");
    end();
}
END_TEST

START_TEST(a_wrong_creation_leaves_no_server)
{
    begin();
    nb_ServerCreate create = {.has_read_chunk = true};
    DRIVE(server, 1, SERVER_CREATE, server_create, &create);
    TELL(2, SERVER_ADDRESS, server_address);
    expect_line("thrown 1 ERR_OUT_OF_RANGE");
    expect_line("farewell 1");
    expect_line("answer 2 ERR_NB_NO_SUCH_TARGET");
    ck_assert(driver_is_gone(server));
    end();
}
END_TEST

START_TEST(unref_counts_as_idle)
{
    begin_listening((nb_ServerCreate){0});
    TELL(2, SERVER_UNREF, server_unref);
    expect_line("idle 0");
    expect_line("answer 2");
    TELL(3, SERVER_REF, server_ref);
    expect_line("answer 3");
    TELL(4, SERVER_CLOSE, server_close);
    expect_line("close 1");
    expect_line("answer 4");
    expect_line("idle 0");
    end();
}
END_TEST

/* ---- the session goes ---- */

START_TEST(a_session_that_goes_while_the_host_is_looked_up)
{
    begin();
    nb_ServerListen params = {.host = nb_slice_of("localhost"), .has_port = true};
    DRIVE(server, 1, SERVER_LISTEN, server_listen, &params);
    uv_run(&driver_loop->uv, UV_RUN_NOWAIT);
    driver_leave();
    end();
}
END_TEST

START_TEST(a_session_that_goes_while_close_waits)
{
    begin_listening((nb_ServerCreate){0});
    join();
    expect_line("connection 1 socket=2");
    TELL(2, SERVER_CLOSE, server_close);
    TELL(3, SERVER_CLOSE, server_close);
    turn_until_quiet(driver_loop);
    driver_leave();
    end();
}
END_TEST

/* A connection that comes in as the session goes has nobody: it is closed. */
START_TEST(a_connection_in_the_last_moment)
{
    begin_listening((nb_ServerCreate){0});
    int peer = join();
    driver_account->session = NB_NOBODY;
    peer_expect_end(driver_loop, peer);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        connections_are_announced_before_their_bytes,
        close_waits_for_the_connections,
        close_without_listening,
        closed_twice_while_connections_are_left,
        it_listens_again_after_a_close,
        a_port_that_is_taken,
        where_to_listen_must_be_said,
        a_host_name_that_is_none,
        close_while_the_host_is_looked_up,
        a_path_is_made_and_removed,
        a_path_of_another_is_left_alone,
        a_session_that_goes_takes_the_path_along,
        at_max_connections_others_are_dropped,
        without_room_for_sockets_connections_wait,
        servers_that_wait_for_room_do_not_add_up,
        a_closed_gate_holds_connections_back,
        sockets_get_the_servers_options,
        a_wrong_creation_leaves_no_server,
        unref_counts_as_idle,
        a_session_that_goes_while_the_host_is_looked_up,
        a_session_that_goes_while_close_waits,
        a_connection_in_the_last_moment,
        NULL,
    };
    return run_suite("server", tests);
}
