#include "rule_log.h"

#include "memory.h"

#include <errno.h>
#include <string.h>

enum {
    LIVE = 1,
    FIRST_IS_6 = 1 << 1,
    LAST_IS_6 = 1 << 2,
    KIND_SHIFT = 3,
    PREFIX_SHIFT = 8,
};

static enum nb_rule_kind kind_of(unsigned tag)
{
    return (enum nb_rule_kind)(tag >> KIND_SHIFT & 3);
}

void nb_rule_log_finish(struct nb_rule_log *log)
{
    nb_free(log->tags);
    nb_free(log->words);
    nb_free(log->side);
    *log = (struct nb_rule_log){0};
}

static int grow(void **array, size_t size, uint32_t capacity)
{
    void *grown = nb_realloc(*array, size * capacity);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    return 0;
}

/* A quarter more, so that little is wasted in long lists. */
static uint32_t next_capacity(uint32_t capacity, size_t needed)
{
    size_t grown = capacity + capacity / 4 + 8;
    return (uint32_t)(grown > needed ? grown : needed);
}

static int reserve_rules(struct nb_rule_log *log, size_t needed)
{
    uint32_t capacity = next_capacity(log->capacity, needed);
    if (needed <= log->capacity)
        return 0;
    if (grow((void **)&log->tags, sizeof *log->tags, capacity) < 0 ||
        grow((void **)&log->words, sizeof *log->words, capacity) < 0)
        return -ENOMEM;
    log->capacity = capacity;
    return 0;
}

static int reserve_side(struct nb_rule_log *log, size_t needed)
{
    uint32_t capacity = next_capacity(log->side_capacity, needed);
    if (needed <= log->side_capacity)
        return 0;
    if (grow((void **)&log->side, sizeof *log->side, capacity) < 0)
        return -ENOMEM;
    log->side_capacity = capacity;
    return 0;
}

static unsigned tag_of(const struct nb_rule *rule)
{
    unsigned tag = LIVE | (unsigned)rule->kind << KIND_SHIFT;
    if (rule->first.family == 6)
        tag |= FIRST_IS_6;
    if (rule->kind == NB_RULE_RANGE && rule->last.family == 6)
        tag |= LAST_IS_6;
    if (rule->kind == NB_RULE_SUBNET)
        tag |= (unsigned)rule->prefix << PREFIX_SHIFT;
    return tag;
}

static unsigned side_words(unsigned tag)
{
    unsigned first = tag & FIRST_IS_6 ? 4 : 1;
    if (kind_of(tag) == NB_RULE_RANGE)
        return first + (tag & LAST_IS_6 ? 4 : 1);
    return first == 4 ? 4 : 0;
}

int nb_rule_log_reserve(struct nb_rule_log *log, const struct nb_rule *rules, size_t count)
{
    size_t words = log->side_count;
    for (size_t i = 0; i < count; i++)
        words += side_words(tag_of(&rules[i]));
    if (reserve_rules(log, log->count + count) < 0)
        return -ENOMEM;
    return reserve_side(log, words);
}

static void append_address(struct nb_rule_log *log, const struct nb_ip *ip)
{
    for (unsigned i = 0; i < (ip->family == 6 ? 16 : 4); i += 4)
        log->side[log->side_count++] = nb_key4_of(ip->bytes + i);
}

void nb_rule_log_append(struct nb_rule_log *log, const struct nb_rule *rule)
{
    unsigned tag = tag_of(rule);
    uint32_t number = log->count++;
    log->tags[number] = (uint16_t)tag;
    if (!side_words(tag)) {
        log->words[number] = nb_key4_of(rule->first.bytes);
        return;
    }
    log->words[number] = log->side_count;
    append_address(log, &rule->first);
    if (rule->kind == NB_RULE_RANGE)
        append_address(log, &rule->last);
}

void nb_rule_log_truncate(struct nb_rule_log *log, uint32_t count, uint32_t side_count)
{
    log->count = count;
    log->side_count = side_count;
}

bool nb_rule_log_is_removed(const struct nb_rule_log *log, uint32_t number)
{
    return !log->tags[number];
}

void nb_rule_log_remove(struct nb_rule_log *log, uint32_t number)
{
    log->tags[number] = 0;
    log->removed++;
}

/* The capacity is that of the smaller array, should only one give memory back. */
static void shrink(struct nb_rule_log *log)
{
    if (log->count && grow((void **)&log->tags, sizeof *log->tags, log->count) == 0) {
        log->capacity = log->count;
        (void)grow((void **)&log->words, sizeof *log->words, log->count);
    }
    if (log->side_count && grow((void **)&log->side, sizeof *log->side, log->side_count) == 0)
        log->side_capacity = log->side_count;
}

void nb_rule_log_tidy(struct nb_rule_log *log, void (*moved)(void *context, uint32_t to, uint32_t from),
                      void *context)
{
    uint32_t count = 0, side_count = 0;
    for (uint32_t number = 0; number < log->count; number++) {
        unsigned tag = log->tags[number], words = side_words(tag);
        if (!tag)
            continue;
        moved(context, count, number);
        log->tags[count] = (uint16_t)tag;
        if (words)
            memmove(&log->side[side_count], &log->side[log->words[number]], words * sizeof *log->side);
        log->words[count] = words ? side_count : log->words[number];
        side_count += words;
        count++;
    }
    log->count = count;
    log->side_count = side_count;
    log->removed = 0;
    shrink(log);
}

