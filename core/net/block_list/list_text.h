/*
 * A block list as text: one rule a line in either notation of rule.h, blanks
 * around it ignored, empty lines too, and what follows a '#'. Lines end with LF
 * or CR LF. Written oldest first, so that what was written and read again is the
 * same list.
 */
#ifndef NB_LIST_TEXT_H
#define NB_LIST_TEXT_H

#include "block_list.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nb_list_fault {
    size_t line; /* from 1; 0: no line is at fault, but memory or the number of rules */
    const char *reason; /* for the end of a sentence; static */
};

/*
 * Adds all rules of the text, or none. -EINVAL: the first line that is no rule;
 * -ENOSPC: the list would have more than max_rules; -ENOMEM. Each tells the fault.
 * The text is borrowed for the call and may hold any bytes.
 */
int nb_block_list_load_text(struct nb_block_list *list, const char *text, size_t length, size_t max_rules,
                            struct nb_list_fault *ret_fault);

/* Writes the list piece by piece; a negative result of write ends it and is returned. */
int nb_block_list_save_text(const struct nb_block_list *list,
                            int (*write)(void *context, const char *text, size_t length), void *context);

#ifdef __cplusplus
}
#endif

#endif
