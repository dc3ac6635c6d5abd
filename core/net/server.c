#include "server.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 511 };

mode_t nb_server_path_mode = 0755;

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);
static void wake(struct nb_waiter *waiter);

static const struct nb_actor_class server_class = {
    .name = "server", .size = sizeof(struct nb_server), .receive = receive, .stop = stop};

#define SERVER_OF(pointer, member) ((struct nb_server *)((char *)(pointer)-offsetof(struct nb_server, member)))

struct nb_server *nb_server_new(struct nb_account *account, uint64_t name)
{
    struct nb_server *server = nb_actor_new(account->loop, &server_class);
    if (!server)
        return NULL;
    server->account = nb_account_ref(account);
    server->name = name;
    server->closes.last = &server->closes.first;
    server->waiter.wake = wake;
    server->is_refed = true;
    server->accepted.read_chunk = account->read_chunk;
    server->accepted.high_water_mark = NB_HIGH_WATER_MARK;
    account->servers++;
    return server;
}

/* ---- what it tells ---- */

static void update_activity(struct nb_server *server)
{
    bool counts = (server->state == NB_SERVER_LISTENING || server->state == NB_SERVER_RESOLVING) && server->is_refed;
    if (counts == server->is_counted)
        return;
    server->is_counted = counts;
    if (counts)
        nb_account_activate(server->account);
    else
        nb_account_deactivate(server->account);
}

static struct nb_slice path_of(const struct nb_server *server)
{
    return (struct nb_slice){(const uint8_t *)server->path, server->path_length};
}

static void fill_address(const struct nb_server *server, struct nb_texts *texts, nb_Address *ret_address)
{
    char text[NB_ADDRESS_TEXT];
    nb_Address address = {0};
    nb_texts_init(texts, server->actor.loop, NB_PATH_MAX + NB_ADDRESS_TEXT);
    if (server->path_length) {
        address.path = nb_texts_add(texts, path_of(server));
    } else {
        address.address = nb_texts_add(texts, nb_slice_of(nb_address_format(&server->address, text)));
        address.family = nb_slice_of(nb_address_family_name(&server->address));
        address.has_port = true;
        address.port = server->address.port;
    }
    *ret_address = address;
}

static void emit_listening(struct nb_server *server)
{
    struct nb_texts texts;
    struct nb_event_message *event = nb_event_new(server->account, NB_EVENT_SERVER_LISTENING, server->name);
    if (!event)
        return;
    fill_address(server, &texts, &event->body.address);
    event->chunk = texts.chunk;
    nb_event_send(server->account, event);
}

static void answer_address(struct nb_server *server, struct nb_reply_to *reply)
{
    struct nb_texts texts;
    nb_Address address;
    fill_address(server, &texts, &address);
    nb_reply_result(server->actor.loop, reply, &address, texts.chunk);
    nb_texts_finish(&texts);
}

/* ---- the end ---- */

static void emit_close_if_drained(struct nb_server *server)
{
    struct nb_command *command;
    if (!server->wants_close_event || server->connections || server->state != NB_SERVER_IDLE)
        return;
    server->wants_close_event = false;
    nb_event_emit(server->account, NB_EVENT_SERVER_CLOSE, server->name);
    while ((command = server->closes.first)) {
        server->closes.first = command->next;
        if (command->failure)
            nb_reply_fail(server->actor.loop, &command->reply, nb_failure_ref(command->failure));
        else
            nb_reply_done(server->actor.loop, &command->reply);
        nb_message_dispose(server->actor.loop, &command->message);
    }
    server->closes.last = &server->closes.first;
}

static void finish(struct nb_server *server)
{
    struct nb_command *command;
    while ((command = server->closes.first)) {
        server->closes.first = command->next;
        nb_message_dispose(server->actor.loop, &command->message);
    }
    server->account->servers--;
    nb_account_unref(server->account);
    nb_actor_finish(&server->actor);
}

/* Takes the failure: the error event, then the answer. */
static void fail_listen(struct nb_server *server, struct nb_failure *failure)
{
    struct nb_command *request = server->order.request;
    server->order.request = NULL;
    server->state = NB_SERVER_IDLE;
    nb_event_emit_error(server->account, NB_EVENT_SERVER_ERROR, server->name, failure);
    nb_reply_fail(server->actor.loop, &request->reply, failure);
    nb_message_dispose(server->actor.loop, &request->message);
    update_activity(server);
}

