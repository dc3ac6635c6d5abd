/* What block_list.c and block_list_remove.c share. */
#ifndef NB_BLOCK_LIST_INTERNAL_H
#define NB_BLOCK_LIST_INTERNAL_H

#include "block_list.h"
#include "hits.h"
#include "owner_map.h"
#include "rule_log.h"

/*
 * The log is the truth. The maps say for each address which rule of the log is the
 * newest that matches: map4 for IPv4 and the IPv6 addresses that map IPv4, map6 for
 * what other rules say of IPv6. When there was no memory to keep the maps they are
 * left out and the log is searched, until a later change can make them again.
 */
struct nb_block_list {
    struct nb_rule_log log;
    struct nb_hits hits;
    struct nb_arena arena; /* the maps' nodes */
    struct nb_map map4, map6;
    bool has_no_maps;
};

/* Makes the maps anew. -ENOMEM: there are none now. */
int nb_block_list_build(struct nb_block_list *list);

#endif
