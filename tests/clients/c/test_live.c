/* The library against the real daemon, with plain sockets as peers. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct netbroker_socket *connect_to(struct daemon *daemon,
                                           const struct netbroker_connect_options *options)
{
    struct netbroker_socket *socket;
    ck_assert_int_eq(
        netbroker_create_connection(daemon->session, options, &recorded_socket, &daemon->record, &socket), 0);
    netbroker_flush(daemon->session);
    return socket;
}

/* ---- connections ---- */

START_TEST(both_sides_end_one_after_the_other)
{
    struct daemon daemon;
    uint16_t port;
    char heard[8] = "";
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    struct netbroker_socket *socket = connect_to(
        &daemon,
        &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port, .allow_half_open = true});
    ck_assert_int_eq(netbroker_socket_write(socket, "early", 5), 0);
    wait_for(&daemon, "connect 1");
    ck_assert_uint_eq(netbroker_socket_endpoints(socket)->remote.port, port);
    int peer = peer_accept(listener);
    peer_receive(peer, heard, 5);
    ck_assert_str_eq(heard, "early");
    netbroker_socket_end(socket);
    ping(&daemon);
    peer_expect_end(peer);
    peer_send(peer, "late", 4);
    wait_for(&daemon, "data 1 late");
    shutdown(peer, SHUT_WR);
    wait_for(&daemon, "close 1");
    wait_for(&daemon, "idle");
    expect_record(&daemon.record, "connect 1; data 1 late; end 1; close 1; idle");
    close(peer);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(the_peer_may_end_first)
{
    struct daemon daemon;
    uint16_t port;
    char heard[8] = "";
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    struct netbroker_socket *socket = connect_to(
        &daemon,
        &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port, .allow_half_open = true});
    int peer = (wait_for(&daemon, "connect 1"), peer_accept(listener));
    shutdown(peer, SHUT_WR);
    wait_for(&daemon, "end 1");
    ck_assert_int_eq(netbroker_socket_write(socket, "answer", 6), 0);
    netbroker_socket_end(socket);
    wait_for(&daemon, "close 1");
    peer_receive(peer, heard, 6);
    ck_assert_str_eq(heard, "answer");
    peer_expect_end(peer);
    close(peer);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

