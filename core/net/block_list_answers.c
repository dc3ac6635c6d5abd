/* The block list actor's commands that answer for many rules or addresses at once. */
#include "block_list_actor.h"
#include "memory.h"
#include "msgpack_encode.h"
#include "text_list.h"

#include <stdio.h>

nb_handler nb_on_block_list_size, nb_on_block_list_check_many, nb_on_block_list_rules, nb_on_block_list_hits;

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
        nb_reply_throw(loop, &command->reply, nb_block_list_no_memory());
    }
    nb_free(head.data);
}

/* ---- checkMany ---- */

static struct nb_failure *read_addresses(struct nb_text_list *texts, struct nb_slice type, struct nb_ip *ips)
{
    struct nb_slice text;
    while (texts->at < texts->count) {
        struct nb_ip *ip = &ips[texts->at];
        struct nb_failure *failure = nb_text_list_next(texts, &text);
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
    struct nb_text_list texts;
    struct check check = {0};
    struct nb_failure *failure = nb_text_list_open(params->addresses, "addresses", &texts);
    if (!failure && !allocate_check(&check, texts.count))
        failure = nb_block_list_no_memory();
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
    uint32_t limit, count;
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
    if (part->count == part->limit)
        return false;
    pack_rule(part, rule, hits);
    part->count++;
    part->is_too_large = part->items.length > part->room;
    return !part->is_too_large && !part->items.failed;
}

static void answer_part(struct nb_actor *self, struct nb_command *command, bool with_hits)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    const nb_BlockListPart *params = &command->params.block_list_part;
    struct part part = {.limit = params->has_limit ? params->limit : UINT32_MAX,
                        .room = list->account->max_frame - HEADS,
                        .with_hits = with_hits,
                        .items.reallocate = nb_realloc};
    struct nb_failure *failure = NULL;
    part.packer = nb_encoder_packer(&part.items);
    nb_shared_list_visit(list->filter->list, params->offset, visit, &part);
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
