#include "shared_list.h"

#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { CACHE_LINE = 64 };

/* What a reader does: nothing, or reading since it saw that phase. */
enum { NOT_READING, PHASE_1, PHASE_2 };

/* As far apart as cache lines are, so that readers do not slow each other down. */
struct slot {
    atomic_uint phase;
    char apart[CACHE_LINE - sizeof(atomic_uint)];
};

struct nb_shared_list {
    atomic_uint references;
    bool is_for_many;
    pthread_mutex_t lock; /* for changes */
    struct nb_block_list *copies[2]; /* owned; one, or for many two */
    atomic_uint current; /* the copy that readers are to use; the other is idle */
    atomic_uint phase;
    struct slot slots[]; /* for many: NB_SHARED_LIST_READERS */
};

/* ---- one or two copies ---- */

static struct nb_block_list *current_copy(const struct nb_shared_list *list)
{
    return list->copies[atomic_load_explicit(&list->current, memory_order_relaxed)];
}

static struct nb_block_list **idle_copy(struct nb_shared_list *list)
{
    return &list->copies[1 - atomic_load_explicit(&list->current, memory_order_relaxed)];
}

static void free_list(struct nb_shared_list *list)
{
    nb_block_list_free(list->copies[0]);
    nb_block_list_free(list->copies[1]);
    pthread_mutex_destroy(&list->lock);
    nb_free(list);
}

struct nb_shared_list *nb_shared_list_new(bool for_many)
{
    size_t slots = for_many ? NB_SHARED_LIST_READERS : 0;
    struct nb_shared_list *list = nb_calloc(1, sizeof *list + slots * sizeof *list->slots);
    if (!list)
        return NULL;
    atomic_init(&list->references, 1);
    atomic_init(&list->phase, PHASE_1);
    pthread_mutex_init(&list->lock, NULL);
    list->is_for_many = for_many;
    list->copies[0] = nb_block_list_new();
    list->copies[1] = for_many ? nb_block_list_new() : NULL;
    if (list->copies[0] && (!for_many || list->copies[1]))
        return list;
    free_list(list);
    return NULL;
}

struct nb_shared_list *nb_shared_list_ref(struct nb_shared_list *list)
{
    atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
    return list;
}

void nb_shared_list_unref(struct nb_shared_list *list)
{
    if (list && atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) == 1)
        free_list(list);
}

/* ---- readers and the one who changes ---- */

/*
 * Why no reader is in a copy that is being changed. A reader stores its phase (S)
 * and then loads which copy is current (L). Who changes stores what is current (C)
 * and then loads the slots, waiting for each phase in turn. All four are
 * sequentially consistent. A reader whose L found the old copy has L before C, thus
 * S before C, thus its phase is seen: whichever of the two phases that is, it is
 * waited for until the reader's next store, and that store releases all that was
 * read. A reader whose L comes later finds the new copy, with all that was done to
 * it before C.
 *
 * Why waiting ends, however many readers come and go: those who come do so in the
 * phase that is not being waited for.
 */
static struct nb_block_list *begin_reading(struct nb_shared_list *list, unsigned reader)
{
    if (!list->is_for_many)
        return list->copies[0];
    assert(reader < NB_SHARED_LIST_READERS);
    unsigned phase = atomic_load_explicit(&list->phase, memory_order_relaxed);
    atomic_store(&list->slots[reader].phase, phase);
    return list->copies[atomic_load(&list->current)];
}

static void end_reading(struct nb_shared_list *list, unsigned reader)
{
    if (list->is_for_many)
        atomic_store_explicit(&list->slots[reader].phase, NOT_READING, memory_order_release);
}

static void wait_for_readers(struct nb_shared_list *list, unsigned phase)
{
    for (unsigned i = 0; i < NB_SHARED_LIST_READERS; i++)
        while (atomic_load(&list->slots[i].phase) == phase)
            sched_yield();
}

/* Readers are to use the other copy; returns when none is left in this one. */
static void publish(struct nb_shared_list *list)
{
    unsigned phase = atomic_load_explicit(&list->phase, memory_order_relaxed);
    unsigned next = phase == PHASE_1 ? PHASE_2 : PHASE_1;
    atomic_store(&list->current, 1 - atomic_load_explicit(&list->current, memory_order_relaxed));
    wait_for_readers(list, next);
    atomic_store(&list->phase, next);
    wait_for_readers(list, phase);
}

/* ---- reading ---- */

bool nb_shared_list_check(struct nb_shared_list *list, unsigned reader, const struct nb_ip *ip)
{
    bool blocked = nb_block_list_check(begin_reading(list, reader), ip);
    end_reading(list, reader);
    return blocked;
}

size_t nb_shared_list_check_many(struct nb_shared_list *list, unsigned reader, const struct nb_ip *ips,
                                 size_t count, bool *ret_blocked)
{
    size_t blocked = nb_block_list_check_many(begin_reading(list, reader), ips, count, ret_blocked);
    end_reading(list, reader);
    return blocked;
}

bool nb_shared_list_match(struct nb_shared_list *list, unsigned reader, const struct nb_ip *ip,
                          struct nb_rule *ret_rule)
{
    bool blocked = nb_block_list_match(begin_reading(list, reader), ip, ret_rule);
    end_reading(list, reader);
    return blocked;
}

/* ---- changing ---- */

/*
 * Adds what only the other list has, its newest rules. The idle copy lags behind
 * like that when there was no memory for a change that readers could see already.
 */
