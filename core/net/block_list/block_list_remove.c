/* Removing a rule: the addresses where it was on top get the owners that lie below. */
#include "block_list_internal.h"
#include "sizes.h"

#include <errno.h>
#include <string.h>

/* Of either map; IPv4 addresses as plain numbers. */
struct gap {
    nb_key6 first, last;
};

struct gaps {
    struct nb_block_list *list;
    bool is_4;
    uint32_t owner; /* the removed one */
    unsigned count;
    struct gap gaps[NB_GAPS_MAX]; /* in order */
};

static int add_gap(struct gaps *gaps, nb_key6 first, nb_key6 last, uint32_t owner)
{
    if (owner != gaps->owner)
        return 0;
    if (gaps->count && gaps->gaps[gaps->count - 1].last + 1 == first) {
        gaps->gaps[gaps->count - 1].last = last;
        return 0;
    }
    if (gaps->count == NB_GAPS_MAX)
        return -E2BIG;
    gaps->gaps[gaps->count++] = (struct gap){first, last};
    return 0;
}

static int add_gap4(void *context, const struct nb_span4 *part)
{
    return add_gap(context, part->first, part->last, part->owner);
}

static int add_gap6(void *context, const struct nb_span6 *part)
{
    return add_gap(context, part->first, part->last, part->owner);
}

static int paint(struct gaps *gaps, nb_key6 first, nb_key6 last, uint32_t owner)
{
    if (gaps->is_4)
        return nb_map4_paint(&gaps->list->map4, &gaps->list->arena,
                             &(struct nb_span4){(nb_key4)first, (nb_key4)last, owner});
    return nb_map6_paint(&gaps->list->map6, &gaps->list->arena, &(struct nb_span6){first, last, owner});
}

/* Gives the rule what it covers of the gap at that place; what is left stays. */
static int cover(struct gaps *gaps, unsigned at, nb_key6 first, nb_key6 last, uint32_t owner)
{
    struct gap gap = gaps->gaps[at];
    if (gap.first > first)
        first = gap.first;
    if (gap.last < last)
        last = gap.last;
    int status = paint(gaps, first, last, owner);
    unsigned left = gap.first<first, right = gap.last> last;
    if (status < 0)
        return status;
    if (gaps->count + left + right - 1 > NB_GAPS_MAX)
        return -E2BIG;
    memmove(&gaps->gaps[at + left + right], &gaps->gaps[at + 1], (gaps->count - at - 1) * sizeof gap);
    gaps->count += left + right - 1;
    if (left)
        gaps->gaps[at] = (struct gap){gap.first, first - 1};
    if (right)
        gaps->gaps[at + left] = (struct gap){last + 1, gap.last};
    return 0;
}

static int cover_all(struct gaps *gaps, nb_key6 first, nb_key6 last, uint32_t owner)
{
    for (unsigned at = gaps->count; at-- > 0;) {
        if (gaps->gaps[at].last < first || last < gaps->gaps[at].first)
            continue;
        int status = cover(gaps, at, first, last, owner);
        if (status < 0)
            return status;
    }
    return 0;
}

/* The newest of the older rules come first: what they cover is no gap any more. */
static int fill(struct gaps *gaps, uint32_t before)
{
    const struct nb_rule_log *log = &gaps->list->log;
    int status = 0;
    for (unsigned i = 0; i < gaps->count && status == 0; i++)
        status = paint(gaps, gaps->gaps[i].first, gaps->gaps[i].last, 0);
    for (uint32_t number = before; number-- > 0 && gaps->count && status == 0;) {
        if (nb_rule_log_is_removed(log, number))
            continue;
        struct nb_rule_spans rule = nb_rule_log_spans(log, number);
        if (gaps->is_4 && rule.has4)
            status = cover_all(gaps, rule.first4, rule.last4, number + 1);
        else if (!gaps->is_4 && rule.has6)
            status = cover_all(gaps, rule.first6, rule.last6, number + 1);
    }
    return status;
}

static int uncover4(struct nb_block_list *list, const struct nb_rule_spans *spans, uint32_t number)
{
    struct gaps gaps = {.list = list, .is_4 = true, .owner = number + 1};
    int status = nb_map4_visit(&list->map4, spans->first4, spans->last4, add_gap4, &gaps);
    return status < 0 ? status : fill(&gaps, number);
}

static int uncover6(struct nb_block_list *list, const struct nb_rule_spans *spans, uint32_t number)
{
    struct gaps gaps = {.list = list, .owner = number + 1};
    int status = nb_map6_visit(&list->map6, spans->first6, spans->last6, add_gap6, &gaps);
    return status < 0 ? status : fill(&gaps, number);
}

static void move_hits(void *context, uint32_t to, uint32_t from)
{
    nb_hits_move(context, to, from);
}

/* True when it was time: the maps are new then, too. */
static bool tidy(struct nb_block_list *list)
{
    struct nb_rule_log *log = &list->log;
    if (log->removed < NB_TIDY_FROM || log->removed < log->count / 2)
        return false;
    nb_rule_log_tidy(log, move_hits, &list->hits);
    nb_hits_truncate(&list->hits, log->count);
    (void)nb_block_list_build(list);
    return true;
}

int nb_block_list_remove(struct nb_block_list *list, const struct nb_rule *rule)
{
    uint32_t found = nb_rule_log_find(&list->log, rule), number = found - 1;
    if (!found)
        return -ENOENT;
    struct nb_rule_spans spans = nb_rule_log_spans(&list->log, number);
    nb_rule_log_remove(&list->log, number);
    if (tidy(list) || list->has_no_maps)
        return 0;
    int status = spans.has4 ? uncover4(list, &spans, number) : 0;
    if (status == 0 && spans.has6)
        status = uncover6(list, &spans, number);
    if (status < 0)
        (void)nb_block_list_build(list);
    return 0;
}
