/* The daemon's settings: command line over environment over file over defaults. */
#ifndef NB_CONFIG_H
#define NB_CONFIG_H

#include "log.h"
#include "policy.h"
#include "session_limits.h"

#include <stddef.h>
#include <stdio.h>

enum { NB_CONFIG_TEXT = 4096, NB_CONFIG_LISTS = 32, NB_CONFIG_NAME = 48 };

/* [block-list NAME] */
struct nb_list_setting {
    char name[NB_CONFIG_NAME];
    char file[NB_CONFIG_TEXT]; /* "": none was given yet */
};

struct nb_config {
    char socket[NB_CONFIG_TEXT]; /* path; "": none was given, nor XDG_RUNTIME_DIR */
    char file[NB_CONFIG_TEXT]; /* "": none */
    unsigned workers; /* 0: the number of cores */
    unsigned stop_deadline; /* ms that clients get at the end */
    enum nb_log_level log_level;
    struct nb_limits limits;
    struct nb_policy policy;
    struct nb_list_setting lists[NB_CONFIG_LISTS];
    unsigned list_count;
    char deny_connect[NB_CONFIG_NAME], deny_accept[NB_CONFIG_NAME]; /* names of lists; "": none */
    bool shows_help;
};

/*
 * Reads everything; argv[0] is the subcommand's name. On failure prints what is
 * wrong, and where, to complaints and returns a negative errno.
 */
int nb_config_load(struct nb_config *ret_config, int argc, char **argv, FILE *complaints);

/* The usage of `netbroker serve`. */
void nb_config_print_help(FILE *out);

#endif
