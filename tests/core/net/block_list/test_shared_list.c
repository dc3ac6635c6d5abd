#include "memory.h"
#include "model.h"
#include "shared_list.h"
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    NO_LIMIT = 1 << 20,
    READERS = 3,
    CHANGES = 100, /* while threads read */
};

/* Both kinds of list keep most promises alike. */
static const bool kinds[] = {false, true};

static struct nb_rule rule_of(const char *text)
{
    struct nb_rule rule;
    const char *fault = nb_rule_parse(text, strlen(text), &rule);
    ck_assert_msg(!fault, "%s: %s", text, fault);
    return rule;
}

static struct nb_ip ip_of(const char *text)
{
    struct nb_ip ip;
    ck_assert(nb_ip_parse(text, strlen(text), &ip, NULL));
    return ip;
}

static struct nb_shared_list *new_list(bool for_many)
{
    struct nb_shared_list *list = nb_shared_list_new(for_many);
    ck_assert_ptr_nonnull(list);
    return list;
}

static int add(struct nb_shared_list *list, const char *text)
{
    struct nb_rule rule = rule_of(text);
    return nb_shared_list_add(list, &rule, 1, NO_LIMIT);
}

static int remove_rule(struct nb_shared_list *list, const char *text)
{
    struct nb_rule rule = rule_of(text);
    return nb_shared_list_remove(list, &rule);
}

static bool check(struct nb_shared_list *list, const char *text)
{
    struct nb_ip ip = ip_of(text);
    return nb_shared_list_check(list, 0, &ip);
}

static bool match(struct nb_shared_list *list, unsigned reader, const char *text)
{
    struct nb_ip ip = ip_of(text);
    struct nb_rule rule;
    return nb_shared_list_match(list, reader, &ip, &rule);
}

/* All rules as lines with their hits, newest first. */
struct listing {
    char text[1000];
    unsigned left; /* rules that may still be visited */
};

static bool list_rule(void *context, const struct nb_rule *rule, uint64_t hits)
{
    struct listing *listing = context;
    char text[NB_RULE_TEXT], line[NB_RULE_TEXT + 32];
    nb_rule_format_line(rule, text);
    snprintf(line, sizeof line, "%s %u\n", text, (unsigned)hits);
    ck_assert_uint_lt(strlen(listing->text) + strlen(line), sizeof listing->text);
    strcat(listing->text, line);
    return --listing->left > 0;
}

/* From every rule on, and from behind the last. */
static void check_listing(struct nb_shared_list *list, const char *expected)
{
    for (size_t offset = 0; offset < nb_shared_list_size(list) + 2; offset++) {
        struct listing listing = {.left = 100};
        nb_shared_list_visit(list, offset, list_rule, &listing);
        ck_assert_str_eq(listing.text, expected);
        const char *line_end = strchr(expected, '\n');
        expected = line_end ? line_end + 1 : "";
    }
}

static struct nb_block_list *plain_list(const char *const *texts)
{
    struct nb_block_list *list = nb_block_list_new();
    for (; *texts; texts++) {
        struct nb_rule rule = rule_of(*texts);
        ck_assert_int_eq(nb_block_list_add(list, &rule), 0);
    }
    return list;
}

/* ---- one thread ---- */

START_TEST(changes_are_seen)
{
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        ck_assert_int_eq(add(list, "10.0.0.0/8"), 0);
        ck_assert_int_eq(add(list, "::1"), 0);
        ck_assert(check(list, "10.1.1.1") && check(list, "::1") && !check(list, "11.0.0.0"));
        ck_assert_uint_eq(nb_shared_list_size(list), 2);
        ck_assert_int_eq(remove_rule(list, "10.0.0.0/8"), 0);
        ck_assert(!check(list, "10.1.1.1"));
        ck_assert_int_eq(remove_rule(list, "10.0.0.0/8"), -ENOENT);
        check_listing(list, "::1 0\n");
        ck_assert_int_eq(add(list, "1.1.1.1"), 0);
        ck_assert_int_eq(add(list, "2.2.2.2"), 0);
        ck_assert_int_eq(remove_rule(list, "1.1.1.1"), 0);
        check_listing(list, "2.2.2.2 0\n::1 0\n");
        nb_shared_list_clear(list);
        ck_assert(!check(list, "::1"));
        check_listing(list, "");
        nb_shared_list_unref(list);
    }
}
END_TEST

