/*
 * A block list in use: the rules, shared by the ids, servers and sockets that
 * hold connections against them, until the last lets go. Rules and lists are
 * charged to a budget; a list of the configuration has none, and is not the
 * clients' to change.
 *
 * Any thread; a reader of the rules is known by its loop's index. A list that is
 * not for many stays on one loop.
 */
#ifndef NB_FILTER_H
#define NB_FILTER_H

#include "shared_list.h"

#include <pthread.h>
#include <stdatomic.h>

/* What one session, or the named lists of one uid, may hold. Counted references. */
struct nb_budget {
    atomic_uint shares;
    atomic_uint lists, max_lists;
    atomic_uint rules, max_rules;
};

/* NULL: no memory. */
struct nb_budget *nb_budget_new(uint32_t max_lists, uint32_t max_rules);
struct nb_budget *nb_budget_ref(struct nb_budget *budget);
void nb_budget_unref(struct nb_budget *budget); /* NULL is fine */

struct nb_filter {
    atomic_uint shares;
    struct nb_shared_list *list; /* a share */
    struct nb_budget *budget; /* a share; NULL: of the configuration */
    pthread_mutex_t changing; /* keeps what is charged and the list together */
    void (*on_last)(struct nb_filter *filter, void *owner); /* NULL: nobody knows it by name */
    void *owner; /* borrowed; of on_last */
};

/* An empty list. budget NULL: of the configuration. UV_ENOMEM; UV_ENOSPC: no list more in the budget. */
int nb_filter_new(struct nb_budget *budget, bool for_many, struct nb_filter **ret_filter);
struct nb_filter *nb_filter_ref(struct nb_filter *filter); /* NULL is fine */

/* False: it is about to go, and waits for the lock of the caller's in on_last. */
bool nb_filter_try_ref(struct nb_filter *filter);

/* The last one calls on_last, on whatever thread that is. NULL is fine. */
void nb_filter_unref(struct nb_filter *filter);

static inline bool nb_filter_is_configured(const struct nb_filter *filter)
{
    return !filter->budget;
}

/*
 * Changes, all or nothing. UV_ENOMEM; UV_ENOSPC: more rules than the budget has;
 * UV_ENOENT of remove: no such rule. replace takes the rules when it went well.
 */
int nb_filter_add(struct nb_filter *filter, const struct nb_rule *rules, size_t count);
int nb_filter_remove(struct nb_filter *filter, const struct nb_rule *rule);
int nb_filter_replace(struct nb_filter *filter, struct nb_block_list *with);
void nb_filter_clear(struct nb_filter *filter);

/* Whether a rule blocks the address; counts a hit and tells the rule. filter NULL: none does. */
bool nb_filter_match(struct nb_filter *filter, unsigned reader, const struct nb_ip *ip,
                     struct nb_rule *ret_rule);

#endif
