#include "block_list_internal.h"

#include "memory.h"
#include "sizes.h"

#include <errno.h>

enum { CHECK_TOGETHER = 64 };

struct nb_block_list *nb_block_list_new(void)
{
    return nb_calloc(1, sizeof(struct nb_block_list));
}

static void clear_maps(struct nb_block_list *list)
{
    nb_arena_clear(&list->arena);
    list->map4 = list->map6 = (struct nb_map){0};
}

void nb_block_list_clear(struct nb_block_list *list)
{
    clear_maps(list);
    nb_rule_log_finish(&list->log);
    nb_hits_finish(&list->hits);
    list->has_no_maps = false;
}

void nb_block_list_free(struct nb_block_list *list)
{
    if (!list)
        return;
    nb_block_list_clear(list);
    nb_free(list);
}

size_t nb_block_list_size(const struct nb_block_list *list)
{
    return list->log.count - list->log.removed;
}

size_t nb_block_list_memory(const struct nb_block_list *list)
{
    return sizeof *list + nb_rule_log_memory(&list->log) + nb_hits_memory(&list->hits) + list->arena.memory;
}

/* ---- making the maps ---- */

struct spans {
    struct nb_span4 *four; /* owned */
    struct nb_span6 *six; /* owned */
    size_t count4, count6;
};

static void count_spans(const struct nb_rule_log *log, struct spans *spans)
{
    for (uint32_t number = 0; number < log->count; number++) {
        if (nb_rule_log_is_removed(log, number))
            continue;
        struct nb_rule_spans rule = nb_rule_log_spans(log, number);
        spans->count4 += rule.has4;
        spans->count6 += rule.has6;
    }
}

static void fill_spans(const struct nb_rule_log *log, struct spans *spans)
{
    struct nb_span4 *four = spans->four;
    struct nb_span6 *six = spans->six;
    for (uint32_t number = 0; number < log->count; number++) {
        if (nb_rule_log_is_removed(log, number))
            continue;
        struct nb_rule_spans rule = nb_rule_log_spans(log, number);
        if (rule.has4)
            *four++ = (struct nb_span4){rule.first4, rule.last4, number + 1};
        if (rule.has6)
            *six++ = (struct nb_span6){rule.first6, rule.last6, number + 1};
    }
}

static int build_from_spans(struct nb_block_list *list, struct spans *spans)
{
    spans->four = nb_malloc(spans->count4 * sizeof *spans->four + 1);
    spans->six = nb_malloc(spans->count6 * sizeof *spans->six + 1);
    if (!spans->four || !spans->six)
        return -ENOMEM;
    fill_spans(&list->log, spans);
    int status = nb_map4_build(&list->map4, &list->arena, spans->four, spans->count4);
    return status < 0 ? status : nb_map6_build(&list->map6, &list->arena, spans->six, spans->count6);
}

int nb_block_list_build(struct nb_block_list *list)
{
    struct spans spans = {0};
    clear_maps(list);
    count_spans(&list->log, &spans);
    int status = build_from_spans(list, &spans);
    nb_free(spans.four);
    nb_free(spans.six);
    list->has_no_maps = status < 0;
    if (status < 0)
        clear_maps(list);
    return status;
}

static int paint(struct nb_block_list *list, uint32_t number)
{
    struct nb_rule_spans rule = nb_rule_log_spans(&list->log, number);
    int status = 0;
    if (rule.has4)
        status =
            nb_map4_paint(&list->map4, &list->arena, &(struct nb_span4){rule.first4, rule.last4, number + 1});
    if (status == 0 && rule.has6)
        status =
            nb_map6_paint(&list->map6, &list->arena, &(struct nb_span6){rule.first6, rule.last6, number + 1});
    return status;
}

/* ---- adding ---- */