/* A port that nobody listens on: bound, not listening. */
static int closed_port(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

START_TEST(failures_to_connect_are_told_once)
{
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    int reserved = closed_port(&port);
    connect_to(&daemon, &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port});
    wait_for(&daemon, "close 1");
    ping(&daemon);
    expect_record(&daemon.record, "error 1 ECONNREFUSED; close 1 with error; idle");
    connect_to(&daemon, &(struct netbroker_connect_options){.path = "/nonexistent/socket"});
    wait_for(&daemon, "close 3");
    ping(&daemon);
    expect_record(&daemon.record, "error 3 ENOENT; close 3 with error; idle");
    connect_to(&daemon,
               &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port, .local_address = "x"});
    wait_for(&daemon, "close 5");
    ping(&daemon);
    expect_record(&daemon.record, "error 5 ERR_INVALID_IP_ADDRESS; close 5 with error");
    close(reserved);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(an_idle_socket_times_out_and_lives)
{
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    connect_to(&daemon,
               &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port, .timeout = 30});
    int peer = peer_accept(listener);
    wait_for(&daemon, "timeout 1");
    peer_send(peer, "on", 2);
    wait_for(&daemon, "data 1 on");
    close(peer);
    wait_for(&daemon, "close 1");
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_reset_reaches_the_peer)
{
    struct daemon daemon;
    uint16_t port;
    char byte;
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    struct netbroker_socket *socket =
        connect_to(&daemon, &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port});
    wait_for(&daemon, "connect 1");
    int peer = peer_accept(listener);
    ck_assert_int_eq(netbroker_socket_reset_and_destroy(socket), 0);
    wait_for(&daemon, "close 1");
    ck_assert_int_eq(recv(peer, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close(peer);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

/* ---- servers ---- */

START_TEST(a_server_takes_drops_and_closes)
{
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    struct netbroker_server *server = listen_here(
        &daemon, &(struct netbroker_server_options){.limit_connections = true, .max_connections = 1}, &port);
    int first = peer_connect(port);
    wait_for(&daemon, "connection 2");
    int second = peer_connect(port);
    wait_for(&daemon, "drop 127.0.0.1");
    peer_expect_end(second);
    netbroker_server_close(server);
    peer_send(first, "still", 5);
    wait_for(&daemon, "data 2 still");
    close(first);
    wait_for(&daemon, "server close");
    ck_assert_ptr_nonnull(strstr(daemon.record.text, "; close 2; "));
    close(second);
    daemon_stop(&daemon);
}
END_TEST

/* A list of 127.0.0.0/8; its id. */
static uint64_t block_loopback(struct daemon *daemon)
{
    static const uint8_t rules[] = "\x81\xa5rules\x91\xab"
                                   "127.0.0.0/8";
    call(daemon, "blockList.create", 1001, NULL, 0);
    call(daemon, "blockList.addRules", 1001, rules, sizeof rules - 1);
    return 1001;
}

START_TEST(what_a_block_list_keeps_out)
{
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    uint64_t list = block_loopback(&daemon);
    struct netbroker_server *server =
        listen_here(&daemon, &(struct netbroker_server_options){.block_list = list}, &port);
    int peer = peer_connect(port);
    wait_for(&daemon, "drop 127.0.0.1");
    peer_expect_end(peer);
    connect_to(&daemon,
               &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port, .block_list = list});
    wait_for(&daemon, "ERR_IP_BLOCKED");
    wait_for(&daemon, "close 3");
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    close(peer);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_port_in_use_is_an_error_and_the_server_lives)
{
    struct daemon daemon;
    uint16_t port;
    struct netbroker_server *server;
    daemon_start(&daemon, NULL);
    int taken = peer_listen(&port);
    netbroker_create_server(daemon.session, NULL, &recorded_server, &daemon.record, &server);
    netbroker_server_listen(server, &(struct netbroker_listen_options){.host = "127.0.0.1", .port = port});
    wait_for(&daemon, "server error EADDRINUSE");
    ping(&daemon);
    const char *first = strstr(daemon.record.text, "server error");
    ck_assert_ptr_null(strstr(first + 1, "server error"));
    netbroker_server_listen(server, &(struct netbroker_listen_options){.host = "127.0.0.1"});
    wait_for(&daemon, "listening 127.0.0.1");
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    close(taken);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(closing_a_server_that_never_listened_is_no_error)
{
    struct daemon daemon;
    struct netbroker_server *server;
    daemon_start(&daemon, NULL);
    netbroker_create_server(daemon.session, NULL, &recorded_server, &daemon.record, &server);
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    ping(&daemon);
    expect_record(&daemon.record, "server close");
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_unix_server_knows_its_peer)
{
    struct daemon daemon;
    struct netbroker_server *server;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    daemon_start(&daemon, NULL);
    snprintf(address.sun_path, sizeof address.sun_path, "%.64s/peer", daemon.directory);
    netbroker_create_server(daemon.session, NULL, &recorded_server, &daemon.record, &server);
    netbroker_server_listen(server, &(struct netbroker_listen_options){.path = address.sun_path});
    wait_for(&daemon, "listening /tmp");
    ck_assert_str_eq(netbroker_server_address(server)->path, address.sun_path);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
    wait_for(&daemon, "connection 2");
    ck_assert_uint_eq(netbroker_socket_peer(daemon.record.accepted)->pid, getpid());
    ck_assert_int_eq(netbroker_socket_reset_and_destroy(daemon.record.accepted), -EOPNOTSUPP);
    close(peer);
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    ck_assert_int_eq(access(address.sun_path, F_OK), -1);
    daemon_stop(&daemon);
}
END_TEST

/* ---- pacing ---- */

static void count_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    *(uint64_t *)context += length;
}

static const struct netbroker_socket_events counting_events = {.on_data = count_data};

START_TEST(unflushed_is_what_the_peer_does_not_read)
{
    enum { STEP = 64 << 10 };
    static char bytes[STEP];
    struct daemon daemon;
    uint16_t port;
    size_t sent = 0;
    int result = 0;
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    struct netbroker_socket *socket =
        connect_to(&daemon, &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port});
    wait_for(&daemon, "connect 1");
    int peer = peer_accept(listener);
    /* The kernels take what they take; then a write asks to wait, and after a fence that is still so. */
    while (sent < 64 << 20 && result == 0) {
        result = netbroker_socket_write(socket, bytes, STEP);
        sent += STEP;
        ping(&daemon);
        if (result == 1 && netbroker_socket_unflushed(socket) < 128 << 10) {
            wait_for(&daemon, "drain 1");
            daemon.record.text[0] = '\0';
            result = 0;
        }
    }
    ck_assert_int_eq(result, 1);
    ck_assert_uint_ge(netbroker_socket_unflushed(socket), 128 << 10);
    ck_assert_ptr_null(strstr(daemon.record.text, "drain"));
    char *heard = malloc(sent);
    for (size_t got = 0; got < sent; got += STEP)
        peer_receive(peer, heard, STEP);
    wait_for(&daemon, "drain 1");
    wait_flushed(&daemon, socket);
    free(heard);
    close(peer);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(peers_that_do_not_read_hold_up_nobody_else)
{
    enum { STUCK = 12, LENGTH = 4 << 20 };
    static char bytes[LENGTH];
    struct daemon daemon;
    uint16_t port;
    int stuck[STUCK];
    int narrow = 4096; /* with their usual buffers, kernels may take all of it */
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof narrow);
    struct netbroker_connect_options options = {.host = "127.0.0.1", .port = port};
    for (int i = 0; i < STUCK; i++) {
        struct netbroker_socket *socket = connect_to(&daemon, &options);
        ping(&daemon);
        stuck[i] = peer_accept(listener);
        /* The kernels take some; after this much nothing more goes through. */
        ck_assert_int_eq(netbroker_socket_write(socket, bytes, LENGTH), 1);
        ck_assert_int_eq(netbroker_socket_write(socket, bytes, 1), -ENOBUFS);
    }
    struct netbroker_socket *socket = connect_to(&daemon, &options);
    ping(&daemon);
    int peer = peer_accept(listener);
    char heard[6] = "";
    for (int round = 0; round < 100; round++) {
        ck_assert_int_ge(netbroker_socket_write(socket, "hello", 5), 0);
        wait_flushed(&daemon, socket);
        peer_receive(peer, heard, 5);
        ck_assert_str_eq(heard, "hello");
    }
    ck_assert_uint_gt(netbroker_unflushed(daemon.session), 2 << 20);
    for (int i = 0; i < STUCK; i++)
        close(stuck[i]);
    close(peer);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(after_the_fence_a_paused_socket_is_silent)
{
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    struct netbroker_server *server =
        listen_here(&daemon, &(struct netbroker_server_options){.pause_on_connect = true}, &port);
    int peer = peer_connect(port);
    wait_for(&daemon, "connection 2");
    peer_send(peer, "a", 1);
    ping(&daemon);
    ping(&daemon);
    expect_record(&daemon.record, "connection 2");
    netbroker_socket_resume(daemon.record.accepted);
    wait_for(&daemon, "data 2 a");
    call(&daemon, "socket.pause", 2, NULL, 0);
    peer_send(peer, "b", 1);
    ping(&daemon);
    ping(&daemon);
    expect_record(&daemon.record, "data 2 a");
    netbroker_socket_resume(daemon.record.accepted);
    wait_for(&daemon, "data 2 b");
    close(peer);
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_program_that_is_stuck_gets_no_more_than_its_window)
{
    enum { WINDOW = 32 << 10, MANY = 8 << 20 };
    struct daemon daemon;
    uint16_t port;
    static char bytes[MANY];
    daemon_start(&daemon, NULL);
    struct netbroker_server *server = listen_here(
        &daemon, &(struct netbroker_server_options){.read_window = WINDOW, .consume_by_hand = true}, &port);
    int peer = peer_connect(port);
    wait_for(&daemon, "connection 2");
    struct netbroker_socket *socket = daemon.record.accepted;
    uint64_t received = 0;
    netbroker_socket_set_events(socket, &counting_events, &received);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    while (send(peer, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        ping(&daemon);
    for (int round = 1; round <= 5; round++) {
        ping(&daemon);
        ping(&daemon);
        ck_assert_uint_le(received, (uint64_t)round * WINDOW);
        while (received < (uint64_t)round * WINDOW)
            ck_assert_int_eq(daemon_turn(&daemon, DEADLINE_MS), 0);
        ck_assert_int_eq(netbroker_socket_consumed(socket, WINDOW), 0);
    }
    netbroker_socket_destroy(socket);
    netbroker_server_close(server);
    wait_for(&daemon, "server close");
    close(peer);
    daemon_stop(&daemon);
}
END_TEST

/* A child that sends back what it reads from the next connection, and ends when that ends. */
static pid_t spawn_echo(int listener)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    static char buffer[1 << 16];
    int fd = accept(listener, NULL, NULL);
    ssize_t length;
    while ((length = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t sent = 0; sent < length;)
            sent += write(fd, buffer + sent, (size_t)(length - sent));
    _exit(length < 0);
}

enum { VOLUME = 64 << 20, STEP = 100003 };

/* The byte at a place of the stream: no period that a lost or doubled chunk could hide in. */
static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 2654435761u >> 13);
}

struct transfer {
    size_t sent, received;
    bool ready, damaged, closed;
};

static void on_transfer_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    struct transfer *transfer = context;
    for (size_t i = 0; i < length; i++)
        transfer->damaged |= ((const unsigned char *)bytes)[i] != pattern(transfer->received + i);
    transfer->received += length;
}

