#include "filter.h"
#include "suite.h"

#include <string.h>
#include <uv.h>

static struct nb_rule rule_of(const char *text)
{
    struct nb_rule rule;
    ck_assert_ptr_null(nb_rule_parse(text, strlen(text), &rule));
    return rule;
}

static struct nb_ip ip_of(const char *text)
{
    struct nb_ip ip;
    ck_assert(nb_ip_parse(text, strlen(text), &ip, NULL));
    return ip;
}

static struct nb_filter *new_filter(struct nb_budget *budget)
{
    struct nb_filter *filter;
    ck_assert_int_eq(nb_filter_new(budget, false, &filter), 0);
    return filter;
}

static int add(struct nb_filter *filter, const char *text)
{
    struct nb_rule rule = rule_of(text);
    return nb_filter_add(filter, &rule, 1);
}

static void expect_used(struct nb_budget *budget, unsigned lists, unsigned rules)
{
    ck_assert_uint_eq(atomic_load(&budget->lists), lists);
    ck_assert_uint_eq(atomic_load(&budget->rules), rules);
}

START_TEST(rules_are_charged_to_the_budget_and_given_back)
{
    struct nb_budget *budget = nb_budget_new(2, 3);
    struct nb_filter *one = new_filter(budget), *two = new_filter(budget), *three;
    ck_assert_int_eq(nb_filter_new(budget, false, &three), UV_ENOSPC);
    ck_assert_int_eq(add(one, "192.0.2.1"), 0);
    ck_assert_int_eq(add(one, "192.0.2.2"), 0);
    ck_assert_int_eq(add(two, "2001:db8::/32"), 0);
    expect_used(budget, 2, 3);
    ck_assert_int_eq(add(two, "192.0.2.3"), UV_ENOSPC);
    struct nb_rule rule = rule_of("192.0.2.1");
    ck_assert_int_eq(nb_filter_remove(one, &rule), 0);
    ck_assert_int_eq(nb_filter_remove(one, &rule), UV_ENOENT);
    expect_used(budget, 2, 2);
    nb_filter_clear(two);
    expect_used(budget, 2, 1);
    nb_filter_unref(one);
    expect_used(budget, 1, 0);
    nb_filter_unref(two);
    expect_used(budget, 0, 0);
    nb_budget_unref(budget);
}
END_TEST

static struct nb_block_list *list_of(unsigned count)
{
    struct nb_block_list *list = nb_block_list_new();
    struct nb_rule rule = rule_of("198.51.100.0/24");
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(nb_block_list_add(list, &rule), 0);
    return list;
}

START_TEST(replacing_charges_the_difference)
{
    struct nb_budget *budget = nb_budget_new(1, 5);
    struct nb_filter *filter = new_filter(budget);
    ck_assert_int_eq(nb_filter_replace(filter, list_of(4)), 0);
    expect_used(budget, 1, 4);
    ck_assert_int_eq(nb_filter_replace(filter, list_of(2)), 0);
    expect_used(budget, 1, 2);
    struct nb_block_list *large = list_of(6);
    ck_assert_int_eq(nb_filter_replace(filter, large), UV_ENOSPC);
    nb_block_list_free(large);
    expect_used(budget, 1, 2);
    ck_assert_int_eq(nb_filter_replace(filter, list_of(5)), 0);
    nb_filter_unref(filter);
    expect_used(budget, 0, 0);
    nb_budget_unref(budget);
}
END_TEST

START_TEST(one_of_the_configuration_is_not_counted)
{
    struct nb_filter *filter = new_filter(NULL);
    ck_assert(nb_filter_is_configured(filter));
    ck_assert_int_eq(nb_filter_replace(filter, list_of(1000)), 0);
    nb_filter_unref(filter);
}
END_TEST

START_TEST(no_filter_blocks_nobody)
{
    struct nb_ip blocked = ip_of("198.51.100.7"), other = ip_of("198.51.101.7");
    struct nb_rule rule;
    struct nb_filter *filter = new_filter(NULL);
    ck_assert_int_eq(nb_filter_replace(filter, list_of(1)), 0);
    ck_assert(nb_filter_match(filter, 0, &blocked, &rule));
    ck_assert_int_eq(rule.kind, NB_RULE_SUBNET);
    ck_assert(!nb_filter_match(filter, 0, &other, &rule));
    ck_assert(!nb_filter_match(filter, 0, &(struct nb_ip){0}, &rule));
    ck_assert(!nb_filter_match(NULL, 0, &blocked, &rule));
    nb_filter_unref(filter);
    nb_filter_unref(NULL);
}
END_TEST

static void note_last(struct nb_filter *filter, void *owner)
{
    ck_assert(!nb_filter_try_ref(filter)); /* too late */
    ++*(unsigned *)owner;
}

START_TEST(the_last_one_tells_the_owner)
{
    unsigned told = 0;
    struct nb_filter *filter = new_filter(NULL);
    filter->on_last = note_last;
    filter->owner = &told;
    ck_assert_ptr_eq(nb_filter_ref(filter), filter);
    ck_assert(nb_filter_try_ref(filter));
    nb_filter_unref(filter);
    nb_filter_unref(filter);
    ck_assert_uint_eq(told, 0);
    nb_filter_unref(filter);
    ck_assert_uint_eq(told, 1);
    ck_assert_ptr_null(nb_filter_ref(NULL));
}
END_TEST

/* ---- several threads ---- */

enum { THREADS = 4, TURNS = 2000 };

static void *add_and_remove(void *context)
{
    struct nb_filter *filter = context;
    struct nb_rule rule = rule_of("203.0.113.0/24");
    for (unsigned i = 0; i < TURNS; i++)
        if (nb_filter_add(filter, &rule, 1) == 0)
            ck_assert_int_eq(nb_filter_remove(filter, &rule), 0);
    return NULL;
}

START_TEST(a_budget_holds_whoever_changes_the_list)
{
    struct nb_budget *budget = nb_budget_new(1, 2);
    struct nb_filter *filter;
    pthread_t threads[THREADS];
    ck_assert_int_eq(nb_filter_new(budget, true, &filter), 0);
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_and_remove, filter), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(nb_shared_list_size(filter->list), 0);
    expect_used(budget, 1, 0);
    nb_filter_unref(filter);
    nb_budget_unref(budget);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        rules_are_charged_to_the_budget_and_given_back,
        replacing_charges_the_difference,
        one_of_the_configuration_is_not_counted,
        no_filter_blocks_nobody,
        the_last_one_tells_the_owner,
        a_budget_holds_whoever_changes_the_list,
        NULL,
    };
    return run_suite("filter", tests);
}
