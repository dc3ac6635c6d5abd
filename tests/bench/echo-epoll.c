/* The floor: an echo server on 127.0.0.1:$PORT with nothing between it and the system. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, EVENTS = 256, BACKLOG = 4096 };

/* A connection with bytes to send is not read until they are out. */
struct connection {
    int fd;
    size_t start, end; /* of what is left in rest */
    char *rest; /* allocated the first time something is left */
};

static int epoll_fd;

static void watch(struct connection *connection, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(epoll_fd, operation, connection->fd, &event);
}

static void drop(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

static int listen_on(const char *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0) {
        perror("echo-epoll");
        exit(1);
    }
    return fd;
}

static void accept_all(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
            exit(1);
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void keep_rest(struct connection *connection, const char *data, size_t length)
{
    if (!connection->rest && !(connection->rest = malloc(READ_SIZE)))
        exit(1);
    memcpy(connection->rest, data, length);
    connection->start = 0;
    connection->end = length;
    watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void echo(struct connection *connection)
{
    static char buffer[READ_SIZE];
    ssize_t length = recv(connection->fd, buffer, sizeof buffer, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        drop(connection);
        return;
    }
    ssize_t sent = send(connection->fd, buffer, (size_t)length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        drop(connection);
    else if (sent < length)
        keep_rest(connection, buffer + (sent > 0 ? sent : 0), (size_t)(length - (sent > 0 ? sent : 0)));
}

static void send_rest(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->rest + connection->start,
                        connection->end - connection->start, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        drop(connection);
        return;
    }
    connection->start += sent > 0 ? (size_t)sent : 0;
    if (connection->start == connection->end)
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

int main(void)
{
    struct epoll_event events[EVENTS];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const char *port = getenv("PORT");
    int listener = listen_on(port ? port : "0");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection)
                accept_all(listener);
            else if (events[i].events & EPOLLOUT)
                send_rest(connection);
            else
                echo(connection);
        }
    }
}