static void on_transfer_drain(struct netbroker_socket *socket, void *context)
{
    ((struct transfer *)context)->ready = true;
}

static void on_transfer_close(struct netbroker_socket *socket, void *context,
                              const struct netbroker_closed *closed)
{
    struct transfer *transfer = context;
    transfer->closed = true;
    transfer->damaged |= closed->had_error || closed->bytes_read != VOLUME || closed->bytes_written != VOLUME;
}

static const struct netbroker_socket_events transfer_events = {
    .on_data = on_transfer_data, .on_drain = on_transfer_drain, .on_close = on_transfer_close};

static void send_some(struct transfer *transfer, struct netbroker_socket *socket, unsigned char *bytes)
{
    while (transfer->ready && transfer->sent < VOLUME) {
        size_t length = VOLUME - transfer->sent < STEP ? VOLUME - transfer->sent : STEP;
        for (size_t i = 0; i < length; i++)
            bytes[i] = pattern(transfer->sent + i);
        int result = netbroker_socket_write(socket, bytes, length);
        ck_assert_int_ge(result, 0);
        transfer->ready = result == 0;
        transfer->sent += length;
        if (transfer->sent == VOLUME)
            netbroker_socket_end(socket);
    }
}

START_TEST(sixty_four_megabytes_each_way_arrive_whole)
{
    static unsigned char bytes[STEP];
    struct daemon daemon;
    struct transfer transfer = {.ready = true};
    struct netbroker_socket *socket;
    uint16_t port;
    int status;
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    pid_t echo = spawn_echo(listener);
    ck_assert_int_eq(
        netbroker_create_connection(
            daemon.session,
            &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port, .allow_half_open = true},
            &transfer_events, &transfer, &socket),
        0);
    while (!transfer.closed) {
        send_some(&transfer, socket, bytes);
        ck_assert_int_eq(daemon_turn(&daemon, DEADLINE_MS), 0);
    }
    ck_assert_uint_eq(transfer.received, VOLUME);
    ck_assert(!transfer.damaged);
    ck_assert_int_eq(waitpid(echo, &status, 0), echo);
    ck_assert_int_eq(status, 0);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

