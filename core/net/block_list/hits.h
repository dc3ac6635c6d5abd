/*
 * How often each rule matched. Counters take memory in pages, when a rule of the
 * page matches for the first time. Counting may be done by several threads at once,
 * everything else by the one that changes the list.
 */
#ifndef NB_HITS_H
#define NB_HITS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { NB_HITS_PAGE = 512 };

struct nb_hits_page {
    _Atomic uint64_t counts[NB_HITS_PAGE];
};

struct nb_hits {
    struct nb_hits_page *_Atomic *pages; /* owned, as the pages are */
    uint32_t capacity; /* pages */
};

void nb_hits_finish(struct nb_hits *hits);

/* Room for the rules below that number. -ENOMEM. */
int nb_hits_reserve(struct nb_hits *hits, uint32_t rules);

/* Not counted when there is no memory for the page. */
void nb_hits_count(struct nb_hits *hits, uint32_t rule);

uint64_t nb_hits_of(const struct nb_hits *hits, uint32_t rule);

/* The rule gets another number; where there was a count, it is lost. */
void nb_hits_move(struct nb_hits *hits, uint32_t to, uint32_t from);

/* Rules from that number on start at 0 again. */
void nb_hits_truncate(struct nb_hits *hits, uint32_t rules);

size_t nb_hits_memory(const struct nb_hits *hits);

#endif