START_TEST(many_are_checked_at_once)
{
    struct nb_ip ips[] = {ip_of("1.1.1.1"), ip_of("2.2.2.2"), ip_of("::ffff:1.1.1.1")};
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        bool blocked[3];
        ck_assert_int_eq(add(list, "1.1.1.1"), 0);
        ck_assert_uint_eq(nb_shared_list_check_many(list, NB_SHARED_LIST_READERS - 1, ips, 3, blocked), 2);
        ck_assert(blocked[0] && !blocked[1] && blocked[2]);
        nb_shared_list_unref(list);
    }
}
END_TEST

START_TEST(there_may_be_so_many_rules)
{
    struct nb_rule rules[] = {rule_of("1.1.1.1"), rule_of("2.2.2.2")}, bad = {.kind = NB_RULE_RANGE};
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        ck_assert_int_eq(nb_shared_list_add(list, rules, 2, 1), -ENOSPC);
        ck_assert_int_eq(nb_shared_list_add(list, rules, 2, 2), 0);
        ck_assert_int_eq(nb_shared_list_add(list, rules, 1, 2), -ENOSPC);
        ck_assert_int_eq(nb_shared_list_add(list, rules, 0, 2), 0);
        ck_assert_int_eq(nb_shared_list_add(list, rules, 0, 1), -ENOSPC);
        ck_assert_int_eq(nb_shared_list_add(list, &bad, 1, NO_LIMIT), -EINVAL);
        check_listing(list, "2.2.2.2 0\n1.1.1.1 0\n");
        nb_shared_list_unref(list);
    }
}
END_TEST

START_TEST(a_list_becomes_another)
{
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        ck_assert_int_eq(add(list, "9.9.9.9"), 0);
        ck_assert(match(list, 0, "9.9.9.9"));
        struct nb_block_list *with = plain_list((const char *[]){"1.1.1.1", "9.9.9.9", "1.1.1.1", NULL});
        ck_assert_int_eq(nb_shared_list_replace(list, with), 0);
        check_listing(list, "1.1.1.1 0\n9.9.9.9 0\n1.1.1.1 0\n");
        ck_assert_int_eq(add(list, "::/0"), 0);
        ck_assert(match(list, 0, "8.8.8.8"));
        check_listing(list, "::/0 1\n1.1.1.1 0\n9.9.9.9 0\n1.1.1.1 0\n");
        nb_shared_list_unref(list);
    }
}
END_TEST

/* Whichever copy they were counted in. */
START_TEST(hits_are_those_of_all_readers)
{
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        ck_assert_int_eq(add(list, "1.0.0.0/8"), 0);
        ck_assert(match(list, 0, "1.1.1.1"));
        ck_assert_int_eq(add(list, "2.2.2.2"), 0);
        ck_assert(match(list, 1, "1.1.1.1") && match(list, 1, "2.2.2.2"));
        ck_assert_int_eq(add(list, "3.3.3.3"), 0);
        ck_assert(match(list, 63, "1.1.1.1") && match(list, 63, "3.3.3.3"));
        check_listing(list, "3.3.3.3 1\n2.2.2.2 1\n1.0.0.0/8 3\n");
        ck_assert_int_eq(remove_rule(list, "2.2.2.2"), 0);
        ck_assert(match(list, 0, "1.1.1.1"));
        check_listing(list, "3.3.3.3 1\n1.0.0.0/8 4\n");
        nb_shared_list_unref(list);
    }
}
END_TEST

START_TEST(a_visit_may_end_early)
{
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        struct listing listing = {.left = 1};
        ck_assert_int_eq(add(list, "1.1.1.1"), 0);
        ck_assert_int_eq(add(list, "2.2.2.2"), 0);
        nb_shared_list_visit(list, 0, list_rule, &listing);
        ck_assert_str_eq(listing.text, "2.2.2.2 0\n");
        nb_shared_list_unref(list);
    }
}
END_TEST

static int give_size(void *context, const struct nb_block_list *rules)
{
    *(size_t *)context = nb_block_list_size(rules);
    return -EIO;
}

