/* From a host to the addresses to try, by the system's resolver or by the client. */
#include "inspect.h"
#include "msgpack_decode.h"
#include "socket_dial.h"

#include <netdb.h>
#include <string.h>

/* An address as it was found, and what it is. */
struct found {
    struct nb_slice text; /* as it is told */
    int family; /* as it is told */
    struct nb_endpoint address; /* family 0: it is none that could be tried */
};

struct found_list {
    unsigned count;
    struct found items[NB_LOOKUP_ADDRESSES];
};

/* ---- the order of the attempts ---- */

static bool is_candidate(const struct nb_dial *dial, const struct nb_endpoint *address)
{
    for (unsigned i = 0; i < dial->count; i++)
        if (memcmp(&dial->candidates[i].ip, &address->ip, sizeof address->ip) == 0 &&
            dial->candidates[i].scope == address->scope)
            return true;
    return false;
}

static void add_candidate(struct nb_dial *dial, const struct nb_endpoint *address)
{
    if (is_candidate(dial, address))
        return;
    dial->candidates[dial->count] = *address;
    dial->candidates[dial->count++].port = dial->port;
}

/* The next address of that family from *at on, or of any (0). NULL: there is none. */
static const struct nb_endpoint *next_of_family(const struct found_list *found, int family, unsigned *at)
{
    while (*at < found->count) {
        const struct nb_endpoint *address = &found->items[(*at)++].address;
        if (address->ip.family && (!family || address->ip.family == family))
            return address;
    }
    return NULL;
}

/* The families take turns; that of the first address begins. */
static void interleave(struct nb_dial *dial, const struct found_list *found)
{
    unsigned at[2] = {0, 0}, start = 0;
    const struct nb_endpoint *first = next_of_family(found, 0, &start), *next[2];
    if (!first)
        return;
    int families[2] = {first->ip.family, first->ip.family == 6 ? 4 : 6};
    do {
        for (unsigned i = 0; i < 2; i++)
            if ((next[i] = next_of_family(found, families[i], &at[i])))
                add_candidate(dial, next[i]);
    } while (next[0] || next[1]);
}

/* From an address of one family there is no way to one of the other. If there is no other way, its error is told. */
static void arrange(struct nb_dial *dial, struct found_list *found)
{
    unsigned at = 0;
    int family = dial->local.ip.family;
    if (family && next_of_family(found, family, &at))
        for (unsigned i = 0; i < found->count; i++)
            if (found->items[i].address.ip.family != family)
                found->items[i].address.ip.family = 0;
    interleave(dial, found);
}

/* ---- the outcome ---- */

/* Takes the failure. */
static void fail_lookup(struct nb_dial *dial, struct nb_failure *failure)
{
    nb_dial_tell_lookup(dial, failure, (struct nb_slice){0}, 0);
    nb_socket_close(dial->socket, failure);
}

static struct nb_failure *objection_to(const struct nb_dial *dial, const struct found *found)
{
    struct nb_endpoint address;
    if (!nb_endpoint_parse(found->text, &address))
        return nb_failure_invalid_ip(found->text.data ? found->text : nb_slice_of("undefined"), "address");
    return nb_failure_address_family(found->family, dial->host, dial->port);
}

/* NULL, or why the dial has come to its end: a share. */
static struct nb_failure *take_found(struct nb_dial *dial, struct found_list *found)
{
    if (dial->is_single && found->count > 1)
        found->count = 1;
    for (unsigned i = 0; i < found->count; i++)
        nb_dial_tell_lookup(dial, NULL, found->items[i].text, found->items[i].family);
    arrange(dial, found);
    if (!dial->count) {
        struct nb_failure *failure = objection_to(dial, &found->items[0]);
        nb_socket_close(dial->socket, nb_failure_ref(failure));
        return failure;
    }
    nb_socket_touch(dial->socket);
    nb_dial_race(dial);
    return NULL;
}

/* ---- by the resolver ---- */

static void ask_resolver(struct nb_dial *dial)
{
    struct nb_socket *socket = dial->socket;
    int status = nb_lookup_start(&socket->actor, socket->account->lookups, dial->ticket, dial->host,
                                 dial->family, dial->hints, &dial->lookup);
    if (status < 0)
        fail_lookup(dial, nb_failure_lookup(status, dial->host));
}

