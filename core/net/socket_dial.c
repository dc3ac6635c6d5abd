/* The socket actor's way to a connection: lookups, candidates one after the other, the news of the end. */
#include "fd_reserve.h"
#include "listen.h"
#include "memory.h"
#include "socket_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- candidates ---- */

/* Node: both ends are told only if both were asked for. */
static const struct nb_endpoint *wanted_local(const struct nb_dial *dial)
{
    return dial->local.ip.family && dial->local.port ? &dial->local : NULL;
}

static struct nb_failure *failure_of(struct nb_socket *socket, int status)
{
    struct nb_dial *dial = socket->dial;
    return nb_failure_connect(status, &socket->remote, dial->path, wanted_local(dial));
}

static void note_failure(struct nb_dial *dial, struct nb_failure *failure)
{
    if (dial->first_failure)
        nb_failure_unref(failure);
    else
        dial->first_failure = failure;
}

static int set_reuse(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ? -errno : 0;
}

static int bind_local(int fd, const struct nb_endpoint *local)
{
    struct sockaddr_storage storage;
    socklen_t length = nb_endpoint_to_sockaddr(local, &storage);
    int status = set_reuse(fd);
    if (status == 0 && bind(fd, (struct sockaddr *)&storage, length) < 0)
        status = -errno;
    return status;
}

/* Binds as asked for; true when there is nothing to bind or it went well. */
static bool bind_if_wanted(struct nb_socket *socket, int fd)
{
    struct nb_dial *dial = socket->dial;
    struct nb_endpoint local = dial->local;
    if (!local.ip.family && !dial->local_port)
        return true;
    local.port = dial->local_port;
    if (!local.ip.family)
        local.ip.family = socket->remote.ip.family;
    int status = bind_local(fd, &local);
    if (status == UV_EAFNOSUPPORT)
        status = UV_EINVAL; /* Node's word for an address of the other family */
    if (status < 0)
        note_failure(dial, nb_failure_bind(status, &local));
    return status == 0;
}

/* True when the attempt is under way. */
static bool start_attempt(struct nb_socket *socket, int domain, const struct sockaddr *address,
                          socklen_t length)
{
    int fd = nb_fd_reserve_socket(domain);
    if (fd < 0) {
        note_failure(socket->dial, failure_of(socket, fd));
        return false;
    }
    if (domain != AF_UNIX && !bind_if_wanted(socket, fd)) {
        close(fd);
        return false;
    }
    nb_options_apply(&socket->options, fd); /* some count from the first packet on */
    nb_stream_init(&socket->stream, socket->actor.loop, &nb_socket_stream_ops, true);
    int status = nb_stream_connect(&socket->stream, fd, address, length);
    if (status < 0) {
        note_failure(socket->dial, failure_of(socket, status));
        close(fd);
        return false;
    }
    socket->stream_in_use = true;
    return true;
}

/* Where the system connects to when it is given this: it takes an unspecified address for the loopback's. */
static struct nb_ip destination_of(const struct nb_ip *ip)
{
    static const uint8_t zeroes[16], mapped[12] = {[10] = 0xff, 0xff};
    struct nb_ip destination = *ip;
    if (ip->family == 4 && memcmp(ip->bytes, zeroes, 4) == 0)
        destination.bytes[0] = 127, destination.bytes[3] = 1;
    else if (ip->family == 6 && memcmp(ip->bytes, zeroes, 16) == 0)
        destination.bytes[15] = 1;
    else if (ip->family == 6 && memcmp(ip->bytes, mapped, 12) == 0 && memcmp(ip->bytes + 12, zeroes, 4) == 0)
        destination.bytes[12] = 127, destination.bytes[15] = 1;
    return destination;
}

/* The address as it was given and as it would be dialled. */
static bool is_on(struct nb_filter *filter, unsigned reader, const struct nb_ip *ip)
{
    struct nb_rule rule;
    struct nb_ip destination = destination_of(ip);
    return nb_filter_match(filter, reader, ip, &rule) ||
           (memcmp(&destination, ip, sizeof *ip) != 0 &&
            nb_filter_match(filter, reader, &destination, &rule));
}

/* NULL: it may be connected to. */
static struct nb_failure *objection_to(struct nb_socket *socket, const struct nb_endpoint *remote)
{
    unsigned reader = socket->actor.loop->index;
    if (is_on(socket->account->deny_connect, reader, &remote->ip))
        return nb_failure_denied(remote);
    return is_on(socket->filter, reader, &remote->ip) ? nb_failure_blocked(remote) : NULL;
}

static bool try_address(struct nb_socket *socket, const struct nb_endpoint *candidate)
{
    struct sockaddr_storage storage;
    socket->remote = *candidate;
    socket->remote.port = socket->dial->port;
    struct nb_failure *objection = objection_to(socket, &socket->remote);
    if (objection) {
        note_failure(socket->dial, objection);
        return false;
    }
    socklen_t length = nb_endpoint_to_sockaddr(&socket->remote, &storage);
    return start_attempt(socket, storage.ss_family, (struct sockaddr *)&storage, length);
}

