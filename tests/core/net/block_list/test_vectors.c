/*
 * What Node answered, step by step (blocklist.json), put to the block list and to
 * the model. Steps whose arguments have no meaning as C values, a family that is a
 * number for example, belong to whoever makes values of arguments; they are counted.
 */
#include "block_list.h"
#include "model.h"
#include "suite.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SCENARIOS = 125, QUIRKS = 2, STEPS_OF_VALUES = 9695, STEPS_OF_ARGUMENTS = 54 };

enum reading { READ, NO_ADDRESS, NO_VALUE };

struct pair {
    struct nb_block_list *list;
    struct model model;
};

static unsigned steps, steps_of_arguments;

/* The value undefined, which JSON has no word for. */
static bool is_undefined(const json_t *argument)
{
    const char *word = json_string_value(json_object_get(argument, "$"));
    return word && strcmp(word, "undefined") == 0;
}

/* 4 or 6 for what a family is named, 4 without a name; 0: it is no name of a family. */
static int family_of(const json_t *named)
{
    if (!named || is_undefined(named))
        return 4;
    if (!json_is_string(named))
        return 0;
    const char *name = json_string_value(named);
    return strcasecmp(name, "ipv4") == 0 ? 4 : strcasecmp(name, "ipv6") == 0 ? 6 : 0;
}

/* An argument that is a SocketAddress has a family of its own. */
static bool is_socket_address(const json_t *argument)
{
    return json_is_object(argument) && json_object_get(argument, "sa");
}

static enum reading read_address(const json_t *step, const char *key, struct nb_ip *ret_ip)
{
    const json_t *argument = json_object_get(step, key), *options = step;
    if (is_socket_address(argument)) {
        options = json_object_get(argument, "sa");
        argument = json_object_get(options, "address");
    }
    int family = family_of(json_object_get(options, "family"));
    if (!json_is_string(argument) || !family)
        return NO_VALUE;
    size_t length = json_string_length(argument);
    return nb_ip_parse_as(json_string_value(argument), length, family, ret_ip) ? READ : NO_ADDRESS;
}

static enum reading read_subnet(const json_t *step, struct nb_rule *rule)
{
    const json_t *prefix = json_object_get(step, "prefix");
    rule->kind = NB_RULE_SUBNET;
    if (!json_is_integer(prefix) || json_integer_value(prefix) < 0 || json_integer_value(prefix) > UINT8_MAX)
        return NO_VALUE;
    rule->prefix = (uint8_t)json_integer_value(prefix);
    return read_address(step, "network", &rule->first);
}

static enum reading read_range(const json_t *step, struct nb_rule *rule)
{
    rule->kind = NB_RULE_RANGE;
    enum reading first = read_address(step, "start", &rule->first);
    enum reading last = read_address(step, "end", &rule->last);
    return first > last ? first : last;
}

static enum reading read_rule(const json_t *step, const char *op, struct nb_rule *rule)
{
    if (strcmp(op, "add_subnet") == 0)
        return read_subnet(step, rule);
    if (strcmp(op, "add_range") == 0)
        return read_range(step, rule);
    ck_assert_str_eq(op, "add_address");
    return read_address(step, "address", &rule->first);
}

/* ---- steps ---- */

static const char *expected_code(const json_t *step)
{
    const json_t *error = json_object_get(json_object_get(step, "expect"), "error");
    return error ? json_string_value(json_object_get(error, "code")) : "";
}

/* Such a step changes nothing and matches nothing in Node either. */
static void skip(const json_t *step)
{
    const json_t *expect = json_object_get(step, "expect");
    ck_assert(json_object_get(expect, "error") || json_is_false(json_object_get(expect, "value")));
    steps_of_arguments++;
}

/* What Node would say of the rule; "": nothing. */
static const char *code_of(enum reading reading, const struct nb_rule *rule)
{
    if (reading == NO_ADDRESS)
        return "ERR_INVALID_ADDRESS";
    if (nb_rule_is_valid(rule))
        return "";
    return rule->kind == NB_RULE_RANGE ? "ERR_INVALID_ARG_VALUE" : "ERR_OUT_OF_RANGE";
}

static void add(struct pair *pair, const json_t *step, const char *op)
{
    struct nb_rule rule = {0};
    enum reading reading = read_rule(step, op, &rule);
    if (reading == NO_VALUE) {
        skip(step);
        return;
    }
    const char *code = code_of(reading, &rule);
    ck_assert_str_eq(code, expected_code(step));
    steps++;
    if (reading == NO_ADDRESS)
        return;
    ck_assert_int_eq(nb_block_list_add(pair->list, &rule), *code ? -EINVAL : 0);
    if (!*code)
        model_add(&pair->model, &rule);
}