START_TEST(rules_may_be_used_as_a_plain_list)
{
    for (int i = 0; i < 2; i++) {
        struct nb_shared_list *list = new_list(kinds[i]);
        size_t size = 0;
        ck_assert_int_eq(add(list, "1.1.1.1"), 0);
        ck_assert_int_eq(nb_shared_list_use(list, give_size, &size), -EIO);
        ck_assert_uint_eq(size, 1);
        nb_shared_list_unref(list);
    }
}
END_TEST

START_TEST(a_list_lives_as_long_as_its_references)
{
    struct nb_shared_list *list = new_list(true);
    ck_assert_ptr_eq(nb_shared_list_ref(list), list);
    nb_shared_list_unref(list);
    ck_assert_int_eq(add(list, "1.1.1.1"), 0);
    nb_shared_list_unref(list);
    nb_shared_list_unref(NULL);
}
END_TEST

/* ---- no memory ---- */

START_TEST(a_list_needs_memory)
{
    for (int i = 0; i < 2; i++)
        for (uint64_t count = 1; count <= (kinds[i] ? 3 : 2); count++) {
            nb_memory_fail_after(count);
            ck_assert_ptr_null(nb_shared_list_new(kinds[i]));
            nb_memory_fail_after(0);
        }
}
END_TEST

enum { BULK = 700 };

static struct nb_rule bulk_rule(unsigned number)
{
    struct nb_rule rule = {.kind = NB_RULE_ADDRESS, .first = {.family = number % 2 ? 6 : 4}};
    rule.first.bytes[0] = 32;
    rule.first.bytes[2] = (uint8_t)(number >> 8);
    rule.first.bytes[3] = (uint8_t)number;
    return rule;
}

/* The list has the first rules of the bulk, and what it checks fits. */
static void check_bulk(struct nb_shared_list *list, unsigned count)
{
    ck_assert_uint_eq(nb_shared_list_size(list), count);
    for (unsigned i = 0; i < BULK; i++) {
        struct nb_rule rule = bulk_rule(i);
        ck_assert(nb_shared_list_check(list, 0, &rule.first) == (i < count));
    }
}

/* Adds while each allocation fails in turn; what failed is not there, what succeeded is, at once and later. */
static void add_with_failures(bool for_many, unsigned together)
{
    struct nb_rule rules[BULK];
    struct nb_shared_list *list = new_list(for_many);
    unsigned has = 0, fail_after = 0;
    for (unsigned i = 0; i < BULK; i++)
        rules[i] = bulk_rule(i);
    while (has < BULK) {
        nb_memory_fail_after(++fail_after);
        int status = nb_shared_list_add(list, rules + has, together, NO_LIMIT);
        nb_memory_fail_after(0);
        ck_assert(status == 0 || status == -ENOMEM);
        if (status == 0) {
            has += together;
            fail_after = 0;
        }
        check_bulk(list, has);
    }
    nb_shared_list_unref(list);
}

START_TEST(without_memory_nothing_is_added)
{
    add_with_failures(false, 10);
    add_with_failures(true, 10);
    add_with_failures(true, BULK / 2);
}
END_TEST

/* Makes an add fail in the second copy: it succeeds, and that copy lags behind. True: it was so. */
static bool add_with_lag(struct nb_shared_list *list, const char *text, uint64_t fail_after)
{
    uint64_t before = nb_memory_requests();
    nb_memory_fail_after(fail_after);
    int status = add(list, text);
    nb_memory_fail_after(0);
    ck_assert(status == 0 || status == -ENOMEM);
    return status == 0 && nb_memory_requests() - before >= fail_after;
}

START_TEST(a_copy_that_lags_catches_up)
{
    unsigned lagged = 0;
    for (uint64_t fail_after = 1; fail_after < 20; fail_after++) {
        struct nb_shared_list *list = new_list(true);
        if (add_with_lag(list, "1.1.1.1", fail_after)) {
            lagged++;
            ck_assert(match(list, 0, "1.1.1.1"));
            check_listing(list, "1.1.1.1 1\n");
            ck_assert_int_eq(add(list, "2.2.2.2"), 0);
            ck_assert(match(list, 0, "1.1.1.1"));
            check_listing(list, "2.2.2.2 0\n1.1.1.1 2\n");
            ck_assert_int_eq(add(list, "3.3.3.3"), 0);
            ck_assert(match(list, 0, "1.1.1.1") && match(list, 0, "2.2.2.2"));
            check_listing(list, "3.3.3.3 0\n2.2.2.2 1\n1.1.1.1 3\n");
        }
        nb_shared_list_unref(list);
    }
    ck_assert_uint_gt(lagged, 0);
}
END_TEST