static bool try_path(struct nb_socket *socket)
{
    struct sockaddr_un address;
    int status = nb_path_to_sockaddr(socket->dial->path, &address);
    if (status < 0) {
        note_failure(socket->dial, failure_of(socket, status));
        return false;
    }
    return start_attempt(socket, AF_UNIX, (struct sockaddr *)&address, sizeof address);
}

void nb_socket_dial_next(struct nb_socket *socket)
{
    struct nb_dial *dial = socket->dial;
    socket->state = NB_SOCKET_CONNECTING;
    if (dial->path.data && !dial->next++ && try_path(socket))
        return;
    while (!dial->path.data && dial->next < dial->count)
        if (try_address(socket, &dial->candidates[dial->next++]))
            return;
    struct nb_failure *failure = dial->first_failure;
    dial->first_failure = NULL;
    nb_socket_close(socket, failure);
}

/* ---- lookup events ---- */

static void emit_lookup(struct nb_socket *socket, struct nb_failure *failure,
                        const struct nb_endpoint *address)
{
    struct nb_texts texts;
    char text[NB_ENDPOINT_TEXT];
    struct nb_slice host = socket->dial->host;
    struct nb_event_message *event = nb_event_new(socket->account, NB_EVENT_SOCKET_LOOKUP, socket->name);
    if (!event)
        return;
    nb_texts_init(&texts, socket->actor.loop, host.length + NB_ENDPOINT_TEXT);
    event->body.lookup.host = nb_texts_add(&texts, host);
    if (address) {
        event->body.lookup.address = nb_texts_add(&texts, nb_slice_of(nb_endpoint_format(address, text)));
        event->body.lookup.has_family = true;
        event->body.lookup.family = address->ip.family;
    }
    event->failure = nb_failure_ref(failure);
    nb_event_send_texts(socket->account, event, &texts);
}

static void emit_lookups(struct nb_socket *socket)
{
    struct nb_dial *dial = socket->dial;
    if (!dial->host.data)
        return;
    if (dial->lookup_failure)
        emit_lookup(socket, dial->lookup_failure, NULL);
    for (unsigned i = 0; i < dial->count; i++)
        emit_lookup(socket, NULL, &dial->candidates[i]);
}

void nb_socket_lookup_answered(struct nb_socket *socket, const struct nb_lookup_answer *answer)
{
    struct nb_dial *dial = socket->dial;
    if (socket->state != NB_SOCKET_RESOLVING || dial->ticket != answer->ticket)
        return;
    memcpy(dial->candidates, answer->addresses, answer->count * sizeof *answer->addresses);
    dial->count = answer->count;
    if (answer->status < 0)
        dial->lookup_failure = nb_failure_lookup(answer->status, dial->host);
    if (!dial->holds_events)
        emit_lookups(socket);
    if (answer->status < 0)
        nb_socket_close(socket, nb_failure_ref(dial->lookup_failure));
    else
        nb_socket_dial_next(socket);
}

/* ---- the end of a dial ---- */

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
static void tell_connected(struct nb_socket *socket)
{
    struct nb_command *request = nb_socket_next_request(socket);
    if (socket->dial->holds_events) {
        answer_connected(socket, request);
        emit_lookups(socket);
        emit_connect(socket);
    } else {
        emit_connect(socket);
        answer_connected(socket, request);
    }
}

void nb_socket_answer_held(struct nb_socket *socket, struct nb_failure *failure)
{
    struct nb_command *request = socket->dial->holds_events ? nb_socket_next_request(socket) : NULL;
    if (!request)
        return;
    socket->dial->holds_events = false;
    nb_reply_fail(socket->actor.loop, &request->reply,
                  failure ? nb_failure_ref(failure) : nb_failure_socket_closed());
    nb_message_dispose(socket->actor.loop, &request->message);
    emit_lookups(socket);
}

void nb_socket_connected(struct nb_stream *stream, int status)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    if (socket->state != NB_SOCKET_CONNECTING)
        return;
    if (status < 0) {
        note_failure(socket->dial, failure_of(socket, status));
        nb_stream_close(stream); /* a handle that failed once is spent; on_closed goes on */
        return;
    }
    nb_stream_take_queue(stream, &socket->dial->early);
    nb_socket_touch(socket);
    nb_socket_opened(socket);
    tell_connected(socket);
    nb_socket_drop_dial(socket);
    if (socket->wants_reset) {
        nb_stream_linger_zero(stream);
        nb_socket_close(socket, NULL);
        return;
    }
    nb_socket_sent(stream, 0);
    if (socket->is_ending)
        nb_stream_shutdown(stream);
}

void nb_socket_drop_dial(struct nb_socket *socket)
{
    struct nb_dial *dial = socket->dial;
    if (!dial)
        return;
    socket->dial = NULL;
    nb_write_queue_finish(&dial->early);
    nb_failure_unref(dial->lookup_failure);
    nb_failure_unref(dial->first_failure);
    nb_chunk_unref(dial->chunk);
    nb_free(dial);
}
