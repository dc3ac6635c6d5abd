/* What a client hears of a dial. */
#include "socket_dial.h"

/* ---- events, sent or held ---- */

/* Takes both. */
static void tell(struct nb_dial *dial, struct nb_event_message *event, struct nb_texts *texts)
{
    struct nb_account *account = dial->socket->account;
    if (!dial->holds_events || texts->failed) {
        nb_event_send_texts(account, event, texts);
        return;
    }
    event->chunk = texts->chunk;
    dial->held[dial->held_count++] = event;
}

static void release_held(struct nb_dial *dial)
{
    dial->holds_events = false;
    for (unsigned i = 0; i < dial->held_count; i++)
        nb_event_send(dial->socket->account, dial->held[i]);
    dial->held_count = 0;
}

static struct nb_event_message *new_event(struct nb_dial *dial, enum nb_event_index index, size_t text_size,
                                          struct nb_texts *ret_texts)
{
    struct nb_socket *socket = dial->socket;
    struct nb_event_message *event = nb_event_new(socket->account, index, socket->name);
    if (event)
        nb_texts_init(ret_texts, socket->actor.loop, text_size);
    return event;
}

void nb_dial_tell_lookup(struct nb_dial *dial, struct nb_failure *failure, struct nb_slice address,
                         int family)
{
    struct nb_texts texts;
    struct nb_event_message *event =
        new_event(dial, NB_EVENT_SOCKET_LOOKUP, dial->host.length + address.length, &texts);
    if (!event)
        return;
    event->body.lookup.host = nb_texts_add(&texts, dial->host);
    event->body.lookup.address = nb_texts_add(&texts, address);
    event->body.lookup.has_family = family != 0;
    event->body.lookup.family = family;
    event->failure = nb_failure_ref(failure);
    tell(dial, event, &texts);
}

void nb_dial_tell_request(struct nb_dial *dial)
{
    struct nb_texts texts;
    struct nb_event_message *event =
        new_event(dial, NB_EVENT_SOCKET_LOOKUP_REQUEST, dial->host.length, &texts);
    if (!event)
        return;
    nb_LookupRequest *request = &event->body.lookup_request;
    request->host = nb_texts_add(&texts, dial->host);
    request->has_family = request->has_hints = request->has_all = true;
    request->family = dial->family;
    request->hints = dial->hints;
    request->all = !dial->is_single;
    tell(dial, event, &texts);
}

void nb_dial_tell_attempt(struct nb_dial *dial, enum nb_event_index index, const struct nb_endpoint *remote,
                          struct nb_failure *failure)
{
    struct nb_texts texts;
    char text[NB_ENDPOINT_TEXT];
    struct nb_slice address = remote ? nb_slice_of(nb_endpoint_format(remote, text)) : dial->path;
    struct nb_event_message *event = new_event(dial, index, address.length, &texts);
    if (!event)
        return;
    nb_ConnectionAttempt *attempt = &event->body.connection_attempt;
    attempt->address = nb_texts_add(&texts, address);
    attempt->has_port = attempt->has_family = remote != NULL;
    if (remote) {
        attempt->port = remote->port;
        attempt->family = remote->ip.family;
    }
    event->failure = nb_failure_ref(failure);
    tell(dial, event, &texts);
}

/* ---- the end of it ---- */

static void answer_connected(struct nb_socket *socket, struct nb_command *request)
{
    union nb_result result;
    struct nb_texts texts;
    memset(&result, 0, sizeof result);
    nb_texts_init(&texts, socket->actor.loop, NB_ENDPOINTS_TEXT);
    nb_Endpoints *ends = &result.endpoints;
    if (request->reply.method->index == NB_METHOD_NET_CREATE_CONNECTION) {
        result.connected.has_id = true;
        result.connected.id = socket->name;
        result.connected.has_endpoints = true;
        ends = &result.connected.endpoints;
    }
    nb_texts_endpoints(&texts, &socket->local, &socket->remote, ends);
    nb_reply_texts(socket->actor.loop, &request->reply, &result, &texts);
    nb_message_dispose(socket->actor.loop, &request->message);
}

static void emit_connect(struct nb_socket *socket)
{
    struct nb_texts texts;
    struct nb_event_message *event = nb_event_new(socket->account, NB_EVENT_SOCKET_CONNECT, socket->name);
    if (!event)
        return;
    nb_texts_init(&texts, socket->actor.loop, NB_ENDPOINTS_TEXT);
    nb_texts_endpoints(&texts, &socket->local, &socket->remote, &event->body.endpoints);
    nb_event_send_texts(socket->account, event, &texts);
    nb_event_emit(socket->account, NB_EVENT_SOCKET_READY, socket->name);
}

/* A client that does not know the id yet gets its answer before the first event, others after it. */
void nb_dial_tell_connected(struct nb_dial *dial)
{
    struct nb_socket *socket = dial->socket;
    struct nb_command *request = nb_socket_next_request(socket);
    if (dial->holds_events) {
        answer_connected(socket, request);
        release_held(dial);
        emit_connect(socket);
    } else {
        emit_connect(socket);
        answer_connected(socket, request);
    }
}

void nb_socket_answer_held(struct nb_socket *socket, struct nb_failure *failure)
{
    struct nb_dial *dial = socket->dial;
    struct nb_command *request = dial->holds_events ? nb_socket_next_request(socket) : NULL;
    if (!request)
        return;
    nb_reply_fail(socket->actor.loop, &request->reply,
                  failure ? nb_failure_ref(failure) : nb_failure_socket_closed());
    nb_message_dispose(socket->actor.loop, &request->message);
    release_held(dial);
}
