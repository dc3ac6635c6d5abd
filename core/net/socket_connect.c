/* The socket actor's way to a connection: names, candidates, attempts. */
#include "listen.h"
#include "memory.h"
#include "socket_internal.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { KNOWN_HINTS = AI_ADDRCONFIG | AI_V4MAPPED | AI_ALL };

/* ---- checks, in Node's order ---- */

static struct nb_failure *check_local_address(const nb_SocketConnect *options, struct nb_address *ret_local)
{
    *ret_local = (struct nb_address){0};
    if (options->local_address.data && !nb_address_parse(options->local_address, ret_local))
        return nb_failure_invalid_ip(options->local_address, "localAddress");
    return NULL;
}

static struct nb_failure *check_family_and_hints(const nb_SocketConnect *options)
{
    char received[16];
    if (options->has_family && options->family != 0 && options->family != 4 && options->family != 6) {
        snprintf(received, sizeof received, "%d", options->family);
        return nb_failure_value("family", "must be one of: 0, 4, 6", received);
    }
    if (options->has_hints && (options->hints & ~KNOWN_HINTS)) {
        snprintf(received, sizeof received, "%d", options->hints);
        return nb_failure_value("hints", "is invalid", received);
    }
    return NULL;
}

static struct nb_failure *check_onread(struct nb_socket *socket, bool has_onread, const nb_OnRead *onread)
{
    if (!has_onread || !onread->has_size)
        return NULL;
    if (!onread->size)
        return nb_failure_range("onread.size", ">= 1", 0);
    if (onread->size < socket->read_chunk)
        socket->read_chunk = onread->size;
    return NULL;
}

static struct nb_failure *check_options(struct nb_socket *socket, const nb_SocketConnect *options,
                                        struct nb_address *ret_local)
{
    struct nb_failure *failure;
    if (!options->path.data && !options->has_port)
        return nb_failure_make("ERR_MISSING_ARGS", "TypeError",
                               "The \"options\" or \"port\" or \"path\" argument must be specified");
    if ((failure = check_onread(socket, options->has_onread, &options->onread)))
        return failure;
    if (options->has_timeout && (failure = nb_socket_set_timeout(socket, options->timeout)))
        return failure;
    if (options->path.data)
        return NULL;
    if ((failure = check_local_address(options, ret_local)))
        return failure;
    return check_family_and_hints(options);
}

static struct nb_failure *check_state(const struct nb_socket *socket)
{
    switch (socket->state) {
    case NB_SOCKET_RESOLVING:
    case NB_SOCKET_CONNECTING:
        return nb_failure_system(UV_EALREADY, "connect");
    case NB_SOCKET_OPEN:
        return nb_failure_system(UV_EISCONN, "connect");
    case NB_SOCKET_CLOSING:
        return nb_failure_socket_closed();
    case NB_SOCKET_FRESH:
    case NB_SOCKET_CLOSED:
        break;
    }
    return NULL;
}

/* ---- candidates ---- */

