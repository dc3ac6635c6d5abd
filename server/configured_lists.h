/* The block lists of the configuration: loaded at the start, then looked after by keepers. */
#ifndef NB_CONFIGURED_LISTS_H
#define NB_CONFIGURED_LISTS_H

#include "config.h"
#include "list_keeper.h"
#include "lists.h"

/*
 * Makes lists and loads those of the configuration; tells what each was loaded
 * from. Before the loops run. Negative errno, after saying on stderr what is wrong.
 */
int nb_configured_lists_load(const struct nb_config *config, struct nb_lists *lists,
                             struct nb_file_identity ret_loaded[NB_CONFIG_LISTS]);

/* Starts their keepers; config and lists are borrowed for their lives. UV_ENOMEM. */
int nb_configured_lists_watch(struct nb_loop *loop, const struct nb_config *config, struct nb_lists *lists,
                              const struct nb_file_identity loaded[NB_CONFIG_LISTS],
                              struct nb_actor_id ret_keepers[NB_CONFIG_LISTS]);

#endif
