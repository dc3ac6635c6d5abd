/* The block list actor's life, and its commands for one rule or one address. */
#include "block_list_actor.h"

#include <math.h>
#include <stdio.h>

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class block_list_class = {
    .name = "blockList", .size = sizeof(struct nb_block_list_actor), .receive = receive, .stop = stop};

struct nb_block_list_actor *nb_block_list_actor_new(struct nb_account *account, uint64_t name,
                                                    struct nb_filter *filter)
{
    struct nb_block_list_actor *list = nb_actor_new(account->loop, &block_list_class);
    if (!list)
        return NULL;
    list->account = nb_account_ref(account);
    list->name = name;
    list->filter = nb_filter_ref(filter);
    account->block_lists++;
    return list;
}

static void stop(struct nb_actor *self)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    list->account->block_lists--;
    nb_filter_unref(list->filter);
    nb_account_unref(list->account);
    nb_actor_finish(self);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    if ((*message)->class != &nb_command_class)
        return;
    struct nb_command **command = (struct nb_command **)message;
    (*command)->run(self, command);
}

nb_handler nb_on_block_list_create, nb_on_block_list_release, nb_on_block_list_add_address,
    nb_on_block_list_add_range, nb_on_block_list_add_subnet, nb_on_block_list_check, nb_on_block_list_match;

void nb_on_block_list_create(struct nb_actor *self, struct nb_command **command)
{
    nb_Created created = {.has_id = true, .id = ((struct nb_block_list_actor *)self)->name};
    nb_reply_result(self->loop, &(*command)->reply, &created, NULL);
}

void nb_on_block_list_release(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    nb_reply_done(self->loop, &(*command)->reply);
    nb_account_say_farewell(list->account, list->name);
    nb_actor_stop(self);
}

/* ---- changes ---- */

bool nb_block_list_refuses_change(struct nb_block_list_actor *list, struct nb_command *command)
{
    if (!nb_filter_is_configured(list->filter))
        return false;
    nb_reply_throw(
        list->actor.loop, &command->reply,
        nb_failure_make("ERR_NB_POLICY", NULL, "A block list of the configuration is not to be changed"));
    return true;
}

struct nb_failure *nb_block_list_no_memory(void)
{
    return nb_failure_make("ENOMEM", NULL, "not enough memory for the rules");
}

static struct nb_failure *failure_of_change(const struct nb_block_list_actor *list, int status)
{
    if (status == UV_ENOSPC)
        return nb_failure_limit("maxRules", list->filter->budget->max_rules);
    return nb_block_list_no_memory();
}

void nb_block_list_answer_change(struct nb_block_list_actor *list, struct nb_command *command, int status)
{
    struct nb_loop *loop = list->actor.loop;
    if (status == 0)
        nb_reply_done(loop, &command->reply);
    else
        nb_reply_throw(loop, &command->reply, failure_of_change(list, status));
}

static void add(struct nb_block_list_actor *list, struct nb_command *command, const struct nb_rule *rule,
                struct nb_failure *failure)
{
    if (failure)
        nb_reply_throw(list->actor.loop, &command->reply, failure);
    else if (!nb_block_list_refuses_change(list, command))
        nb_block_list_answer_change(list, command, nb_filter_add(list->filter, rule, 1));
}

/* ---- arguments, in Node's order ---- */

/* label: Node's name of the argument, in its messages; the other names are the wire's. */
struct argument {
    const char *label, *name, *type_name;
};

enum nb_socket_address_fault nb_block_list_read_address(struct nb_slice text, struct nb_slice type,
                                                        struct nb_ip *ret_ip)
{
    struct nb_socket_address address;
    const struct nb_socket_address_options options = {.family = {(const char *)type.data, type.length},
                                                      .address = {(const char *)text.data, text.length}};
    enum nb_socket_address_fault fault = nb_socket_address_make(&options, &address);
    if (fault == NB_SOCKET_ADDRESS_OK)
        *ret_ip = address.ip;
    return fault;
}

static struct nb_failure *need_text(struct nb_slice text, const struct argument *argument)
{
    if (text.data)
        return NULL;
    return nb_failure_argument(nb_failure_type(argument->label, "of type string", "undefined"),
                               argument->name);
}

static struct nb_failure *take_address(struct nb_slice text, struct nb_slice type,
                                       const struct argument *argument, struct nb_ip *ret_ip)
{
    struct nb_failure *failure = need_text(text, argument);
    if (failure)
        return failure;
    switch (nb_block_list_read_address(text, type, ret_ip)) {
    case NB_SOCKET_ADDRESS_OK:
        return NULL;
    case NB_SOCKET_ADDRESS_FAMILY:
        return nb_failure_family(type, argument->type_name);
    default:
        return nb_failure_invalid_address(argument->name);
    }
}

