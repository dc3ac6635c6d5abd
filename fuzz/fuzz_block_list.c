/*
 * A block list and its model, put to the same operations: an input is a world of
 * addresses (universe.h) and a program, one byte for an operation and its variant
 * and some for its operands. The model is an array of rules that is searched from
 * the newest on. The list is built with small nodes (sizes.h), so that short
 * programs make deep trees. Memory may fail in any change, and then nothing changes.
 */
#include "block_list.h"
#include "fuzz.h"
#include "list_json.h"
#include "list_text.h"
#include "memory.h"
#include "universe.h"

#include <errno.h>
#include <string.h>

enum { RULES_MAX = 32, TOGETHER_MAX = 8, STEPS_MAX = 16, TEXT_MAX = 128 * RULES_MAX };

struct known_rule {
    struct nb_rule rule;
    const universe_set *matches; /* borrowed for ever */
    uint64_t hits;
};

/* The rest of the program; behind its end stand zeroes, or numbers that grow out of a seed. */
struct program {
    const uint8_t *at, *end;
    uint32_t random; /* 0: zeroes */
};

struct world {
    struct program program;
    unsigned universe;
    const struct nb_ip *ips;
    struct nb_block_list *list;
    struct known_rule rules[RULES_MAX]; /* the model, oldest first */
    size_t count;
    unsigned failure; /* which request of memory is to fail in the next change; 0: none */
};

static uint8_t take(struct program *program)
{
    if (program->at < program->end)
        return *program->at++;
    program->random *= UINT32_C(2891336453);
    return (uint8_t)(program->random >> 24);
}

/* ---- comparing ---- */

static const struct known_rule *model_newest(const struct world *world, unsigned address)
{
    for (size_t at = world->count; at-- > 0;)
        if (*world->rules[at].matches >> address & 1)
            return &world->rules[at];
    return NULL;
}

static void check_all(const struct world *world)
{
    bool blocked[UNIVERSE_SIZE];
    universe_set all = 0, found = 0;
    for (size_t at = 0; at < world->count; at++)
        all |= *world->rules[at].matches;
    size_t total = nb_block_list_check_many(world->list, world->ips, UNIVERSE_SIZE, blocked);
    for (unsigned i = 0; i < UNIVERSE_SIZE; i++)
        found |= (universe_set)blocked[i] << i;
    fuzz_require(found == all && total == (size_t)__builtin_popcountll(all));
}

static void check_one(const struct world *world, unsigned address)
{
    bool expected = model_newest(world, address) != NULL;
    fuzz_require(nb_block_list_check(world->list, &world->ips[address]) == expected);
}

static void match_one(struct world *world, unsigned address)
{
    struct nb_rule rule;
    struct known_rule *expected = (struct known_rule *)model_newest(world, address);
    bool found = nb_block_list_match(world->list, &world->ips[address], &rule);
    fuzz_require(found == (expected != NULL));
    if (!found)
        return;
    fuzz_require(nb_rule_equals(&rule, &expected->rule));
    expected->hits++;
}

static void walk_up(const struct world *world)
{
    struct nb_rule_walk walk = {0};
    struct nb_rule rule;
    uint64_t hits;
    for (size_t at = 0; at < world->count; at++) {
        fuzz_require(nb_block_list_oldest(world->list, &walk, &rule, &hits));
        fuzz_require(nb_rule_equals(&rule, &world->rules[at].rule) && hits == world->rules[at].hits);
    }
    fuzz_require(!nb_block_list_oldest(world->list, &walk, &rule, NULL));
}

static void walk_down(const struct world *world)
{
    struct nb_rule_walk walk = {0};
    struct nb_rule rule;
    uint64_t hits;
    for (size_t at = world->count; at-- > 0;) {
        fuzz_require(nb_block_list_newest(world->list, &walk, &rule, &hits));
        fuzz_require(nb_rule_equals(&rule, &world->rules[at].rule) && hits == world->rules[at].hits);
    }
    fuzz_require(!nb_block_list_newest(world->list, &walk, &rule, NULL));
}

/* One way or the other, for speed. */
static void walk(const struct world *world, bool up)
{
    fuzz_require(nb_block_list_size(world->list) == world->count);
    up ? walk_up(world) : walk_down(world);
}

/* ---- rules of the program ---- */

