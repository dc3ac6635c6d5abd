/* The maps, searched as each kind of processor does it, against an array of owners. */
#include "memory.h"
#include "owner_map_read.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

enum { UNIVERSE = 1 << 14, PAINTS = 3000, ASKED = 256 };

static uint64_t random_state = 1;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % limit;
}

/* ---- the searches ---- */

struct reads {
    const char *name;
    uint32_t (*owner4)(const struct nb_map *map, nb_key4 key);
    uint32_t (*owner6)(const struct nb_map *map, nb_key6 key);
    bool (*check4)(const struct nb_map *map, nb_key4 key);
    bool (*check6)(const struct nb_map *map, nb_key6 key);
    void (*check_many4)(const struct nb_map *map, const nb_key4 *keys, size_t count, bool *ret_owned);
    void (*check_many6)(const struct nb_map *map, const nb_key6 *keys, size_t count, bool *ret_owned);
};

#define READS(suffix)                                                                                        \
    {                                                                                                        \
#suffix, nb_map4_owner_##suffix, nb_map6_owner_##suffix, nb_map4_check_##suffix,                     \
            nb_map6_check_##suffix, nb_map4_check_many_##suffix, nb_map6_check_many_##suffix                 \
    }

static const struct reads all_reads[] = {
    READS(portable),
#ifdef NB_HAS_X86_READS
    READS(avx2),
    READS(avx512),
#endif
};

static bool can_do(const struct reads *reads)
{
#ifdef NB_HAS_X86_READS
    if (strcmp(reads->name, "avx2") == 0)
        return __builtin_cpu_supports("avx2");
    if (strcmp(reads->name, "avx512") == 0)
        return __builtin_cpu_supports("avx512bw");
#endif
    return true;
}

/* ---- a universe of keys that lie in some places of the whole ---- */

static nb_key4 key4_of(unsigned place)
{
    static const nb_key4 bases[4] = {0, 0x0a000000, 0x0a001000, 0xfffff000};
    return bases[place >> 12] + (place & 0xfff);
}

/* The last three parts differ in the lower half, in the higher half, and at the end of all keys. */
static nb_key6 key6_of(unsigned place)
{
    nb_key6 low = place & 0xfff;
    switch (place >> 12) {
    case 0:
        return low;
    case 1:
        return ((nb_key6)0x20010db8 << 96) + low;
    case 2:
        return ((nb_key6)0x20010db9 << 96) + (low << 64);
    default:
        return ~(nb_key6)0xfff + low;
    }
}

struct world {
    struct nb_arena arena;
    struct nb_map map4, map6;
    uint32_t owners[UNIVERSE];
};

static void paint(struct world *world, unsigned first, unsigned last, uint32_t owner)
{
    struct nb_span4 span4 = {key4_of(first), key4_of(last), owner};
    struct nb_span6 span6 = {key6_of(first), key6_of(last), owner};
    ck_assert_int_eq(nb_map4_paint(&world->map4, &world->arena, &span4), 0);
    ck_assert_int_eq(nb_map6_paint(&world->map6, &world->arena, &span6), 0);
    for (unsigned place = first; place <= last; place++)
        world->owners[place] = owner;
}

static void paint_at_random(struct world *world, unsigned widest)
{
    unsigned first = below(UNIVERSE), length = below(4) ? 0 : below(widest);
    unsigned last = first + length < UNIVERSE ? first + length : UNIVERSE - 1;
    paint(world, first, last, below(5) ? 1 + below(1000) : 0);
}

static void assert_all(const struct reads *reads, const struct world *world)
{
    for (unsigned place = 0; place < UNIVERSE; place++) {
        uint32_t owner = world->owners[place];
        nb_key4 key4 = key4_of(place);
        nb_key6 key6 = key6_of(place);
        if (reads->owner4(&world->map4, key4) != owner || reads->check4(&world->map4, key4) != (owner != 0) ||
            reads->owner6(&world->map6, key6) != owner || reads->check6(&world->map6, key6) != (owner != 0))
            ck_abort_msg("%s at place %u", reads->name, place);
    }
}

static void assert_many(const struct reads *reads, const struct world *world, unsigned count)
{
    unsigned places[ASKED];
    nb_key4 keys4[ASKED] = {0};
    nb_key6 keys6[ASKED] = {0};
    bool owned4[ASKED + 1] = {0}, owned6[ASKED + 1] = {0};
    for (unsigned i = 0; i < count; i++) {
        places[i] = below(UNIVERSE);
        keys4[i] = key4_of(places[i]);
        keys6[i] = key6_of(places[i]);
    }
    reads->check_many4(&world->map4, keys4, count, owned4);
    reads->check_many6(&world->map6, keys6, count, owned6);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(owned4[i] == (world->owners[places[i]] != 0));
        ck_assert(owned6[i] == (world->owners[places[i]] != 0));
    }
    ck_assert(!owned4[count] && !owned6[count]);
}

static void assert_reads(const struct world *world)
{
    for (unsigned i = 0; i < sizeof all_reads / sizeof *all_reads; i++) {
        if (!can_do(&all_reads[i]))
            continue;
        assert_all(&all_reads[i], world);
        for (unsigned count = 0; count <= ASKED; count += 17)
            assert_many(&all_reads[i], world, count);
    }
}

/* ---- tests ---- */

START_TEST(an_empty_map_owns_nothing)
{
    static struct world world;
    assert_reads(&world);
}
END_TEST

