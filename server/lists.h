/*
 * The block lists that have names: those of the configuration, the same for all
 * sessions and not theirs to change, and those that the sessions of one uid share.
 * The latter are there as long as somebody uses them.
 *
 * Made before the loops start; from then on any thread.
 */
#ifndef NB_LISTS_H
#define NB_LISTS_H

#include "filter.h"
#include "slice.h"

#include <sys/types.h>

enum { NB_LIST_NAME = 64 }; /* bytes of a name, at most */

struct nb_named_list;
struct nb_list_owner;

struct nb_lists {
    uint32_t max_lists, max_rules; /* of one uid's lists together */
    struct nb_named_list *configured; /* owned; not changed after the start */
    struct nb_filter *deny_connect, *deny_accept; /* borrowed from configured; NULL: none */
    pthread_mutex_t lock; /* for owners and their lists */
    struct nb_list_owner *owners; /* owned */
};

void nb_lists_init(struct nb_lists *lists, uint32_t max_lists, uint32_t max_rules);

/* When no named list is in use any more. */
void nb_lists_finish(struct nb_lists *lists);

/* Adds an empty list of the configuration; name: a string that is copied. Borrowed. NULL: no memory. */
struct nb_filter *nb_lists_configure(struct nb_lists *lists, const char *name);

/* The list of the configuration with that name, borrowed; NULL: there is none. */
struct nb_filter *nb_lists_find_configured(const struct nb_lists *lists, struct nb_slice name);

/*
 * The list of that name: of the configuration, or else of the uid, where it is made
 * unless it must exist. Gives a share. UV_ENOENT; UV_ENOSPC: the uid has as many
 * lists as it may; UV_ENOMEM.
 */
int nb_lists_open(struct nb_lists *lists, uid_t uid, struct nb_slice name, bool must_exist,
                  struct nb_filter **ret_filter);

#endif
