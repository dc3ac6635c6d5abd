#include "driver.h"
#include "memory.h"
#include "peer.h"
#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2]; /* of the connection: what was given, -1 once it is; and the peer's */
static struct nb_actor_id socket_id;

static void begin(void (*make_pair)(int[2]))
{
    driver_start();
    driver_ignore_idle();
    make_pair(ends);
    socket_id = driver_socket(1);
}

static void end(void)
{
    driver_end();
    for (unsigned i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/* Takes the descriptor. */
static void create_of(struct nb_actor_id socket, uint32_t msgid, int fd, nb_SocketCreate create)
{
    create.has_fd = true;
    driver_give(fd, NB_NOBODY);
    DRIVE(socket, msgid, SOCKET_CREATE, socket_create, &create);
}

static void create(nb_SocketCreate options)
{
    create_of(socket_id, 1, ends[0], options);
    ends[0] = -1;
    expect_line("answer 1");
}

static void expect_refused(int fd, const char *line)
{
    create_of(socket_id, 1, fd, (nb_SocketCreate){0});
    expect_line(line);
    expect_line("farewell 1");
}

/* ---- connections ---- */

static void exchange(void (*make_pair)(int[2]))
{
    begin(make_pair);
    create((nb_SocketCreate){0});
    peer_send(driver_loop, ends[1], "hello", 5);
    expect_line("data 1 hello");
    write_text(socket_id, 2, "world");
    expect_line("answer 2 written=5");
    peer_expect(driver_loop, ends[1], "world");
    shutdown(ends[1], SHUT_WR);
    expect_line("end 1");
    expect_line("close 1 read=5 written=5");
    expect_line("farewell 1");
    end();
}

START_TEST(a_tcp_connection)
{
    exchange(tcp_pair);
}
END_TEST

START_TEST(a_unix_connection)
{
    exchange(unix_pair);
}
END_TEST

START_TEST(what_came_before_is_read)
{
    begin(tcp_pair);
    peer_send(driver_loop, ends[1], "early", 5);
    shutdown(ends[1], SHUT_WR);
    create((nb_SocketCreate){0});
    expect_line("data 1 early");
    expect_line("end 1");
    expect_line("close 1 read=5 written=0");
    end();
}
END_TEST

START_TEST(its_addresses_are_found_out)
{
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    begin(tcp_pair);
    getsockname(ends[1], (struct sockaddr *)&name, &length);
    create((nb_SocketCreate){0});
    const struct nb_socket *socket = driver_look(socket_id);
    ck_assert_uint_eq(socket->remote.port, ntohs(name.sin_port));
    ck_assert_uint_eq(socket->remote.ip.family, 4);
    ck_assert_uint_ne(socket->local.port, 0);
    ck_assert(!socket->is_pipe);
    end();
}
END_TEST

START_TEST(it_becomes_non_blocking)
{
    begin(unix_pair);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, 0), 0);
    create((nb_SocketCreate){0});
    ck_assert_int_ne(fcntl(driver_look(socket_id)->stream.fd, F_GETFL) & O_NONBLOCK, 0);
    end();
}
END_TEST

/* ---- one direction only, as in Node ---- */

START_TEST(not_readable)
{
    begin(tcp_pair);
    create((nb_SocketCreate){.has_readable = true});
    peer_send(driver_loop, ends[1], "hello", 5);
    expect_silence();
    DRIVE(socket_id, 2, SOCKET_INFO, socket_info, NULL);
    expect_line("answer 2 writeOnly buffer=0");
    write_text(socket_id, 0, "abc");
    peer_expect(driver_loop, ends[1], "abc");
    end_socket(socket_id, 3);
    expect_line("answer 3");
    expect_line("close 1 read=0 written=3");
    end();
}
END_TEST

START_TEST(not_writable)
{
    begin(tcp_pair);
    create((nb_SocketCreate){.has_writable = true});
    DRIVE(socket_id, 2, SOCKET_INFO, socket_info, NULL);
    expect_line("answer 2 readOnly buffer=0");
    peer_send(driver_loop, ends[1], "hello", 5);
    expect_line("data 1 hello");
    shutdown(ends[1], SHUT_WR);
    expect_line("end 1");
    expect_line("close 1 read=5 written=0");
    end();
}
END_TEST

START_TEST(a_write_where_none_is_possible)
{
    begin(tcp_pair);
    create((nb_SocketCreate){.has_writable = true});
    write_text(socket_id, 2, "abc");
    expect_line("error 1 ERR_STREAM_WRITE_AFTER_END");
    expect_line("close 1 hadError read=0 written=0");
    expect_line("answer 2 ERR_STREAM_WRITE_AFTER_END");
    end();
}
END_TEST

/* Whoever else reads this connection must find what is there. */
START_TEST(what_it_does_not_read_is_left_to_others)
{
    char bytes[8];
    begin(unix_pair);
    int other = dup(ends[0]);
    create((nb_SocketCreate){.has_readable = true, .has_writable = true});
    peer_send(driver_loop, ends[1], "theirs", 6);
    driver_end();
    ck_assert_int_eq(recv(other, bytes, sizeof bytes, MSG_DONTWAIT), 6);
    close(other);
    close(ends[1]);
}
END_TEST

/* ---- what has happened to it meanwhile ---- */

START_TEST(one_that_was_reset)
{
    begin(tcp_pair);
    peer_reset(ends[1]);
    ends[1] = -1;
    create((nb_SocketCreate){0});
    expect_line("error 1 ECONNRESET");
    expect_line("close 1 hadError read=0 written=0");
    end();
}
END_TEST

