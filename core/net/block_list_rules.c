/* The block list actor's commands for many rules or addresses at once. */
#include "block_list_actor.h"
#include "inspect.h"
#include "list_json.h"
#include "list_text.h"
#include "memory.h"
#include "msgpack_encode.h"

#include <stdio.h>

nb_handler nb_on_block_list_add_rules, nb_on_block_list_load, nb_on_block_list_remove_rule,
    nb_on_block_list_clear, nb_on_block_list_size, nb_on_block_list_check_many, nb_on_block_list_rules,
    nb_on_block_list_hits;

static struct nb_failure *no_memory(void)
{
    return nb_failure_make("ENOMEM", NULL, "not enough memory for the rules");
}

/* ---- lists of texts ---- */

struct texts {
    const char *name; /* the field's; static */
    struct nb_cursor cursor;
    uint32_t count, at;
};

static struct nb_failure *open_texts(struct nb_slice list, const char *name, struct texts *ret_texts)
{
    char received[NB_INSPECT_SIZE] = "undefined";
    struct nb_cursor cursor = {list.data, list.data + list.length};
    struct nb_value value = {.kind = NB_KIND_NIL};
    if (list.data) {
        value = nb_cursor_take(&cursor);
        nb_inspect_type(&value, received);
    }
    if (value.kind != NB_KIND_ARRAY)
        return nb_failure_type(name, "an instance of Array", received);
    *ret_texts = (struct texts){.name = name, .cursor = cursor, .count = value.count};
    return NULL;
}

static struct nb_failure *next_text(struct texts *texts, struct nb_slice *ret_text)
{
    char label[64], received[NB_INSPECT_SIZE];
    struct nb_value value = nb_cursor_take(&texts->cursor);
    texts->at++;
    *ret_text = value.bytes;
    if (nb_value_is_text(&value))
        return NULL;
    snprintf(label, sizeof label, "%s[%u]", texts->name, texts->at - 1);
    nb_inspect_type(&value, received);
    return nb_failure_type(label, "of type string", received);
}

/* ---- adding ---- */

static struct nb_failure *failure_of_rule(const char *label, const char *reason, struct nb_slice text)
{
    char words[256], received[NB_INSPECT_SIZE];
    snprintf(words, sizeof words, "is no rule: %s", reason);
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = text}, received);
    return nb_failure_value(label, words, received);
}

static struct nb_failure *next_rule(struct texts *texts, struct nb_rule *ret_rule)
{
    char label[64];
    struct nb_slice text;
    struct nb_failure *failure = next_text(texts, &text);
    if (failure)
        return failure;
    const char *reason = nb_rule_parse((const char *)text.data, text.length, ret_rule);
    if (!reason)
        return NULL;
    snprintf(label, sizeof label, "%s[%u]", texts->name, texts->at - 1);
    return failure_of_rule(label, reason, text);
}

