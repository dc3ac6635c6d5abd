#include "peer.h"

#include "turns.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f};

static int open_socket(int domain)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static int listen_on(int fd, const void *address, socklen_t length)
{
    ck_assert_int_eq(bind(fd, address, length), 0);
    ck_assert_int_eq(listen(fd, 128), 0);
    return fd;
}

int peer_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = loopback;
    socklen_t length = sizeof address;
    int fd = listen_on(open_socket(AF_INET), &address, sizeof address);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int peer_listen_at(const char *path)
{
    struct sockaddr_un address = address_of(path);
    return listen_on(open_socket(AF_UNIX), &address, sizeof address);
}

int peer_accept(struct nb_loop *loop, int listener)
{
    turn_until_ready(loop, listener, POLLIN);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int connect_to(int fd, const void *address, socklen_t length)
{
    ck_assert(connect(fd, address, length) == 0 || errno == EINPROGRESS);
    return fd;
}

int peer_connect(uint16_t port)
{
    struct sockaddr_in address = loopback;
    address.sin_port = htons(port);
    return connect_to(open_socket(AF_INET), &address, sizeof address);
}

int peer_connect_to(const char *path)
{
    struct sockaddr_un address = address_of(path);
    return connect_to(open_socket(AF_UNIX), &address, sizeof address);
}

void peer_send(struct nb_loop *loop, int fd, const void *data, size_t length)
{
    for (const char *at = data; length;) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0) {
            ck_assert_msg(errno == EAGAIN, "send: %s", strerror(errno));
            turn_until_ready(loop, fd, POLLOUT);
            continue;
        }
        at += sent;
        length -= (size_t)sent;
    }
}

/* As recv, once there is something. */
static ssize_t receive(struct nb_loop *loop, int fd, void *data, size_t length)
{
    for (;;) {
        ssize_t got = recv(fd, data, length, 0);
        if (got >= 0 || errno != EAGAIN)
            return got;
        turn_until_ready(loop, fd, POLLIN);
    }
}

void peer_read(struct nb_loop *loop, int fd, void *ret_data, size_t length)
{
    for (char *at = ret_data; length;) {
        ssize_t got = receive(loop, fd, at, length);
        ck_assert_msg(got > 0, "%zu bytes are missing", length);
        at += got;
        length -= (size_t)got;
    }
}

void peer_expect(struct nb_loop *loop, int fd, const char *text)
{
    char data[256];
    size_t length = strlen(text);
    ck_assert_uint_lt(length, sizeof data);
    peer_read(loop, fd, data, length);
    data[length] = '\0';
    ck_assert_str_eq(data, text);
}

void peer_expect_end(struct nb_loop *loop, int fd)
{
    char byte;
    ck_assert_int_eq(receive(loop, fd, &byte, 1), 0);
}

void peer_expect_reset(struct nb_loop *loop, int fd)
{
    char byte;
    ck_assert_int_eq(receive(loop, fd, &byte, 1), -1);
    ck_assert_int_eq(errno, ECONNRESET);
}

void peer_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}
