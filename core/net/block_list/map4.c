#include "memory.h"
#include "owner_map.h"
#include "trie4.h"

#define KEY nb_key4
#define SPAN struct nb_span4
#define KEY_MAX (~(nb_key4)0)
#include "sweep.inc.h"

int nb_map4_paint(struct nb_map *map, struct nb_arena *arena, const struct nb_span4 *span)
{
    struct nb_trie4_span painted = {span->first, span->last, span->owner};
    return nb_trie4_paint(arena, &map->root, &painted);
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
    if (sort(spans, count) < 0)
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
