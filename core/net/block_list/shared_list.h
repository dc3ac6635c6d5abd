/*
 * A block list that several threads read while one changes it. Readers never wait:
 * there are two copies, readers use the one that is not being changed (the
 * left-right technique of Ramalhete and Correia), and each change is made to one
 * after the other. A list that was made for one thread has one copy and no atomics.
 *
 * Counted references; any thread. A change takes a lock: changes wait for one
 * another, and for readers of the copy that is next (some hundred nanoseconds).
 */
#ifndef NB_SHARED_LIST_H
#define NB_SHARED_LIST_H

#include "block_list.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NB_SHARED_LIST_READERS = 64 };

struct nb_shared_list;

/* For one thread, or for many, each with a reader number of its own. NULL: no memory. One reference. */
struct nb_shared_list *nb_shared_list_new(bool for_many);
struct nb_shared_list *nb_shared_list_ref(struct nb_shared_list *list);
void nb_shared_list_unref(struct nb_shared_list *list); /* NULL: nothing */

/* As nb_block_list_check and _match; reader: 0..NB_SHARED_LIST_READERS - 1, one thread at a time. */
bool nb_shared_list_check(struct nb_shared_list *list, unsigned reader, const struct nb_ip *ip);
size_t nb_shared_list_check_many(struct nb_shared_list *list, unsigned reader, const struct nb_ip *ips,
                                 size_t count, bool *ret_blocked);
bool nb_shared_list_match(struct nb_shared_list *list, unsigned reader, const struct nb_ip *ip,
                          struct nb_rule *ret_rule);

/*
 * Changes, with the errors of block_list.h; readers see all of a change or nothing,
 * and nothing of one that failed. -ENOSPC: there would be more than max_rules.
 * -ENOMEM comes from remove too: in a list for many, when the second copy could not
 * follow an earlier change and still cannot.
 */
int nb_shared_list_add(struct nb_shared_list *list, const struct nb_rule *rules, size_t count,
                       size_t max_rules);
int nb_shared_list_remove(struct nb_shared_list *list, const struct nb_rule *rule);
void nb_shared_list_clear(struct nb_shared_list *list);

/* Becomes the same as the other list, which it takes; on failure nothing has changed and nothing is taken. */
int nb_shared_list_replace(struct nb_shared_list *list, struct nb_block_list *with);

size_t nb_shared_list_size(struct nb_shared_list *list);

/*
 * Calls visit for each rule behind the offset newest ones, newest first, until it
 * returns false. Hits are those of all readers. The list is locked for changes meanwhile.
 */
void nb_shared_list_visit(struct nb_shared_list *list, size_t offset,
                          bool (*visit)(void *context, const struct nb_rule *rule, uint64_t hits),
                          void *context);

/*
 * Calls use with the rules as a plain list, to be saved for example, and returns its
 * result. Borrowed for the call; its hits are not all. Locked for changes meanwhile.
 */
int nb_shared_list_use(struct nb_shared_list *list,
                       int (*use)(void *context, const struct nb_block_list *rules), void *context);

#ifdef __cplusplus
}
#endif

#endif