/* Families of a range's ends may differ only if both are IPv4 in some form, or they have no order. */
static bool is_valid(const struct nb_rule *rule)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (rule->kind == NB_RULE_ADDRESS)
        return true;
    if (rule->kind == NB_RULE_SUBNET)
        return rule->prefix <= (rule->first.family == 4 ? 32 : 128);
    if (rule->first.family == rule->last.family)
        return memcmp(rule->first.bytes, rule->last.bytes, 16) <= 0;
    const struct nb_ip *wide = rule->first.family == 6 ? &rule->first : &rule->last;
    if (memcmp(wide->bytes, prefix, sizeof prefix) != 0)
        return true;
    const uint8_t *first = rule->first.bytes + (wide == &rule->first ? 12 : 0);
    const uint8_t *last = rule->last.bytes + (wide == &rule->last ? 12 : 0);
    return memcmp(first, last, 4) <= 0;
}

/* Three bytes: the kind, and its operands. *ret_matches is NULL for a rule that is not valid. */
static struct nb_rule take_rule(struct world *world, const universe_set **ret_matches)
{
    static const uint8_t kinds[] = {NB_RULE_ADDRESS, NB_RULE_RANGE, NB_RULE_SUBNET, NB_RULE_RANGE};
    enum nb_rule_kind kind = kinds[take(&world->program) % sizeof kinds];
    uint8_t first = take(&world->program);
    uint8_t second = kind == NB_RULE_ADDRESS ? 0 : take(&world->program);
    struct nb_rule rule = universe_rule(world->universe, kind, first, second);
    *ret_matches = is_valid(&rule) ? universe_matches(world->universe, kind, first, second) : NULL;
    return rule;
}

/* ---- changes ---- */

static void begin_change(struct world *world)
{
    nb_memory_fail_after(world->failure);
}

/* True when the change came about; if memory failed, all is as before. */
static bool end_change(struct world *world, int status, int expected)
{
    bool may_fail = world->failure;
    nb_memory_fail_after(0);
    world->failure = 0;
    if (status == -ENOMEM && may_fail) {
        check_all(world);
        walk(world, true);
        return false;
    }
    fuzz_require(status == expected);
    return status == 0;
}

static void add(struct world *world, size_t count)
{
    struct nb_rule rules[TOGETHER_MAX];
    size_t before = world->count, at = before;
    int expected = 0;
    if (before + count > RULES_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        struct known_rule *known = &world->rules[at++];
        *known = (struct known_rule){0};
        rules[i] = known->rule = take_rule(world, &known->matches);
        if (!known->matches)
            expected = -EINVAL;
    }
    begin_change(world);
    int status =
        count == 1 ? nb_block_list_add(world->list, rules) : nb_block_list_add_all(world->list, rules, count);
    if (end_change(world, status, expected))
        world->count = at;
}

/* Many rules out of one byte, so that a short program fills a list. */
static void add_grown(struct world *world, size_t count)
{
    struct program program = world->program;
    uint32_t seed = take(&program);
    world->program = (struct program){.random = 2 * seed + 1};
    add(world, count);
    world->program = program;
}

static void remove_rule(struct world *world, const struct nb_rule *rule)
{
    size_t at = world->count;
    while (at > 0 && !nb_rule_equals(&world->rules[at - 1].rule, rule))
        at--;
    begin_change(world);
    int status = nb_block_list_remove(world->list, rule);
    nb_memory_fail_after(0);
    world->failure = 0;
    fuzz_require(status == (at ? 0 : -ENOENT));
    if (!at)
        return;
    memmove(&world->rules[at - 1], &world->rules[at], (world->count - at) * sizeof *world->rules);
    world->count--;
}

static void remove_some(struct world *world)
{
    uint8_t which = take(&world->program);
    const universe_set *matches;
    struct nb_rule rule = world->count ? world->rules[which % world->count].rule : take_rule(world, &matches);
    remove_rule(world, &rule);
}

static void remove_made_up(struct world *world)
{
    const universe_set *matches;
    struct nb_rule rule = take_rule(world, &matches);
    remove_rule(world, &rule);
}

static void clear(struct world *world)
{
    nb_block_list_clear(world->list);
    world->count = 0;
}

/* ---- saving and loading ---- */

struct text {
    size_t length;
    char bytes[TEXT_MAX];
};

