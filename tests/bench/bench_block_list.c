/*
 * Measures the block list: ns a check, hit and miss, one at a time (each query
 * waits for the last answer), in a stream, and in batches; rules added per second
 * one by one and at once; bytes a rule. The pointer chase that is printed first
 * says how fast this machine's memory is: figures mean little without it.
 *
 *   bench_block_list [--json] [--max RULES]
 */
#include "block_list.h"
#include "key.h"
#include "list_text.h"
#include "memory.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    QUERIES = 1 << 16,
    ROUNDS = 5,
    CHASE_BYTES = 8 << 20,
    CHASE_STEPS = 1 << 20,
};

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* splitmix64: seeded, so that every run measures the same lists. */
static uint64_t random_state;

static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void *need(void *memory)
{
    if (!memory) {
        fprintf(stderr, "bench_block_list: no memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

/* ---- calibration ---- */

/* ns a step through a random cycle of cache lines. */
static double chase(void)
{
    size_t count = CHASE_BYTES / 64;
    struct line {
        struct line *next;
        char rest[56];
    } *lines = need(aligned_alloc(64, CHASE_BYTES));
    size_t *order = need(malloc(count * sizeof *order));
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = next_random() % (i + 1), other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    for (size_t i = 0; i < count; i++)
        lines[order[i]].next = &lines[order[(i + 1) % count]];
    double best = 0;
    struct line *volatile end;
    for (int round = 0; round < ROUNDS; round++) {
        struct line *line = lines;
        double start = now_ns();
        for (int step = 0; step < CHASE_STEPS; step++)
            line = line->next;
        end = line;
        double spent = (now_ns() - start) / CHASE_STEPS;
        if (!round || spent < best)
            best = spent;
    }
    (void)end;
    free(lines);
    free(order);
    return best;
}

/* ---- lists ---- */

struct kind {
    const char *name;
    int family;
    struct nb_rule (*rule)(uint64_t number);
    struct nb_ip (*other)(void); /* an address that most likely no rule matches */
};

static struct nb_rule address_rule(struct nb_ip ip)
{
    return (struct nb_rule){.kind = NB_RULE_ADDRESS, .first = ip};
}

static struct nb_ip random4(void)
{
    return nb_ip_of_key4((nb_key4)next_random());
}

static struct nb_ip random6(void)
{
    return nb_ip_of_key6((nb_key6)(0x2000000000000000u | next_random() >> 3) << 64 | next_random());
}

static struct nb_ip in_one_64(void)
{
    return nb_ip_of_key6((nb_key6)0x20010db800000000u << 64 | next_random());
}

static struct nb_rule addresses4(uint64_t number)
{
    return address_rule(random4());
}

/* What a published list looks like: addresses, some subnets of many sizes, a few ranges. */
static struct nb_rule mixed4(uint64_t number)
{
    struct nb_rule rule = address_rule(random4());
    if (number % 10 == 1) {
        rule.kind = NB_RULE_SUBNET;
        rule.prefix = (uint8_t)(20 + next_random() % 12);
    } else if (number % 50 == 2) {
        nb_key4 first = nb_key4_of(rule.first.bytes), length = (nb_key4)(next_random() % 512);
        rule.kind = NB_RULE_RANGE;
        rule.last = nb_ip_of_key4(first + length < first ? UINT32_MAX : first + length);
    }
    return rule;
}

static struct nb_rule adjacent4(uint64_t number)
{
    return address_rule(nb_ip_of_key4((nb_key4)(0x0a000000 + number)));
}

static struct nb_rule alternating4(uint64_t number)
{
    return address_rule(nb_ip_of_key4((nb_key4)(0x0a000000 + 2 * number)));
}

static struct nb_rule addresses6(uint64_t number)
{
    return address_rule(random6());
}

static struct nb_rule subnets6(uint64_t number)
{
    return (struct nb_rule){
        .kind = NB_RULE_SUBNET, .prefix = (uint8_t)(40 + next_random() % 25), .first = random6()};
}

static struct nb_rule one_64(uint64_t number)
{
    return address_rule(in_one_64());
}

static const struct kind kinds[] = {
    {"IPv4 addresses", 4, addresses4, random4}, {"IPv4 mixed", 4, mixed4, random4},
    {"IPv4 adjacent", 4, adjacent4, random4},   {"IPv4 alternating", 4, alternating4, random4},
    {"IPv6 addresses", 6, addresses6, random6}, {"IPv6 subnets", 6, subnets6, random6},
    {"IPv6 in one /64", 6, one_64, in_one_64},
};

/* ---- checks ---- */

/* The answer goes into the next query's place in such a way that it changes nothing and still must be waited for. */
static double ns_waiting(const struct nb_block_list *list, const struct nb_ip *queries)
{
    size_t at = 0, blocked = 0;
    double start = now_ns();
    for (size_t i = 0; i < QUERIES; i++) {
        size_t answer = nb_block_list_check(list, &queries[at]);
        blocked += answer;
        __asm__ volatile("" : "+r"(answer)); /* the compiler must not know that it is 0 or 1 */
        at = i + 1 + (answer >> 1);
    }
    double spent = (now_ns() - start) / QUERIES;
    __asm__ volatile("" ::"r"(blocked));
    return spent;
}

static double ns_stream(const struct nb_block_list *list, const struct nb_ip *queries)
{
    size_t blocked = 0;
    double start = now_ns();
    for (size_t i = 0; i < QUERIES; i++)
        blocked += nb_block_list_check(list, &queries[i]);
    double spent = (now_ns() - start) / QUERIES;
    __asm__ volatile("" ::"r"(blocked));
    return spent;
}

static double ns_batch(const struct nb_block_list *list, const struct nb_ip *queries)
{
    static bool blocked[QUERIES];
    double start = now_ns();
    nb_block_list_check_many(list, queries, QUERIES, blocked);
    return (now_ns() - start) / QUERIES;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double (*measure)(const struct nb_block_list *, const struct nb_ip *),
                     const struct nb_block_list *list, const struct nb_ip *queries)
{
    double spent[ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        spent[round] = measure(list, queries);
    qsort(spent, ROUNDS, sizeof *spent, compare);
    return spent[ROUNDS / 2];
}

static json_t *measure_checks(const struct nb_block_list *list, const struct nb_ip *queries)
{
    return json_pack("{s:f, s:f, s:f}", "waiting_ns", median(ns_waiting, list, queries), "stream_ns",
                     median(ns_stream, list, queries), "batch_ns", median(ns_batch, list, queries));
}

/* ---- one list ---- */

static struct nb_rule *make_rules(const struct kind *kind, size_t count)
{
    struct nb_rule *rules = need(malloc(count * sizeof *rules));
    for (size_t i = 0; i < count; i++)
        rules[i] = kind->rule(i);
    return rules;
}

static struct nb_block_list *add_one_by_one(const struct nb_rule *rules, size_t count, double *ret_ns)
{
    struct nb_block_list *list = need(nb_block_list_new());
    double start = now_ns();
    for (size_t i = 0; i < count; i++)
        if (nb_block_list_add(list, &rules[i]) < 0)
            need(NULL);
    *ret_ns = (now_ns() - start) / (double)count;
    return list;
}

static double ns_bulk(const struct nb_rule *rules, size_t count, size_t *ret_memory)
{
    struct nb_block_list *list = need(nb_block_list_new());
    double start = now_ns();
    if (nb_block_list_add_all(list, rules, count) < 0)
        need(NULL);
    double spent = (now_ns() - start) / (double)count;
    *ret_memory = nb_block_list_memory(list);
    nb_block_list_free(list);
    return spent;
}

static double ns_text(const struct nb_rule *rules, size_t count)
{
    char *text = need(malloc(count * (NB_RULE_TEXT + 1))), *end = text;
    for (size_t i = 0; i < count; i++) {
        end += nb_rule_format_line(&rules[i], end);
        *end++ = '\n';
    }
    struct nb_block_list *list = need(nb_block_list_new());
    struct nb_list_fault fault;
    double start = now_ns();
    if (nb_block_list_load_text(list, text, (size_t)(end - text), count, &fault) < 0)
        need(NULL);
    double spent = (now_ns() - start) / (double)count;
    nb_block_list_free(list);
    free(text);
    return spent;
}

static json_t *measure(const struct kind *kind, size_t count)
{
    struct nb_ip *hits = need(calloc(QUERIES + 1, sizeof *hits)),
                 *misses = need(calloc(QUERIES + 1, sizeof *misses));
    struct nb_rule *rules = make_rules(kind, count);
    double add_ns;
    size_t bulk_memory;
    struct nb_block_list *list = add_one_by_one(rules, count, &add_ns);
    for (size_t i = 0; i < QUERIES; i++) {
        hits[i] = rules[next_random() % count].first;
        misses[i] = kind->other();
    }
    double bulk_ns = ns_bulk(rules, count, &bulk_memory);
    json_t *result =
        json_pack("{s:s, s:I, s:o, s:o, s:f, s:f, s:f, s:f, s:f}", "list", kind->name, "rules",
                  (json_int_t)count, "hit", measure_checks(list, hits), "miss", measure_checks(list, misses),
                  "add_ns", add_ns, "bulk_ns", bulk_ns, "text_ns", ns_text(rules, count), "bytes_per_rule",
                  (double)nb_block_list_memory(list) / (double)count, "bulk_bytes_per_rule",
                  (double)bulk_memory / (double)count);
    nb_block_list_free(list);
    free(rules);
    free(hits);
    free(misses);
    return result;
}

/* ---- output ---- */

static double number(const json_t *object, const char *part, const char *key)
{
    const json_t *holder = part ? json_object_get(object, part) : object;
    return json_number_value(json_object_get(holder, key));
}

static void print_row(const json_t *row)
{
    printf("%-17s %8" JSON_INTEGER_FORMAT
           " |%6.1f %6.1f %6.1f |%6.1f %6.1f %6.1f |%6.0f %6.0f %6.0f |%6.1f %6.1f\n",
           json_string_value(json_object_get(row, "list")), json_integer_value(json_object_get(row, "rules")),
           number(row, "hit", "waiting_ns"), number(row, "hit", "stream_ns"), number(row, "hit", "batch_ns"),
           number(row, "miss", "waiting_ns"), number(row, "miss", "stream_ns"),
           number(row, "miss", "batch_ns"), number(row, NULL, "add_ns"), number(row, NULL, "bulk_ns"),
           number(row, NULL, "text_ns"), number(row, NULL, "bytes_per_rule"),
           number(row, NULL, "bulk_bytes_per_rule"));
    fflush(stdout);
}

static json_t *measure_all(size_t max, double chase_ns, bool prints)
{
    json_t *rows = json_array();
    if (prints)
        printf("pointer chase through %d MiB: %.1f ns\n"
               "                           | hit, ns a check      | miss, ns a check     | ns a rule         "
               "   | bytes a rule\n"
               "list                 rules |  wait stream  batch  |  wait stream  batch  |   add   bulk   "
               "text  |   add   bulk\n",
               CHASE_BYTES >> 20, chase_ns);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (size_t count = 10; count <= max; count *= 10) {
            json_t *row = measure(&kinds[k], count);
            if (prints)
                print_row(row);
            json_array_append_new(rows, row);
        }
    }
    return rows;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"max", required_argument, NULL, 'm'}, {0}};
    bool as_json = false;
    size_t max = 1000000;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'j')
            as_json = true;
        else if (option == 'm')
            max = strtoull(optarg, NULL, 10);
        else
            return EXIT_FAILURE;
    }
    double chase_ns = chase();
    json_t *rows = measure_all(max, chase_ns, !as_json);
    json_t *report = json_pack("{s:f, s:o}", "chase_ns", chase_ns, "lists", rows);
    if (as_json) {
        json_dumpf(report, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        putchar('\n');
    }
    json_decref(report);
    return EXIT_SUCCESS;
}