void nb_socket_lookup_answered(struct nb_socket *socket, const struct nb_lookup_answer *answer)
{
    char texts[NB_LOOKUP_ADDRESSES][NB_ENDPOINT_TEXT];
    struct nb_dial *dial = socket->dial;
    struct found_list found = {.count = answer->count};
    if (socket->state != NB_SOCKET_RESOLVING || dial->ticket != answer->ticket)
        return;
    if (answer->status < 0) {
        fail_lookup(dial, nb_failure_lookup(answer->status, dial->host));
        return;
    }
    for (unsigned i = 0; i < answer->count; i++) {
        const struct nb_endpoint *address = &answer->addresses[i];
        found.items[i] = (struct found){.text = nb_slice_of(nb_endpoint_format(address, texts[i])),
                                        .family = address->ip.family,
                                        .address = *address};
    }
    take_found(dial, &found);
}

/* ---- by the client ---- */

static void ask_client(struct nb_dial *dial)
{
    dial->waits_for_client = true;
    nb_dial_tell_request(dial);
}

static void add_found(struct found_list *found, struct nb_slice text, bool has_family, int family)
{
    struct found *item = &found->items[found->count++];
    *item = (struct found){.text = text, .family = family};
    if (!nb_endpoint_parse(text, &item->address))
        return;
    if (!has_family)
        item->family = item->address.ip.family;
    if (item->family != item->address.ip.family)
        item->address.ip.family = 0;
}

static struct nb_failure *not_a_list(const struct nb_value *value)
{
    char received[NB_INSPECT_SIZE];
    nb_inspect_type(value, received);
    return nb_failure_argument(nb_failure_type("addresses", "an instance of Array", received), "addresses");
}

/* NULL, or what is to be thrown. */
static struct nb_failure *read_addresses(struct nb_slice list, struct found_list *ret_found)
{
    struct nb_cursor cursor = {list.data, list.data + list.length};
    struct nb_value head = nb_cursor_take(&cursor);
    if (head.kind != NB_KIND_ARRAY)
        return not_a_list(&head);
    for (uint32_t i = 0; i < head.count && i < NB_LOOKUP_ADDRESSES; i++) {
        struct nb_fault fault = {0};
        nb_LookupAddress item;
        nb_message_clear(&nb_shape_LookupAddress, &item);
        if (!nb_decode_message(&cursor, &nb_shape_LookupAddress, "addresses", &item, &fault))
            return nb_failure_of_fault(&fault);
        add_found(ret_found, item.address, item.has_family, item.family);
    }
    return NULL;
}

/* One address, or none at all, which is answered as an address that is none. */
static struct nb_failure *read_result(const nb_LookupResult *params, struct found_list *ret_found)
{
    struct nb_failure *failure = NULL;
    if (params->addresses.data)
        failure = read_addresses(params->addresses, ret_found);
    if (!failure && !ret_found->count)
        add_found(ret_found, params->address, params->has_family, params->family);
    return failure;
}

static struct nb_failure *check_result(const struct nb_socket *socket, const nb_LookupResult *params,
                                       struct found_list *ret_found)
{
    if (socket->state != NB_SOCKET_RESOLVING || !socket->dial->waits_for_client)
        return nb_failure_make("ERR_NB_NOT_ASKED", NULL, "No lookup of the socket waits for an answer");
    return params->has_error ? NULL : read_result(params, ret_found);
}

nb_handler nb_on_socket_lookup_result;

void nb_on_socket_lookup_result(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_LookupResult *params = &(*command)->params.lookup_result;
    struct nb_reply_to *reply = &(*command)->reply;
    struct found_list found = {.count = 0};
    if (nb_socket_is_destroyed(socket)) {
        nb_reply_fail(self->loop, reply, nb_failure_socket_closed()); /* they may cross */
        return;
    }
    struct nb_failure *failure = check_result(socket, params, &found);
    if (failure) {
        nb_reply_throw(self->loop, reply, failure);
        return;
    }
    socket->dial->waits_for_client = false;
    if (params->has_error)
        fail_lookup(socket->dial, nb_failure_of_client(&params->error));
    else
        failure = take_found(socket->dial, &found);
    if (failure)
        nb_reply_fail(self->loop, reply, failure);
    else
        nb_reply_done(self->loop, reply);
}

/* ---- the start ---- */

void nb_dial_resolve(struct nb_dial *dial)
{
    if (dial->path.data || nb_endpoint_parse(dial->host, &dial->candidates[0])) {
        dial->count = dial->path.data ? 0 : 1;
        dial->candidates[0].port = dial->port;
        nb_dial_race(dial);
    } else if (dial->asks_client) {
        ask_client(dial);
    } else {
        ask_resolver(dial);
    }
}