static int append(void *context, const char *bytes, size_t length)
{
    struct text *text = context;
    fuzz_require(length <= sizeof text->bytes - text->length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    return 0;
}

static void save(const struct world *world, bool as_json, struct text *text)
{
    text->length = 0;
    int status = as_json ? nb_block_list_save_json(world->list, append, text)
                         : nb_block_list_save_text(world->list, append, text);
    fuzz_require(status == 0);
}

static int load(struct nb_block_list *list, bool as_json, const struct text *text, size_t max)
{
    struct nb_list_fault fault;
    struct nb_list_json_fault json_fault;
    if (as_json)
        return nb_block_list_load_json(list, text->bytes, text->length, max, &json_fault);
    return nb_block_list_load_text(list, text->bytes, text->length, max, &fault);
}

/* A list that is loaded from what another one saved is the same, but for the hits. */
static void replace(struct world *world, bool as_json)
{
    static struct text text;
    struct nb_block_list *old = world->list, *loaded = nb_block_list_new();
    fuzz_require(loaded);
    save(world, as_json, &text);
    begin_change(world);
    int status = load(loaded, as_json, &text, world->count);
    if (!end_change(world, status, 0)) {
        nb_block_list_free(loaded);
        return;
    }
    world->list = loaded;
    nb_block_list_free(old);
    for (size_t at = 0; at < world->count; at++)
        world->rules[at].hits = 0;
}

/* The list once more behind itself, or nothing when that is one rule too many. */
static void load_twice(struct world *world, bool as_json, bool has_room)
{
    static struct text text;
    size_t count = world->count;
    if (2 * count > RULES_MAX || !count)
        return;
    save(world, as_json, &text);
    begin_change(world);
    int status = load(world->list, as_json, &text, 2 * count - !has_room);
    if (!end_change(world, status, has_room ? 0 : -ENOSPC))
        return;
    for (size_t at = 0; at < count; at++) {
        world->rules[count + at] = world->rules[at];
        world->rules[count + at].hits = 0;
    }
    world->count *= 2;
}

/* ---- the program ---- */

static void step(struct world *world)
{
    uint8_t byte = take(&world->program), variant = byte >> 4;
    switch (byte & 15) {
    default: /* 0 to 4: most of what is done */
        add(world, 1);
        break;
    case 5:
        add(world, 1u + variant % TOGETHER_MAX);
        break;
    case 6:
        add_grown(world, 1u + variant % TOGETHER_MAX);
        break;
    case 7:
    case 8:
        remove_some(world);
        break;
    case 9:
        remove_made_up(world);
        break;
    case 10:
        check_one(world, take(&world->program) % UNIVERSE_SIZE);
        break;
    case 11:
        match_one(world, take(&world->program) % UNIVERSE_SIZE);
        break;
    case 12:
        world->failure = 1u + variant;
        break;
    case 13: /* texts are slow, and so a rarer thing to do */
        variant < 4 ? replace(world, variant & 1) : match_one(world, byte % UNIVERSE_SIZE);
        break;
    case 14:
        variant < 4 ? load_twice(world, variant & 1, variant & 2) : check_one(world, byte % UNIVERSE_SIZE);
        break;
    case 15:
        variant & 8 ? clear(world) : check_all(world);
        break;
    }
}

static void check_at_the_end(struct world *world)
{
    unsigned start = take(&world->program);
    check_all(world);
    for (unsigned i = 0; i < UNIVERSE_SIZE; i += UNIVERSE_SIZE / 4)
        match_one(world, (start + i) % UNIVERSE_SIZE);
    walk(world, start & 1);
    clear(world);
    fuzz_require(nb_block_list_size(world->list) == 0);
    check_one(world, start % UNIVERSE_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    if (size < 2)
        return 0;
    int64_t live = nb_memory_live();
    world.program = (struct program){.at = data + 1, .end = data + size};
    world.universe = data[0] % UNIVERSES;
    world.ips = universe_addresses(world.universe);
    world.count = world.failure = 0;
    world.list = nb_block_list_new();
    fuzz_require(world.list);
    for (unsigned i = 0; i < STEPS_MAX && world.program.at < world.program.end; i++)
        step(&world);
    check_at_the_end(&world);
    nb_block_list_free(world.list);
    fuzz_require(nb_memory_live() == live);
    return 0;
}
