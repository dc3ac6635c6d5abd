/*
 * Measures the readers of addresses: ns a text, for each kind of text, with
 * inet_pton and the form in plain C in the same rounds. Medians of rounds in turn,
 * so that a busy machine slows all of them.
 *
 *   bench_address [--json | --inputs]
 *
 * --inputs prints the texts, so that others can be measured with the same ones.
 */
#include "ip.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXTS = 1024, PASSES = 64, ROUNDS = 31, TEXT_ROOM = 64 };

/* core/net/address/ip.c in plain C. */
int nb_ip_version_portable(const char *text, size_t length);

struct text {
    unsigned length;
    char bytes[TEXT_ROOM]; /* with a NUL, for inet_pton */
};

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* splitmix64: seeded, so that every run measures the same texts. */
static uint64_t random_state;

static unsigned next_random(unsigned below)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) >> 32) % below;
}

static void make_v4(char *text)
{
    sprintf(text, "%u.%u.%u.%u", next_random(256), next_random(256), next_random(256), next_random(256));
}

/* As they are met: a third with all groups, the others with a run of zeroes. */
static void make_v6(char *text)
{
    struct nb_ip ip = {.family = 6, .bytes = {0x20, 0x01}};
    unsigned zeroes = next_random(3) * 4;
    for (unsigned i = 2; i < 16; i++)
        ip.bytes[i] = (uint8_t)(i >= 6 && i < 6 + zeroes ? 0 : next_random(256));
    nb_ip_format(&ip, text);
}

static void make_mapped(char *text)
{
    strcpy(text, "::ffff:");
    make_v4(text + strlen(text));
}

static void make_zone(char *text)
{
    sprintf(text, "fe80::%x:%x:%x:%x%%eth%u", next_random(65536), next_random(65536), next_random(65536),
            next_random(65536), next_random(10));
}

static void make_early(char *text)
{
    sprintf(text, "host-%u.example.com", next_random(10000));
}

/* An address but for its last character. */
static void make_late(char *text)
{
    if (next_random(2))
        make_v4(text);
    else
        make_v6(text);
    text[strlen(text) - 1] = 'x';
}

static const struct kind {
    const char *name;
    void (*make)(char *text);
} kinds[] = {
    {"v4", make_v4},     {"v6", make_v6},       {"mapped", make_mapped},
    {"zone", make_zone}, {"early", make_early}, {"late", make_late},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static void make_texts(const struct kind *kind, struct text texts[TEXTS])
{
    random_state = 1;
    for (int i = 0; i < TEXTS; i++) {
        kind->make(texts[i].bytes);
        texts[i].length = (unsigned)strlen(texts[i].bytes);
    }
}

static int is_ip(const struct text *text)
{
    return nb_ip_version(text->bytes, text->length);
}

static int is_ip_portable(const struct text *text)
{
    return nb_ip_version_portable(text->bytes, text->length);
}

/* What a program without this library would write; it knows nothing of zones. */
static int is_ip_of_system(const struct text *text)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, text->bytes, bytes) == 1    ? 4
           : inet_pton(AF_INET6, text->bytes, bytes) == 1 ? 6
                                                          : 0;
}

static int parse(const struct text *text)
{
    struct nb_ip ip;
    return nb_ip_parse(text->bytes, text->length, &ip, NULL) ? ip.bytes[3] : 0;
}

static const struct way {
    const char *name;
    int (*read)(const struct text *text);
} ways[] = {
    {"isIP", is_ip}, {"isIP in plain C", is_ip_portable}, {"inet_pton", is_ip_of_system}, {"parse", parse}};

enum { WAYS = sizeof ways / sizeof *ways };

/* ns a text. The sum keeps the work from being left out. */
static double measure(const struct way *way, const struct text texts[TEXTS])
{
    static volatile unsigned sink;
    unsigned sum = 0;
    double start = now_ns();
    for (int pass = 0; pass < PASSES; pass++)
        for (int i = 0; i < TEXTS; i++)
            sum += (unsigned)way->read(&texts[i]);
    double spent = now_ns() - start;
    sink = sum;
    (void)sink;
    return spent / (PASSES * TEXTS);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure_kind(const struct text texts[TEXTS], double ret_medians[WAYS])
{
    static double spent[WAYS][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (int way = 0; way < WAYS; way++)
            spent[way][round] = measure(&ways[way], texts);
    for (int way = 0; way < WAYS; way++) {
        qsort(spent[way], ROUNDS, sizeof(double), compare_doubles);
        ret_medians[way] = spent[way][ROUNDS / 2];
    }
}

static json_t *figures(const struct kind *kind, const double medians[WAYS])
{
    json_t *row = json_pack("{ss}", "kind", kind->name);
    for (int way = 0; way < WAYS; way++)
        json_object_set_new(row, ways[way].name, json_real(medians[way]));
    return row;
}

static void print_row(const struct kind *kind, const double medians[WAYS])
{
    printf("%-8s", kind->name);
    for (int way = 0; way < WAYS; way++)
        printf("%18.1f", medians[way]);
    printf("\n");
}

static void print_head(void)
{
    printf("ns a text");
    for (int way = 0; way < WAYS; way++)
        printf("%*s", way ? 18 : 17, ways[way].name);
    printf("\n");
}

static json_t *inputs_of(const struct text texts[TEXTS])
{
    json_t *list = json_array();
    for (int i = 0; i < TEXTS; i++)
        json_array_append_new(list, json_string(texts[i].bytes));
    return list;
}

static void print_json(json_t *value, size_t flags)
{
    json_dumpf(value, stdout, flags);
    printf("\n");
    json_decref(value);
}

static void print_inputs(void)
{
    static struct text texts[TEXTS];
    json_t *all = json_object();
    for (int kind = 0; kind < KINDS; kind++) {
        make_texts(&kinds[kind], texts);
        json_object_set_new(all, kinds[kind].name, inputs_of(texts));
    }
    print_json(all, JSON_COMPACT);
}

static void print_figures(bool as_json)
{
    static struct text texts[TEXTS];
    json_t *rows = json_array();
    double medians[WAYS];
    if (!as_json)
        print_head();
    for (int kind = 0; kind < KINDS; kind++) {
        make_texts(&kinds[kind], texts);
        measure_kind(texts, medians);
        json_array_append_new(rows, figures(&kinds[kind], medians));
        if (!as_json)
            print_row(&kinds[kind], medians);
    }
    if (as_json)
        print_json(json_pack("{sssO}", "unit", "ns a text", "rows", rows),
                   JSON_INDENT(1) | JSON_REAL_PRECISION(4));
    json_decref(rows);
}

int main(int argc, char **argv)
{
    const char *option = argc == 2 ? argv[1] : "";
    if (argc > 2 || (argc == 2 && strcmp(option, "--json") != 0 && strcmp(option, "--inputs") != 0)) {
        fprintf(stderr, "usage: bench_address [--json | --inputs]\n");
        return EXIT_FAILURE;
    }
    if (strcmp(option, "--inputs") == 0)
        print_inputs();
    else
        print_figures(strcmp(option, "--json") == 0);
    return EXIT_SUCCESS;
}