/* ---- channels ---- */

static const struct netbroker_options with_channels = {.with_channels = true};
static int channel;

static void on_channel(struct netbroker_socket *socket, void *context, int fd,
                       const struct netbroker_error *error)
{
    channel = fd;
    note(context, "channel %llu %s", (unsigned long long)netbroker_socket_id(socket),
         error ? error->code : "here");
}

/* A connection and its peer; on_connect has come. */
static struct netbroker_socket *joined(struct daemon *daemon, int *ret_listener, int *ret_peer)
{
    uint16_t port;
    daemon_start(daemon, &with_channels);
    *ret_listener = peer_listen(&port);
    struct netbroker_socket *socket =
        connect_to(daemon, &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port});
    wait_for(daemon, "connect 1");
    *ret_peer = peer_accept(*ret_listener);
    return socket;
}

static void leave(struct daemon *daemon, int listener, int peer)
{
    close(peer);
    close(listener);
    daemon_stop(daemon);
}

START_TEST(a_channel_is_the_connection)
{
    struct daemon daemon;
    int listener, peer;
    char heard[16] = "";
    struct netbroker_socket *socket = joined(&daemon, &listener, &peer);
    peer_send(peer, "first", 5);
    wait_for(&daemon, "data 1 first");
    ck_assert_int_eq(netbroker_socket_write(socket, "before ", 7), 0);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), 0);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), -EBUSY);
    ck_assert_int_eq(netbroker_socket_write(socket, "x", 1), -EBUSY);
    ck_assert_int_eq(netbroker_socket_end(socket), -EBUSY);
    ck_assert_int_eq(netbroker_socket_pause(socket), -EBUSY);
    ck_assert_int_eq(netbroker_socket_resume(socket), -EBUSY);
    wait_for(&daemon, "channel 1 here");
    ck_assert_int_eq(fcntl(channel, F_GETFD), FD_CLOEXEC);
    ck_assert_int_ne(fcntl(channel, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_uint_eq(netbroker_unflushed(daemon.session), 0);
    ck_assert_int_eq(send(channel, "after", 5, MSG_NOSIGNAL), 5);
    peer_receive(peer, heard, 12);
    ck_assert_str_eq(heard, "before after");
    peer_send(peer, "second", 6);
    shutdown(peer, SHUT_WR);
    fcntl(channel, F_SETFL, 0);
    memset(heard, 0, sizeof heard);
    ck_assert_int_eq(recv(channel, heard, sizeof heard, MSG_WAITALL), 6);
    ck_assert_str_eq(heard, "second");
    wait_for(&daemon, "end 1");
    ck_assert_int_eq(send(channel, "still", 5, MSG_NOSIGNAL), 5);
    close(channel);
    peer_receive(peer, heard, 5);
    ck_assert_int_eq(memcmp(heard, "still", 5), 0);
    peer_expect_end(peer);
    wait_for(&daemon, "close 1");
    ping(&daemon);
    expect_record(&daemon.record, "connect 1; data 1 first; channel 1 here; end 1; close 1; idle");
    leave(&daemon, listener, peer);
}
END_TEST

START_TEST(a_reset_ends_the_channel_and_is_told)
{
    struct daemon daemon;
    int listener, peer;
    char byte;
    struct linger linger = {1, 0};
    struct netbroker_socket *socket = joined(&daemon, &listener, &peer);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), 0);
    wait_for(&daemon, "channel 1 here");
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(peer);
    fcntl(channel, F_SETFL, 0);
    ck_assert_int_eq(recv(channel, &byte, 1, 0), 0);
    wait_for(&daemon, "close 1");
    close(channel);
    ping(&daemon);
    expect_record(&daemon.record, "connect 1; channel 1 here; error 1 ECONNRESET; close 1 with error; idle");
    leave(&daemon, listener, -1);
}
END_TEST

