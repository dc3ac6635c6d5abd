/* The socket actor's creation and connect commands: options, checks, the start of a dial. */
#include "memory.h"
#include "socket_dial.h"

#include <netdb.h>
#include <stdio.h>

enum {
    KNOWN_HINTS = AI_ADDRCONFIG | AI_V4MAPPED | AI_ALL,
    ATTEMPT_DELAY = 250, /* ms, as RFC 8305 recommends */
    ATTEMPT_DELAY_MIN = 10,
};

/* ---- checks, in Node's order ---- */

static struct nb_failure *check_local_address(const nb_SocketConnect *options, struct nb_endpoint *ret_local)
{
    *ret_local = (struct nb_endpoint){0};
    if (options->local_address.data && !nb_endpoint_parse(options->local_address, ret_local))
        return nb_failure_invalid_ip(options->local_address, "localAddress");
    return NULL;
}

static struct nb_failure *check_family_and_hints(const nb_SocketConnect *options)
{
    char received[16];
    if (options->has_family && options->family != 0 && options->family != 4 && options->family != 6) {
        snprintf(received, sizeof received, "%d", options->family);
        return nb_failure_value("options.family", "must be one of: 0, 4, 6", received);
    }
    if (options->has_hints && (options->hints & ~KNOWN_HINTS)) {
        snprintf(received, sizeof received, "%u", (unsigned)options->hints);
        return nb_failure_value("hints", "is invalid", received);
    }
    return NULL;
}

static uint32_t attempt_delay(const nb_SocketConnect *options)
{
    int32_t delay = options->auto_select_family_attempt_timeout;
    if (!options->has_auto_select_family_attempt_timeout)
        return ATTEMPT_DELAY;
    return (uint32_t)(delay < ATTEMPT_DELAY_MIN ? ATTEMPT_DELAY_MIN : delay);
}

static struct nb_failure *check_attempt_delay(const nb_SocketConnect *options)
{
    int32_t delay = options->auto_select_family_attempt_timeout;
    if (!options->has_auto_select_family_attempt_timeout || delay >= 1)
        return NULL;
    return nb_failure_range("options.autoSelectFamilyAttemptTimeout", ">= 1 && <= 2147483647", delay);
}

static struct nb_failure *check_onread(struct nb_socket *socket, bool has_onread, const nb_OnRead *onread)
{
    if (!has_onread || !onread->has_size)
        return NULL;
    if (!onread->size)
        return nb_failure_range("options.onread.size", ">= 1", 0);
    if (onread->size < socket->read_chunk)
        socket->read_chunk = onread->size;
    nb_flow_set_buffer(socket, onread->size);
    return NULL;
}

static struct nb_failure *check_options(struct nb_socket *socket, const nb_SocketConnect *options,
                                        struct nb_endpoint *ret_local)
{
    struct nb_failure *failure;
    if (!options->path.data && !options->has_port)
        return nb_failure_make("ERR_MISSING_ARGS", "TypeError",
                               "The \"options\" or \"port\" or \"path\" argument must be specified");
    if ((failure = check_onread(socket, options->has_onread, &options->onread)))
        return failure;
    if (options->has_timeout && (failure = nb_socket_set_timeout(socket, options->timeout)))
        return failure;
    *ret_local = socket->bound;
    if (nb_socket_is_bound(socket) &&
        (options->path.data || options->local_address.data || options->has_local_port))
        return nb_failure_bind(UV_EINVAL, ret_local);
    if (options->path.data)
        return NULL;
    if (!nb_socket_is_bound(socket) && (failure = check_local_address(options, ret_local)))
        return failure;
    if ((failure = check_attempt_delay(options)))
        return failure;
    return check_family_and_hints(options);
}

/* A client that does not know the id yet could not answer. */
static struct nb_failure *check_lookup(const struct nb_socket *socket, const nb_SocketConnect *options,
                                       bool is_unnamed)
{
    struct nb_endpoint address;
    if (options->path.data || nb_endpoint_parse(options->host, &address))
        return NULL;
    if (!options->lookup)
        return nb_account_check_lookup(socket->account);
    return is_unnamed ? nb_failure_value("options.lookup", "needs a target of the client's choice", "true")
                      : NULL;
}

