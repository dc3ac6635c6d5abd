/*
 * An echo server whose sockets a broker owns: 127.0.0.1:$PORT, through the broker at $NETBROKER_SOCKET.
 * It keeps nothing per connection: which of two tables a socket's events go to says whether it is paused.
 */
#include "netbroker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct netbroker_socket_events flowing, stopped;

static int send_back(struct netbroker_socket *socket, const void *bytes, size_t length)
{
    int result = netbroker_socket_write(socket, bytes, length);
    if (result < 0)
        netbroker_socket_destroy(socket);
    return result;
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    if (send_back(socket, bytes, length) == 1) {
        netbroker_socket_pause(socket);
        netbroker_socket_set_events(socket, &stopped, NULL);
    }
}

/* What was on its way before the pause. */
static void on_late_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    send_back(socket, bytes, length);
}

static void on_drain(struct netbroker_socket *socket, void *context)
{
    netbroker_socket_resume(socket);
    netbroker_socket_set_events(socket, &flowing, NULL);
}

static void on_end(struct netbroker_socket *socket, void *context)
{
    netbroker_socket_end(socket);
}

static const struct netbroker_socket_events flowing = {.on_data = on_data, .on_end = on_end};
static const struct netbroker_socket_events stopped = {
    .on_data = on_late_data, .on_drain = on_drain, .on_end = on_end};

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    netbroker_socket_set_events(socket, &flowing, NULL);
}

static void on_error(struct netbroker_server *server, void *context, const struct netbroker_error *error)
{
    fprintf(stderr, "echo-c: %s\n", error->message);
    exit(1);
}

static const struct netbroker_server_events server_events = {.on_connection = on_connection,
                                                             .on_error = on_error};

static int serve(struct netbroker_session *session)
{
    for (;;) {
        struct pollfd ready = {.fd = netbroker_fd(session), .events = netbroker_events(session)};
        if (poll(&ready, 1, -1) < 0)
            continue;
        int result = netbroker_dispatch(session);
        if (result < 0)
            return result;
    }
}

int main(void)
{
    struct netbroker_session *session;
    struct netbroker_server *server;
    const char *port = getenv("PORT");
    int result = netbroker_connect(NULL, NULL, &session);
    if (result == 0)
        result = netbroker_create_server(
            session, &(struct netbroker_server_options){.allow_half_open = true, .no_delay = true},
            &server_events, NULL, &server);
    if (result == 0)
        result = netbroker_server_listen(
            server, &(struct netbroker_listen_options){
                        .host = "127.0.0.1", .port = (uint16_t)(port ? atoi(port) : 0), .backlog = 4096});
    if (result == 0)
        result = serve(session);
    fprintf(stderr, "echo-c: %s\n", strerror(-result));
    return 1;
}
