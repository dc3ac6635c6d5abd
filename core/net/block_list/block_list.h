/*
 * A block list: net.BlockList as a C value, for millions of rules.
 *
 * An address is checked in the family that it is given in, and IPv4-mapped IPv6
 * addresses match both ways, as in Node: see docs/block-list.md for the exact
 * rules and for how it is built.
 *
 * One thread at a time. For a list that is read by several threads while it
 * changes: shared_list.h.
 *
 * Errors: -ENOMEM (nothing has changed), -EINVAL (a rule that nb_rule_is_valid
 * denies; nothing has changed), -ENOSPC (more than NB_BLOCK_LIST_MAX rules).
 */
#ifndef NB_BLOCK_LIST_H
#define NB_BLOCK_LIST_H

#include "ip.h"
#include "rule.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NB_BLOCK_LIST_MAX = 1 << 28 }; /* rules */

struct nb_block_list;

/* An empty list; NULL: no memory. The caller owns it. */
struct nb_block_list *nb_block_list_new(void);
void nb_block_list_free(struct nb_block_list *list); /* NULL: nothing */

/* Adds rules, copied, in their order; all of them or none. Equal rules are kept, as in Node. */
int nb_block_list_add(struct nb_block_list *list, const struct nb_rule *rule);
int nb_block_list_add_all(struct nb_block_list *list, const struct nb_rule *rules, size_t count);

/* Removes the newest rule that equals this one. Its only error: -ENOENT, there is none. Linear in the rules. */
int nb_block_list_remove(struct nb_block_list *list, const struct nb_rule *rule);

/* Removes all. Cannot fail. */
void nb_block_list_clear(struct nb_block_list *list);

/* Rules. */
size_t nb_block_list_size(const struct nb_block_list *list);

/* Bytes allocated for the list, all in all. */
size_t nb_block_list_memory(const struct nb_block_list *list);

/* True: some rule matches. Nothing is counted. */
bool nb_block_list_check(const struct nb_block_list *list, const struct nb_ip *ip);

/* The same for many at once, which is faster by far than one by one in a large list; returns how many matched. */
size_t nb_block_list_check_many(const struct nb_block_list *list, const struct nb_ip *ips, size_t count,
                                bool *ret_blocked);

/* True: some rule matches; *ret_rule becomes the newest of these, and its hits are one more. */
bool nb_block_list_match(struct nb_block_list *list, const struct nb_ip *ip, struct nb_rule *ret_rule);

/* All rules, newest first or oldest first. A change of the list ends the walk. */
struct nb_rule_walk {
    uint32_t next; /* all zero: the beginning */
};
/* ret_hits may be NULL. */
bool nb_block_list_newest(const struct nb_block_list *list, struct nb_rule_walk *walk,
                          struct nb_rule *ret_rule, uint64_t *ret_hits);
bool nb_block_list_oldest(const struct nb_block_list *list, struct nb_rule_walk *walk,
                          struct nb_rule *ret_rule, uint64_t *ret_hits);
/* Begins a walk, newest first, behind the first count rules; at once as long as no rule was removed. */
struct nb_rule_walk nb_block_list_newest_behind(const struct nb_block_list *list, size_t count);

#ifdef __cplusplus
}
#endif

#endif
