#include "decode.h"
#include "pack.h"
#include "schema.h"
#include "session.h"

#include <errno.h>
#include <string.h>

struct netbroker_server {
    struct nbc_actor actor;
    const struct netbroker_server_events *events;
    void *context;
    struct nbc_accepting accepting;
    bool listening;
    bool closing;
    bool failed; /* on_error has told of the listen under way */
    struct netbroker_address address;
};

static struct netbroker_server *as_server(struct nbc_actor *actor)
{
    return (struct netbroker_server *)actor;
}

/* ---- life ---- */

static void report(struct netbroker_server *server, const struct netbroker_error *error)
{
    if (server->events->on_error)
        server->events->on_error(server, server->context, error);
}

static void finish(struct netbroker_server *server)
{
    server->listening = false;
    server->closing = true;
    if (server->events->on_close)
        server->events->on_close(server, server->context);
    nbc_release(server->actor.session, server);
}

static void on_created(struct netbroker_session *session, const struct nbc_request *request,
                       const struct netbroker_reply *reply)
{
    struct netbroker_server *server = nbc_table_get(&session->actors, request->target);
    if (!reply->error || !server)
        return;
    report(server, reply->error);
    nbc_table_remove(&session->actors, request->target);
    finish(server);
}

static void pack_options(struct netbroker_packer *packer, const struct netbroker_server_options *options,
                         uint32_t read_window)
{
    struct nbc_map map = nbc_map_begin(packer);
    /* Always, as for connections that are made here. */
    nbc_map_flag(&map, "allowHalfOpen", true);
    nbc_map_flag(&map, "pauseOnConnect", options->pause_on_connect);
    nbc_map_flag(&map, "noDelay", options->no_delay);
    nbc_map_flag(&map, "keepAlive", options->keep_alive);
    nbc_map_number(&map, "keepAliveInitialDelay", options->keep_alive_initial_delay);
    nbc_map_number(&map, "readChunk", options->read_chunk);
    nbc_map_number(&map, "readWindow", read_window);
    nbc_map_number(&map, "blockList", (int64_t)options->block_list);
    if (options->limit_connections) {
        nbc_map_key(&map, "maxConnections");
        netbroker_pack_uint(packer, options->max_connections);
    }
    nbc_map_end(&map);
}

static int send_create(struct netbroker_session *session, uint64_t id,
                       const struct netbroker_server_options *options)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, session, NETBROKER_METHOD_SERVER_CREATE, id, 2,
                                 &(struct nbc_request){.on_reply = on_created, .target = id});
    if (result < 0)
        return result;
    pack_options(frame.packer, options, nbc_read_window(session, options->read_window));
    return nbc_frame_end(&frame);
}

static int add(struct netbroker_session *session, const struct netbroker_server_options *options,
               struct netbroker_server *server)
{
    server->actor = (struct nbc_actor){NBC_SERVER, session->next_id, session};
    int result = nbc_table_add(&session->actors, server->actor.id, server);
    if (result < 0)
        return result;
    result = send_create(session, server->actor.id, options);
    if (result < 0)
        nbc_table_remove(&session->actors, server->actor.id);
    return result;
}

int netbroker_create_server(struct netbroker_session *session, const struct netbroker_server_options *options,
                            const struct netbroker_server_events *events, void *context,
                            struct netbroker_server **ret_server)
{
    static const struct netbroker_server_options defaults;
    options = options ? options : &defaults;
    if (session->options.without_flow)
        return -EOPNOTSUPP;
    if (session->failure)
        return -ENOTCONN;
    struct netbroker_server *server = nbc_allocate(session, sizeof *server);
    if (!server)
        return -ENOMEM;
    int result = add(session, options, server);
    if (result < 0) {
        nbc_release(session, server);
        return result;
    }
    session->next_id += 2;
    server->accepting = (struct nbc_accepting){
        options->allow_half_open, nbc_read_window(session, options->read_window), options->consume_by_hand};
    netbroker_server_set_events(server, events, context);
    *ret_server = server;
    return 0;
}

/* ---- listening ---- */