/* Node: both ends are told only if both were asked for. */
static const struct nb_address *wanted_local(const struct nb_dial *dial)
{
    return dial->local.family && dial->local.port ? &dial->local : NULL;
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

static int bind_local(int fd, const struct nb_address *local)
{
    struct sockaddr_storage storage;
    socklen_t length = nb_address_to_sockaddr(local, &storage);
    int status = set_reuse(fd);
    if (status == 0 && bind(fd, (struct sockaddr *)&storage, length) < 0)
        status = -errno;
    return status;
}

/* Binds as asked for; true when there is nothing to bind or it went well. */
static bool bind_if_wanted(struct nb_socket *socket, int fd)
{
    struct nb_dial *dial = socket->dial;
    struct nb_address local = dial->local;
    if (!local.family && !dial->local_port)
        return true;
    local.port = dial->local_port;
    if (!local.family)
        local.family = socket->remote.family;
    int status = bind_local(fd, &local);
    if (status == UV_EAFNOSUPPORT)
        status = UV_EINVAL; /* Node's word for an address of the other family */
    if (status < 0)
        note_failure(dial, nb_failure_bind(status, &local));
    return status == 0;
}

static int open_socket(int domain)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* True when the attempt is under way. */
static bool start_attempt(struct nb_socket *socket, int domain, const struct sockaddr *address, socklen_t length)
{
    int fd = open_socket(domain);
    if (fd < 0) {
        note_failure(socket->dial, failure_of(socket, fd));
        return false;
    }
    if (domain != AF_UNIX && !bind_if_wanted(socket, fd)) {
        close(fd);
        return false;
    }
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

static bool try_address(struct nb_socket *socket, const struct nb_address *candidate)
{
    struct sockaddr_storage storage;
    socket->remote = *candidate;
    socket->remote.port = socket->dial->port;
    socklen_t length = nb_address_to_sockaddr(&socket->remote, &storage);
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

static void emit_lookup(struct nb_socket *socket, struct nb_failure *failure, const struct nb_address *address)
{
    struct nb_texts texts;
    char text[NB_ADDRESS_TEXT];
    struct nb_slice host = socket->dial->host;
    struct nb_event_message *event = nb_event_new(socket->account, NB_EVENT_SOCKET_LOOKUP, socket->name);
    if (!event)
        return;
    nb_texts_init(&texts, socket->actor.loop, host.length + NB_ADDRESS_TEXT);
    event->body.lookup.host = nb_texts_add(&texts, host);
    if (address) {
        event->body.lookup.address = nb_texts_add(&texts, nb_slice_of(nb_address_format(address, text)));
        event->body.lookup.has_family = true;
        event->body.lookup.family = address->family;
    }
    event->failure = nb_failure_ref(failure);
    event->chunk = texts.chunk;
    nb_event_send(socket->account, event);
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
    nb_reply_result(socket->actor.loop, &request->reply, &result, texts.chunk);
    nb_texts_finish(&texts);
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
    event->chunk = texts.chunk;
    nb_event_send(socket->account, event);
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

/* ---- the commands ---- */

/* A socket that was closed and kept begins a new life. */
static void begin_life(struct nb_socket *socket)
{
    socket->bytes_read = socket->bytes_written = socket->bytes_sent = 0;
    socket->has_ended = socket->is_ending = socket->has_finished = socket->was_ended_by_peer = false;
    socket->needs_drain = socket->wants_reset = false;
    socket->local = socket->remote = (struct nb_address){0};
    socket->decoder.kept_length = 0;
}

/* The host and path borrow from the frame until here; the dial may take longer than that should be held. */
static int keep_texts(struct nb_dial *dial, const nb_SocketConnect *options, struct nb_loop *loop)
{
    struct nb_texts texts;
    struct nb_slice host = options->host.length ? options->host : nb_slice_of("localhost");
    nb_texts_init(&texts, loop, options->path.length + host.length);
    dial->chunk = texts.chunk;
    if (!texts.chunk)
        return UV_ENOMEM;
    if (options->path.data)
        dial->path = nb_texts_add(&texts, options->path);
    else
        dial->host = nb_texts_add(&texts, host);
    return 0;
}

static struct nb_dial *new_dial(struct nb_socket *socket, const nb_SocketConnect *options,
                                const struct nb_address *local)
{
    struct nb_dial *dial = nb_calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    if (keep_texts(dial, options, socket->actor.loop) < 0) {
        nb_free(dial);
        return NULL;
    }
    nb_write_queue_init(&dial->early, &socket->actor.loop->pool);
    dial->ticket = ++socket->dials;
    dial->local = *local;
    dial->port = (uint16_t)options->port;
    dial->local_port = (uint16_t)options->local_port;
    dial->local.port = dial->local_port;
    dial->holds_events = socket->name % 2 == 0;
    return dial;
}

static void start_dial(struct nb_socket *socket, int family, int hints)
{
    struct nb_dial *dial = socket->dial;
    if (dial->path.data) {
        nb_socket_dial_next(socket);
        return;
    }
    if (nb_address_parse(dial->host, &dial->candidates[0])) {
        dial->host = (struct nb_slice){0};
        dial->count = 1;
        nb_socket_dial_next(socket);
        return;
    }
    if (!family && !hints)
        hints = AI_ADDRCONFIG;
    int status = nb_lookup(&socket->actor, dial->ticket, dial->host, family, hints);
    if (status < 0)
        nb_socket_close(socket, nb_failure_lookup(status, dial->host));
}

/* Returns what is to be thrown, with the socket as it was but for its options; else takes the command. */
static struct nb_failure *dial(struct nb_socket *socket, const nb_SocketConnect *options,
                               struct nb_command **command)
{
    struct nb_address local;
    int family = options->family, hints = options->hints;
    struct nb_failure *failure = check_state(socket);
    if (failure || (failure = check_options(socket, options, &local)))
        return failure;
    struct nb_dial *new = new_dial(socket, options, &local);
    if (!new)
        return nb_failure_system(UV_ENOMEM, "connect");
    if (socket->state == NB_SOCKET_CLOSED)
        begin_life(socket);
    socket->dial = new;
    socket->is_pipe = options->path.data != NULL;
    if (options->has_no_delay)
        socket->no_delay = options->no_delay;
    if (options->has_keep_alive)
        socket->keep_alive = options->keep_alive;
    if (options->has_keep_alive_initial_delay)
        socket->keep_alive_delay = nb_keep_alive_seconds(options->keep_alive_initial_delay);
    socket->state = NB_SOCKET_RESOLVING;
    nb_socket_update_activity(socket);
    nb_socket_touch(socket);
    nb_socket_keep_request(socket, nb_command_take(command));
    start_dial(socket, family, hints);
    return NULL;
}

static struct nb_failure *apply_create(struct nb_socket *socket, const nb_SocketCreate *options)
{
    if (options->encoding.data) {
        int encoding = nb_encoding_of(options->encoding);
        if (encoding < 0)
            return nb_failure_unknown_encoding(options->encoding);
        socket->decoder.encoding = (enum nb_encoding)encoding;
    }
    if (options->has_read_chunk && !options->read_chunk)
        return nb_failure_range("readChunk", ">= 1", 0);
    if (options->has_read_chunk && options->read_chunk < socket->read_chunk)
        socket->read_chunk = options->read_chunk;
    if (options->has_high_water_mark)
        socket->high_water_mark = options->high_water_mark;
    socket->allow_half_open = options->allow_half_open;
    socket->auto_release = !options->has_auto_release || options->auto_release;
    return check_onread(socket, options->has_onread, &options->onread);
}

nb_handler nb_on_socket_create, nb_on_socket_connect, nb_on_net_create_connection;

/* A socket whose creation fails is not there: nothing tells of it but the answer. */
static void refuse_creation(struct nb_actor *self, struct nb_command *command, struct nb_failure *failure)
{
    nb_reply_throw(self->loop, &command->reply, failure);
    nb_actor_stop(self);
}

void nb_on_socket_create(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    struct nb_failure *failure = apply_create(socket, &(*command)->params.socket_create);
    if (failure) {
        refuse_creation(self, *command, failure);
        return;
    }
    nb_Created created = {.has_id = true, .id = socket->name};
    nb_reply_result(self->loop, &(*command)->reply, &created, NULL);
}

void nb_on_socket_connect(struct nb_actor *self, struct nb_command **command)
{
    struct nb_failure *failure =
        dial((struct nb_socket *)self, &(*command)->params.socket_connect, command);
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
}

void nb_on_net_create_connection(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_CreateConnection *params = &(*command)->params.create_connection;
    struct nb_failure *failure = apply_create(socket, &params->create);
    if (!failure)
        failure = dial(socket, &params->connect, command);
    if (failure)
        refuse_creation(self, *command, failure);
}