START_TEST(one_that_never_was_connected)
{
    begin(tcp_pair);
    create_of(socket_id, 1, tcp_socket(), (nb_SocketCreate){0});
    expect_line("answer 1");
    expect_line("error 1 ENOTCONN");
    expect_line("close 1 hadError read=0 written=0");
    end();
}
END_TEST

/* Another holder takes the connection apart. */
START_TEST(one_that_is_disconnected_by_another_holder)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    begin(tcp_pair);
    int other = dup(ends[0]);
    create((nb_SocketCreate){0});
    expect_silence();
    ck_assert_int_eq(connect(other, &nowhere, sizeof nowhere), 0);
    expect_line("error 1 *");
    expect_line("close 1 hadError *");
    close(other);
    end();
}
END_TEST

/* Its events must not come any more although the connection lives on with its other holder. */
START_TEST(a_close_while_another_holds_it)
{
    begin(unix_pair);
    int other = dup(ends[0]);
    create((nb_SocketCreate){0});
    destroy_socket(socket_id, 2);
    expect_line("close 1 read=0 written=0");
    expect_line("answer 2");
    expect_line("farewell 1");
    peer_send(driver_loop, ends[1], "hello", 5);
    turn_until_quiet(driver_loop);
    peer_expect(driver_loop, other, "hello");
    close(other);
    end();
}
END_TEST

/* ---- what is refused ---- */

START_TEST(other_kinds)
{
    int pipe_ends[2];
    begin(unix_pair);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    expect_refused(pipe_ends[1], "thrown 1 ERR_INVALID_FD_TYPE");
    ck_assert(is_ready(pipe_ends[0], POLLHUP, 10000)); /* closed */
    close(pipe_ends[0]);
    socket_id = driver_socket(1);
    expect_refused(socket(AF_INET, SOCK_DGRAM, 0), "thrown 1 ERR_INVALID_FD_TYPE");
    socket_id = driver_socket(1);
    expect_refused(listen_on_loopback(&(struct sockaddr_in){0}), "thrown 1 ERR_INVALID_FD_TYPE");
    end();
}
END_TEST

START_TEST(one_that_is_owned)
{
    begin(unix_pair);
    int copy = dup(ends[0]);
    create((nb_SocketCreate){0});
    struct nb_actor_id second = driver_socket(3);
    create_of(second, 2, dup(copy), (nb_SocketCreate){0});
    expect_line("thrown 2 EEXIST");
    expect_line("farewell 3");
    destroy_socket(socket_id, 3);
    expect_line("close 1 *");
    expect_line("answer 3");
    expect_line("farewell 1");
    second = driver_socket(5);
    create_of(second, 4, copy, (nb_SocketCreate){0});
    expect_line("answer 4");
    end();
}
END_TEST

START_TEST(an_option_that_is_wrong_closes_the_descriptor)
{
    begin(unix_pair);
    create_of(socket_id, 1, ends[0], (nb_SocketCreate){.encoding = nb_slice_of("morse")});
    ends[0] = -1;
    expect_line("thrown 1 ERR_UNKNOWN_ENCODING");
    peer_expect_end(driver_loop, ends[1]);
    end();
}
END_TEST

/* ---- other ends ---- */

START_TEST(it_may_be_closed_and_connect_anew)
{
    uint16_t port;
    begin(unix_pair);
    int listener = peer_listen(&port);
    create((nb_SocketCreate){.has_auto_release = true, .has_readable = true});
    destroy_socket(socket_id, 2);
    expect_line("close 1 *");
    expect_line("answer 2");
    connect_to_port(socket_id, 3, port);
    int peer = peer_accept(driver_loop, listener);
    expect_line("connect 1");
    expect_line("ready 1");
    expect_line("answer 3");
    peer_send(driver_loop, peer, "read", 4);
    expect_line("data 1 read");
    ck_assert(!driver_look(socket_id)->stream.is_foreign);
    close(peer);
    close(listener);
    end();
}
END_TEST

START_TEST(the_end_of_the_session_ends_it_with_what_was_written)
{
    begin(unix_pair);
    create((nb_SocketCreate){0});
    write_text(socket_id, 0, "last words");
    turn_until_quiet(driver_loop);
    driver_leave();
    peer_expect(driver_loop, ends[1], "last words");
    peer_expect_end(driver_loop, ends[1]);
    end();
}
END_TEST

START_TEST(failing_allocations)
{
    for (uint64_t failing = 1; failing < 12; failing++) {
        begin(unix_pair);
        driver_give(ends[0], NB_NOBODY);
        nb_SocketCreate create = {.has_fd = true};
        DRIVE(socket_id, 1, SOCKET_CREATE, socket_create, &create);
        ends[0] = -1;
        nb_memory_fail_after(failing);
        turn_until_quiet(driver_loop);
        nb_memory_fail_after(0);
        end();
    }
}
END_TEST

int main(void)
{
    return run_suite("socket_descriptor",
                     (const TTest *[]){a_tcp_connection,
                                       a_unix_connection,
                                       what_came_before_is_read,
                                       its_addresses_are_found_out,
                                       it_becomes_non_blocking,
                                       not_readable,
                                       not_writable,
                                       a_write_where_none_is_possible,
                                       what_it_does_not_read_is_left_to_others,
                                       one_that_was_reset,
                                       one_that_never_was_connected,
                                       one_that_is_disconnected_by_another_holder,
                                       a_close_while_another_holds_it,
                                       other_kinds,
                                       one_that_is_owned,
                                       an_option_that_is_wrong_closes_the_descriptor,
                                       it_may_be_closed_and_connect_anew,
                                       the_end_of_the_session_ends_it_with_what_was_written,
                                       failing_allocations,
                                       NULL});
}