START_TEST(a_refused_channel_leaves_all_as_it_was)
{
    struct daemon daemon;
    struct netbroker_socket *socket;
    struct netbroker_connect_options options = {.host = "127.0.0.1"};
    char heard[8] = "";
    daemon_start(&daemon, &with_channels);
    int listener = peer_listen(&options.port);
    ck_assert_int_eq(
        netbroker_create_connection(daemon.session, &options, &recorded_socket, &daemon.record, &socket), 0);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), 0); /* too early */
    wait_for(&daemon, "channel 1 ERR_NB_BUSY");
    ck_assert_int_eq(channel, -1);
    wait_for(&daemon, "connect 1");
    int peer = peer_accept(listener);
    ck_assert_int_eq(netbroker_socket_write(socket, "frames", 6), 0);
    netbroker_flush(daemon.session);
    peer_receive(peer, heard, 6);
    ck_assert_str_eq(heard, "frames");
    leave(&daemon, listener, peer);
}
END_TEST

START_TEST(a_channel_that_nobody_waits_for_any_more_is_closed)
{
    struct daemon daemon;
    int listener, peer;
    struct netbroker_socket *socket = joined(&daemon, &listener, &peer);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), 0);
    ck_assert_int_eq(netbroker_socket_destroy(socket), 0);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), -EPIPE);
    wait_for(&daemon, "close 1");
    ping(&daemon);
    expect_record(&daemon.record, "connect 1; close 1; idle");
    leave(&daemon, listener, peer);
}
END_TEST

