/* netbroker connect: a connection joined to stdin and stdout. */
#include "command.h"
#include "relay.h"

static int start(struct netbroker_session *session, const struct nb_cli_options *options,
                 const struct nb_cli_place *place, struct nb_cli_relay *relay)
{
    struct netbroker_connect_options connection = {
        .path = place->path,
        .host = place->host[0] ? place->host : NULL,
        .port = place->port,
        .family = options->family,
        .allow_half_open = true,
    };
    struct netbroker_socket *socket;
    int result = netbroker_create_connection(session, &connection, &nb_cli_relay_events, relay, &socket);
    if (result < 0)
        return nb_cli_lost(result);
    nb_cli_relay_join(relay, socket);
    return NB_CLI_OK;
}

static int relay_all(struct netbroker_session *session, struct nb_cli_relay *relay)
{
    while (!nb_cli_relay_is_done(relay)) {
        int result = nb_cli_relay_turn(relay, session);
        if (result < 0)
            return nb_cli_lost(result);
    }
    return relay->status;
}

static int run(const struct nb_cli_options *options, char **arguments)
{
    struct nb_cli_place place;
    if (!nb_cli_parse_place(arguments[0], &place)) {
        fprintf(stderr, "netbroker: neither HOST:PORT nor a path with a slash: %s\n", arguments[0]);
        return NB_CLI_USAGE;
    }
    struct netbroker_session *session;
    struct nb_cli_relay relay;
    int status = nb_cli_open(options, NULL, NULL, &session);
    if (status != NB_CLI_OK)
        return status;
    nb_cli_relay_init(&relay, options);
    status = start(session, options, &place, &relay);
    if (status == NB_CLI_OK)
        status = relay_all(session, &relay);
    netbroker_free(session);
    nb_cli_relay_finish(&relay);
    return status;
}

const struct nb_cli_command nb_cli_connect = {
    .name = "connect",
    .arguments = "HOST:PORT|PATH",
    .summary = "connect and join stdin and stdout to it, as nc does",
    .options = "46v",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
