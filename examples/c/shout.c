/*
 * Sends back what it is told in upper case, to any number of peers at once.
 * Prints the port that the system chose.
 *
 *   shout [PORT]
 */
#include "session.h"

#include <ctype.h>
#include <poll.h>

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    char loud[4096];
    (void)context;
    while (length > 0) {
        size_t part = length < sizeof loud ? length : sizeof loud;
        for (size_t i = 0; i < part; i++)
            loud[i] = (char)toupper(from[i]);
        /* 1: enough is waiting. Until on_drain the peer is not read. */
        if (netbroker_socket_write(socket, loud, part) == 1)
            netbroker_socket_pause(socket);
        from += part;
        length -= part;
    }
}

static void on_drain(struct netbroker_socket *socket, void *context)
{
    (void)context;
    netbroker_socket_resume(socket);
}

/* allow_half_open is not set: when the peer ends, so does this side, after all that was written. */
static const struct netbroker_socket_events socket_events = {.on_data = on_data, .on_drain = on_drain};

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    (void)server;
    (void)context;
    netbroker_socket_set_events(socket, &socket_events, NULL);
}

static void on_listening(struct netbroker_server *server, void *context,
                         const struct netbroker_address *address)
{
    (void)server;
    (void)context;
    printf("%u\n", address->port);
    fflush(stdout);
}

static const struct netbroker_server_events server_events = {
    .on_connection = on_connection, .on_listening = on_listening, .on_error = print_error};

/* Any loop will do that can wait for a descriptor. This is the shortest. */
static int serve(struct netbroker_session *session, const int *status)
{
    int result = 0;
    while (result == 0 && *status == EXIT_SUCCESS) {
        struct pollfd ready = {.fd = netbroker_fd(session), .events = netbroker_events(session)};
        if (poll(&ready, 1, -1) > 0)
            result = netbroker_dispatch(session);
    }
    return result;
}

int main(int argc, char **argv)
{
    struct netbroker_session *session = open_session(NULL);
    struct netbroker_server *server;
    int status = EXIT_SUCCESS;
    if (!session)
        return EXIT_FAILURE;
    struct netbroker_listen_options here = {.host = "127.0.0.1"};
    if (argc > 1)
        here.port = (uint16_t)atoi(argv[1]);
    int result = netbroker_create_server(session, NULL, &server_events, &status, &server);
    if (result == 0)
        result = netbroker_server_listen(server, &here);
    if (result == 0)
        result = serve(session, &status);
    if (result < 0)
        fprintf(stderr, "shout: %s\n", strerror(-result));
    netbroker_free(session);
    return result < 0 ? EXIT_FAILURE : status;
}
