/* netbroker: the daemon and its command line in one program. */
#include "cli.h"
#include "config.h"
#include "daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 1 };

static void print_help(FILE *out)
{
    fprintf(out, "usage: netbroker COMMAND [options]\n\n  serve      run the broker\n");
    nb_cli_print_help(out);
    fprintf(out, "\nnetbroker COMMAND --help tells more of a command.\n");
}

static int serve(int argc, char **argv)
{
    struct nb_config config;
    if (nb_config_load(&config, argc, argv, stderr) < 0)
        return EXIT_USAGE;
    if (config.shows_help) {
        nb_config_print_help(stdout);
        return EXIT_SUCCESS;
    }
    return nb_daemon_run(&config);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "serve") == 0)
        return serve(argc - 1, argv + 1);
    if (strcmp(command, "--version") == 0) {
        printf("netbroker %s\n", NB_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) {
        print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (!*command) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    return nb_cli_main(argc - 1, argv + 1);
}
