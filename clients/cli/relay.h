/*
 * One connection joined to standard input and output, as nc does it: the end of
 * stdin ends our side, the peer's end closes stdout, both together end the relay.
 *
 * Bounded both ways: stdin is not read while much is unflushed, and the broker
 * is told to pause while stdout is slow.
 */
#ifndef NB_CLI_RELAY_H
#define NB_CLI_RELAY_H

#include "command.h"

#include <poll.h>

enum { NB_CLI_RELAY_POLLS = 2 };

struct nb_cli_relay {
    const struct nb_cli_options *options;
    struct netbroker_socket *socket; /* NULL: none, or closed */
    bool keep_stdout; /* more connections will follow */
    bool input_ended; /* of stdin; stays so for later connections */
    bool must_wait; /* too much is unflushed */
    bool paused; /* the broker's data */
    bool peer_ended;
    int status; /* enum nb_cli_status */
    size_t head, length, capacity; /* of pending */
    char *pending; /* for stdout */
};

void nb_cli_relay_init(struct nb_cli_relay *relay, const struct nb_cli_options *options);
void nb_cli_relay_finish(struct nb_cli_relay *relay);

/* Joins a socket, which must have half-open allowed. */
void nb_cli_relay_join(struct nb_cli_relay *relay, struct netbroker_socket *socket);

/* The events a socket needs, with the relay as context. */
extern const struct netbroker_socket_events nb_cli_relay_events;

/* Fills in what to poll; unused entries have fd -1. Then takes what came of it. */
void nb_cli_relay_prepare(const struct nb_cli_relay *relay, struct pollfd polls[NB_CLI_RELAY_POLLS]);
void nb_cli_relay_run(struct nb_cli_relay *relay, const struct pollfd polls[NB_CLI_RELAY_POLLS]);

/* The connection is closed and all of it has been written. */
bool nb_cli_relay_is_done(const struct nb_cli_relay *relay);

/* Polls session and relay together and serves both. 0 or a negative errno of the session. */
int nb_cli_relay_turn(struct nb_cli_relay *relay, struct netbroker_session *session);

#endif