/* A listen that is still under way is answered as one that came too late. */
static void unlisten(struct nb_server *server)
{
    bool is_resolving = server->state == NB_SERVER_RESOLVING;
    server->state = NB_SERVER_IDLE;
    if (is_resolving) {
        struct nb_command *request = server->order.request;
        server->order.request = NULL;
        nb_reply_fail(server->actor.loop, &request->reply,
                      nb_failure_make("ERR_SERVER_NOT_RUNNING", NULL, "Server is not running."));
        nb_message_dispose(server->actor.loop, &request->message);
        return;
    }
    nb_waiter_leave(&server->waiter);
    if (server->path_length)
        nb_unlink_socket(path_of(server), &server->path_identity);
    server->path_length = 0;
    nb_acceptor_close(server->acceptor);
    server->acceptor = NULL;
}

static void stop(struct nb_actor *self)
{
    struct nb_server *server = (struct nb_server *)self;
    if (server->state != NB_SERVER_IDLE)
        unlisten(server);
    update_activity(server);
    finish(server);
}

/* ---- accepting ---- */

static void wake(struct nb_waiter *waiter)
{
    struct nb_server *server = SERVER_OF(waiter, waiter);
    if (server->state == NB_SERVER_LISTENING)
        nb_acceptor_resume(server->acceptor);
}

/* Leaves further connections in the kernel's queue while the session can't take them. */
static void wait_if_full(struct nb_server *server)
{
    struct nb_account *account = server->account;
    if (account->gate_is_closed)
        nb_account_wait_at_gate(account, &server->waiter);
    else if (account->sockets >= account->max_sockets)
        nb_account_wait_for_vacancy(account, &server->waiter);
    else
        return;
    nb_acceptor_pause(server->acceptor);
}

static void emit_drop(struct nb_server *server, int fd, const struct nb_address *remote)
{
    struct nb_texts texts;
    struct nb_address local = {0};
    struct nb_event_message *event = nb_event_new(server->account, NB_EVENT_SERVER_DROP, server->name);
    if (!event)
        return;
    if (!server->path_length)
        nb_address_of_local(fd, &local);
    nb_texts_init(&texts, server->actor.loop, NB_ENDPOINTS_TEXT);
    nb_texts_endpoints(&texts, &local, remote, &event->body.endpoints);
    event->chunk = texts.chunk;
    nb_event_send(server->account, event);
}

static void describe_peer(int fd, nb_Peer *peer)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return;
    *peer = (nb_Peer){.has_uid = true,
                      .uid = credentials.uid,
                      .has_gid = true,
                      .gid = credentials.gid,
                      .has_pid = true,
                      .pid = (uint32_t)credentials.pid};
}

static void emit_connection(struct nb_server *server, struct nb_socket *socket)
{
    struct nb_texts texts;
    struct nb_event_message *event = nb_event_new(server->account, NB_EVENT_SERVER_CONNECTION, server->name);
    if (!event)
        return;
    nb_ServerConnection *body = &event->body.server_connection;
    event->actor = socket->actor.id;
    body->has_socket = true;
    body->socket = socket->name;
    if (socket->is_pipe) {
        body->has_peer = true;
        describe_peer(socket->stream.fd, &body->peer);
    } else {
        nb_texts_init(&texts, server->actor.loop, NB_ENDPOINTS_TEXT);
        body->has_endpoints = true;
        nb_texts_endpoints(&texts, &socket->local, &socket->remote, &body->endpoints);
        event->chunk = texts.chunk;
    }
    nb_event_send(server->account, event);
}

static void on_accept(void *owner, int fd, const struct sockaddr_storage *peer)
{
    struct nb_server *server = owner;
    struct nb_address remote = nb_address_from_sockaddr(peer);
    if (server->has_max_connections && server->connections >= server->max_connections) {
        emit_drop(server, fd, &remote);
        close(fd);
        wait_if_full(server);
        return;
    }
    struct nb_socket *socket =
        nb_socket_accept(server->account, server->account->next_id, server->name, fd, &remote, &server->accepted);
    if (!socket)
        return;
    server->account->next_id += 2;
    if (nb_watch(&server->actor, socket->actor.id) < 0) {
        nb_actor_stop(&socket->actor);
        return;
    }
    server->connections++;
    emit_connection(server, socket);
    wait_if_full(server);
}

static void on_acceptor_failure(void *owner, int status)
{
    struct nb_server *server = owner;
    struct nb_failure *failure = nb_failure_system(status, "accept");
    nb_event_emit_error(server->account, NB_EVENT_SERVER_ERROR, server->name, failure);
    nb_failure_unref(failure);
    server->wants_close_event = true;
    unlisten(server);
    emit_close_if_drained(server);
    update_activity(server);
}

static const struct nb_acceptor_ops acceptor_ops = {.on_accept = on_accept, .on_failure = on_acceptor_failure};

/* ---- listening ---- */

