/*
 * A block list that is as simple as can be: an array of rules, looked through from
 * the newest to the oldest, addresses compared bit by bit. What the real one is
 * compared with, in tests and by the fuzzer. One thread.
 */
#ifndef NB_TEST_MODEL_H
#define NB_TEST_MODEL_H

#include "rule.h"

#include <stdint.h>

struct model_rule {
    struct nb_rule rule;
    uint64_t hits;
};

struct model {
    struct model_rule *rules; /* owned; oldest first */
    size_t count, capacity;
};

/* All zero is an empty model. */
void model_finish(struct model *model);

/* Ends the process when there is no memory. */
void model_add(struct model *model, const struct nb_rule *rule);

/* The newest that equals the rule; false: there is none. */
bool model_remove(struct model *model, const struct nb_rule *rule);
void model_clear(struct model *model);

bool model_rule_matches(const struct nb_rule *rule, const struct nb_ip *ip);

/* The newest rule that matches, borrowed until the next change; NULL: none. Counts nothing. */
struct model_rule *model_match(const struct model *model, const struct nb_ip *ip);

#endif