/* ---- reading ---- */

static nb_key6 wide_at(const uint32_t *words)
{
    return (nb_key6)words[0] << 96 | (nb_key6)words[1] << 64 | (nb_key6)words[2] << 32 | words[3];
}

/* The ends as they were given, IPv4 as its mapped form; last is first's for anything but a range. */
static void read_ends(const struct nb_rule_log *log, uint32_t number, nb_key6 *ret_first, nb_key6 *ret_last)
{
    unsigned tag = log->tags[number];
    const uint32_t *words = side_words(tag) ? &log->side[log->words[number]] : &log->words[number];
    *ret_first = tag & FIRST_IS_6 ? wide_at(words) : nb_key6_mapped(*words);
    *ret_last = *ret_first;
    if (kind_of(tag) != NB_RULE_RANGE)
        return;
    words += tag & FIRST_IS_6 ? 4 : 1;
    *ret_last = tag & LAST_IS_6 ? wide_at(words) : nb_key6_mapped(*words);
}

static struct nb_ip ip_of(nb_key6 key, bool is_6)
{
    return is_6 ? nb_ip_of_key6(key) : nb_ip_of_key4((nb_key4)key);
}

struct nb_rule nb_rule_log_rule(const struct nb_rule_log *log, uint32_t number)
{
    unsigned tag = log->tags[number];
    nb_key6 first, last;
    read_ends(log, number, &first, &last);
    struct nb_rule rule = {.kind = (uint8_t)kind_of(tag), .first = ip_of(first, tag & FIRST_IS_6)};
    if (rule.kind == NB_RULE_RANGE)
        rule.last = ip_of(last, tag & LAST_IS_6);
    if (rule.kind == NB_RULE_SUBNET)
        rule.prefix = (uint8_t)(tag >> PREFIX_SHIFT);
    return rule;
}

/* ---- what a rule matches ---- */

static void widen_to_subnet(unsigned tag, nb_key6 *first, nb_key6 *last)
{
    unsigned prefix = (tag >> PREFIX_SHIFT) + (tag & FIRST_IS_6 ? 0 : 96);
    nb_key6 host = prefix ? ((nb_key6)1 << (128 - prefix)) - 1 : ~(nb_key6)0;
    *first &= ~host;
    *last = *first | host;
}

/* An end that was given as IPv4 keeps the range within the addresses that map IPv4. */
static void cut_to_mapped(unsigned tag, nb_key6 *first, nb_key6 *last)
{
    if (!(tag & FIRST_IS_6) && *last > NB_MAPPED_LAST)
        *last = NB_MAPPED_LAST;
    if (!(tag & LAST_IS_6) && *first < NB_MAPPED_FIRST)
        *first = NB_MAPPED_FIRST;
}

struct nb_rule_spans nb_rule_log_spans(const struct nb_rule_log *log, uint32_t number)
{
    unsigned tag = log->tags[number];
    struct nb_rule_spans spans = {0};
    nb_key6 first, last;
    read_ends(log, number, &first, &last);
    bool is_range = kind_of(tag) == NB_RULE_RANGE;
    bool counts_as_4 = !is_range || (nb_key6_is_mapped(first) && nb_key6_is_mapped(last));
    if (kind_of(tag) == NB_RULE_SUBNET)
        widen_to_subnet(tag, &first, &last);
    if (is_range)
        cut_to_mapped(tag, &first, &last);
    if (counts_as_4 && first <= NB_MAPPED_LAST && last >= NB_MAPPED_FIRST) {
        spans.has4 = true;
        spans.first4 = first < NB_MAPPED_FIRST ? 0 : (nb_key4)first;
        spans.last4 = last > NB_MAPPED_LAST ? UINT32_MAX : (nb_key4)last;
    }
    bool is_4_only = spans.has4 && nb_key6_is_mapped(first) && nb_key6_is_mapped(last);
    if (!is_4_only && first <= last) {
        spans.has6 = true;
        spans.first6 = first;
        spans.last6 = last;
    }
    return spans;
}

/* ---- searching ---- */

uint32_t nb_rule_log_find(const struct nb_rule_log *log, const struct nb_rule *rule)
{
    for (uint32_t number = log->count; number-- > 0;) {
        if (!log->tags[number])
            continue;
        struct nb_rule found = nb_rule_log_rule(log, number);
        if (nb_rule_equals(&found, rule))
            return number + 1;
    }
    return 0;
}

uint32_t nb_rule_log_find4(const struct nb_rule_log *log, uint32_t before, nb_key4 address)
{
    for (uint32_t number = before; number-- > 0;) {
        if (!log->tags[number])
            continue;
        struct nb_rule_spans spans = nb_rule_log_spans(log, number);
        if (spans.has4 && spans.first4 <= address && address <= spans.last4)
            return number + 1;
    }
    return 0;
}

uint32_t nb_rule_log_find6(const struct nb_rule_log *log, uint32_t before, nb_key6 address)
{
    for (uint32_t number = before; number-- > 0;) {
        if (!log->tags[number])
            continue;
        struct nb_rule_spans spans = nb_rule_log_spans(log, number);
        if (spans.has6 && spans.first6 <= address && address <= spans.last6)
            return number + 1;
    }
    return 0;
}

size_t nb_rule_log_memory(const struct nb_rule_log *log)
{
    return log->capacity * (sizeof *log->tags + sizeof *log->words) + log->side_capacity * sizeof *log->side;
}
