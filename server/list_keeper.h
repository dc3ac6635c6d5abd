/*
 * The keeper of a list of the configuration: an actor on the main loop that loads
 * the list's file anew when it changes, and when it is told to. The work is done in
 * libuv's thread pool, so that no loop waits for it.
 */
#ifndef NB_LIST_KEEPER_H
#define NB_LIST_KEEPER_H

#include "actor.h"
#include "filter.h"
#include "list_file.h"

/*
 * Puts the rules of the file in the place of those in the filter, at once; if
 * anything is wrong with it, the old ones stay. Any thread; waits for the file
 * system. Negative errno, with a complaint.
 */
int nb_list_load(const char *path, uint32_t max_rules, struct nb_filter *filter,
                 struct nb_list_report *ret_report);

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