static void check_match(struct pair *pair, const struct nb_ip *ip, bool expected)
{
    struct nb_rule rule;
    struct model_rule *found = model_match(&pair->model, ip);
    ck_assert(nb_block_list_check(pair->list, ip) == expected);
    ck_assert(nb_block_list_match(pair->list, ip, &rule) == expected);
    ck_assert(!!found == expected);
    if (found)
        ck_assert(nb_rule_equals(&rule, &found->rule));
}

static void check(struct pair *pair, const json_t *step)
{
    struct nb_ip ip;
    enum reading reading = read_address(step, "address", &ip);
    const json_t *value = json_object_get(json_object_get(step, "expect"), "value");
    if (reading == NO_VALUE) {
        skip(step);
        return;
    }
    steps++;
    if (reading == NO_ADDRESS && is_socket_address(json_object_get(step, "address")))
        ck_assert_str_eq(expected_code(step), "ERR_INVALID_ADDRESS");
    else if (reading == NO_ADDRESS)
        ck_assert(json_is_false(value));
    else
        check_match(pair, &ip, json_is_true(value));
}

static void check_rules(struct pair *pair, const json_t *rules)
{
    struct nb_rule_walk walk = {0};
    struct nb_rule rule;
    char text[NB_RULE_TEXT];
    const json_t *expected;
    size_t i;
    ck_assert_uint_eq(nb_block_list_size(pair->list), json_array_size(rules));
    json_array_foreach(rules, i, expected)
    {
        ck_assert(nb_block_list_newest(pair->list, &walk, &rule, NULL));
        nb_rule_format(&rule, text);
        ck_assert_str_eq(text, json_string_value(expected));
    }
    ck_assert(!nb_block_list_newest(pair->list, &walk, &rule, NULL));
}

static void run_scenario(const json_t *scenario)
{
    struct pair pair = {.list = nb_block_list_new()};
    const json_t *step;
    size_t i;
    ck_assert_ptr_nonnull(pair.list);
    json_array_foreach(json_object_get(scenario, "ops"), i, step)
    {
        const char *op = json_string_value(json_object_get(step, "op"));
        if (strcmp(op, "check") == 0)
            check(&pair, step);
        else
            add(&pair, step, op);
    }
    check_rules(&pair, json_object_get(scenario, "rules"));
    json_array_foreach(json_object_get(scenario, "checks"), i, step) check(&pair, step);
    model_finish(&pair.model);
    nb_block_list_free(pair.list);
}

START_TEST(the_list_answers_as_node_does)
{
    json_error_t error;
    json_t *vectors = json_load_file(getenv("NB_BLOCK_LIST_VECTORS"), JSON_ALLOW_NUL, &error);
    ck_assert_msg(vectors, "%s", error.text);
    const json_t *scenarios = json_object_get(vectors, "scenarios"), *scenario;
    size_t i, quirks = 0;
    json_array_foreach(scenarios, i, scenario)
    {
        if (json_object_get(scenario, "quirk"))
            quirks++;
        else
            run_scenario(scenario);
    }
    ck_assert_uint_eq(i, SCENARIOS);
    ck_assert_uint_eq(quirks, QUIRKS);
    ck_assert_uint_eq(steps, STEPS_OF_VALUES);
    ck_assert_uint_eq(steps_of_arguments, STEPS_OF_ARGUMENTS);
    json_decref(vectors);
}
END_TEST

/* ---- where Node is wrong ---- */

START_TEST(an_address_with_a_nul_is_none)
{
    struct nb_ip ip;
    ck_assert(!nb_ip_parse_as("1.2.3.4\0", 8, 4, &ip));
    ck_assert(!nb_ip_parse_as("::1\0", 4, 6, &ip));
    ck_assert(!nb_ip_parse_as("::1%a\0b", 7, 6, &ip));
}
END_TEST

START_TEST(an_address_before_a_zone_is_read_to_its_end)
{
    static const char text[] = "0000:0000:0000:0000:0000:ffff:1.22.33.244%eth0";
    struct nb_block_list *list = nb_block_list_new();
    struct nb_rule rule;
    struct nb_ip ip;
    ck_assert_ptr_null(nb_rule_parse("1.22.33.244", 11, &rule));
    ck_assert_int_eq(nb_block_list_add(list, &rule), 0);
    ck_assert(nb_ip_parse_as(text, sizeof text - 1, 6, &ip));
    ck_assert(nb_block_list_check(list, &ip));
    nb_block_list_free(list);
}
END_TEST

int main(void)
{
    return run_suite("vectors",
                     (const TTest *[]){the_list_answers_as_node_does, an_address_with_a_nul_is_none,
                                       an_address_before_a_zone_is_read_to_its_end, NULL});
}
