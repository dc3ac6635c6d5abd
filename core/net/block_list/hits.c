#include "hits.h"

#include "memory.h"

#include <errno.h>

static uint32_t pages_for(uint32_t rules)
{
    return rules / NB_HITS_PAGE + (rules % NB_HITS_PAGE != 0);
}

void nb_hits_finish(struct nb_hits *hits)
{
    for (uint32_t i = 0; i < hits->capacity; i++)
        nb_free(hits->pages[i]);
    nb_free((void *)hits->pages);
    *hits = (struct nb_hits){0};
}

int nb_hits_reserve(struct nb_hits *hits, uint32_t rules)
{
    uint32_t needed = pages_for(rules);
    if (needed <= hits->capacity)
        return 0;
    uint32_t capacity = needed + needed / 2;
    struct nb_hits_page *_Atomic *grown = nb_realloc((void *)hits->pages, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    for (uint32_t i = hits->capacity; i < capacity; i++)
        atomic_init(&grown[i], NULL);
    hits->pages = grown;
    hits->capacity = capacity;
    return 0;
}

/* Whoever comes second finds the page of whoever came first. */
static struct nb_hits_page *open_page(struct nb_hits *hits, uint32_t index)
{
    struct nb_hits_page *page = atomic_load_explicit(&hits->pages[index], memory_order_acquire), *fresh;
    if (page || !(fresh = nb_calloc(1, sizeof *fresh)))
        return page;
    if (atomic_compare_exchange_strong(&hits->pages[index], &page, fresh))
        return fresh;
    nb_free(fresh);
    return page;
}

void nb_hits_count(struct nb_hits *hits, uint32_t rule)
{
    struct nb_hits_page *page = open_page(hits, rule / NB_HITS_PAGE);
    if (page)
        atomic_fetch_add_explicit(&page->counts[rule % NB_HITS_PAGE], 1, memory_order_relaxed);
}

uint64_t nb_hits_of(const struct nb_hits *hits, uint32_t rule)
{
    struct nb_hits_page *page = atomic_load_explicit(&hits->pages[rule / NB_HITS_PAGE], memory_order_acquire);
    return page ? atomic_load_explicit(&page->counts[rule % NB_HITS_PAGE], memory_order_relaxed) : 0;
}

static void set(struct nb_hits *hits, uint32_t rule, uint64_t count)
{
    struct nb_hits_page *page =
        count ? open_page(hits, rule / NB_HITS_PAGE) : hits->pages[rule / NB_HITS_PAGE];
    if (page)
        atomic_store_explicit(&page->counts[rule % NB_HITS_PAGE], count, memory_order_relaxed);
}

void nb_hits_move(struct nb_hits *hits, uint32_t to, uint32_t from)
{
    set(hits, to, nb_hits_of(hits, from));
}

void nb_hits_truncate(struct nb_hits *hits, uint32_t rules)
{
    uint32_t kept = pages_for(rules);
    for (uint32_t i = kept; i < hits->capacity; i++) {
        nb_free(hits->pages[i]);
        hits->pages[i] = NULL;
    }
    for (uint32_t rule = rules; rule < kept * NB_HITS_PAGE; rule++)
        set(hits, rule, 0);
}

size_t nb_hits_memory(const struct nb_hits *hits)
{
    size_t memory = hits->capacity * sizeof *hits->pages;
    for (uint32_t i = 0; i < hits->capacity; i++)
        if (hits->pages[i])
            memory += sizeof(struct nb_hits_page);
    return memory;
}
