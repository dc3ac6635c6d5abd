#include "socket.h"
#include "decode.h"
#include "pack.h"
#include "schema.h"

#include <errno.h>
#include <string.h>

static const struct netbroker_socket_events no_events;

static struct netbroker_socket *as_socket(struct nbc_actor *actor)
{
    return (struct netbroker_socket *)actor;
}

/* ---- life ---- */

static int add(struct netbroker_session *session, uint64_t id, struct netbroker_socket **ret_socket)
{
    struct netbroker_socket *socket = nbc_allocate(session, sizeof *socket);
    if (!socket)
        return -ENOMEM;
    socket->actor = (struct nbc_actor){NBC_SOCKET, id, session};
    socket->events = &no_events;
    int result = nbc_table_add(&session->actors, id, socket);
    if (result < 0)
        nbc_release(session, socket);
    else
        *ret_socket = socket;
    return result;
}

void nbc_socket_fail(struct netbroker_socket *socket, const struct netbroker_error *error)
{
    if (socket->failed || socket->destroyed)
        return;
    socket->failed = socket->ended = true;
    if (socket->events->on_error)
        socket->events->on_error(socket, socket->context, error);
}

static void finish(struct netbroker_socket *socket, const struct netbroker_closed *closed)
{
    struct netbroker_session *session = socket->actor.session;
    nbc_socket_lose_channel(socket);
    socket->ended = socket->destroyed = true;
    nbc_socket_forget_writes(socket);
    nbc_window_serve_line(session);
    if (socket->events->on_close)
        socket->events->on_close(socket, socket->context, closed);
    nbc_release(session, socket);
}

/* It never came to be: no close event will tell. */
static void on_created(struct netbroker_session *session, const struct nbc_request *request,
                       const struct netbroker_reply *reply)
{
    struct netbroker_socket *socket = nbc_table_get(&session->actors, request->target);
    if (!reply->error || !socket)
        return;
    nbc_socket_fail(socket, reply->error);
    nbc_table_remove(&session->actors, request->target);
    finish(socket, &(struct netbroker_closed){.had_error = true});
}

static void pack_connect(struct netbroker_packer *packer, const struct netbroker_connect_options *options,
                         uint32_t read_window)
{
    struct nbc_map map = nbc_map_begin(packer);
    if (options->path) {
        nbc_map_key(&map, "path");
        netbroker_pack_bin(packer, options->path, strlen(options->path));
    } else {
        nbc_map_key(&map, "port");
        netbroker_pack_uint(packer, options->port);
    }
    nbc_map_text(&map, "host", options->host);
    nbc_map_number(&map, "family", options->family);
    nbc_map_text(&map, "localAddress", options->local_address);
    nbc_map_number(&map, "localPort", options->local_port);
    /* Always: when this side ends itself, the bytes on their way to the broker must go first. */
    nbc_map_flag(&map, "allowHalfOpen", true);
    nbc_map_flag(&map, "noDelay", options->no_delay);
    nbc_map_flag(&map, "keepAlive", options->keep_alive);
    nbc_map_number(&map, "keepAliveInitialDelay", options->keep_alive_initial_delay);
    nbc_map_number(&map, "timeout", options->timeout);
    nbc_map_number(&map, "readChunk", options->read_chunk);
    nbc_map_number(&map, "readWindow", read_window);
    nbc_map_number(&map, "blockList", (int64_t)options->block_list);
    nbc_map_end(&map);
}

static int send_create(struct netbroker_session *session, uint64_t id,
                       const struct netbroker_connect_options *options)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, session, NETBROKER_METHOD_NET_CREATE_CONNECTION, id, 2,
                                 &(struct nbc_request){.on_reply = on_created, .target = id});
    if (result < 0)
        return result;
    pack_connect(frame.packer, options, nbc_read_window(session, options->read_window));
    return nbc_frame_end(&frame);
}