static int catch_up(struct nb_block_list *list, const struct nb_block_list *with)
{
    struct nb_rule_walk walk = {0};
    size_t lag = nb_block_list_size(with) - nb_block_list_size(list);
    if (!lag)
        return 0;
    struct nb_rule *rules = nb_malloc(lag * sizeof *rules);
    if (!rules)
        return -ENOMEM;
    for (size_t i = lag; i-- > 0;)
        nb_block_list_newest(with, &walk, &rules[i], NULL);
    int status = nb_block_list_add_all(list, rules, lag);
    nb_free(rules);
    return status;
}

static int add_to_both(struct nb_shared_list *list, const struct nb_rule *rules, size_t count)
{
    int status = catch_up(*idle_copy(list), current_copy(list));
    if (status == 0)
        status = nb_block_list_add_all(*idle_copy(list), rules, count);
    if (status < 0)
        return status;
    publish(list);
    (void)nb_block_list_add_all(*idle_copy(list), rules, count); /* else it lags behind */
    return 0;
}

int nb_shared_list_add(struct nb_shared_list *list, const struct nb_rule *rules, size_t count,
                       size_t max_rules)
{
    int status = -ENOSPC;
    pthread_mutex_lock(&list->lock);
    size_t size = nb_block_list_size(current_copy(list));
    if (size <= max_rules && count <= max_rules - size)
        status = list->is_for_many ? add_to_both(list, rules, count)
                                   : nb_block_list_add_all(list->copies[0], rules, count);
    pthread_mutex_unlock(&list->lock);
    return status;
}

static int remove_from_both(struct nb_shared_list *list, const struct nb_rule *rule)
{
    int status = catch_up(*idle_copy(list), current_copy(list));
    if (status == 0)
        status = nb_block_list_remove(*idle_copy(list), rule);
    if (status < 0)
        return status;
    publish(list);
    return nb_block_list_remove(*idle_copy(list), rule);
}

int nb_shared_list_remove(struct nb_shared_list *list, const struct nb_rule *rule)
{
    pthread_mutex_lock(&list->lock);
    int status =
        list->is_for_many ? remove_from_both(list, rule) : nb_block_list_remove(list->copies[0], rule);
    pthread_mutex_unlock(&list->lock);
    return status;
}

void nb_shared_list_clear(struct nb_shared_list *list)
{
    pthread_mutex_lock(&list->lock);
    if (list->is_for_many) {
        nb_block_list_clear(*idle_copy(list));
        publish(list);
        nb_block_list_clear(*idle_copy(list));
    } else {
        nb_block_list_clear(list->copies[0]);
    }
    pthread_mutex_unlock(&list->lock);
}

static void put(struct nb_block_list **place, struct nb_block_list *copy)
{
    nb_block_list_free(*place);
    *place = copy;
}

/* The same rules in the same order; NULL: no memory. The caller owns it. */
static struct nb_block_list *copy_of(const struct nb_block_list *list)
{
    struct nb_block_list *copy = nb_block_list_new();
    if (copy && catch_up(copy, list) == 0)
        return copy;
    nb_block_list_free(copy);
    return NULL;
}

int nb_shared_list_replace(struct nb_shared_list *list, struct nb_block_list *with)
{
    struct nb_block_list *second = list->is_for_many ? copy_of(with) : NULL;
    if (list->is_for_many && !second)
        return -ENOMEM;
    pthread_mutex_lock(&list->lock);
    if (list->is_for_many) {
        put(idle_copy(list), with);
        publish(list);
        put(idle_copy(list), second);
    } else {
        put(&list->copies[0], with);
    }
    pthread_mutex_unlock(&list->lock);
    return 0;
}

/* ---- all rules ---- */

size_t nb_shared_list_size(struct nb_shared_list *list)
{
    pthread_mutex_lock(&list->lock);
    size_t size = nb_block_list_size(current_copy(list));
    pthread_mutex_unlock(&list->lock);
    return size;
}

static void visit_both(const struct nb_block_list *current, const struct nb_block_list *idle, size_t offset,
                       bool (*visit)(void *context, const struct nb_rule *rule, uint64_t hits), void *context)
{
    struct nb_rule rule, same;
    uint64_t hits, idle_hits = 0;
    size_t lag = nb_block_list_size(current) - nb_block_list_size(idle);
    size_t passed = offset < lag ? offset : lag;
    struct nb_rule_walk walk = nb_block_list_newest_behind(current, offset);
    struct nb_rule_walk idle_walk = nb_block_list_newest_behind(idle, offset - passed);
    lag -= passed;
    while (nb_block_list_newest(current, &walk, &rule, &hits)) {
        if (lag)
            lag--;
        else
            nb_block_list_newest(idle, &idle_walk, &same, &idle_hits);
        if (!visit(context, &rule, hits + idle_hits))
            return;
    }
}

static void visit_one(const struct nb_block_list *only, size_t offset,
                      bool (*visit)(void *context, const struct nb_rule *rule, uint64_t hits), void *context)
{
    struct nb_rule_walk walk = nb_block_list_newest_behind(only, offset);
    struct nb_rule rule;
    uint64_t hits;
    while (nb_block_list_newest(only, &walk, &rule, &hits) && visit(context, &rule, hits))
        ;
}

void nb_shared_list_visit(struct nb_shared_list *list, size_t offset,
                          bool (*visit)(void *context, const struct nb_rule *rule, uint64_t hits),
                          void *context)
{
    pthread_mutex_lock(&list->lock);
    if (list->is_for_many)
        visit_both(current_copy(list), *idle_copy(list), offset, visit, context);
    else
        visit_one(list->copies[0], offset, visit, context);
    pthread_mutex_unlock(&list->lock);
}

int nb_shared_list_use(struct nb_shared_list *list,
                       int (*use)(void *context, const struct nb_block_list *rules), void *context)
{
    pthread_mutex_lock(&list->lock);
    int result = use(context, current_copy(list));
    pthread_mutex_unlock(&list->lock);
    return result;
}