START_TEST(what_was_painted_is_found)
{
    static const unsigned widths[] = {2, 40, 600, UNIVERSE};
    for (unsigned w = 0; w < sizeof widths / sizeof *widths; w++) {
        static struct world world;
        memset(&world, 0, sizeof world);
        for (unsigned step = 0; step < PAINTS; step++) {
            paint_at_random(&world, widths[w]);
            if (step % 1000 == 20)
                assert_reads(&world);
        }
        assert_reads(&world);
        nb_arena_clear(&world.arena);
    }
}
END_TEST

START_TEST(painting_everything_leaves_nothing_behind)
{
    static struct world world;
    for (unsigned step = 0; step < PAINTS; step++)
        paint_at_random(&world, 30);
    struct nb_span4 all4 = {0, UINT32_MAX, 7};
    struct nb_span6 all6 = {0, ~(nb_key6)0, 7};
    ck_assert_int_eq(nb_map4_paint(&world.map4, &world.arena, &all4), 0);
    ck_assert_int_eq(nb_map6_paint(&world.map6, &world.arena, &all6), 0);
    for (unsigned place = 0; place < UNIVERSE; place++)
        world.owners[place] = 7;
    assert_reads(&world);
    size_t memory = world.arena.memory;
    for (unsigned step = 0; step < PAINTS; step++) /* what was freed serves again */
        paint_at_random(&world, 30);
    ck_assert_uint_le(world.arena.memory, memory + memory / 2);
    nb_arena_clear(&world.arena);
}
END_TEST

/* The highest owner wins, as if they had been painted in the order of their owners. */
START_TEST(what_was_built_is_what_would_have_been_painted)
{
    for (unsigned count = 1; count <= PAINTS; count = count * 3 + 1) {
        static struct world world;
        struct nb_span4 *spans4 = nb_malloc(count * sizeof *spans4);
        struct nb_span6 *spans6 = nb_malloc(count * sizeof *spans6);
        memset(&world, 0, sizeof world);
        for (unsigned i = 0; i < count; i++) {
            unsigned first = below(UNIVERSE), last = first + (below(3) ? 0 : below(UNIVERSE - first));
            spans4[i] = (struct nb_span4){key4_of(first), key4_of(last), i + 1};
            spans6[i] = (struct nb_span6){key6_of(first), key6_of(last), i + 1};
            for (unsigned place = first; place <= last; place++)
                world.owners[place] = i + 1;
        }
        ck_assert_int_eq(nb_map4_build(&world.map4, &world.arena, spans4, count), 0);
        ck_assert_int_eq(nb_map6_build(&world.map6, &world.arena, spans6, count), 0);
        assert_reads(&world);
        for (unsigned step = 0; step < 300; step++)
            paint_at_random(&world, 100);
        assert_reads(&world);
        nb_arena_clear(&world.arena);
        nb_free(spans4);
        nb_free(spans6);
    }
}
END_TEST

/* ---- visiting ---- */

struct tour {
    const struct world *world;
    unsigned next; /* the place behind the part before */
    unsigned owned;
};

static int tour_part4(void *context, const struct nb_span4 *part)
{
    struct tour *tour = context;
    while (tour->next < UNIVERSE && key4_of(tour->next) < part->first)
        ck_assert_uint_eq(tour->world->owners[tour->next++], 0);
    for (; tour->next < UNIVERSE && key4_of(tour->next) <= part->last; tour->next++, tour->owned++)
        ck_assert_uint_eq(tour->world->owners[tour->next], part->owner);
    return 0;
}

static int tour_part6(void *context, const struct nb_span6 *part)
{
    struct tour *tour = context;
    while (tour->next < UNIVERSE && key6_of(tour->next) < part->first)
        ck_assert_uint_eq(tour->world->owners[tour->next++], 0);
    for (; tour->next < UNIVERSE && key6_of(tour->next) <= part->last; tour->next++, tour->owned++)
        ck_assert_uint_eq(tour->world->owners[tour->next], part->owner);
    return 0;
}

static int stop_at_once(void *context, const struct nb_span4 *part)
{
    (*(unsigned *)context)++;
    return -7;
}

START_TEST(a_visit_sees_all_parts_in_order)
{
    static struct world world;
    unsigned owned = 0, calls = 0;
    for (unsigned step = 0; step < PAINTS; step++)
        paint_at_random(&world, 60);
    for (unsigned place = 0; place < UNIVERSE; place++)
        owned += world.owners[place] != 0;
    struct tour tour4 = {.world = &world}, tour6 = {.world = &world};
    ck_assert_int_eq(nb_map4_visit(&world.map4, 0, UINT32_MAX, tour_part4, &tour4), 0);
    ck_assert_int_eq(nb_map6_visit(&world.map6, 0, ~(nb_key6)0, tour_part6, &tour6), 0);
    ck_assert_uint_eq(tour4.owned, owned);
    ck_assert_uint_eq(tour6.owned, owned);
    ck_assert_int_eq(nb_map4_visit(&world.map4, 0, UINT32_MAX, stop_at_once, &calls), -7);
    ck_assert_uint_eq(calls, 1);
    nb_arena_clear(&world.arena);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_empty_map_owns_nothing,
                                  what_was_painted_is_found,
                                  painting_everything_leaves_nothing_behind,
                                  what_was_built_is_what_would_have_been_painted,
                                  a_visit_sees_all_parts_in_order,
                                  NULL};
    return run_suite("block list owner map", tests);
}
