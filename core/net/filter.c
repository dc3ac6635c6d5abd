#include "filter.h"

#include "memory.h"

#include <uv.h>

/* ---- budgets ---- */

struct nb_budget *nb_budget_new(uint32_t max_lists, uint32_t max_rules)
{
    struct nb_budget *budget = nb_calloc(1, sizeof *budget);
    if (!budget)
        return NULL;
    atomic_init(&budget->shares, 1);
    atomic_init(&budget->max_lists, max_lists);
    atomic_init(&budget->max_rules, max_rules);
    return budget;
}

struct nb_budget *nb_budget_ref(struct nb_budget *budget)
{
    if (budget)
        atomic_fetch_add(&budget->shares, 1);
    return budget;
}

void nb_budget_unref(struct nb_budget *budget)
{
    if (budget && atomic_fetch_sub(&budget->shares, 1) == 1)
        nb_free(budget);
}

static bool take(atomic_uint *used, unsigned max, size_t count)
{
    unsigned now = atomic_load(used);
    do {
        if (now > max || count > max - now)
            return false;
    } while (!atomic_compare_exchange_weak(used, &now, now + (unsigned)count));
    return true;
}

static bool take_rules(struct nb_budget *budget, size_t count)
{
    return !budget || take(&budget->rules, budget->max_rules, count);
}

static void give_rules_back(struct nb_budget *budget, size_t count)
{
    if (budget)
        atomic_fetch_sub(&budget->rules, (unsigned)count);
}

/* ---- filters ---- */

static struct nb_filter *allocate(struct nb_budget *budget, bool for_many)
{
    struct nb_filter *filter = nb_calloc(1, sizeof *filter);
    if (!filter)
        return NULL;
    filter->list = nb_shared_list_new(for_many);
    if (!filter->list || pthread_mutex_init(&filter->changing, NULL) != 0) {
        nb_shared_list_unref(filter->list);
        nb_free(filter);
        return NULL;
    }
    atomic_init(&filter->shares, 1);
    filter->budget = nb_budget_ref(budget);
    return filter;
}

int nb_filter_new(struct nb_budget *budget, bool for_many, struct nb_filter **ret_filter)
{
    if (budget && !take(&budget->lists, budget->max_lists, 1))
        return UV_ENOSPC;
    struct nb_filter *filter = allocate(budget, for_many);
    if (!filter && budget)
        atomic_fetch_sub(&budget->lists, 1);
    if (!filter)
        return UV_ENOMEM;
    *ret_filter = filter;
    return 0;
}

struct nb_filter *nb_filter_ref(struct nb_filter *filter)
{
    if (filter)
        atomic_fetch_add(&filter->shares, 1);
    return filter;
}

bool nb_filter_try_ref(struct nb_filter *filter)
{
    unsigned shares = atomic_load(&filter->shares);
    while (shares)
        if (atomic_compare_exchange_weak(&filter->shares, &shares, shares + 1))
            return true;
    return false;
}

void nb_filter_unref(struct nb_filter *filter)
{
    if (!filter || atomic_fetch_sub(&filter->shares, 1) != 1)
        return;
    if (filter->on_last)
        filter->on_last(filter, filter->owner);
    give_rules_back(filter->budget, nb_shared_list_size(filter->list));
    if (filter->budget)
        atomic_fetch_sub(&filter->budget->lists, 1);
    nb_budget_unref(filter->budget);
    nb_shared_list_unref(filter->list);
    pthread_mutex_destroy(&filter->changing);
    nb_free(filter);
}

/* ---- changes ---- */

int nb_filter_add(struct nb_filter *filter, const struct nb_rule *rules, size_t count)
{
    if (!take_rules(filter->budget, count))
        return UV_ENOSPC;
    pthread_mutex_lock(&filter->changing);
    int status = nb_shared_list_add(filter->list, rules, count, NB_BLOCK_LIST_MAX);
    if (status < 0)
        give_rules_back(filter->budget, count);
    pthread_mutex_unlock(&filter->changing);
    return status;
}

int nb_filter_remove(struct nb_filter *filter, const struct nb_rule *rule)
{
    pthread_mutex_lock(&filter->changing);
    int status = nb_shared_list_remove(filter->list, rule);
    if (status == 0)
        give_rules_back(filter->budget, 1);
    pthread_mutex_unlock(&filter->changing);
    return status;
}

static int replace(struct nb_filter *filter, struct nb_block_list *with)
{
    size_t before = nb_shared_list_size(filter->list), after = nb_block_list_size(with);
    if (after > before && !take_rules(filter->budget, after - before))
        return UV_ENOSPC;
    int status = nb_shared_list_replace(filter->list, with);
    if (status < 0 && after > before)
        give_rules_back(filter->budget, after - before);
    if (status == 0 && after < before)
        give_rules_back(filter->budget, before - after);
    return status;
}

int nb_filter_replace(struct nb_filter *filter, struct nb_block_list *with)
{
    pthread_mutex_lock(&filter->changing);
    int status = replace(filter, with);
    pthread_mutex_unlock(&filter->changing);
    return status;
}

void nb_filter_clear(struct nb_filter *filter)
{
    pthread_mutex_lock(&filter->changing);
    size_t size = nb_shared_list_size(filter->list);
    nb_shared_list_clear(filter->list);
    give_rules_back(filter->budget, size);
    pthread_mutex_unlock(&filter->changing);
}

bool nb_filter_match(struct nb_filter *filter, unsigned reader, const struct nb_ip *ip,
                     struct nb_rule *ret_rule)
{
    return filter && nb_shared_list_match(filter->list, reader, ip, ret_rule);
}