START_TEST(a_session_is_freed_with_channels_on_their_way)
{
    struct daemon daemon;
    int listener, peer;
    struct netbroker_socket *socket = joined(&daemon, &listener, &peer);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), 0);
    netbroker_flush(daemon.session);
    leave(&daemon, listener, peer);
}
END_TEST

START_TEST(a_descriptor_that_finds_no_room_is_told)
{
    struct daemon daemon;
    struct rlimit limit, none;
    int listener, peer;
    if (getenv("CK_FORK")) /* under valgrind, which keeps the limit from the kernel */
        return;
    struct netbroker_socket *socket = joined(&daemon, &listener, &peer);
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    int free_one = dup(0);
    close(free_one);
    none = (struct rlimit){(rlim_t)free_one, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    wait_for(&daemon, "channel 1 EMFILE");
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_int_eq(channel, -1);
    peer_expect_end(peer);
    leave(&daemon, listener, peer);
}
END_TEST

START_TEST(without_the_option_there_are_no_channels)
{
    struct daemon daemon;
    uint16_t port;
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    struct netbroker_socket *socket =
        connect_to(&daemon, &(struct netbroker_connect_options){.host = "127.0.0.1", .port = port});
    wait_for(&daemon, "connect 1");
    ck_assert_int_eq(netbroker_socket_channel(socket, on_channel, &daemon.record), -EOPNOTSUPP);
    leave(&daemon, listener, peer_accept(listener));
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_stream_reads_and_writes_like_a_file)
{
    struct daemon daemon;
    struct netbroker_stream *stream;
    struct netbroker_error error;
    uint16_t port;
    char heard[16] = "";
    daemon_start(&daemon, NULL);
    int listener = peer_listen(&port);
    struct netbroker_connect_options options = {.host = "127.0.0.1", .port = port};
    ck_assert_int_eq(netbroker_stream_connect(daemon.session, &options, DEADLINE_MS, &stream, &error), 0);
    int peer = peer_accept(listener);
    ck_assert_int_eq(netbroker_stream_write(stream, "question", 8, DEADLINE_MS), 0);
    peer_receive(peer, heard, 8);
    ck_assert_str_eq(heard, "question");
    ck_assert_int_eq(netbroker_stream_read(stream, heard, sizeof heard, 1), -ETIMEDOUT);
    peer_send(peer, "answer", 6);
    ck_assert_int_eq(netbroker_stream_read(stream, heard, 3, DEADLINE_MS), 3);
    ck_assert_int_eq(netbroker_stream_read(stream, heard + 3, 13, DEADLINE_MS), 3);
    ck_assert_int_eq(memcmp(heard, "answer", 6), 0);
    ck_assert_int_eq(netbroker_stream_end(stream), 0);
    ck_assert_int_eq(netbroker_stream_write(stream, "x", 1, DEADLINE_MS), -EPIPE);
    close(peer);
    ck_assert_int_eq(netbroker_stream_read(stream, heard, 3, DEADLINE_MS), 0);
    ck_assert_str_eq(netbroker_stream_error(stream)->code, "");
    netbroker_stream_free(stream);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_stream_tells_why_it_failed)
{
    struct daemon daemon;
    struct netbroker_stream *stream;
    struct netbroker_error error;
    struct linger linger = {1, 0};
    uint16_t port;
    char byte;
    daemon_start(&daemon, NULL);
    int reserved = closed_port(&port);
    struct netbroker_connect_options options = {.host = "127.0.0.1", .port = port};
    ck_assert_int_eq(netbroker_stream_connect(daemon.session, &options, DEADLINE_MS, &stream, &error),
                     -EREMOTEIO);
    ck_assert_str_eq(error.code, "ECONNREFUSED");
    int listener = peer_listen(&options.port);
    ck_assert_int_eq(netbroker_stream_connect(daemon.session, &options, DEADLINE_MS, &stream, &error), 0);
    int peer = peer_accept(listener);
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(peer);
    ck_assert_int_eq(netbroker_stream_read(stream, &byte, 1, DEADLINE_MS), -EREMOTEIO);
    ck_assert_str_eq(netbroker_stream_error(stream)->code, "ECONNRESET");
    netbroker_stream_free(stream);
    close(reserved);
    close(listener);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(a_listener_accepts_one_after_the_other)
{
    struct daemon daemon;
    struct netbroker_listener *listener, *second;
    struct netbroker_stream *streams[3];
    struct netbroker_error error;
    int peers[3];
    char heard[8] = "";
    struct netbroker_listen_options where = {.host = "127.0.0.1"};
    daemon_start(&daemon, NULL);
    ck_assert_int_eq(netbroker_listener_open(daemon.session, NULL, &where, DEADLINE_MS, &listener, &error),
                     0);
    where.port = netbroker_listener_address(listener)->port;
    ck_assert_int_eq(netbroker_listener_open(daemon.session, NULL, &where, DEADLINE_MS, &second, &error),
                     -EREMOTEIO);
    ck_assert_str_eq(error.code, "EADDRINUSE");
    ck_assert_int_eq(netbroker_listener_accept(listener, 1, &streams[0]), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        peers[i] = peer_connect(where.port);
        if (i < 2)
            peer_send(peers[i], "ask", 3);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(netbroker_listener_accept(listener, DEADLINE_MS, &streams[i]), 0);
        ck_assert_int_eq(netbroker_stream_read(streams[i], heard, sizeof heard, DEADLINE_MS), 3);
        ck_assert_int_eq(netbroker_stream_write(streams[i], "answer", 6, DEADLINE_MS), 0);
    }
    peer_receive(peers[0], heard, 6);
    peer_receive(peers[1], heard, 6);
    /* The third one waits; it goes with the listener. */
    ping(&daemon);
    netbroker_listener_free(listener);
    ping(&daemon);
    peer_expect_end(peers[2]);
    for (int i = 0; i < 3; i++)
        close(peers[i]);
    ck_assert_int_eq(netbroker_stream_read(streams[1], heard, sizeof heard, DEADLINE_MS), 0);
    for (int i = 0; i < 2; i++)
        netbroker_stream_free(streams[i]);
    daemon_stop(&daemon);
}
END_TEST

START_TEST(what_waits_is_told_that_the_broker_is_gone)
{
    struct daemon daemon;
    struct netbroker_listener *listener;
    struct netbroker_stream *stream, *accepted, *third;
    struct netbroker_listen_options where = {.host = "127.0.0.1"};
    char byte;
    daemon_start(&daemon, NULL);
    ck_assert_int_eq(netbroker_listener_open(daemon.session, NULL, &where, DEADLINE_MS, &listener, NULL), 0);
    struct netbroker_connect_options options = {.host = "127.0.0.1",
                                                .port = netbroker_listener_address(listener)->port};
    ck_assert_int_eq(netbroker_stream_connect(daemon.session, &options, DEADLINE_MS, &stream, NULL), 0);
    ck_assert_int_eq(netbroker_listener_accept(listener, DEADLINE_MS, &accepted), 0);
    daemon_kill(&daemon);
    ck_assert_int_eq(netbroker_stream_read(stream, &byte, 1, DEADLINE_MS), -EREMOTEIO);
    ck_assert_str_eq(netbroker_stream_error(stream)->code, "ECONNRESET");
    ck_assert_int_eq(netbroker_stream_write(accepted, "x", 1, DEADLINE_MS), -EREMOTEIO);
    ck_assert_int_eq(netbroker_listener_accept(listener, DEADLINE_MS, &third), -EREMOTEIO);
    ck_assert_str_eq(netbroker_listener_error(listener)->code, "ECONNRESET");
    ck_assert_int_lt(netbroker_stream_connect(daemon.session, &options, DEADLINE_MS, &third, NULL), 0);
    netbroker_stream_free(stream);
    netbroker_stream_free(accepted);
    netbroker_listener_free(listener);
    daemon_bury(&daemon);
}
END_TEST

/* ---- the broker itself ---- */

START_TEST(a_broker_that_is_not_there_is_an_errno)
{
    struct netbroker_session *session;
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    unsetenv("NETBROKER_SOCKET");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(netbroker_connect(NULL, NULL, &session), -EDESTADDRREQ);
    char path[100] = "untouched";
    ck_assert_int_eq(netbroker_find_path(NULL, path, sizeof path), -EDESTADDRREQ);
    setenv("XDG_RUNTIME_DIR", "/run/me", 1);
    ck_assert_int_eq(netbroker_find_path(NULL, path, sizeof path), 0);
    ck_assert_str_eq(path, "/run/me/netbroker.sock");
    ck_assert_int_eq(netbroker_find_path("/given", path, sizeof path), 0);
    ck_assert_str_eq(path, "/given");
    ck_assert_int_eq(netbroker_find_path("/given", path, 6), -ENAMETOOLONG);
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(netbroker_connect("", NULL, &session), -EDESTADDRREQ);
    ck_assert_int_eq(netbroker_connect("/nonexistent/nb.sock", NULL, &session), -ENOENT);
    ck_assert_int_eq(netbroker_connect(long_path, NULL, &session), -ENAMETOOLONG);
    setenv("NETBROKER_SOCKET", "/nonexistent/nb.sock", 1);
    ck_assert_int_eq(netbroker_connect(NULL, NULL, &session), -ENOENT);
}
END_TEST

START_TEST(a_full_backlog_is_waited_for_and_no_longer)
{
    char directory[] = "/tmp/netbroker-test-XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct netbroker_session *sessions[8] = {NULL};
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/deaf", directory);
    int deaf = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result = 0, count = 0;
    ck_assert_int_eq(bind(deaf, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(deaf, 1), 0);
    while (count < 8 && result == 0) {
        result = netbroker_connect(address.sun_path, &(struct netbroker_options){.connect_timeout = 20},
                                   &sessions[count]);
        count += result == 0;
    }
    ck_assert_int_eq(result, -EAGAIN);
    while (count-- > 0)
        netbroker_free(sessions[count]);
    close(deaf);
    unlink(address.sun_path);
    rmdir(directory);
}
END_TEST

START_TEST(a_broker_that_goes_says_so_first)
{
    struct daemon daemon;
    uint16_t port;
    int result = 0, status;
    daemon_start(&daemon, NULL);
    listen_here(&daemon, NULL, &port);
    kill(daemon.pid, SIGTERM);
    wait_for(&daemon, "closing");
    while (result == 0)
        result = daemon_turn(&daemon, DEADLINE_MS);
    ck_assert_int_eq(result, -ECONNRESET);
    ck_assert_ptr_nonnull(strstr(daemon.record.text, "session fatal"));
    ck_assert_ptr_nonnull(strstr(daemon.record.text, "server close"));
    ck_assert_int_eq(waitpid(daemon.pid, &status, 0), daemon.pid);
    daemon_bury(&daemon);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {both_sides_end_one_after_the_other,
                                  the_peer_may_end_first,
                                  failures_to_connect_are_told_once,
                                  an_idle_socket_times_out_and_lives,
                                  a_reset_reaches_the_peer,
                                  a_server_takes_drops_and_closes,
                                  what_a_block_list_keeps_out,
                                  a_port_in_use_is_an_error_and_the_server_lives,
                                  closing_a_server_that_never_listened_is_no_error,
                                  a_unix_server_knows_its_peer,
                                  unflushed_is_what_the_peer_does_not_read,
                                  peers_that_do_not_read_hold_up_nobody_else,
                                  after_the_fence_a_paused_socket_is_silent,
                                  a_program_that_is_stuck_gets_no_more_than_its_window,
                                  a_channel_is_the_connection,
                                  a_reset_ends_the_channel_and_is_told,
                                  a_refused_channel_leaves_all_as_it_was,
                                  a_channel_that_nobody_waits_for_any_more_is_closed,
                                  a_session_is_freed_with_channels_on_their_way,
                                  a_descriptor_that_finds_no_room_is_told,
                                  without_the_option_there_are_no_channels,
                                  a_listener_accepts_one_after_the_other,
                                  what_waits_is_told_that_the_broker_is_gone,
                                  sixty_four_megabytes_each_way_arrive_whole,
                                  a_stream_reads_and_writes_like_a_file,
                                  a_stream_tells_why_it_failed,
                                  a_broker_that_is_not_there_is_an_errno,
                                  a_full_backlog_is_waited_for_and_no_longer,
                                  a_broker_that_goes_says_so_first,
                                  NULL};
    return run_suite("client/live", tests);
}