static const struct argument address_argument = {"address", "address", "type"};

void nb_on_block_list_add_address(struct nb_actor *self, struct nb_command **command)
{
    const nb_BlockListAddress *params = &(*command)->params.block_list_address;
    struct nb_rule rule = {.kind = NB_RULE_ADDRESS};
    struct nb_failure *failure = take_address(params->address, params->type, &address_argument, &rule.first);
    add((struct nb_block_list_actor *)self, *command, &rule, failure);
}

/* ---- addRange ---- */

/* As Node shows the SocketAddress that it made of the text. */
static struct nb_failure *failure_of_order(const struct nb_ip *start)
{
    char text[NB_IP_TEXT], received[NB_IP_TEXT + 80];
    nb_ip_format(start, text);
    snprintf(received, sizeof received,
             "SocketAddress { address: '%s', port: 0, family: 'ipv%d', flowlabel: 0 }", text, start->family);
    return nb_failure_value("start", "must come before end", received);
}

static struct nb_failure *take_range(const nb_BlockListRange *params, struct nb_rule *rule)
{
    static const struct argument start = {"start", "start", "type"}, end = {"end", "end", "endType"};
    struct nb_slice end_type = params->end_type.data ? params->end_type : params->type;
    struct nb_failure *failure = take_address(params->start, params->type, &start, &rule->first);
    if (!failure)
        failure = take_address(params->end, end_type, &end, &rule->last);
    if (!failure && !nb_rule_is_valid(rule))
        failure = failure_of_order(&rule->first);
    return failure;
}

void nb_on_block_list_add_range(struct nb_actor *self, struct nb_command **command)
{
    struct nb_rule rule = {.kind = NB_RULE_RANGE};
    struct nb_failure *failure = take_range(&(*command)->params.block_list_range, &rule);
    add((struct nb_block_list_actor *)self, *command, &rule, failure);
}

/* ---- addSubnet ---- */

static struct nb_failure *take_prefix(const nb_BlockListSubnet *params, struct nb_rule *rule)
{
    bool is_ipv6 = rule->first.family == 6;
    if (!params->has_prefix)
        return nb_failure_type("prefix", "of type number", "undefined");
    if (!isfinite(params->prefix) || params->prefix != trunc(params->prefix))
        return nb_failure_range("prefix", "an integer", params->prefix);
    if (params->prefix < 0 || params->prefix > (is_ipv6 ? 128 : 32))
        return nb_failure_range("prefix", is_ipv6 ? ">= 0 && <= 128" : ">= 0 && <= 32", params->prefix);
    rule->prefix = (uint8_t)params->prefix;
    return NULL;
}

void nb_on_block_list_add_subnet(struct nb_actor *self, struct nb_command **command)
{
    static const struct argument net = {"network", "net", "type"};
    const nb_BlockListSubnet *params = &(*command)->params.block_list_subnet;
    struct nb_rule rule = {.kind = NB_RULE_SUBNET};
    struct nb_failure *failure = take_address(params->net, params->type, &net, &rule.first);
    if (!failure)
        failure = take_prefix(params, &rule);
    add((struct nb_block_list_actor *)self, *command, &rule, failure);
}

/* ---- check, match ---- */

/* False and answered: the address is missing. One that does not parse has family 0 and is on no list. */
static bool take_question(struct nb_actor *self, struct nb_command *command, struct nb_ip *ret_ip)
{
    const nb_BlockListAddress *params = &command->params.block_list_address;
    struct nb_failure *failure = need_text(params->address, &address_argument);
    *ret_ip = (struct nb_ip){0};
    if (failure)
        nb_reply_throw(self->loop, &command->reply, failure);
    else
        nb_block_list_read_address(params->address, params->type, ret_ip);
    return !failure;
}

void nb_on_block_list_check(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    struct nb_ip ip;
    if (!take_question(self, *command, &ip))
        return;
    nb_Boolean result = {.has_value = true,
                         .value = nb_shared_list_check(list->filter->list, self->loop->index, &ip)};
    nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

void nb_on_block_list_match(struct nb_actor *self, struct nb_command **command)
{
    struct nb_block_list_actor *list = (struct nb_block_list_actor *)self;
    char text[NB_RULE_TEXT];
    struct nb_texts texts = {0};
    struct nb_rule rule;
    struct nb_ip ip;
    if (!take_question(self, *command, &ip))
        return;
    nb_Match result = {.has_blocked = true};
    result.blocked = nb_filter_match(list->filter, self->loop->index, &ip, &rule);
    if (result.blocked) {
        nb_texts_init(&texts, self->loop, NB_RULE_TEXT);
        nb_rule_format(&rule, text);
        result.rule = nb_texts_add(&texts, nb_slice_of(text));
    }
    nb_reply_texts(self->loop, &(*command)->reply, &result, &texts);
}
