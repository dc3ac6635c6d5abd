/*
 * Stores 1.5 million bytes in Redis and reads them back, from a loop of its own:
 *
 *   redis epoll|uv|glib client PORT
 *
 * Its last line is `ok`, or it has failed.
 */
#include <netbroker.h>
#include <netbroker/epoll.h>
#include <netbroker/glib.h>
#include <netbroker/uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 1500000, ROOM = SIZE + 256 };

static struct {
    char payload[SIZE], answer[ROOM], expected[ROOM];
    size_t length, expected_length;
    bool is_over, is_right;
} talk;

static void fail(const char *what)
{
    fprintf(stderr, "redis: %s\n", what);
    exit(EXIT_FAILURE);
}

/* Every four bytes are a number of their own: lost, doubled and swapped ones all show. */
static void make_payload(void)
{
    for (uint32_t i = 0; i < SIZE / 4; i++) {
        uint32_t word = i * 2654435761u;
        memcpy(talk.payload + 4 * (size_t)i, &word, 4);
    }
    size_t length = (size_t)sprintf(talk.expected, "+OK\r\n$%d\r\n", SIZE);
    memcpy(talk.expected + length, talk.payload, SIZE);
    length += SIZE;
    talk.expected_length = length + (size_t)sprintf(talk.expected + length, "\r\n:1\r\n+OK\r\n");
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    if (length > ROOM - talk.length)
        fail("more than was asked for");
    memcpy(talk.answer + talk.length, bytes, length);
    talk.length += length;
}

static void on_error(struct netbroker_socket *socket, void *context, const struct netbroker_error *error)
{
    fail(error->message);
}

/* Freeing the session ends the loop. */
static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    talk.is_right = talk.length == talk.expected_length && !memcmp(talk.answer, talk.expected, talk.length);
    talk.is_over = true;
    netbroker_free(netbroker_socket_session(socket));
}

static const struct netbroker_socket_events events = {
    .on_data = on_data, .on_error = on_error, .on_close = on_close};

static void begin(struct netbroker_session *session, const char *port)
{
    struct netbroker_connect_options where = {.host = "127.0.0.1", .port = (uint16_t)atoi(port)};
    struct netbroker_socket *socket;
    char head[64];
    if (netbroker_create_connection(session, &where, &events, NULL, &socket) < 0)
        fail("cannot connect");
    int length = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$%d\r\n", SIZE);
    static const char rest[] = "\r\nGET c\r\nDEL c\r\nQUIT\r\n";
    if (netbroker_socket_write(socket, head, (size_t)length) < 0 ||
        netbroker_socket_write(socket, talk.payload, SIZE) < 0 ||
        netbroker_socket_write(socket, rest, strlen(rest)) < 0)
        fail("cannot write");
}

static void run_epoll(struct netbroker_session *session)
{
    struct netbroker_epoll watch;
    int epoll = epoll_create1(EPOLL_CLOEXEC), result = netbroker_epoll_add(&watch, epoll, session);
    while (result == 0) {
        struct epoll_event event;
        int count = epoll_wait(epoll, &event, 1, netbroker_epoll_prepare(&watch, -1));
        if (count >= 0)
            result = netbroker_epoll_dispatch(&watch);
    }
    close(epoll);
}

static void on_uv_end(struct netbroker_uv *watch, void *context, int result)
{
    netbroker_uv_close(watch, NULL);
}

static void run_uv(struct netbroker_session *session)
{
    struct netbroker_uv watch;
    uv_loop_t loop;
    if (uv_loop_init(&loop) < 0 || netbroker_uv_start(&watch, &loop, session, on_uv_end, NULL) < 0)
        fail("no loop");
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static void on_glib_end(struct netbroker_session *session, int result, void *loop)
{
    g_main_loop_quit((GMainLoop *)loop);
}

static void run_glib(struct netbroker_session *session)
{
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GSource *source = netbroker_glib_source_new(session);
    g_source_set_callback(source, G_SOURCE_FUNC(on_glib_end), loop, NULL);
    g_source_attach(source, NULL);
    g_source_unref(source);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
}

static const struct {
    const char *name;
    void (*run)(struct netbroker_session *session);
} loops[] = {{"epoll", run_epoll}, {"uv", run_uv}, {"glib", run_glib}};

int main(int argc, char **argv)
{
    struct netbroker_session *session;
    if (argc != 4)
        fail("usage: redis epoll|uv|glib client PORT");
    make_payload();
    if (netbroker_connect(NULL, NULL, &session) < 0)
        fail("no broker");
    begin(session, argv[3]);
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        if (!strcmp(loops[i].name, argv[1]))
            loops[i].run(session);
    if (!talk.is_over || !talk.is_right)
        fail("not what was stored");
    puts("ok");
}
