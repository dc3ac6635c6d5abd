#include "model.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* An address of either family as an IPv6 one. */
struct wide {
    uint8_t bytes[16];
};

static const struct wide mapped_first = {{[10] = 0xff, 0xff}};
static const struct wide mapped_last = {{[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

void model_finish(struct model *model)
{
    nb_free(model->rules);
    *model = (struct model){0};
}

void model_add(struct model *model, const struct nb_rule *rule)
{
    if (model->count == model->capacity) {
        model->capacity = 2 * model->capacity + 8;
        model->rules = nb_realloc(model->rules, model->capacity * sizeof *model->rules);
        if (!model->rules)
            abort();
    }
    model->rules[model->count++] = (struct model_rule){.rule = *rule};
}

bool model_remove(struct model *model, const struct nb_rule *rule)
{
    size_t at = model->count;
    while (at > 0 && !nb_rule_equals(&model->rules[at - 1].rule, rule))
        at--;
    if (at == 0)
        return false;
    memmove(&model->rules[at - 1], &model->rules[at], (model->count - at) * sizeof *model->rules);
    model->count--;
    return true;
}

void model_clear(struct model *model)
{
    model->count = 0;
}

static struct wide widen(const struct nb_ip *ip)
{
    struct wide wide = mapped_first;
    if (ip->family == 4)
        memcpy(wide.bytes + 12, ip->bytes, 4);
    else
        memcpy(wide.bytes, ip->bytes, 16);
    return wide;
}

static bool bit(struct wide wide, unsigned at)
{
    return wide.bytes[at / 8] >> (7 - at % 8) & 1;
}

static bool is_at_most(struct wide a, struct wide b)
{
    for (unsigned at = 0; at < 128; at++)
        if (bit(a, at) != bit(b, at))
            return bit(b, at);
    return true;
}

static bool is_mapped(struct wide wide)
{
    return is_at_most(mapped_first, wide) && is_at_most(wide, mapped_last);
}

static bool same_bits(struct wide a, struct wide b, unsigned bits)
{
    for (unsigned at = 0; at < bits; at++)
        if (bit(a, at) != bit(b, at))
            return false;
    return true;
}

static bool range_matches(const struct nb_rule *rule, const struct nb_ip *ip)
{
    struct wide first = widen(&rule->first), last = widen(&rule->last), address = widen(ip);
    if (ip->family == 4 && !(is_mapped(first) && is_mapped(last)))
        return false;
    if (rule->first.family == 4 && !is_at_most(address, mapped_last))
        return false;
    if (rule->last.family == 4 && !is_at_most(mapped_first, address))
        return false;
    return is_at_most(first, address) && is_at_most(address, last);
}

bool model_rule_matches(const struct nb_rule *rule, const struct nb_ip *ip)
{
    if (ip->family == 0)
        return false;
    if (rule->kind == NB_RULE_RANGE)
        return range_matches(rule, ip);
    unsigned bits = rule->kind == NB_RULE_ADDRESS ? 128
                    : rule->first.family == 4     ? 96u + rule->prefix
                                                  : rule->prefix;
    return same_bits(widen(&rule->first), widen(ip), bits);
}

struct model_rule *model_match(const struct model *model, const struct nb_ip *ip)
{
    for (size_t at = model->count; at-- > 0;)
        if (model_rule_matches(&model->rules[at].rule, ip))
            return &model->rules[at];
    return NULL;
}
