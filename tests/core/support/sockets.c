#include "sockets.h"

#include <check.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOON = 10000 }; /* ms */

int tcp_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

int listen_on_loopback(struct sockaddr_in *ret_address)
{
    int fd = tcp_socket();
    socklen_t length = sizeof *ret_address;
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)ret_address, length), 0);
    ck_assert_int_eq(listen(fd, 512), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret_address, &length), 0);
    return fd;
}

int is_ready(int fd, short events, int milliseconds)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    return poll(&wanted, 1, milliseconds) > 0;
}

int accept_soon(int listener)
{
    ck_assert(is_ready(listener, POLLIN, SOON));
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

void tcp_pair(int ret_ends[2])
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    ret_ends[0] = tcp_socket();
    (void)!connect(ret_ends[0], (struct sockaddr *)&address, sizeof address);
    ret_ends[1] = accept_soon(listener);
    ck_assert(is_ready(ret_ends[0], POLLOUT, SOON));
    close(listener);
}

void unix_pair(int ret_ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_ends), 0);
}
