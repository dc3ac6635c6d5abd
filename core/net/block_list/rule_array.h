/* Rules on their way into a list: an array that grows with what was read. One thread. */
#ifndef NB_RULE_ARRAY_H
#define NB_RULE_ARRAY_H

#include "rule.h"

struct nb_rule_array {
    struct nb_rule *rules; /* owned */
    size_t count, capacity;
    size_t max; /* rules that it may hold */
};

void nb_rule_array_finish(struct nb_rule_array *array);

/* Reads a rule, as nb_rule_parse, to the array's end. -EINVAL: tells why; -ENOSPC, -ENOMEM. */
int nb_rule_array_read(struct nb_rule_array *array, const char *text, size_t length, const char **ret_reason);

#endif
