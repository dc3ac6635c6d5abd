/* netbroker listen: takes connections, one at a time joined to stdin and stdout. */
#include "command.h"
#include "json.h"
#include "relay.h"

#include <stdlib.h>

/* A connection whose turn has not come; paused since it was accepted. */
struct waiting {
    struct netbroker_socket *socket; /* NULL: it closed while it waited */
    struct waiting *next;
};

struct listener {
    const struct nb_cli_options *options;
    struct netbroker_server *server; /* NULL: closed */
    struct nb_cli_relay relay;
    struct waiting *first, **last;
    bool had_one;
    int status;
};

/* ---- waiting in line ---- */

static void on_waiting_close(struct netbroker_socket *socket, void *context,
                             const struct netbroker_closed *closed)
{
    ((struct waiting *)context)->socket = NULL;
}

static const struct netbroker_socket_events waiting_events = {.on_close = on_waiting_close};

static void enqueue(struct listener *listener, struct netbroker_socket *socket)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) {
        netbroker_socket_destroy(socket);
        return;
    }
    *waiting = (struct waiting){.socket = socket};
    netbroker_socket_set_events(socket, &waiting_events, waiting);
    *listener->last = waiting;
    listener->last = &waiting->next;
}

/* The next that is still there, or NULL. */
static struct netbroker_socket *dequeue(struct listener *listener)
{
    struct netbroker_socket *socket = NULL;
    while (listener->first && !socket) {
        struct waiting *waiting = listener->first;
        socket = waiting->socket;
        listener->first = waiting->next;
        free(waiting);
    }
    if (!listener->first)
        listener->last = &listener->first;
    return socket;
}

static void forget_waiting(struct listener *listener)
{
    for (struct waiting *waiting = listener->first, *next; waiting; waiting = next) {
        next = waiting->next;
        free(waiting);
    }
}

/* ---- the server ---- */

static void serve(struct listener *listener, struct netbroker_socket *socket)
{
    nb_cli_relay_join(&listener->relay, socket);
    netbroker_socket_resume(socket);
}

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    struct listener *listener = context;
    bool is_second = listener->had_one && !listener->options->keep_open;
    const struct netbroker_endpoint *peer = &netbroker_socket_endpoints(socket)->remote;
    if (listener->options->verbose && peer->family)
        fprintf(stderr, "connection from %s port %u\n", peer->address, peer->port);
    listener->had_one = true;
    if (!listener->options->keep_open)
        netbroker_server_close(server);
    if (is_second)
        netbroker_socket_destroy(socket);
    else if (nb_cli_relay_is_done(&listener->relay))
        serve(listener, socket);
    else
        enqueue(listener, socket);
}

static void announce_json(const struct netbroker_address *address)
{
    json_t *place = address->path[0]
                        ? json_pack("{s:s}", "path", address->path)
                        : json_pack("{s:s, s:s, s:i}", "address", address->address, "family",
                                    address->family == 6 ? "IPv6" : "IPv4", "port", (int)address->port);
    /* NULL for a path that is no UTF-8. */
    json_t *object = json_pack("{s:o}", "listening", place ? place : json_null());
    nb_cli_print_json(stderr, object, false);
    json_decref(object);
}

static void announce(const struct nb_cli_options *options, const struct netbroker_address *address)
{
    if (options->json)
        announce_json(address);
    else if (address->path[0])
        fprintf(stderr, "listening on %s\n", address->path);
    else
        fprintf(stderr, "listening on %s port %u\n", address->address, address->port);
}

static void on_listening(struct netbroker_server *server, void *context,
                         const struct netbroker_address *address)
{
    announce(((struct listener *)context)->options, address);
}

static void on_error(struct netbroker_server *server, void *context, const struct netbroker_error *error)
{
    struct listener *listener = context;
    if (error->fatal)
        return;
    listener->status = nb_cli_report(listener->options, error);
    netbroker_server_close(server);
}

static void on_close(struct netbroker_server *server, void *context)
{
    ((struct listener *)context)->server = NULL;
}

static const struct netbroker_server_events server_events = {
    .on_listening = on_listening,
    .on_connection = on_connection,
    .on_error = on_error,
    .on_close = on_close,
};

static int start(struct listener *listener, struct netbroker_session *session,
                 const struct nb_cli_place *place)
{
    struct netbroker_server_options server = {.allow_half_open = true, .pause_on_connect = true};
    struct netbroker_listen_options listen = {
        .path = place->path, .host = place->host[0] ? place->host : NULL, .port = place->port};
    int result = netbroker_create_server(session, &server, &server_events, listener, &listener->server);
    if (result == 0)
        result = netbroker_server_listen(listener->server, &listen);
    return result < 0 ? nb_cli_lost(result) : NB_CLI_OK;
}

/* ---- running ---- */

static int relay_all(struct listener *listener, struct netbroker_session *session)
{
    while (listener->server || !nb_cli_relay_is_done(&listener->relay)) {
        int result = nb_cli_relay_turn(&listener->relay, session);
        if (result < 0)
            return nb_cli_lost(result);
        if (listener->relay.status == NB_CLI_LOCAL)
            return NB_CLI_LOCAL;
        struct netbroker_socket *next = nb_cli_relay_is_done(&listener->relay) ? dequeue(listener) : NULL;
        if (next)
            serve(listener, next);
    }
    return listener->status ? listener->status : listener->relay.status;
}

static int run(const struct nb_cli_options *options, char **arguments)
{
    struct nb_cli_place place;
    if (!nb_cli_parse_place(arguments[0], &place)) {
        fprintf(stderr, "netbroker: neither PORT, HOST:PORT nor a path with a slash: %s\n", arguments[0]);
        return NB_CLI_USAGE;
    }
    struct netbroker_session *session;
    struct listener listener = {.options = options};
    listener.last = &listener.first;
    int status = nb_cli_open(options, NULL, NULL, &session);
    if (status != NB_CLI_OK)
        return status;
    nb_cli_relay_init(&listener.relay, options);
    listener.relay.keep_stdout = options->keep_open;
    status = start(&listener, session, &place);
    if (status == NB_CLI_OK)
        status = relay_all(&listener, session);
    netbroker_free(session);
    nb_cli_relay_finish(&listener.relay);
    forget_waiting(&listener);
    return status;
}

const struct nb_cli_command nb_cli_listen = {
    .name = "listen",
    .arguments = "PORT|HOST:PORT|PATH",
    .summary = "take a connection and join stdin and stdout to it",
    .options = "kv",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
