/* The block list and the model of it do the same things at random; they must always say the same. */
#include "block_list.h"
#include "memory.h"
#include "model.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

enum { MOST_TOGETHER = 700 };

/* One run: how long, how many rules at once, how far apart addresses are. */
struct plan {
    unsigned steps;
    unsigned most_together; /* rules that one step adds */
    unsigned bits; /* in which addresses differ, of 128 or of 32 */
    bool memory_fails;
};

struct run {
    const struct plan *plan;
    uint64_t random_state;
    struct nb_block_list *list;
    struct model model;
};

/* splitmix64 */
static uint64_t next_random(struct run *run)
{
    uint64_t z = run->random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned below(struct run *run, unsigned limit)
{
    return (unsigned)(next_random(run) % limit);
}

/* ---- addresses and rules ---- */

/* Differs from the base in the lowest bits, or now and then in any. */
static void vary(struct run *run, uint8_t *bytes, unsigned size)
{
    unsigned bits = below(run, 8) ? run->plan->bits : 8 * size;
    for (unsigned at = 0; at < 8 * size; at++)
        if (8 * size - at <= bits && below(run, 2))
            bytes[at / 8] ^= (uint8_t)(0x80 >> at % 8);
}

static struct nb_ip any_ip(struct run *run)
{
    static const uint8_t bases[][16] = {{0x20, 1, 0xd, 0xb8}, {[10] = 0xff, 0xff, 10, 20}, {0}};
    struct nb_ip ip = {.family = 4, .bytes = {10, 20}};
    if (below(run, 2)) {
        ip.family = 6;
        memcpy(ip.bytes, bases[below(run, 3)], 16);
    }
    vary(run, ip.bytes, ip.family == 4 ? 4 : 16);
    return ip;
}

static struct nb_rule any_rule(struct run *run)
{
    struct nb_rule rule = {.kind = (uint8_t)below(run, 3), .first = any_ip(run)};
    unsigned widest = rule.first.family == 4 ? 32 : 128;
    if (rule.kind == NB_RULE_RANGE)
        rule.last = any_ip(run);
    if (rule.kind == NB_RULE_SUBNET)
        rule.prefix = (uint8_t)(widest - below(run, below(run, 4) ? 10 : widest + 1));
    struct nb_rule turned = {.kind = NB_RULE_RANGE, .first = rule.last, .last = rule.first};
    return nb_rule_is_valid(&rule) ? rule : turned;
}

/* An address at random, or one at the edge of a rule. */
static struct nb_ip asked_ip(struct run *run)
{
    struct nb_ip ip = any_ip(run);
    if (run->model.count && below(run, 2)) {
        const struct nb_rule *rule = &run->model.rules[below(run, (unsigned)run->model.count)].rule;
        ip = rule->kind == NB_RULE_RANGE && below(run, 2) ? rule->last : rule->first;
        ip.bytes[ip.family == 4 ? 3 : 15] += (uint8_t)(below(run, 3) - 1);
    }
    return ip;
}

/* ---- steps ---- */

static void maybe_fail(struct run *run)
{
    if (run->plan->memory_fails)
        nb_memory_fail_after(below(run, 12));
}

static void add(struct run *run)
{
    struct nb_rule rules[MOST_TOGETHER];
    unsigned count = 1 + below(run, run->plan->most_together);
    for (unsigned i = 0; i < count; i++)
        rules[i] = any_rule(run);
    maybe_fail(run);
    int status = nb_block_list_add_all(run->list, rules, count);
    nb_memory_fail_after(0);
    ck_assert(status == 0 || (run->plan->memory_fails && status == -ENOMEM));
    for (unsigned i = 0; i < count && status == 0; i++)
        model_add(&run->model, &rules[i]);
}

static void remove_some(struct run *run)
{
    for (unsigned left = 1 + below(run, run->plan->most_together); left > 0; left--) {
        struct nb_rule rule = any_rule(run);
        if (run->model.count && below(run, 8))
            rule = run->model.rules[below(run, (unsigned)run->model.count)].rule;
        maybe_fail(run);
        int status = nb_block_list_remove(run->list, &rule);
        nb_memory_fail_after(0);
        ck_assert_int_eq(status, model_remove(&run->model, &rule) ? 0 : -ENOENT);
    }
}

static void match(struct run *run)
{
    struct nb_ip ip = asked_ip(run);
    struct model_rule *expected = model_match(&run->model, &ip);
    struct nb_rule found;
    ck_assert(nb_block_list_match(run->list, &ip, &found) == !!expected);
    if (!expected)
        return;
    ck_assert(nb_rule_equals(&found, &expected->rule));
    expected->hits++;
}

static void check_many(struct run *run)
{
    struct nb_ip ips[100] = {0};
    bool blocked[100];
    unsigned count = below(run, 101), expected = 0;
    for (unsigned i = 0; i < count; i++)
        ips[i] = asked_ip(run);
    size_t found = nb_block_list_check_many(run->list, ips, count, blocked);
    for (unsigned i = 0; i < count; i++) {
        bool is_blocked = model_match(&run->model, &ips[i]);
        ck_assert(blocked[i] == is_blocked);
        ck_assert(nb_block_list_check(run->list, &ips[i]) == is_blocked);
        expected += is_blocked;
    }
    ck_assert_uint_eq(found, expected);
}

static void step(struct run *run)
{
    unsigned what = below(run, 100);
    if (what < 20) {
        add(run);
    } else if (what < 34) {
        remove_some(run);
    } else if (what == 34 && below(run, 10) == 0) {
        nb_block_list_clear(run->list);
        model_clear(&run->model);
    } else if (what < 90) {
        match(run);
    } else {
        check_many(run);
    }
}

/* ---- the whole list ---- */

static void compare_walks(struct run *run)
{
    struct nb_rule_walk newest = {0}, oldest = {0};
    struct nb_rule rule;
    uint64_t hits;
    size_t count = run->model.count;
    ck_assert_uint_eq(nb_block_list_size(run->list), count);
    for (size_t i = 0; i < count; i++) {
        const struct model_rule *expected = &run->model.rules[count - 1 - i];
        ck_assert(nb_block_list_newest(run->list, &newest, &rule, &hits));
        ck_assert(nb_rule_equals(&rule, &expected->rule));
        ck_assert(run->plan->memory_fails || hits == expected->hits);
        ck_assert(nb_block_list_oldest(run->list, &oldest, &rule, NULL));
        ck_assert(nb_rule_equals(&rule, &run->model.rules[i].rule));
    }
    ck_assert(!nb_block_list_newest(run->list, &newest, &rule, NULL));
    ck_assert(!nb_block_list_oldest(run->list, &oldest, &rule, NULL));
}

static void run_plan(const struct plan *plan, uint64_t seed)
{
    struct run run = {.plan = plan, .random_state = seed, .list = nb_block_list_new()};
    ck_assert_ptr_nonnull(run.list);
    for (unsigned i = 0; i < plan->steps; i++) {
        step(&run);
        if (i % 64 == 0)
            compare_walks(&run);
    }
    compare_walks(&run);
    model_finish(&run.model);
    nb_block_list_free(run.list);
}

START_TEST(small_lists_agree)
{
    static const struct plan near = {.steps = 300, .most_together = 2, .bits = 4};
    static const struct plan far = {.steps = 300, .most_together = 3, .bits = 32};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        run_plan(&near, seed);
        run_plan(&far, seed);
    }
}
END_TEST

START_TEST(large_lists_agree)
{
    static const struct plan near = {.steps = 60, .most_together = MOST_TOGETHER, .bits = 14};
    static const struct plan far = {.steps = 60, .most_together = MOST_TOGETHER, .bits = 128};
    for (uint64_t seed = 1; seed <= 2; seed++) {
        run_plan(&near, seed);
        run_plan(&far, seed);
    }
}
END_TEST

START_TEST(lists_without_memory_agree)
{
    static const struct plan few = {.steps = 300, .most_together = 3, .bits = 6, .memory_fails = true};
    static const struct plan many = {.steps = 40, .most_together = 400, .bits = 20, .memory_fails = true};
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_plan(&few, seed);
    run_plan(&many, 1);
}
END_TEST

int main(void)
{
    return run_suite(
        "model", (const TTest *[]){small_lists_agree, large_lists_agree, lists_without_memory_agree, NULL});
}
