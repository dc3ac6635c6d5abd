/* The daemon: lets clients in, spreads them over the loops, and ends in order. */
#ifndef NB_DAEMON_H
#define NB_DAEMON_H

#include "config.h"

/*
 * Runs until SIGTERM or SIGINT. Returns the process's exit status; complaints
 * go to stderr.
 */
int nb_daemon_run(const struct nb_config *config);

#endif
