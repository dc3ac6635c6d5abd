/*
 * Sends back what it is told, to any number of peers at once.
 *
 *   echo_server PORT|PATH     (port 0: any; NETBROKER_SOCKET names the broker)
 */
#include "session.h"

#include <ctype.h>

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    (void)context;
    /* 1: enough is waiting. Until on_drain the peer is not read. */
    if (netbroker_socket_write(socket, bytes, length) == 1)
        netbroker_socket_pause(socket);
}

static void on_drain(struct netbroker_socket *socket, void *context)
{
    (void)context;
    netbroker_socket_resume(socket);
}

/* When the peer ends, so does this side, after all that was written. */
static const struct netbroker_socket_events echo = {.on_data = on_data, .on_drain = on_drain};

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    (void)server;
    (void)context;
    netbroker_socket_set_events(socket, &echo, NULL);
}

static const struct netbroker_server_events server_events = {
    .on_connection = on_connection, .on_listening = print_address, .on_error = print_error};

int main(int argc, char **argv)
{
    struct netbroker_session *session;
    struct netbroker_server *server;
    int status = EXIT_SUCCESS;
    if (argc != 2) {
        fprintf(stderr, "usage: echo_server PORT|PATH\n");
        return EXIT_FAILURE;
    }
    if (!(session = open_session(NULL)))
        return EXIT_FAILURE;
    struct netbroker_listen_options where = {.host = "127.0.0.1"};
    if (isdigit((unsigned char)argv[1][0]))
        where.port = (uint16_t)atoi(argv[1]);
    else
        where.path = argv[1];
    if (netbroker_create_server(session, NULL, &server_events, &status, &server) == 0 &&
        netbroker_server_listen(server, &where) == 0)
        status = run_session(session, &status);
    netbroker_free(session);
    return status;
}