int netbroker_create_connection(struct netbroker_session *session,
                                const struct netbroker_connect_options *options,
                                const struct netbroker_socket_events *events, void *context,
                                struct netbroker_socket **ret_socket)
{
    struct netbroker_socket *socket;
    if (session->options.without_flow)
        return -EOPNOTSUPP;
    if (session->failure)
        return -ENOTCONN;
    int result = add(session, session->next_id, &socket);
    if (result < 0)
        return result;
    result = send_create(session, session->next_id, options);
    if (result < 0) {
        nbc_table_remove(&session->actors, session->next_id);
        nbc_release(session, socket);
        return result;
    }
    session->next_id += 2;
    socket->half_open = options->allow_half_open;
    socket->is_unix = options->path != NULL;
    nbc_window_start_reading(socket, nbc_read_window(session, options->read_window),
                             options->consume_by_hand);
    netbroker_socket_set_events(socket, events, context);
    *ret_socket = socket;
    return 0;
}

int nbc_socket_accepted(struct netbroker_session *session, const struct nbc_connection *connection,
                        const struct nbc_accepting *accepting, struct netbroker_socket **ret_socket)
{
    uint64_t id = connection->socket;
    if (id == 0 || id % 2 != 0 || nbc_table_get(&session->actors, id))
        return -EBADMSG;
    struct netbroker_socket *socket;
    int result = add(session, id, &socket);
    if (result < 0)
        return result;
    socket->half_open = accepting->half_open;
    nbc_window_start_reading(socket, accepting->read_window, accepting->consumes_by_hand);
    socket->endpoints = connection->endpoints;
    socket->is_unix = connection->endpoints.local.family == 0;
    socket->has_peer = connection->has_peer;
    socket->peer = connection->peer;
    *ret_socket = socket;
    return 0;
}

/* ---- events ---- */

int nbc_socket_on_connect(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_socket *socket = as_socket(actor);
    int result = nbc_decode_endpoints(body, &socket->endpoints);
    if (result == 0 && socket->events->on_connect && !socket->destroyed)
        socket->events->on_connect(socket, socket->context);
    return result;
}

int nbc_socket_on_data(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_socket *socket = as_socket(actor);
    struct netbroker_value value;
    if (netbroker_read(&body, &value) < 0 || (value.type != NETBROKER_BIN && value.type != NETBROKER_STR))
        return -EBADMSG;
    socket->reading.received += value.slice.length;
    if (socket->reading.received > socket->reading.limit)
        return -EBADMSG;
    if (socket->events->on_data && !socket->destroyed)
        socket->events->on_data(socket, socket->context, value.slice.bytes, value.slice.length);
    return socket->reading.is_by_hand ? 0 : nbc_window_consume(socket, value.slice.length);
}

int nbc_socket_on_end(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_socket *socket = as_socket(actor);
    socket->peer_ended = true;
    bool stays_open = socket->half_open || socket->destroyed || socket->has_channel;
    int result = stays_open ? 0 : netbroker_socket_end(socket);
    if (socket->events->on_end && !socket->destroyed)
        socket->events->on_end(socket, socket->context);
    return result == -ENOTCONN ? 0 : result;
}

int nbc_socket_on_timeout(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_socket *socket = as_socket(actor);
    if (socket->events->on_timeout && !socket->destroyed)
        socket->events->on_timeout(socket, socket->context);
    return 0;
}

int nbc_socket_on_error(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_error error;
    int result = nbc_decode_error(body, &error);
    if (result == 0)
        nbc_socket_fail(as_socket(actor), &error);
    return result;
}

int nbc_socket_on_close(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_closed closed;
    int result = nbc_decode_closed(body, &closed);
    if (result < 0)
        return result;
    nbc_table_remove(&actor->session->actors, actor->id);
    finish(as_socket(actor), &closed);
    return 0;
}

void nbc_socket_lost(struct nbc_actor *actor, const struct netbroker_error *error)
{
    nbc_socket_fail(as_socket(actor), error);
    finish(as_socket(actor), &(struct netbroker_closed){.had_error = true});
}

