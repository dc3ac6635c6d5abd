/*
 * A block list as JSON: an array of rules in Node's text, newest first, as newer
 * Nodes' blockList.toJSON() gives it. Read with either notation of rule.h, so that
 * what was written and read again is the same list.
 */
#ifndef NB_LIST_JSON_H
#define NB_LIST_JSON_H

#include "block_list.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nb_list_json_fault {
    size_t element; /* from 1; 0: none is at fault, but memory or the number of rules */
    const char *reason; /* for the end of a sentence; static */
};

/*
 * Adds all rules of the array, its last one first, or none. -EINVAL: the first
 * element that is no rule, or where the text is no such array; -ENOSPC: the list
 * would have more than max_rules; -ENOMEM. Each tells the fault. The text is borrowed
 * for the call and may hold any bytes.
 */
int nb_block_list_load_json(struct nb_block_list *list, const char *text, size_t length, size_t max_rules,
                            struct nb_list_json_fault *ret_fault);

/* Writes the array piece by piece; a negative result of write ends it and is returned. */
int nb_block_list_save_json(const struct nb_block_list *list,
                            int (*write)(void *context, const char *text, size_t length), void *context);

#ifdef __cplusplus
}
#endif

#endif
