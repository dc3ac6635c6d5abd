/* The block list actor's commands that change many rules at once. */
#include "block_list_actor.h"
#include "inspect.h"
#include "list_json.h"
#include "list_text.h"
#include "memory.h"
#include "text_list.h"

#include <stdio.h>

nb_handler nb_on_block_list_add_rules, nb_on_block_list_load, nb_on_block_list_remove_rule,
    nb_on_block_list_clear;

/* ---- adding ---- */

static struct nb_failure *failure_of_rule(const char *label, const char *reason, struct nb_slice text)
{
    char words[256], received[NB_INSPECT_SIZE];
    snprintf(words, sizeof words, "is no rule: %s", reason);
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = text}, received);
    return nb_failure_value(label, words, received);
}

static struct nb_failure *next_rule(struct nb_text_list *texts, struct nb_rule *ret_rule)
{
    char label[NB_TEXT_LABEL];
    struct nb_slice text;
    struct nb_failure *failure = nb_text_list_next(texts, &text);
    if (failure)
        return failure;
    const char *reason = nb_rule_parse((const char *)text.data, text.length, ret_rule);
    if (!reason)
        return NULL;
    nb_text_list_label(texts, label);
    return failure_of_rule(label, reason, text);
}

/* *ret_rules: texts->count of them, the caller's to free. */
static struct nb_failure *read_rules(struct nb_text_list *texts, struct nb_rule **ret_rules)
{
    struct nb_failure *failure = NULL;
    struct nb_rule *rules = nb_calloc(texts->count ? texts->count : 1, sizeof *rules);
    if (!rules)
        return nb_block_list_no_memory();
    while (!failure && texts->at < texts->count)
        failure = next_rule(texts, &rules[texts->at]);
    if (failure)
        nb_free(rules);
    else
        *ret_rules = rules;
    return failure;
}

void nb_on_block_list_add_rules(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    struct nb_rule *rules = NULL;
    struct nb_text_list texts;
    if (nb_block_list_refuses_change(list, *command))
        return;
    struct nb_failure *failure =
        nb_text_list_open((*command)->params.block_list_rules.rules, "rules", &texts);
    if (!failure)
        failure = read_rules(&texts, &rules);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    nb_block_list_answer_change(list, *command, nb_filter_add(list->filter, rules, texts.count));
    nb_free(rules);
}

/* ---- load ---- */

static int add_all_of(struct nb_filter *filter, const struct nb_block_list *from)
{
    struct nb_rule_walk walk = {0};
    size_t count = nb_block_list_size(from), at = 0;
    struct nb_rule *rules = nb_malloc((count ? count : 1) * sizeof *rules);
    if (!rules)
        return UV_ENOMEM;
    while (at < count && nb_block_list_oldest(from, &walk, &rules[at], NULL))
        at++;
    int status = nb_filter_add(filter, rules, at);
    nb_free(rules);
    return status;
}

static int put_in(struct nb_filter *filter, struct nb_block_list *loaded, bool replaces)
{
    int status = replaces ? nb_filter_replace(filter, loaded) : add_all_of(filter, loaded);
    if (status < 0 || !replaces)
        nb_block_list_free(loaded);
    return status;
}

static struct nb_failure *failure_of_data(const char *what, size_t number, const char *reason)
{
    char place[48] = "";
    if (number)
        snprintf(place, sizeof place, "%s %zu: ", what, number);
    struct nb_failure *failure = nb_failure_make("ERR_INVALID_ARG_VALUE", "TypeError",
                                                 "The argument 'data' is no block list: %s%s", place, reason);
    return nb_failure_argument(failure, "data");
}

/* *ret_failure where the fault has a place; the status says the rest. */
static int read_text(struct nb_block_list *list, struct nb_slice data, uint32_t max_rules,
                     struct nb_failure **ret_failure)
{
    struct nb_list_fault fault;
    int status = nb_block_list_load_text(list, (const char *)data.data, data.length, max_rules, &fault);
    if (status == UV_EINVAL)
        *ret_failure = failure_of_data("line", fault.line, fault.reason);
    return status;
}

static int read_json(struct nb_block_list *list, struct nb_slice data, uint32_t max_rules,
                     struct nb_failure **ret_failure)
{
    struct nb_list_json_fault fault;
    int status = nb_block_list_load_json(list, (const char *)data.data, data.length, max_rules, &fault);
    if (status == UV_EINVAL)
        *ret_failure = failure_of_data("element", fault.element, fault.reason);
    return status;
}

/* Reads the list by itself, so that a bad one leaves no trace. */
static struct nb_failure *read_list(const nb_BlockListLoad *params, uint32_t max_rules,
                                    struct nb_block_list **ret_list)
{
    struct nb_failure *failure = NULL;
    struct nb_block_list *list = nb_block_list_new();
    if (!list)
        return nb_block_list_no_memory();
    bool is_json = nb_slice_is(params->format, "json");
    int status = (is_json ? read_json : read_text)(list, params->data, max_rules, &failure);
    if (status == 0) {
        *ret_list = list;
        return NULL;
    }
    nb_block_list_free(list);
    if (status == UV_ENOSPC)
        return nb_failure_limit("maxRules", max_rules);
    return failure ? failure : nb_block_list_no_memory();
}

static struct nb_failure *check_load(const nb_BlockListLoad *params)
{
    char received[NB_INSPECT_SIZE];
    if (!params->data.data)
        return nb_failure_type("data", "of type string or an instance of Buffer or Uint8Array", "undefined");
    if (!params->format.data || nb_slice_is(params->format, "text") || nb_slice_is(params->format, "json"))
        return NULL;
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = params->format}, received);
    return nb_failure_value("format", "must be one of: 'text', 'json'", received);
}

void nb_on_block_list_load(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    const nb_BlockListLoad *params = &(*command)->params.block_list_load;
    struct nb_block_list *loaded = NULL;
    if (nb_block_list_refuses_change(list, *command))
        return;
    struct nb_failure *failure = check_load(params);
    if (!failure)
        failure = read_list(params, list->filter->budget->max_rules, &loaded);
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
    else
        nb_block_list_answer_change(list, *command, put_in(list->filter, loaded, params->replace));
}

/* ---- removing ---- */

void nb_on_block_list_remove_rule(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    struct nb_slice text = (*command)->params.block_list_rule.rule;
    struct nb_failure *failure = NULL;
    const char *reason = NULL;
    struct nb_rule rule;
    if (nb_block_list_refuses_change(list, *command))
        return;
    if (!text.data)
        failure = nb_failure_type("rule", "of type string", "undefined");
    else if ((reason = nb_rule_parse((const char *)text.data, text.length, &rule)))
        failure = failure_of_rule("rule", reason, text);
    int status = failure ? 0 : nb_filter_remove(list->filter, &rule);
    if (!failure && status < 0 && status != UV_ENOENT)
        failure = nb_block_list_no_memory();
    nb_Boolean result = {.has_value = true, .value = status == 0};
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
    else
        nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

void nb_on_block_list_clear(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    if (nb_block_list_refuses_change(list, *command))
        return;
    nb_filter_clear(list->filter);
    nb_reply_done(self->loop, &(*command)->reply);
}
