/* The server actor's way to a listening socket. */
#include "server_internal.h"

#include <string.h>
#include <unistd.h>

enum { BACKLOG = 511 };

mode_t nb_server_path_mode = 0755;

static void emit_listening(struct nb_server *server)
{
    struct nb_texts texts;
    struct nb_event_message *event = nb_event_new(server->account, NB_EVENT_SERVER_LISTENING, server->name);
    if (!event)
        return;
    nb_server_fill_address(server, &texts, &event->body.address);
    nb_event_send_texts(server->account, event, &texts);
}

/* Takes the listening descriptor. */
static void start_accepting(struct nb_server *server, int fd)
{
    struct nb_command *request = server->order.request;
    int status = nb_acceptor_open(server->actor.loop, &nb_server_acceptor_ops, server, fd, &server->acceptor);
    if (status < 0) {
        close(fd);
        nb_server_remove_path(server);
        nb_server_fail_listen(server, nb_failure_system(status, "listen"));
        return;
    }
    server->order.request = NULL;
    server->state = NB_SERVER_LISTENING;
    nb_server_update_activity(server);
    emit_listening(server);
    nb_server_answer_address(server, &request->reply);
    nb_message_dispose(server->actor.loop, &request->message);
}

static bool has_no_ipv6(int status)
{
    return status == UV_EAFNOSUPPORT || status == UV_EADDRNOTAVAIL || status == UV_EINVAL;
}

static void listen_on_address(struct nb_server *server, struct nb_endpoint address)
{
    struct nb_listen_order *order = &server->order;
    char text[NB_ENDPOINT_TEXT];
    address.port = order->port;
    int fd = nb_listen_tcp(&address, order->backlog, order->ipv6_only);
    if (order->is_default_host && address.ip.family == 6 && has_no_ipv6(fd)) {
        address = (struct nb_endpoint){.ip.family = 4, .port = order->port};
        fd = nb_listen_tcp(&address, order->backlog, false);
    }
    if (fd < 0) {
        nb_endpoint_format(&address, text);
        nb_server_fail_listen(server, nb_failure_listen(fd, "listen", nb_slice_of(text), order->port));
        return;
    }
    server->path_length = 0;
    server->accepted.is_pipe = false;
    nb_endpoint_of_local(fd, &server->address);
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
        nb_server_fail_listen(server, nb_failure_listen(status, "listen", params->path, -1));
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
    struct nb_endpoint address = {.ip.family = 6};
    server->order.is_default_host = !host.length;
    if (!host.length || nb_endpoint_parse(host, &address)) {
        listen_on_address(server, address);
        return;
    }
    server->order.ticket = ++server->listens;
    int status = nb_lookup(&server->actor, server->order.ticket, host, 0, 0);
    if (status < 0)
        nb_server_fail_listen(server, nb_failure_lookup(status, host));
}

void nb_server_lookup_answered(struct nb_server *server, const struct nb_lookup_answer *answer)
{
    if (server->state != NB_SERVER_RESOLVING || answer->ticket != server->order.ticket)
        return;
    if (answer->status < 0)
        nb_server_fail_listen(
            server, nb_failure_lookup(answer->status, server->order.request->params.server_listen.host));
    else
        listen_on_address(server, answer->addresses[0]);
}

/* Node: an empty options object is port 0; one that names neither port nor path is wrong. */
static bool names_nothing(const nb_ServerListen *params)
{
    bool has_other = params->host.data || params->has_backlog || params->has_exclusive ||
                     params->has_readable_all || params->has_writable_all || params->has_ipv6_only ||
                     params->has_block_list;
    return has_other && !params->has_port && !params->path.data;
}

/* ---- the command ---- */

nb_handler nb_on_server_listen;

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
    nb_command_hand_over_filter(*command, &server->filter);
    server->state = NB_SERVER_RESOLVING;
    server->order = (struct nb_listen_order){.port = (uint16_t)params->port,
                                             .backlog = params->backlog > 0 ? params->backlog : BACKLOG,
                                             .ipv6_only = params->ipv6_only,
                                             .request = nb_command_take(command)};
    nb_server_update_activity(server);
    if (params->path.data && !params->has_port)
        listen_on_path(server, params);
    else
        listen_on_host(server, params->host);
}