START_TEST(a_copy_that_lags_still_holds_up_no_clear_and_no_replacement)
{
    for (uint64_t fail_after = 1; fail_after < 20; fail_after++) {
        struct nb_shared_list *list = new_list(true);
        add_with_lag(list, "1.1.1.1", fail_after);
        nb_shared_list_clear(list);
        ck_assert(!check(list, "1.1.1.1"));
        add_with_lag(list, "1.1.1.1", fail_after);
        struct nb_block_list *with = plain_list((const char *[]){"2.2.2.2", NULL});
        ck_assert_int_eq(nb_shared_list_replace(list, with), 0);
        ck_assert_int_eq(add(list, "3.3.3.3"), 0);
        ck_assert(!check(list, "1.1.1.1") && check(list, "2.2.2.2"));
        check_listing(list, "3.3.3.3 0\n2.2.2.2 0\n");
        nb_shared_list_unref(list);
    }
}
END_TEST

START_TEST(a_copy_that_lags_holds_up_a_removal)
{
    unsigned refused = 0;
    for (uint64_t fail_after = 1; fail_after < 20; fail_after++) {
        struct nb_shared_list *list = new_list(true);
        if (add_with_lag(list, "1.1.1.1", fail_after)) {
            nb_memory_fail_after(1);
            refused += remove_rule(list, "1.1.1.1") == -ENOMEM;
            nb_memory_fail_after(0);
        }
        int expected = nb_shared_list_size(list) ? 0 : -ENOENT;
        ck_assert(check(list, "1.1.1.1") == (expected == 0));
        ck_assert_int_eq(remove_rule(list, "1.1.1.1"), expected);
        ck_assert(!check(list, "1.1.1.1"));
        nb_shared_list_unref(list);
    }
    ck_assert_uint_gt(refused, 0);
}
END_TEST

START_TEST(without_memory_nothing_is_replaced)
{
    struct nb_shared_list *list = new_list(true);
    struct nb_block_list *with = plain_list((const char *[]){"1.1.1.1", "::1", NULL});
    ck_assert_int_eq(add(list, "9.9.9.9"), 0);
    int failures = 0;
    for (int status = -ENOMEM; status < 0; failures++) {
        nb_memory_fail_after((uint64_t)failures + 1);
        status = nb_shared_list_replace(list, with);
        nb_memory_fail_after(0);
        if (status == 0)
            break;
        ck_assert_int_eq(status, -ENOMEM);
        check_listing(list, "9.9.9.9 0\n");
        ck_assert(check(list, "9.9.9.9") && !check(list, "1.1.1.1"));
    }
    ck_assert_int_gt(failures, 1);
    check_listing(list, "::1 0\n1.1.1.1 0\n");
    nb_shared_list_unref(list);
}
END_TEST

/* ---- many threads ---- */

/* Two addresses that are blocked together or not at all, and one that always is. */
struct traffic {
    struct nb_shared_list *list;
    atomic_uint next_reader;
    atomic_bool is_over;
    atomic_ullong reads[READERS]; /* each counts one hit of the rule that is always there */
};

static void read_once(struct traffic *traffic, unsigned reader)
{
    struct nb_ip pair[] = {ip_of("10.0.0.1"), ip_of("2001:db8::1")}, always = ip_of("b000::1");
    struct nb_rule rule;
    bool blocked[2];
    size_t count = nb_shared_list_check_many(traffic->list, reader, pair, 2, blocked);
    ck_assert(count == 0 || count == 2);
    ck_assert(nb_shared_list_check(traffic->list, reader, &always));
    ck_assert(nb_shared_list_match(traffic->list, reader, &always, &rule));
    ck_assert_int_eq(rule.prefix, 16);
    atomic_fetch_add(&traffic->reads[reader], 1);
}

static void *read_until_over(void *context)
{
    struct traffic *traffic = context;
    unsigned reader = atomic_fetch_add(&traffic->next_reader, 1);
    while (!atomic_load(&traffic->is_over))
        read_once(traffic, reader);
    return NULL;
}

