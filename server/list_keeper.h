/*
 * The keeper of a list of the configuration: an actor on the main loop that loads
 * the list's file anew when it changes, and when it is told to. The work is done in
 * libuv's thread pool, so that no loop waits for it.
 */
#ifndef NB_LIST_KEEPER_H
#define NB_LIST_KEEPER_H

#include "actor.h"
#include "list_file.h"

/*
 * name, path: borrowed for the actor's life, as is the filter; loaded: what the
 * filter holds now. NULL: no memory.
 */
struct nb_actor *nb_list_keeper_new(struct nb_loop *loop, const char *name, const char *path,
                                    uint32_t max_rules, struct nb_filter *filter,
                                    const struct nb_file_identity *loaded);

/* Loads the file, changed or not. */
extern const struct nb_message_class nb_reload_class;

#endif
