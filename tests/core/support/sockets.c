#include "sockets.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
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

ssize_t send_with_fds(int socket, const void *data, size_t length, const int *fds, unsigned count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(300 * sizeof(int))] = {0};
    struct iovec vector = {(void *)(uintptr_t)data, length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof *fds)};
        memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    }
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

bool is_same_socket(int one, int other)
{
    uint64_t cookies[2] = {1, 2};
    socklen_t length = sizeof *cookies;
    ck_assert_int_eq(getsockopt(one, SOL_SOCKET, SO_COOKIE, &cookies[0], &length), 0);
    ck_assert_int_eq(getsockopt(other, SOL_SOCKET, SO_COOKIE, &cookies[1], &length), 0);
    return cookies[0] == cookies[1];
}
