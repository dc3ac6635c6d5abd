/*
 * The client subcommands of the netbroker program. Each opens a session of its
 * own through libnetbroker and ends it with itself.
 */
#ifndef NB_CLI_H
#define NB_CLI_H

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses of every subcommand. */
enum nb_cli_status {
    NB_CLI_OK = 0,
    NB_CLI_USAGE = 1, /* wrong arguments; nothing was done */
    NB_CLI_NO_BROKER = 2, /* the broker cannot be reached, or went away */
    NB_CLI_REFUSED = 3, /* the broker answered an error, or the connection failed */
    NB_CLI_LOCAL = 4, /* reading or writing here failed */
    NB_CLI_NO = 5, /* the answer is no: blocked; neither address nor subnet */
};

/* `argv[0]` is the subcommand's name. The exit status; says on stderr what went wrong. */
int nb_cli_main(int argc, char **argv);

bool nb_cli_has(const char *subcommand);

/* One line for each subcommand. */
void nb_cli_print_help(FILE *out);

#endif