static int map_new_rules(struct nb_block_list *list, uint32_t first)
{
    uint32_t count = list->log.count - first;
    if (list->has_no_maps || (count > NB_BUILD_FROM && count > first / 4))
        return nb_block_list_build(list);
    for (uint32_t number = first; number < list->log.count; number++) {
        int status = paint(list, number);
        if (status < 0)
            return status;
    }
    return 0;
}

static int check_rules(const struct nb_block_list *list, const struct nb_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!nb_rule_is_valid(&rules[i]))
            return -EINVAL;
    return count > NB_BLOCK_LIST_MAX - list->log.count ? -ENOSPC : 0;
}

int nb_block_list_add_all(struct nb_block_list *list, const struct nb_rule *rules, size_t count)
{
    uint32_t first = list->log.count, side = list->log.side_count;
    bool had_no_maps = list->has_no_maps;
    int status = check_rules(list, rules, count);
    if (status < 0)
        return status;
    if (nb_rule_log_reserve(&list->log, rules, count) < 0 ||
        nb_hits_reserve(&list->hits, first + (uint32_t)count) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        nb_rule_log_append(&list->log, &rules[i]);
    if (map_new_rules(list, first) == 0)
        return 0;
    nb_rule_log_truncate(&list->log, first, side);
    if (had_no_maps)
        return -ENOMEM;
    (void)nb_block_list_build(list);
    return -ENOMEM;
}

int nb_block_list_add(struct nb_block_list *list, const struct nb_rule *rule)
{
    return nb_block_list_add_all(list, rule, 1);
}

/* ---- checking ---- */

static bool check4(const struct nb_block_list *list, nb_key4 key)
{
    if (list->has_no_maps)
        return nb_rule_log_find4(&list->log, list->log.count, key) != 0;
    return nb_map4_check(&list->map4, key);
}

static bool check6(const struct nb_block_list *list, nb_key6 key)
{
    if (nb_key6_is_mapped(key) && check4(list, (nb_key4)key))
        return true;
    if (list->has_no_maps)
        return nb_rule_log_find6(&list->log, list->log.count, key) != 0;
    return nb_map6_check(&list->map6, key);
}

bool nb_block_list_check(const struct nb_block_list *list, const struct nb_ip *ip)
{
    if (ip->family == 4)
        return check4(list, nb_key4_of(ip->bytes));
    return ip->family == 6 && check6(list, nb_key6_of(ip->bytes));
}

/* What is asked of one map, and which answers that belongs to. */
struct batch {
    nb_key4 keys4[CHECK_TOGETHER];
    nb_key6 keys6[CHECK_TOGETHER];
    unsigned char at4[CHECK_TOGETHER], at6[CHECK_TOGETHER];
    unsigned count4, count6;
};

static void sort_into(struct batch *batch, const struct nb_ip *ips, size_t count)
{
    batch->count4 = batch->count6 = 0;
    for (size_t i = 0; i < count; i++) {
        nb_key6 key = ips[i].family ? nb_key6_of_ip(&ips[i]) : 0;
        if (ips[i].family == 4 || (ips[i].family == 6 && nb_key6_is_mapped(key))) {
            batch->at4[batch->count4] = (unsigned char)i;
            batch->keys4[batch->count4++] = (nb_key4)key;
        }
        if (ips[i].family == 6) {
            batch->at6[batch->count6] = (unsigned char)i;
            batch->keys6[batch->count6++] = key;
        }
    }
}

static size_t check_batch(const struct nb_block_list *list, struct batch *batch, bool *ret_blocked,
                          size_t count)
{
    bool found[CHECK_TOGETHER];
    size_t blocked = 0;
    for (size_t i = 0; i < count; i++)
        ret_blocked[i] = false;
    nb_map4_check_many(&list->map4, batch->keys4, batch->count4, found);
    for (unsigned i = 0; i < batch->count4; i++)
        ret_blocked[batch->at4[i]] = found[i];
    nb_map6_check_many(&list->map6, batch->keys6, batch->count6, found);
    for (unsigned i = 0; i < batch->count6; i++)
        ret_blocked[batch->at6[i]] |= found[i];
    for (size_t i = 0; i < count; i++)
        blocked += ret_blocked[i];
    return blocked;
}

static size_t check_one_by_one(const struct nb_block_list *list, const struct nb_ip *ips, size_t count,
                               bool *ret_blocked)
{
    size_t blocked = 0;
    for (size_t i = 0; i < count; i++)
        blocked += ret_blocked[i] = nb_block_list_check(list, &ips[i]);
    return blocked;
}

size_t nb_block_list_check_many(const struct nb_block_list *list, const struct nb_ip *ips, size_t count,
                                bool *ret_blocked)
{
    size_t blocked = 0;
    if (list->has_no_maps)
        return check_one_by_one(list, ips, count, ret_blocked);
    for (size_t at = 0; at < count; at += CHECK_TOGETHER) {
        struct batch batch;
        size_t part = count - at < CHECK_TOGETHER ? count - at : CHECK_TOGETHER;
        sort_into(&batch, ips + at, part);
        blocked += check_batch(list, &batch, ret_blocked + at, part);
    }
    return blocked;
}

static uint32_t owner4(const struct nb_block_list *list, nb_key4 key)
{
    if (list->has_no_maps)
        return nb_rule_log_find4(&list->log, list->log.count, key);
    return nb_map4_owner(&list->map4, key);
}

static uint32_t owner6(const struct nb_block_list *list, nb_key6 key)
{
    uint32_t mapped = nb_key6_is_mapped(key) ? owner4(list, (nb_key4)key) : 0;
    uint32_t owner = list->has_no_maps ? nb_rule_log_find6(&list->log, list->log.count, key)
                                       : nb_map6_owner(&list->map6, key);
    return owner > mapped ? owner : mapped;
}

bool nb_block_list_match(struct nb_block_list *list, const struct nb_ip *ip, struct nb_rule *ret_rule)
{
    uint32_t owner = 0;
    if (ip->family == 4)
        owner = owner4(list, nb_key4_of(ip->bytes));
    else if (ip->family == 6)
        owner = owner6(list, nb_key6_of(ip->bytes));
    if (!owner)
        return false;
    nb_hits_count(&list->hits, owner - 1);
    *ret_rule = nb_rule_log_rule(&list->log, owner - 1);
    return true;
}

/* ---- walking ---- */

static void tell(const struct nb_block_list *list, uint32_t number, struct nb_rule *ret_rule,
                 uint64_t *ret_hits)
{
    *ret_rule = nb_rule_log_rule(&list->log, number);
    if (ret_hits)
        *ret_hits = nb_hits_of(&list->hits, number);
}

bool nb_block_list_newest(const struct nb_block_list *list, struct nb_rule_walk *walk,
                          struct nb_rule *ret_rule, uint64_t *ret_hits)
{
    while (walk->next < list->log.count) {
        uint32_t number = list->log.count - ++walk->next;
        if (nb_rule_log_is_removed(&list->log, number))
            continue;
        tell(list, number, ret_rule, ret_hits);
        return true;
    }
    return false;
}

struct nb_rule_walk nb_block_list_newest_behind(const struct nb_block_list *list, size_t count)
{
    struct nb_rule_walk walk = {0};
    if (!list->log.removed)
        walk.next = count < list->log.count ? (uint32_t)count : list->log.count;
    for (size_t at = walk.next; at < count && walk.next < list->log.count; walk.next++)
        at += !nb_rule_log_is_removed(&list->log, list->log.count - 1 - walk.next);
    return walk;
}

bool nb_block_list_oldest(const struct nb_block_list *list, struct nb_rule_walk *walk,
                          struct nb_rule *ret_rule, uint64_t *ret_hits)
{
    while (walk->next < list->log.count) {
        uint32_t number = walk->next++;
        if (nb_rule_log_is_removed(&list->log, number))
            continue;
        tell(list, number, ret_rule, ret_hits);
        return true;
    }
    return false;
}
