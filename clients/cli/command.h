/* What the subcommands share: their options, the session, and how they report. */
#ifndef NB_CLI_COMMAND_H
#define NB_CLI_COMMAND_H

#include "cli.h"
#include "netbroker.h"

#include <jansson.h>

struct nb_cli_options {
    const char *socket; /* path of the broker; NULL: from the environment */
    bool json;
    bool keep_open; /* listen */
    bool verbose; /* connect, listen */
    int family; /* connect: 0, 4 or 6 */
    const char *list; /* block: a file; NULL: none */
    const char *name; /* block: a list of the broker; NULL: none */
};

struct nb_cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    const char *options; /* short ones besides those of all: a subset of "46klnv" */
    int min_arguments, max_arguments;
    /* `arguments` end with NULL. Gives an enum nb_cli_status. */
    int (*run)(const struct nb_cli_options *options, char **arguments);
};

extern const struct nb_cli_command nb_cli_call, nb_cli_events, nb_cli_connect, nb_cli_listen, nb_cli_block,
    nb_cli_ip;

/* Opens the session. NB_CLI_OK, or the status after saying why not. Without `events` its errors are reported;
 * with them it has no flow control: what a script makes is read as fast as it is shown. */
int nb_cli_open(const struct nb_cli_options *options, const struct netbroker_session_events *events,
                void *context, struct netbroker_session **ret_session);

/* A line on stderr: text, or with --json the whole error as an object. Gives NB_CLI_REFUSED. */
int nb_cli_report(const struct nb_cli_options *options, const struct netbroker_error *error);

/* The error as the broker sent it, without what is absent. The caller owns it. */
json_t *nb_cli_error_object(const struct netbroker_error *error);

/* "netbroker: WHAT: reason" on stderr for a negative errno. */
void nb_cli_complain(const char *what, int error);

/* The session failed with that errno: says so, unless its on_error has. Gives NB_CLI_NO_BROKER. */
int nb_cli_lost(int error);

/* Where to connect or listen. */
struct nb_cli_place {
    char host[256]; /* empty: the default */
    const char *path; /* a Unix socket, borrowed from the text; NULL: TCP */
    uint16_t port;
};

/* HOST:PORT, [HOST]:PORT, PORT, or PATH (anything with a slash). False when it is none of them. */
bool nb_cli_parse_place(const char *text, struct nb_cli_place *ret_place);

/* METHOD [TARGET] [JSON]; what is absent is 0 and NULL. */
struct nb_cli_request {
    const char *method;
    uint64_t target;
    json_t *body; /* owned */
};

/* Reads words that end with NULL. NB_CLI_OK or NB_CLI_USAGE after saying why. */
int nb_cli_parse_request(char **words, struct nb_cli_request *ret_request);

#endif