/* ---- commands ---- */

int netbroker_socket_end(struct netbroker_socket *socket)
{
    if (socket->ended)
        return 0;
    if (socket->has_channel)
        return -EBUSY;
    socket->end_waits = !nbc_backlog_is_empty(&socket->backlog);
    int result = socket->end_waits ? 0 : nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_END);
    socket->ended = result == 0;
    return result;
}

static int destroy(struct netbroker_socket *socket, const char *method)
{
    if (socket->destroyed)
        return 0;
    int result = nbc_command(&socket->actor, method);
    if (result < 0)
        return result;
    socket->ended = socket->destroyed = true;
    nbc_socket_drop_backlog(socket);
    return 0;
}

int netbroker_socket_destroy(struct netbroker_socket *socket)
{
    return destroy(socket, NETBROKER_METHOD_SOCKET_DESTROY);
}

int netbroker_socket_reset_and_destroy(struct netbroker_socket *socket)
{
    return socket->is_unix ? -EOPNOTSUPP : destroy(socket, NETBROKER_METHOD_SOCKET_RESET_AND_DESTROY);
}

int netbroker_socket_pause(struct netbroker_socket *socket)
{
    return socket->has_channel ? -EBUSY : nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_PAUSE);
}

int netbroker_socket_resume(struct netbroker_socket *socket)
{
    return socket->has_channel ? -EBUSY : nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_RESUME);
}

int netbroker_socket_ref(struct netbroker_socket *socket)
{
    return nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_REF);
}

int netbroker_socket_unref(struct netbroker_socket *socket)
{
    return nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_UNREF);
}

int netbroker_socket_set_no_delay(struct netbroker_socket *socket, bool on)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, socket->actor.session, NETBROKER_METHOD_SOCKET_SET_NO_DELAY,
                                 socket->actor.id, 2, NULL);
    if (result < 0)
        return result;
    netbroker_pack_map(frame.packer, 1);
    netbroker_pack_str(frame.packer, "noDelay");
    netbroker_pack_bool(frame.packer, on);
    return nbc_frame_end(&frame);
}

int netbroker_socket_set_keep_alive(struct netbroker_socket *socket, bool on, uint32_t initial_delay_ms)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, socket->actor.session, NETBROKER_METHOD_SOCKET_SET_KEEP_ALIVE,
                                 socket->actor.id, 2, NULL);
    if (result < 0)
        return result;
    struct nbc_map map = nbc_map_begin(frame.packer);
    nbc_map_flag(&map, "enable", on);
    nbc_map_number(&map, "initialDelay", initial_delay_ms);
    nbc_map_end(&map);
    return nbc_frame_end(&frame);
}

int netbroker_socket_set_timeout(struct netbroker_socket *socket, uint32_t ms)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, socket->actor.session, NETBROKER_METHOD_SOCKET_SET_TIMEOUT,
                                 socket->actor.id, 2, NULL);
    if (result < 0)
        return result;
    netbroker_pack_map(frame.packer, 1);
    netbroker_pack_str(frame.packer, "timeout");
    netbroker_pack_uint(frame.packer, ms);
    return nbc_frame_end(&frame);
}

/* ---- properties ---- */

void netbroker_socket_set_events(struct netbroker_socket *socket,
                                 const struct netbroker_socket_events *events, void *context)
{
    socket->events = events ? events : &no_events;
    socket->context = context;
}

uint64_t netbroker_socket_id(const struct netbroker_socket *socket)
{
    return socket->actor.id;
}

struct netbroker_session *netbroker_socket_session(const struct netbroker_socket *socket)
{
    return socket->actor.session;
}

const struct netbroker_endpoints *netbroker_socket_endpoints(const struct netbroker_socket *socket)
{
    return &socket->endpoints;
}

const struct netbroker_peer *netbroker_socket_peer(const struct netbroker_socket *socket)
{
    return socket->has_peer ? &socket->peer : NULL;
}