/* Takes the listening descriptor. */
static void start_accepting(struct nb_server *server, int fd)
{
    struct nb_command *request = server->order.request;
    int status = nb_acceptor_open(server->actor.loop, &acceptor_ops, server, fd, &server->acceptor);
    if (status < 0) {
        close(fd);
        fail_listen(server, nb_failure_system(status, "listen"));
        return;
    }
    server->order.request = NULL;
    server->state = NB_SERVER_LISTENING;
    update_activity(server);
    emit_listening(server);
    answer_address(server, &request->reply);
    nb_message_dispose(server->actor.loop, &request->message);
    wait_if_full(server);
}

static bool has_no_ipv6(int status)
{
    return status == UV_EAFNOSUPPORT || status == UV_EADDRNOTAVAIL || status == UV_EINVAL;
}

static void listen_on_address(struct nb_server *server, struct nb_address address)
{
    struct nb_listen_order *order = &server->order;
    char text[NB_ADDRESS_TEXT];
    address.port = order->port;
    int fd = nb_listen_tcp(&address, order->backlog, order->ipv6_only);
    if (order->is_default_host && address.family == 6 && has_no_ipv6(fd)) {
        address = (struct nb_address){.family = 4, .port = order->port};
        fd = nb_listen_tcp(&address, order->backlog, false);
    }
    if (fd < 0) {
        nb_address_format(&address, text);
        fail_listen(server, nb_failure_listen(fd, "listen", nb_slice_of(text), order->port));
        return;
    }
    server->path_length = 0;
    server->accepted.is_pipe = false;
    nb_address_of_local(fd, &server->address);
    start_accepting(server, fd);
}

static mode_t path_mode(const nb_ServerListen *params)
{
    mode_t mode = nb_server_path_mode;
    if (params->readable_all)
        mode |= 0444;
    if (params->writable_all)
        mode |= 0222;
    return mode;
}

static void listen_on_path(struct nb_server *server, const nb_ServerListen *params)
{
    struct nb_path_identity identity;
    int fd = nb_listen_unix(params->path, server->order.backlog, path_mode(params), &identity);
    if (fd < 0) {
        int status = fd == UV_ENOENT ? UV_EACCES : fd; /* as libuv, and so Node, tells it on every system */
        fail_listen(server, nb_failure_listen(status, "listen", params->path, -1));
        return;
    }
    memcpy(server->path, params->path.data, params->path.length);
    server->path_length = (uint8_t)params->path.length;
    server->path_identity = identity;
    server->accepted.is_pipe = true;
    start_accepting(server, fd);
}

static void listen_on_host(struct nb_server *server, struct nb_slice host)
{
    struct nb_address address = {.family = 6};
    server->order.is_default_host = !host.length;
    if (!host.length || nb_address_parse(host, &address)) {
        listen_on_address(server, address);
        return;
    }
    server->order.ticket = ++server->listens;
    int status = nb_lookup(&server->actor, server->order.ticket, host, 0, 0);
    if (status < 0)
        fail_listen(server, nb_failure_lookup(status, host));
}

static void lookup_answered(struct nb_server *server, const struct nb_lookup_answer *answer)
{
    if (server->state != NB_SERVER_RESOLVING || answer->ticket != server->order.ticket)
        return;
    if (answer->status < 0)
        fail_listen(server,
                    nb_failure_lookup(answer->status, server->order.request->params.server_listen.host));
    else
        listen_on_address(server, answer->addresses[0]);
}

/* Node: an empty options object is port 0; one that names neither port nor path is wrong. */
static bool names_nothing(const nb_ServerListen *params)
{
    bool has_other = params->host.data || params->has_backlog || params->has_exclusive || params->has_readable_all ||
                     params->has_writable_all || params->has_ipv6_only;
    return has_other && !params->has_port && !params->path.data;
}

/* ---- commands ---- */

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct nb_server *server = (struct nb_server *)self;
    if ((*message)->class == &nb_command_class) {
        struct nb_command **command = (struct nb_command **)message;
        (*command)->run(self, command);
    } else if ((*message)->class == &nb_down_class) {
        server->connections--;
        emit_close_if_drained(server);
    } else if ((*message)->class == &nb_lookup_answer_class) {
        lookup_answered(server, (struct nb_lookup_answer *)*message);
    }
}

nb_handler nb_on_server_create, nb_on_server_listen, nb_on_server_close, nb_on_server_address,
    nb_on_server_get_connections, nb_on_server_set, nb_on_server_ref, nb_on_server_unref, nb_on_server_info,
    nb_on_server_release;