/* What the system refuses has come as an event before; a wrong argument comes only here. */
static void on_listened(struct netbroker_session *session, const struct nbc_request *request,
                        const struct netbroker_reply *reply)
{
    struct netbroker_server *server = nbc_table_get(&session->actors, request->target);
    if (!server)
        return;
    if (reply->error && !server->failed)
        report(server, reply->error);
    server->failed = false;
}

static void pack_listen(struct netbroker_packer *packer, const struct netbroker_listen_options *options)
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
    nbc_map_number(&map, "backlog", options->backlog);
    nbc_map_flag(&map, "ipv6Only", options->ipv6_only);
    nbc_map_flag(&map, "exclusive", options->exclusive);
    nbc_map_flag(&map, "reusePort", options->reuse_port);
    nbc_map_flag(&map, "readableAll", options->readable_all);
    nbc_map_flag(&map, "writableAll", options->writable_all);
    nbc_map_end(&map);
}

int netbroker_server_listen(struct netbroker_server *server, const struct netbroker_listen_options *options)
{
    struct nbc_frame frame;
    int result =
        nbc_frame_begin(&frame, server->actor.session, NETBROKER_METHOD_SERVER_LISTEN, server->actor.id, 2,
                        &(struct nbc_request){.on_reply = on_listened, .target = server->actor.id});
    if (result < 0)
        return result;
    pack_listen(frame.packer, options);
    server->failed = false;
    return nbc_frame_end(&frame);
}

int netbroker_server_close(struct netbroker_server *server)
{
    if (server->closing)
        return 0;
    /* A request, for its error is of no interest: one that never listened has a close event too. */
    int result = netbroker_call(server->actor.session, NETBROKER_METHOD_SERVER_CLOSE, server->actor.id, NULL,
                                0, NULL, NULL);
    if (result == 0)
        server->closing = true;
    return result;
}

/* ---- events ---- */

int nbc_server_on_listening(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_server *server = as_server(actor);
    int result = nbc_decode_address(body, &server->address);
    if (result < 0)
        return result;
    server->listening = true;
    if (server->events->on_listening)
        server->events->on_listening(server, server->context, &server->address);
    return 0;
}

int nbc_server_on_connection(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_server *server = as_server(actor);
    struct nbc_connection connection;
    struct netbroker_socket *socket;
    int result = nbc_decode_connection(body, &connection);
    if (result == 0)
        result = nbc_socket_accepted(actor->session, &connection, &server->accepting, &socket);
    if (result == 0 && server->events->on_connection)
        server->events->on_connection(server, server->context, socket);
    else if (result == 0)
        netbroker_socket_destroy(socket);
    return result;
}

int nbc_server_on_drop(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_server *server = as_server(actor);
    struct netbroker_endpoints endpoints;
    int result = nbc_decode_endpoints(body, &endpoints);
    if (result == 0 && server->events->on_drop)
        server->events->on_drop(server, server->context, &endpoints);
    return result;
}

int nbc_server_on_error(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_error error;
    int result = nbc_decode_error(body, &error);
    if (result < 0)
        return result;
    as_server(actor)->failed = true;
    report(as_server(actor), &error);
    return 0;
}

int nbc_server_on_close(struct nbc_actor *actor, struct netbroker_cursor body)
{
    /* The broker keeps the id for another listen; here a closed server is gone. */
    int result = nbc_command(actor, NETBROKER_METHOD_SERVER_RELEASE);
    nbc_table_remove(&actor->session->actors, actor->id);
    finish(as_server(actor));
    return result == -ENOTCONN ? 0 : result;
}

void nbc_server_lost(struct nbc_actor *actor, const struct netbroker_error *error)
{
    report(as_server(actor), error);
    finish(as_server(actor));
}

/* ---- properties ---- */

void netbroker_server_set_events(struct netbroker_server *server,
                                 const struct netbroker_server_events *events, void *context)
{
    static const struct netbroker_server_events no_events;
    server->events = events ? events : &no_events;
    server->context = context;
}

const struct netbroker_address *netbroker_server_address(const struct netbroker_server *server)
{
    return server->listening && !server->closing ? &server->address : NULL;
}

uint64_t netbroker_server_id(const struct netbroker_server *server)
{
    return server->actor.id;
}

struct netbroker_session *netbroker_server_session(const struct netbroker_server *server)
{
    return server->actor.session;
}
