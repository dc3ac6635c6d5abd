#include "driver.h"
#include "listen.h"
#include "memory.h"
#include "peer.h"
#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct nb_actor_id server;
static uint16_t port;

static void begin(void)
{
    driver_start();
    driver_ignore_idle();
    driver_account->next_id = 2;
    server = driver_server(1);
}

static struct nb_server *look(void)
{
    return (struct nb_server *)driver_look(server);
}

/* Takes the descriptor. */
static void listen_with(struct nb_actor_id id, uint32_t msgid, int fd)
{
    nb_ServerListen params = {.has_fd = true};
    driver_give(fd, NB_NOBODY);
    DRIVE(id, msgid, SERVER_LISTEN, server_listen, &params);
}

static void listen_like(struct nb_actor_id id, uint32_t msgid, struct nb_actor_id lender)
{
    nb_ServerListen params = {.has_handle = true};
    driver_give(-1, lender);
    DRIVE(id, msgid, SERVER_LISTEN, server_listen, &params);
}

static void close_server(struct nb_actor_id id, uint32_t msgid)
{
    DRIVE(id, msgid, SERVER_CLOSE, server_close, NULL);
}

static int tcp_listener(void)
{
    struct sockaddr_in address;
    int fd = listen_on_loopback(&address);
    port = ntohs(address.sin_port);
    return fd;
}

/* Bound, and not listening. */
static int bound_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = tcp_socket();
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    port = ntohs(address.sin_port);
    return fd;
}

static void expect_connection(const char *line)
{
    int peer = peer_connect(port);
    expect_line(line);
    close(peer);
    expect_line("end *");
    expect_line("close *");
    expect_line("farewell *");
}

/* ---- descriptors ---- */

START_TEST(a_listening_one)
{
    begin();
    listen_with(server, 1, tcp_listener());
    expect_line("listening 1");
    expect_line("answer 1");
    ck_assert_uint_eq(look()->address.port, port);
    expect_connection("connection 1 *");
    close_server(server, 2);
    expect_line("close 1");
    expect_line("answer 2");
    driver_end();
}
END_TEST

START_TEST(a_bound_one)
{
    begin();
    listen_with(server, 1, bound_socket());
    expect_line("listening 1");
    expect_line("answer 1");
    expect_connection("connection 1 *");
    driver_end();
}
END_TEST

/* Who came before the server listened has waited in the kernel's queue. */
START_TEST(connections_that_wait_are_accepted)
{
    begin();
    int listener = tcp_listener(), peer = peer_connect(port);
    listen_with(server, 1, listener);
    expect_line("listening 1");
    expect_line("answer 1");
    expect_line("connection 1 *");
    close(peer);
    driver_end();
}
END_TEST

static int unix_listener(const char *path, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, path, length);
    ck_assert_int_eq(
        bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
        0);
    ck_assert_int_eq(listen(fd, 5), 0);
    return fd;
}

static void expect_path(const char *path)
{
    expect_line("listening 1");
    expect_line("answer 1");
    ck_assert_uint_eq(look()->path_length, strlen(path));
    ck_assert_mem_eq(look()->path, path, strlen(path));
    ck_assert(look()->accepted.is_pipe);
}