static struct nb_failure *apply_create(struct nb_server *server, const nb_ServerCreate *params)
{
    struct nb_accept_options *accepted = &server->accepted;
    if (params->has_read_chunk && !params->read_chunk)
        return nb_failure_range("readChunk", ">= 1", 0);
    if (params->has_read_chunk && params->read_chunk < accepted->read_chunk)
        accepted->read_chunk = params->read_chunk;
    if (params->has_high_water_mark)
        accepted->high_water_mark = params->high_water_mark;
    accepted->allow_half_open = params->allow_half_open;
    accepted->pause_on_connect = params->pause_on_connect;
    accepted->no_delay = params->no_delay;
    accepted->keep_alive = params->keep_alive;
    accepted->keep_alive_delay = nb_keep_alive_seconds(params->keep_alive_initial_delay);
    server->has_max_connections = params->has_max_connections;
    server->max_connections = params->max_connections;
    return NULL;
}

void nb_on_server_create(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    struct nb_failure *failure = apply_create(server, &(*command)->params.server_create);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        nb_actor_stop(self);
        return;
    }
    nb_Created created = {.has_id = true, .id = server->name};
    nb_reply_result(self->loop, &(*command)->reply, &created, NULL);
}

static struct nb_failure *check_listen(const struct nb_server *server, const nb_ServerListen *params)
{
    if (server->state != NB_SERVER_IDLE)
        return nb_failure_make("ERR_SERVER_ALREADY_LISTEN", NULL,
                               "Listen method has been called more than once without closing.");
    if (names_nothing(params))
        return nb_failure_make("ERR_INVALID_ARG_VALUE", "TypeError",
                               "The argument 'options' must have the property \"port\" or \"path\". "
                               "Received an object without them");
    return NULL;
}

void nb_on_server_listen(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    const nb_ServerListen *params = &(*command)->params.server_listen;
    struct nb_failure *failure = check_listen(server, params);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    server->state = NB_SERVER_RESOLVING;
    server->order = (struct nb_listen_order){.port = (uint16_t)params->port,
                                             .backlog = params->backlog > 0 ? params->backlog : BACKLOG,
                                             .ipv6_only = params->ipv6_only,
                                             .request = nb_command_take(command)};
    update_activity(server);
    if (params->path.data && !params->has_port)
        listen_on_path(server, params);
    else
        listen_on_host(server, params->host);
}

void nb_on_server_close(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    struct nb_command *close_request = nb_command_take(command);
    bool is_open = server->state != NB_SERVER_IDLE;
    if (!is_open)
        close_request->failure = nb_failure_make("ERR_SERVER_NOT_RUNNING", NULL, "Server is not running.");
    close_request->next = NULL;
    *server->closes.last = close_request;
    server->closes.last = &close_request->next;
    server->wants_close_event = true;
    if (is_open)
        unlisten(server);
    emit_close_if_drained(server);
    update_activity(server);
}

void nb_on_server_address(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    if (server->state == NB_SERVER_LISTENING)
        answer_address(server, &(*command)->reply);
    else
        nb_reply_nil(self->loop, &(*command)->reply);
}

void nb_on_server_get_connections(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    nb_Connections result = {.has_count = true, .count = server->connections};
    nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

void nb_on_server_set(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    const nb_ServerSet *params = &(*command)->params.server_set;
    server->has_max_connections = params->has_max_connections;
    server->max_connections = params->max_connections;
    nb_reply_done(self->loop, &(*command)->reply);
}

static void set_ref(struct nb_actor *self, struct nb_command **command, bool is_refed)
{
    struct nb_server *server = (struct nb_server *)self;
    server->is_refed = is_refed;
    update_activity(server);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_server_ref(struct nb_actor *self, struct nb_command **command)
{
    set_ref(self, command, true);
}

void nb_on_server_unref(struct nb_actor *self, struct nb_command **command)
{
    set_ref(self, command, false);
}

void nb_on_server_info(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    struct nb_texts texts = {0};
    nb_ServerInfo info;
    memset(&info, 0, sizeof info);
    info.has_listening = info.has_connections = info.has_refed = true;
    info.listening = server->state == NB_SERVER_LISTENING;
    info.connections = server->connections;
    info.refed = server->is_refed;
    info.has_max_connections = server->has_max_connections;
    info.max_connections = server->max_connections;
    info.has_address = info.listening;
    if (info.listening)
        fill_address(server, &texts, &info.address);
    nb_reply_result(self->loop, &(*command)->reply, &info, texts.chunk);
    nb_texts_finish(&texts);
}

void nb_on_server_release(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    if (server->state != NB_SERVER_IDLE || server->connections) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_make("ERR_NB_BUSY", NULL, "The server is not closed"));
        return;
    }
    nb_reply_done(self->loop, &(*command)->reply);
    nb_actor_stop(self);
}