/* *ret_rules: texts->count of them, the caller's to free. */
static struct nb_failure *read_rules(struct texts *texts, struct nb_rule **ret_rules)
{
    struct nb_failure *failure = NULL;
    struct nb_rule *rules = nb_calloc(texts->count ? texts->count : 1, sizeof *rules);
    if (!rules)
        return no_memory();
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
    struct texts texts;
    if (nb_block_list_refuses_change(list, *command))
        return;
    struct nb_failure *failure = open_texts((*command)->params.block_list_rules.rules, "rules", &texts);
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
        return no_memory();
    bool is_json = nb_slice_is(params->format, "json");
    int status = (is_json ? read_json : read_text)(list, params->data, max_rules, &failure);
    if (status == 0) {
        *ret_list = list;
        return NULL;
    }
    nb_block_list_free(list);
    if (status == UV_ENOSPC)
        return nb_failure_limit("maxRules", max_rules);
    return failure ? failure : no_memory();
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
        failure = no_memory();
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

void nb_on_block_list_size(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    nb_Count result = {.has_count = true, .count = nb_shared_list_size(list->filter->list)};
    nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

/* ---- answers that are lists ---- */

/* Items that were packed already, and in front of them the array's head. */
static void answer_items(struct nb_block_list_actor *list, struct nb_command *command,
                         const struct nb_encoder *items, uint32_t count)
{
    struct nb_loop *loop = list->actor.loop;
    struct nb_encoder head = {.reallocate = nb_realloc};
    msgpack_packer packer = nb_encoder_packer(&head);
    struct nb_texts answer;
    msgpack_pack_array(&packer, count);
    nb_texts_init(&answer, loop, head.length + items->length);
    if (head.failed || items->failed)
        answer.failed = true;
    if (!answer.failed) {
        memcpy(answer.chunk->bytes, head.data, head.length);
        if (items->length)
            memcpy(answer.chunk->bytes + head.length, items->data, items->length);
        nb_Rules result = {.rules = {answer.chunk->bytes, head.length + items->length}};
        nb_reply_texts(loop, &command->reply, &result, &answer);
    } else {
        nb_texts_finish(&answer);
        nb_reply_throw(loop, &command->reply, no_memory());
    }
    nb_free(head.data);
}

/* ---- checkMany ---- */

static struct nb_failure *read_addresses(struct texts *texts, struct nb_slice type, struct nb_ip *ips)
{
    struct nb_slice text;
    while (texts->at < texts->count) {
        struct nb_ip *ip = &ips[texts->at];
        struct nb_failure *failure = next_text(texts, &text);
        if (failure)
            return failure;
        nb_block_list_read_address(text, type, ip);
    }
    return NULL;
}

struct check {
    struct nb_ip *ips;
    bool *blocked;
};

static bool allocate_check(struct check *check, uint32_t count)
{
    check->ips = nb_calloc(count ? count : 1, sizeof *check->ips);
    check->blocked = nb_calloc(count ? count : 1, sizeof *check->blocked);
    return check->ips && check->blocked;
}

static void answer_check(struct nb_block_list_actor *list, struct nb_command *command,
                         const struct check *check, uint32_t count)
{
    struct nb_encoder items = {.reallocate = nb_realloc};
    msgpack_packer packer = nb_encoder_packer(&items);
    nb_shared_list_check_many(list->filter->list, list->actor.loop->index, check->ips, count, check->blocked);
    for (uint32_t i = 0; i < count; i++)
        check->blocked[i] ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer);
    answer_items(list, command, &items, count);
    nb_free(items.data);
}

void nb_on_block_list_check_many(struct nb_actor *self, struct nb_command **command)
{
    const nb_BlockListAddresses *params = &(*command)->params.block_list_addresses;
    struct texts texts;
    struct check check = {0};
    struct nb_failure *failure = open_texts(params->addresses, "addresses", &texts);
    if (!failure && !allocate_check(&check, texts.count))
        failure = no_memory();
    if (!failure)
        failure = read_addresses(&texts, params->type, check.ips);
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
    else
        answer_check((struct nb_block_list_actor *)self, *command, &check, texts.count);
    nb_free(check.ips);
    nb_free(check.blocked);
}

/* ---- rules, hits ---- */

enum { HEADS = 64 }; /* bytes of a response around its items, at most */

struct part {
    uint32_t offset, limit, count;
    size_t room; /* bytes */
    bool with_hits, is_too_large;
    struct nb_encoder items;
    msgpack_packer packer;
};

static void pack_rule(struct part *part, const struct nb_rule *rule, uint64_t hits)
{
    char text[NB_RULE_TEXT];
    size_t length = nb_rule_format(rule, text);
    if (part->with_hits) {
        msgpack_pack_map(&part->packer, 2);
        msgpack_pack_str_with_body(&part->packer, "rule", 4);
    }
    msgpack_pack_str_with_body(&part->packer, text, length);
    if (part->with_hits) {
        msgpack_pack_str_with_body(&part->packer, "hits", 4);
        msgpack_pack_uint64(&part->packer, hits);
    }
}

static bool visit(void *context, const struct nb_rule *rule, uint64_t hits)
{
    struct part *part = context;
    if (part->offset) {
        part->offset--;
        return true;
    }
    if (part->count == part->limit)
        return false;
    pack_rule(part, rule, hits);
    part->count++;
    part->is_too_large = part->items.length > part->room;
    return !part->is_too_large && !part->items.failed;
}

static struct nb_failure *check_part(const struct nb_block_list_actor *list, const nb_BlockListPart *params)
{
    uint32_t most = list->account->max_rules;
    if (params->offset <= most)
        return NULL;
    char range[32];
    snprintf(range, sizeof range, ">= 0 && <= %u", most);
    return nb_failure_range("offset", range, params->offset);
}

static void answer_part(struct nb_actor *self, struct nb_command *command, bool with_hits)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    const nb_BlockListPart *params = &command->params.block_list_part;
    struct part part = {.offset = params->offset,
                        .limit = params->has_limit ? params->limit : UINT32_MAX,
                        .room = list->account->max_frame - HEADS,
                        .with_hits = with_hits,
                        .items.reallocate = nb_realloc};
    struct nb_failure *failure = check_part(list, params);
    part.packer = nb_encoder_packer(&part.items);
    if (!failure)
        nb_shared_list_visit(list->filter->list, visit, &part);
    if (part.is_too_large)
        failure = nb_failure_limit("maxFrame", list->account->max_frame);
    if (failure)
        nb_reply_throw(self->loop, &command->reply, failure);
    else
        answer_items(list, command, &part.items, part.count);
    nb_free(part.items.data);
}

void nb_on_block_list_rules(struct nb_actor *self, struct nb_command **command)
{
    answer_part(self, *command, false);
}

void nb_on_block_list_hits(struct nb_actor *self, struct nb_command **command)
{
    answer_part(self, *command, true);
}