/* The file is whose who made it. */
START_TEST(one_at_a_path)
{
    char folder[] = "/tmp/nb-fd-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    begin();
    listen_with(server, 1, unix_listener(path, strlen(path)));
    expect_path(path);
    int peer = peer_connect_to(path);
    expect_line("connection 1 *");
    close(peer);
    expect_line("end *");
    expect_line("close *");
    expect_line("farewell *");
    close_server(server, 2);
    expect_line("close 1");
    ck_assert_int_eq(access(path, F_OK), 0);
    driver_end();
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(one_with_the_longest_path)
{
    char folder[] = "/tmp/nb-fd-XXXXXX", path[109] = "";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    memset(path, 'x', 108);
    memcpy(path, folder, strlen(folder));
    path[strlen(folder)] = '/';
    begin();
    listen_with(server, 1, unix_listener(path, 108));
    expect_path(path);
    driver_end();
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(one_with_an_abstract_name)
{
    char name[32];
    snprintf(name, sizeof name, "@nb-fd-%d", getpid());
    size_t length = strlen(name);
    char abstract[32] = "";
    memcpy(abstract + 1, name + 1, length - 1);
    begin();
    listen_with(server, 1, unix_listener(abstract, length));
    expect_path(name);
    driver_end();
}
END_TEST

/* ---- what is of no use ---- */

static void expect_failure(int fd, const char *code)
{
    char line[64];
    listen_with(server, 1, fd);
    snprintf(line, sizeof line, "error 1 %s", code);
    expect_line(line);
    snprintf(line, sizeof line, "answer 1 %s", code);
    expect_line(line);
    expect_silence();
}

START_TEST(other_kinds)
{
    int ends[2];
    begin();
    ck_assert_int_eq(pipe(ends), 0);
    expect_failure(ends[1], "EINVAL");
    ck_assert(is_ready(ends[0], POLLHUP, 10000)); /* closed */
    close(ends[0]);
    expect_failure(socket(AF_INET, SOCK_DGRAM, 0), "EINVAL");
    expect_failure(socket(AF_UNIX, SOCK_SEQPACKET, 0), "EINVAL");
    tcp_pair(ends);
    expect_failure(ends[0], "EINVAL"); /* connected */
    peer_expect_end(driver_loop, ends[1]);
    close(ends[1]);
    unix_pair(ends);
    expect_failure(ends[0], "EINVAL");
    close(ends[1]);
    listen_with(server, 1, tcp_listener());
    expect_line("listening 1"); /* it can still listen */
    expect_line("answer 1");
    driver_end();
}
END_TEST

START_TEST(one_that_is_owned)
{
    begin();
    int listener = tcp_listener(), copy = dup(listener);
    listen_with(server, 1, listener);
    expect_line("listening 1");
    expect_line("answer 1");
    struct nb_actor_id second = driver_server(3);
    listen_with(second, 2, dup(copy));
    expect_line("error 3 EEXIST");
    expect_line("answer 2 EEXIST");
    close_server(server, 0);
    expect_line("close 1");
    listen_with(second, 3, copy);
    expect_line("listening 3");
    expect_line("answer 3");
    driver_end();
}
END_TEST

START_TEST(one_that_another_holder_shuts)
{
    begin();
    int listener = tcp_listener(), other = dup(listener);
    listen_with(server, 1, listener);
    expect_line("listening 1");
    expect_line("answer 1");
    ck_assert_int_eq(shutdown(other, SHUT_RDWR), 0);
    expect_line("error 1 EINVAL");
    expect_line("close 1");
    close(other);
    driver_end();
}
END_TEST

START_TEST(a_second_listen_leaves_the_first)
{
    begin();
    listen_with(server, 1, tcp_listener());
    expect_line("listening 1");
    expect_line("answer 1");
    listen_with(server, 2, tcp_listener());
    expect_line("thrown 2 ERR_SERVER_ALREADY_LISTEN");
    driver_end();
}
END_TEST

/* ---- handles ---- */

static struct nb_actor_id listen_at_loopback(uint64_t name)
{
    struct nb_actor_id id = driver_server(name);
    nb_ServerListen params = {.host = nb_slice_of("127.0.0.1"), .has_port = true};
    DRIVE(id, 9, SERVER_LISTEN, server_listen, &params);
    expect_line("listening *");
    expect_line("answer 9");
    port = ((struct nb_server *)driver_look(id))->address.port;
    return id;
}

START_TEST(the_one_of_another_server)
{
    begin();
    struct nb_actor_id other = listen_at_loopback(3);
    listen_like(server, 1, other);
    expect_line("listening 1");
    expect_line("answer 1");
    ck_assert_uint_eq(look()->address.port, port);
    expect_connection("connection *");
    close_server(other, 2);
    expect_line("close 3");
    expect_line("answer 2");
    expect_connection("connection 1 *"); /* the first that listened is not needed any more */
    driver_end();
}
END_TEST

START_TEST(the_one_of_a_server_on_a_descriptor)
{
    begin();
    struct nb_actor_id other = driver_server(3);
    int listener = tcp_listener(), copy = dup(listener);
    listen_with(other, 1, listener);
    expect_line("listening 3");
    expect_line("answer 1");
    listen_like(server, 2, other);
    expect_line("listening 1");
    expect_line("answer 2");
    close_server(other, 0);
    expect_line("close 3");
    listen_with(other, 3, dup(copy)); /* the borrower still has it */
    expect_line("error 3 EEXIST");
    expect_line("answer 3 EEXIST");
    close_server(server, 0);
    expect_line("close 1");
    listen_with(other, 4, copy);
    expect_line("listening 3");
    expect_line("answer 4");
    driver_end();
}
END_TEST

static struct nb_actor_id socket_of(int fd)
{
    struct nb_actor_id id = driver_socket(5);
    nb_SocketCreate create = {.has_fd = true, .has_readable = true};
    driver_give(fd, NB_NOBODY);
    DRIVE(id, 9, SOCKET_CREATE, socket_create, &create);
    expect_line("answer 9");
    return id;
}

START_TEST(the_one_of_a_bound_socket)
{
    begin();
    listen_like(server, 1, socket_of(bound_socket()));
    expect_line("listening 1");
    expect_line("answer 1");
    expect_connection("connection 1 *");
    driver_end();
}
END_TEST

START_TEST(the_one_of_a_connection)
{
    int ends[2];
    begin();
    tcp_pair(ends);
    listen_like(server, 1, socket_of(ends[0]));
    expect_line("error 1 EINVAL");
    expect_line("answer 1 EINVAL");
    peer_send(driver_loop, ends[1], "x", 1); /* it is as it was */
    close(ends[1]);
    driver_end();
}
END_TEST

/* As if the options had nothing in them: no event tells of it. */
START_TEST(there_is_none)
{
    begin();
    listen_like(server, 1, driver_server(3));
    expect_line("thrown 1 ERR_INVALID_ARG_VALUE");
    listen_like(server, 2, driver_socket(5));
    expect_line("thrown 2 ERR_INVALID_ARG_VALUE");
    listen_like(server, 3, server);
    expect_line("thrown 3 ERR_INVALID_ARG_VALUE");
    listen_like(server, 4, (struct nb_actor_id){.slot = 77, .generation = 77});
    expect_line("thrown 4 ERR_INVALID_ARG_VALUE");
    expect_silence();
    ck_assert_uint_eq(driver_account->active, 0);
    driver_end();
}
END_TEST

START_TEST(a_close_meanwhile)
{
    begin();
    struct nb_actor_id other = listen_at_loopback(3);
    listen_like(server, 1, other);
    close_server(server, 2);
    expect_line("answer 1 ERR_SERVER_NOT_RUNNING");
    expect_line("close 1");
    expect_line("answer 2");
    listen_like(server, 3, other);
    expect_line("listening 1");
    expect_line("answer 3");
    driver_end();
}
END_TEST

START_TEST(the_lender_goes_meanwhile)
{
    begin();
    struct nb_actor_id other = listen_at_loopback(3);
    close_server(other, 0);
    listen_like(server, 1, other);
    expect_line("close 3");
    expect_line("thrown 1 ERR_INVALID_ARG_VALUE");
    driver_end();
}
END_TEST

START_TEST(the_session_ends_meanwhile)
{
    begin();
    listen_like(server, 1, listen_at_loopback(3));
    driver_end();
}
END_TEST

START_TEST(failing_allocations)
{
    for (uint64_t failing = 1; failing < 12; failing++) {
        begin();
        struct nb_actor_id other = driver_server(3);
        listen_with(other, 1, tcp_listener());
        listen_like(server, 2, other);
        nb_memory_fail_after(failing);
        turn_until_quiet(driver_loop);
        nb_memory_fail_after(0);
        driver_end();
    }
}
END_TEST

int main(void)
{
    return run_suite("server_descriptor", (const TTest *[]){a_listening_one,
                                                            a_bound_one,
                                                            connections_that_wait_are_accepted,
                                                            one_at_a_path,
                                                            one_with_the_longest_path,
                                                            one_with_an_abstract_name,
                                                            other_kinds,
                                                            one_that_is_owned,
                                                            one_that_another_holder_shuts,
                                                            a_second_listen_leaves_the_first,
                                                            the_one_of_another_server,
                                                            the_one_of_a_server_on_a_descriptor,
                                                            the_one_of_a_bound_socket,
                                                            the_one_of_a_connection,
                                                            there_is_none,
                                                            a_close_meanwhile,
                                                            the_lender_goes_meanwhile,
                                                            the_session_ends_meanwhile,
                                                            failing_allocations,
                                                            NULL});
}
