#include "memory.h"
#include "owner_map.h"
#include "trie4.h"

#include <stdlib.h>

#define KEY nb_key4
#define SPAN struct nb_span4
#define KEY_MAX (~(nb_key4)0)
#include "sweep.inc.h"

int nb_map4_paint(struct nb_map *map, struct nb_arena *arena, const struct nb_span4 *span)
{
    struct nb_trie4_span painted = {span->first, span->last, span->owner};
    return nb_trie4_paint(arena, &map->root, &painted);
}

/* Three passes over 11 bits each are faster than comparing. */
enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static void sort_by_digit(struct nb_span4 *to, const struct nb_span4 *from, size_t count, unsigned shift)
{
    size_t places[DIGITS] = {0}, place = 0;
    for (size_t i = 0; i < count; i++)
        places[from[i].first >> shift & (DIGITS - 1)]++;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        size_t here = places[digit];
        places[digit] = place;
        place += here;
    }
    for (size_t i = 0; i < count; i++)
        to[places[from[i].first >> shift & (DIGITS - 1)]++] = from[i];
}

static int sort_spans(struct nb_span4 *spans, size_t count)
{
    struct nb_span4 *other = nb_malloc(count * sizeof *other);
    if (!other)
        return -ENOMEM;
    sort_by_digit(other, spans, count, 0);
    sort_by_digit(spans, other, count, DIGIT_BITS);
    sort_by_digit(other, spans, count, 2 * DIGIT_BITS);
    memcpy(spans, other, count * sizeof *spans);
    nb_free(other);
    return 0;
}

struct collector {
    struct nb_trie4_boundary *all; /* room for two a span */
    size_t count;
};

static int collect(void *context, nb_key4 key, uint32_t owner)
{
    struct collector *collector = context;
    if (!collector->count || collector->all[collector->count - 1].owner != owner)
        collector->all[collector->count++] = (struct nb_trie4_boundary){key, owner};
    return 0;
}

int nb_map4_build(struct nb_map *map, struct nb_arena *arena, struct nb_span4 *spans, size_t count)
{
    struct collector collector = {0};
    if (!count)
        return 0;
    if (!are_sorted(spans, count) && sort_spans(spans, count) < 0)
        return -ENOMEM;
    if (!(collector.all = nb_malloc(2 * count * sizeof *collector.all)))
        return -ENOMEM;
    int status = sweep(spans, count, collect, &collector);
    if (status == 0)
        status = nb_trie4_build(arena, &map->root,
                                (struct nb_trie4_part){.all = collector.all, .count = collector.count});
    nb_free(collector.all);
    return status;
}

struct visit {
    int (*visit)(void *context, const struct nb_span4 *part);
    void *context;
};

static int visit_part(void *context, const struct nb_trie4_span *part)
{
    struct visit *visit = context;
    return visit->visit(visit->context, &(struct nb_span4){part->first, part->last, part->owner});
}

int nb_map4_visit(const struct nb_map *map, nb_key4 first, nb_key4 last,
                  int (*visit)(void *context, const struct nb_span4 *part), void *context)
{
    struct visit state = {visit, context};
    return nb_trie4_visit_slot(visit_part, &state, map->root, 32, first, last);
}