static struct nb_failure *check_state(const struct nb_socket *socket)
{
    switch (socket->state) {
    case NB_SOCKET_RESOLVING:
    case NB_SOCKET_CONNECTING:
    case NB_SOCKET_ADOPTING:
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

/* ---- the commands ---- */

/* A socket that was closed and kept begins a new life. */
static void begin_life(struct nb_socket *socket)
{
    socket->bytes_read = socket->bytes_written = socket->bytes_sent = 0;
    socket->has_ended = socket->is_ending = socket->has_finished = socket->was_ended_by_peer = false;
    socket->needs_drain = socket->wants_reset = socket->is_write_only = false;
    socket->local = socket->remote = (struct nb_endpoint){0};
    socket->decoder.kept_length = 0;
    nb_flow_begin_life(socket);
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
                                const struct nb_endpoint *local)
{
    struct nb_dial *dial = nb_calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    if (keep_texts(dial, options, socket->actor.loop) < 0) {
        nb_free(dial);
        return NULL;
    }
    nb_write_queue_init(&dial->early, &socket->actor.loop->pool);
    dial->socket = socket;
    dial->ticket = ++socket->dials;
    dial->family = options->family;
    dial->hints = options->family || options->hints ? options->hints : AI_ADDRCONFIG;
    dial->asks_client = options->lookup;
    dial->is_single = options->has_auto_select_family && !options->auto_select_family;
    dial->tells_attempts = options->has_auto_select_family;
    dial->attempt_delay = attempt_delay(options);
    dial->local = *local;
    dial->port = (uint16_t)options->port;
    dial->local_port = local->port ? local->port : (uint16_t)options->local_port;
    dial->local.port = dial->local_port;
    return dial;
}

static void want_options(struct nb_options *wanted, const nb_SocketConnect *options)
{
    int delay = nb_keep_alive_seconds(options->keep_alive_initial_delay);
    if (options->has_no_delay)
        nb_options_want(wanted, NB_OPTION_NO_DELAY, options->no_delay);
    if (options->has_keep_alive)
        nb_options_want_keep_alive(wanted, options->keep_alive, delay);
    else if (delay)
        nb_options_want(wanted, NB_OPTION_KEEP_ALIVE_DELAY, delay);
}

/* Returns what is to be thrown, with the socket as it was but for its options; else takes the command. */
static struct nb_failure *dial(struct nb_socket *socket, const nb_SocketConnect *options,
                               struct nb_command **command)
{
    struct nb_endpoint local;
    bool is_unnamed =
        (*command)->reply.method->index == NB_METHOD_NET_CREATE_CONNECTION && socket->name % 2 == 0;
    struct nb_failure *failure = check_state(socket);
    if (failure || (failure = check_options(socket, options, &local)) ||
        (failure = check_lookup(socket, options, is_unnamed)))
        return failure;
    struct nb_dial *new = new_dial(socket, options, &local);
    if (!new)
        return nb_failure_system(UV_ENOMEM, "connect");
    if (socket->state == NB_SOCKET_CLOSED)
        begin_life(socket);
    nb_command_hand_over_filter(*command, &socket->filter);
    socket->dial = new;
    new->holds_events = is_unnamed;
    socket->is_pipe = options->path.data != NULL;
    want_options(&socket->options, options);
    socket->state = NB_SOCKET_RESOLVING;
    nb_socket_update_activity(socket);
    nb_socket_touch(socket);
    nb_socket_keep_request(socket, nb_command_take(command));
    nb_dial_resolve(new);
    return NULL;
}

static struct nb_failure *apply_socket_options(struct nb_socket *socket, const nb_SocketCreate *options)
{
    struct nb_failure *failure = nb_options_check(&options->socket_options, "options.socketOptions.");
    if (failure)
        return failure;
    nb_options_take(&socket->options, &options->socket_options);
    if (!options->has_type_of_service)
        return NULL;
    if (options->type_of_service < 0 || options->type_of_service > 255)
        return nb_failure_range("options.typeOfService", ">= 0 && <= 255", options->type_of_service);
    nb_options_want(&socket->options, NB_OPTION_TYPE_OF_SERVICE, options->type_of_service);
    return NULL;
}

static struct nb_failure *apply_create(struct nb_socket *socket, const nb_SocketCreate *options)
{
    struct nb_failure *failure = apply_socket_options(socket, options);
    if (failure)
        return failure;
    if (options->encoding.data) {
        int encoding = nb_encoding_of(options->encoding);
        if (encoding < 0)
            return nb_failure_unknown_encoding(options->encoding);
        socket->decoder.encoding = (enum nb_encoding)encoding;
    }
    if (options->has_read_chunk && !options->read_chunk)
        return nb_failure_range("options.readChunk", ">= 1", 0);
    if (options->has_read_chunk && options->read_chunk < socket->read_chunk)
        socket->read_chunk = options->read_chunk;
    if (options->has_read_window && !socket->account->has_flow)
        return nb_failure_not_negotiated("flow", "readWindow");
    if (options->has_read_window)
        nb_flow_set_window(socket, options->read_window);
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
    nb_socket_leave((struct nb_socket *)self);
}

void nb_on_socket_create(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SocketCreate *params = &(*command)->params.socket_create;
    struct nb_failure *failure = apply_create(socket, params);
    if (!failure && (*command)->fd >= 0)
        failure = nb_socket_take_descriptor(socket, *command, params);
    if (failure) {
        refuse_creation(self, *command, failure);
        return;
    }
    nb_command_hand_over_filter(*command, &socket->filter);
    nb_Created created = {.has_id = true, .id = socket->name};
    nb_reply_result(self->loop, &(*command)->reply, &created, NULL);
}

void nb_on_socket_connect(struct nb_actor *self, struct nb_command **command)
{
    struct nb_failure *failure = dial((struct nb_socket *)self, &(*command)->params.socket_connect, command);
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
