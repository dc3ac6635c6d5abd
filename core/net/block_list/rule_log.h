/*
 * All rules of a list in the order in which they came, 6 bytes an IPv4 address or
 * subnet and 22 an IPv6 one, and which addresses each of them matches. A rule has
 * a number, from 0 up, that it keeps until the log is made anew. One thread.
 */
#ifndef NB_RULE_LOG_H
#define NB_RULE_LOG_H

#include "key.h"
#include "rule.h"

struct nb_rule_log {
    uint16_t *tags; /* owned; kind, families, prefix; 0: removed */
    uint32_t *words; /* owned; the IPv4 address, or where in side it begins */
    uint32_t *side; /* owned; what is longer than one word */
    uint32_t count, capacity; /* of tags and words, removed ones included */
    uint32_t side_count, side_capacity;
    uint32_t removed;
};

/* The addresses that a rule matches: as IPv4, and as IPv6 beyond those that are so because they map IPv4. */
struct nb_rule_spans {
    bool has4, has6;
    nb_key4 first4, last4;
    nb_key6 first6, last6;
};

void nb_rule_log_finish(struct nb_rule_log *log);

/* Room for these. -ENOMEM: nothing has changed. */
int nb_rule_log_reserve(struct nb_rule_log *log, const struct nb_rule *rules, size_t count);

/* There must be room; the rule must be valid. */
void nb_rule_log_append(struct nb_rule_log *log, const struct nb_rule *rule);

/* Forgets the newest ones. */
void nb_rule_log_truncate(struct nb_rule_log *log, uint32_t count, uint32_t side_count);

bool nb_rule_log_is_removed(const struct nb_rule_log *log, uint32_t number);
void nb_rule_log_remove(struct nb_rule_log *log, uint32_t number);

/* Closes up where rules were removed, in order; tells each rule's new number first. Gives memory back. */
void nb_rule_log_tidy(struct nb_rule_log *log, void (*moved)(void *context, uint32_t to, uint32_t from),
                      void *context);

/* Undefined for removed ones. */
struct nb_rule nb_rule_log_rule(const struct nb_rule_log *log, uint32_t number);
struct nb_rule_spans nb_rule_log_spans(const struct nb_rule_log *log, uint32_t number);

/* The newest one before that number that equals the rule, or that matches the address: its number + 1; 0: none. */
uint32_t nb_rule_log_find(const struct nb_rule_log *log, const struct nb_rule *rule);
uint32_t nb_rule_log_find4(const struct nb_rule_log *log, uint32_t before, nb_key4 address);
uint32_t nb_rule_log_find6(const struct nb_rule_log *log, uint32_t before, nb_key6 address);

size_t nb_rule_log_memory(const struct nb_rule_log *log);

#endif
