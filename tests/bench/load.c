/*
 * Loads an echo server on 127.0.0.1:PORT and checks every byte that comes back.
 *
 *   load MODE PORT CONNECTIONS SIZE SECONDS
 *
 *   pingpong  each connection sends SIZE bytes, waits for them, again
 *   stream    each sends without waiting, then ends and waits for the rest
 *   churn     connect, one round trip, close, again
 *   hold      opens all, a round trip on each, then waits for standard input to end
 *
 * What a connection sends is a stretch of one long table of random bytes that
 * starts elsewhere for each, so a byte that is lost, doubled, moved or another
 * connection's is seen. Prints one line of JSON; status 0 only without a fault.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    TABLE = 1048573, /* a prime: no buffer size divides it */
    BUFFER = 128 * 1024,
    EVENTS = 256,
    LATENCIES = 1 << 20,
    STALL_SECONDS = 10,
    ADDRESSES = 64, /* source addresses 127.0.0.1 and up: each has only some 28000 ports */
};

enum mode { PINGPONG, STREAM, CHURN, HOLD };

struct connection {
    int fd; /* -1: closed */
    uint32_t start; /* in the table */
    uint64_t sent, received;
    uint64_t goal; /* bytes to be sent so far */
    double asked; /* when the round trip began */
    bool has_ended;
};

static unsigned char table[TABLE + BUFFER];
static struct connection *connections;
static int epoll_fd, open_count;
static enum mode mode;
static size_t size;
static double deadline, last_progress;
static struct sockaddr_in server;
static uint64_t round_trips, bytes, faults;
static float latencies[LATENCIES];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fault(const char *what)
{
    if (!faults++)
        fprintf(stderr, "load: %s\n", what);
}

static void fill_table(void)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < TABLE; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        table[i] = (unsigned char)state;
    }
    memcpy(table + TABLE, table, BUFFER);
}

static const unsigned char *expected(const struct connection *connection, uint64_t offset)
{
    return table + (connection->start + offset) % TABLE;
}

static void open_connection(struct connection *connection)
{
    static uint32_t opened;
    int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK + opened % ADDRESSES)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    *connection = (struct connection){.start = opened++ * 7919u % TABLE, .goal = size};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (mode == CHURN || mode == HOLD)
        bind(connection->fd, (struct sockaddr *)&source, sizeof source);
    if (connect(connection->fd, (struct sockaddr *)&server, sizeof server) < 0) {
        perror("load: connect");
        exit(1);
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
    connection->asked = now();
    open_count++;
}

static void close_connection(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    open_count--;
}

static void watch(struct connection *connection, bool writes)
{
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static bool is_over(void)
{
    return now() >= deadline;
}

/* Sends up to the goal; a stream's goal moves on until the time is up. */
static void send_some(struct connection *connection)
{
    for (;;) {
        if (mode == STREAM && !is_over())
            connection->goal = connection->sent + BUFFER;
        uint64_t due = connection->goal - connection->sent;
        if (!due)
            break;
        ssize_t sent = send(connection->fd, expected(connection, connection->sent),
                            due < BUFFER ? due : BUFFER, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            watch(connection, true);
            return;
        }
        if (sent < 0) {
            fault("the server broke a connection");
            close_connection(connection);
            return;
        }
        connection->sent += (uint64_t)sent;
    }
    watch(connection, false);
    if (mode == STREAM && !connection->has_ended) {
        connection->has_ended = true;
        shutdown(connection->fd, SHUT_WR);
    }
}

static void finish_round_trip(struct connection *connection)
{
    double time = now();
    if (round_trips < LATENCIES)
        latencies[round_trips] = (float)((time - connection->asked) * 1e6);
    round_trips++;
    if (mode == CHURN) {
        close_connection(connection);
        if (time < deadline) {
            open_connection(connection);
            send_some(connection);
        }
    } else if (mode == PINGPONG && time < deadline) {
        connection->asked = time;
        connection->goal += size;
        send_some(connection);
    } else if (mode == PINGPONG) {
        close_connection(connection);
    }
}

static void receive_some(struct connection *connection)
{
    static unsigned char buffer[BUFFER];
    ssize_t length = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        if (length < 0 || !connection->has_ended || connection->received != connection->sent)
            fault(length < 0 ? "a connection was reset" : "a connection ended early: bytes are lost");
        close_connection(connection);
        return;
    }
    if (connection->received + (uint64_t)length > connection->sent)
        fault("more came back than was sent");
    else if (memcmp(buffer, expected(connection, connection->received), (size_t)length) != 0)
        fault("other bytes came back than were sent");
    connection->received += (uint64_t)length;
    bytes += (uint64_t)length;
    last_progress = now();
    if (mode != STREAM && connection->received == connection->goal)
        finish_round_trip(connection);
}

static void run(int count)
{
    struct epoll_event events[EVENTS];
    bool holds = false;
    while (open_count && !faults && !holds) {
        int ready = epoll_wait(epoll_fd, events, EVENTS, 1000);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->fd >= 0 && (events[i].events & EPOLLOUT))
                send_some(connection);
            if (connection->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                receive_some(connection);
        }
        if (now() - last_progress > STALL_SECONDS)
            fault("nothing comes back any more");
        holds = mode == HOLD && round_trips == (uint64_t)count;
    }
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void report(double seconds)
{
    struct rusage usage;
    size_t count = round_trips < LATENCIES ? round_trips : LATENCIES;
    getrusage(RUSAGE_SELF, &usage);
    qsort(latencies, count, sizeof *latencies, compare_floats);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"seconds\": %.4f, \"round_trips\": %llu, \"bytes\": %llu, \"faults\": %llu, \"cpu_seconds\": "
           "%.4f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           seconds, (unsigned long long)round_trips, (unsigned long long)bytes, (unsigned long long)faults,
           cpu, count ? latencies[count / 2] : 0, count ? latencies[count * 99 / 100] : 0);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"pingpong", "stream", "churn", "hold"};
    if (argc != 6) {
        fprintf(stderr, "usage: load pingpong|stream|churn|hold PORT CONNECTIONS SIZE SECONDS\n");
        return 2;
    }
    while (mode < HOLD && strcmp(argv[1], modes[mode]) != 0)
        mode++;
    int count = atoi(argv[3]);
    size = (size_t)atol(argv[4]);
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    fill_table();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)count, sizeof *connections);
    double start = last_progress = now();
    deadline = start + atof(argv[5]);
    for (int i = 0; i < count; i++) {
        open_connection(&connections[i]);
        send_some(&connections[i]);
    }
    run(count);
    report(now() - start);
    fflush(stdout);
    if (mode == HOLD && !faults)
        while (getchar() != EOF)
            continue;
    return faults != 0;
}
