#include "memory.h"
#include "owner_map.h"
#include "trie6.h"

#define KEY nb_key6
#define SPAN struct nb_span6
#define KEY_MAX (~(nb_key6)0)
#include "sweep.inc.h"

int nb_map6_paint(struct nb_map *map, struct nb_arena *arena, const struct nb_span6 *span)
{
    struct nb_trie6_span painted = {span->first, span->last, span->owner};
    return nb_trie6_paint(arena, &map->root, &painted);
}

struct collector {
    struct nb_trie6_boundary *all; /* room for two a span */
    size_t count;
};

static int collect(void *context, nb_key6 key, uint32_t owner)
{
    struct collector *collector = context;
    if (!collector->count || collector->all[collector->count - 1].owner != owner)
        collector->all[collector->count++] = (struct nb_trie6_boundary){key, owner};
    return 0;
}

int nb_map6_build(struct nb_map *map, struct nb_arena *arena, struct nb_span6 *spans, size_t count)
{
    struct collector collector = {0};
    if (!count)
        return 0;
    if (sort(spans, count) < 0)
        return -ENOMEM;
    if (!(collector.all = nb_malloc(2 * count * sizeof *collector.all)))
        return -ENOMEM;
    int status = sweep(spans, count, collect, &collector);
    if (status == 0)
        status = nb_trie6_build(arena, &map->root,
                                (struct nb_trie6_part){.all = collector.all, .count = collector.count});
    nb_free(collector.all);
    return status;
}

struct visit {
    int (*visit)(void *context, const struct nb_span6 *part);
    void *context;
};

static int visit_part(void *context, const struct nb_trie6_span *part)
{
    struct visit *visit = context;
    return visit->visit(visit->context, &(struct nb_span6){part->first, part->last, part->owner});
}

int nb_map6_visit(const struct nb_map *map, nb_key6 first, nb_key6 last,
                  int (*visit)(void *context, const struct nb_span6 *part), void *context)
{
    struct visit state = {visit, context};
    return nb_trie6_visit_slot(visit_part, &state, map->root, 128, first, last);
}
