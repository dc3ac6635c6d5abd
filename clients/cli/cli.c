#include "cli.h"

#include "command.h"

#include <getopt.h>
#include <string.h>

static const struct nb_cli_command *const commands[] = {&nb_cli_call,   &nb_cli_events, &nb_cli_connect,
                                                        &nb_cli_listen, &nb_cli_block,  &nb_cli_ip};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},         {"keep-open", no_argument, NULL, 'k'},
    {"verbose", no_argument, NULL, 'v'},      {"ipv4", no_argument, NULL, '4'},
    {"ipv6", no_argument, NULL, '6'},         {"list", required_argument, NULL, 'l'},
    {"name", required_argument, NULL, 'n'},   {NULL, 0, NULL, 0},
};

static const struct nb_cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

bool nb_cli_has(const char *subcommand)
{
    return find(subcommand) != NULL;
}

void nb_cli_print_help(FILE *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s %-24s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
}

static void print_usage(FILE *out, const struct nb_cli_command *command)
{
    fprintf(out, "usage: netbroker %s [options] %s\n%s\n\n", command->name, command->arguments,
            command->summary);
    fprintf(out, "  -s, --socket PATH  the broker; default $NETBROKER_SOCKET, else\n"
                 "                     netbroker.sock in $XDG_RUNTIME_DIR\n"
                 "  -j, --json         for programs: one JSON object a line\n");
    if (strchr(command->options, 'k'))
        fprintf(out, "  -k, --keep-open    take one connection after another\n");
    if (strchr(command->options, '4'))
        fprintf(out, "  -4, -6             IPv4 or IPv6 only\n");
    if (strchr(command->options, 'v'))
        fprintf(out, "  -v, --verbose      say on stderr what happens\n");
    if (strchr(command->options, 'l'))
        fprintf(out, "  -l, --list FILE    a list in a file: one rule a line, or JSON (*.json)\n"
                     "  -n, --name NAME    a list of the running broker\n");
    fprintf(out, "  -h, --help\n\n"
                 "exit status: 0 done, 1 wrong arguments, 2 no broker, 3 the broker answered an\n"
                 "error or the connection failed, 4 reading or writing here failed,\n"
                 "5 the answer is no: blocked; neither address nor subnet\n");
}

static bool set_option(const struct nb_cli_command *command, int letter, struct nb_cli_options *options)
{
    if (letter == 's')
        options->socket = optarg;
    else if (letter == 'j')
        options->json = true;
    else if (!strchr(command->options, letter))
        return false;
    else if (letter == 'k')
        options->keep_open = true;
    else if (letter == 'v')
        options->verbose = true;
    else if (letter == 'l')
        options->list = optarg;
    else if (letter == 'n')
        options->name = optarg;
    else
        options->family = letter - '0';
    return true;
}

static int misuse(const struct nb_cli_command *command)
{
    fprintf(stderr, "usage: netbroker %s [options] %s (--help says more)\n", command->name,
            command->arguments);
    return NB_CLI_USAGE;
}

int nb_cli_main(int argc, char **argv)
{
    const struct nb_cli_command *command = find(argv[0]);
    if (!command) {
        fprintf(stderr, "netbroker: no subcommand %s (netbroker --help lists them)\n", argv[0]);
        return NB_CLI_USAGE;
    }
    struct nb_cli_options options = {0};
    int letter;
    optind = 1;
    /* "+": options end at the first argument, so that JSON and negative numbers are safe. */
    const char *letters = strchr(command->options, 'l') ? "s:jhl:n:" : "+s:jhkv46";
    while ((letter = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        if (letter == 'h') {
            print_usage(stdout, command);
            return NB_CLI_OK;
        }
        if (letter == '?' || !set_option(command, letter, &options))
            return misuse(command);
    }
    int count = argc - optind;
    if (count < command->min_arguments || count > command->max_arguments)
        return misuse(command);
    return command->run(&options, argv + optind);
}