/* Returns when each reader has begun and ended a read since the call. */
static void wait_for_reads(struct traffic *traffic)
{
    for (unsigned i = 0; i < READERS; i++)
        for (unsigned long long before = atomic_load(&traffic->reads[i]);
             atomic_load(&traffic->reads[i]) < before + 2;)
            sched_yield();
}

static void change_while_read(struct traffic *traffic, void (*change)(struct nb_shared_list *list, int round))
{
    pthread_t threads[READERS];
    traffic->list = new_list(true);
    ck_assert_int_eq(add(traffic->list, "b000::/16"), 0);
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_until_over, traffic), 0);
    for (int round = 0; round < CHANGES; round++) {
        change(traffic->list, round);
        if (round % 16 == 0)
            wait_for_reads(traffic);
    }
    atomic_store(&traffic->is_over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
}

/* The two come in one change; one more rule covers both while they go one by one. */
static void add_or_remove_pair(struct nb_shared_list *list, int round)
{
    struct nb_rule pair[] = {rule_of("10.0.0.1"), rule_of("2001:db8::1")};
    int (*const steps[])(struct nb_shared_list *, const char *) = {NULL, add, remove_rule, remove_rule,
                                                                   remove_rule};
    const char *const rules[] = {NULL, "::/1", "10.0.0.1", "2001:db8::1", "::/1"};
    if (round % 5 == 0)
        ck_assert_int_eq(nb_shared_list_add(list, pair, 2, NO_LIMIT), 0);
    else
        ck_assert_int_eq(steps[round % 5](list, rules[round % 5]), 0);
}

static bool add_hits(void *context, const struct nb_rule *rule, uint64_t hits)
{
    if (rule->kind == NB_RULE_SUBNET && rule->prefix == 16)
        *(uint64_t *)context += hits;
    return true;
}

START_TEST(readers_see_whole_changes_and_lose_no_hit)
{
    struct traffic traffic = {0};
    unsigned long long reads = 0;
    uint64_t hits = 0;
    change_while_read(&traffic, add_or_remove_pair);
    for (int i = 0; i < READERS; i++)
        reads += atomic_load(&traffic.reads[i]);
    nb_shared_list_visit(traffic.list, 0, add_hits, &hits);
    ck_assert_uint_eq(hits, reads);
    ck_assert_uint_ge(reads, READERS);
    nb_shared_list_unref(traffic.list);
}
END_TEST

static void replace_all(struct nb_shared_list *list, int round)
{
    const char *const with_pair[] = {"b000::/16", "10.0.0.0/8", "2001:db8::/64", NULL};
    const char *const without[] = {"b000::/16", NULL};
    struct nb_block_list *with = plain_list(round % 2 ? with_pair : without);
    ck_assert_int_eq(nb_shared_list_replace(list, with), 0);
}

START_TEST(readers_see_one_list_or_the_other)
{
    struct traffic traffic = {0};
    change_while_read(&traffic, replace_all);
    nb_shared_list_unref(traffic.list);
}
END_TEST

/* Writers of two threads, whose changes are all there at the end. */
static void *add_hundred(void *context)
{
    for (unsigned i = 0; i < 100; i++) {
        struct nb_rule rule = bulk_rule(i);
        ck_assert_int_eq(nb_shared_list_add(context, &rule, 1, NO_LIMIT), 0);
    }
    return NULL;
}

START_TEST(changes_wait_for_one_another)
{
    struct nb_shared_list *list = new_list(true);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_hundred, list), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(nb_shared_list_size(list), 200);
    nb_shared_list_unref(list);
}
END_TEST

int main(void)
{
    return run_suite(
        "shared_list",
        (const TTest *[]){changes_are_seen, many_are_checked_at_once, there_may_be_so_many_rules,
                          a_list_becomes_another, hits_are_those_of_all_readers, a_visit_may_end_early,
                          rules_may_be_used_as_a_plain_list, a_list_lives_as_long_as_its_references,
                          a_list_needs_memory, without_memory_nothing_is_added, a_copy_that_lags_catches_up,
                          a_copy_that_lags_still_holds_up_no_clear_and_no_replacement,
                          a_copy_that_lags_holds_up_a_removal, without_memory_nothing_is_replaced,
                          readers_see_whole_changes_and_lose_no_hit, readers_see_one_list_or_the_other,
                          changes_wait_for_one_another, NULL});
}
