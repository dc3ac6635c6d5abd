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

void nb_server_note_listening(struct nb_server *server, const struct nb_listening *listening)
{
    server->address = listening->address;
    memcpy(server->path, listening->path, sizeof server->path);
    server->path_length = listening->path_length;
    server->path_identity = listening->identity;
    server->accepted.is_pipe = listening->path_length != 0;
    server->accepted.is_foreign = server->ownership != NULL;
}

void nb_server_tell_listening(struct nb_server *server)
{
    struct nb_command *request = server->order.request;
    server->order.request = NULL;
    server->state = NB_SERVER_LISTENING;
    nb_server_update_activity(server);
    emit_listening(server);
    nb_server_answer_address(server, &request->reply);
    nb_message_dispose(server->actor.loop, &request->message);
}

/* A socket of its own. Negative errno. */
static int open_acceptor(struct nb_server *server, struct nb_listen_target *target)
{
    struct nb_listening listening;
    int status = nb_listen(target, &listening);
    if (status < 0)
        return status;
    status = nb_acceptor_open(server->actor.loop, &nb_server_acceptor_ops, server, listening.fd,
                              &server->acceptor);
    if (status < 0) {
        nb_listening_unlink(&listening);
        close(listening.fd);
        return status;
    }
    nb_server_note_listening(server, &listening);
    return 0;
}

static struct nb_failure *failure_of(int status, const struct nb_listen_target *target)
{
    char text[NB_ENDPOINT_TEXT];
    if (target->path.data)
        return nb_failure_listen(status, "listen", target->path, -1);
    nb_endpoint_format(&target->address, text);
    return nb_failure_listen(status, "listen", nb_slice_of(text), target->address.port);
}

static void listen_on_target(struct nb_server *server)
{
    struct nb_listen_target *target = &server->order.target;
    bool shares = server->account->group && !server->order.is_exclusive;
    int status = shares ? nb_server_join(server, target) : open_acceptor(server, target);
    if (status < 0)
        nb_server_fail_listen(server, failure_of(status, target));
    else if (!shares)
        nb_server_tell_listening(server);
}

static void listen_on_address(struct nb_server *server, const struct nb_endpoint *address)
{
    struct nb_listen_target *target = &server->order.target;
    target->address.ip = address->ip;
    target->address.scope = address->scope;
    listen_on_target(server);
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

static void listen_on_host(struct nb_server *server, struct nb_slice host)
{
    struct nb_endpoint address = {.ip.family = 6};
    server->order.target.is_default_host = !host.length;
    if (!host.length || nb_endpoint_parse(host, &address)) {
        listen_on_address(server, &address);
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
        listen_on_address(server, &answer->addresses[0]);
}

static bool names_a_socket(const struct nb_command *command)
{
    return command->fd >= 0 || !nb_actor_id_is_nobody(command->lender);
}

/* Node: an empty options object is port 0; one that names neither port nor path is wrong. */
static bool names_nothing(const nb_ServerListen *params)
{
    bool has_other = params->host.data || params->has_backlog || params->has_exclusive ||
                     params->has_readable_all || params->has_writable_all || params->has_ipv6_only ||
                     params->has_reuse_port || params->has_block_list;
    return has_other && !params->has_port && !params->path.data;
}

/* ---- the command ---- */

nb_handler nb_on_server_listen;

struct nb_failure *nb_server_no_address(void)
{
    return nb_failure_make("ERR_INVALID_ARG_VALUE", "TypeError",
                           "The argument 'options' must have the property \"port\" or \"path\". "
                           "Received an object without them");
}

static struct nb_failure *check_listen(const struct nb_server *server, const struct nb_command *command)
{
    if (server->state != NB_SERVER_IDLE)
        return nb_failure_make("ERR_SERVER_ALREADY_LISTEN", NULL,
                               "Listen method has been called more than once without closing.");
    if (!names_a_socket(command) && names_nothing(&command->params.server_listen))
        return nb_server_no_address();
    return NULL;
}

static struct nb_listen_order order_of(const nb_ServerListen *params)
{
    return (struct nb_listen_order){
        .target = {.address.port = (uint16_t)params->port,
                   .path = params->has_port ? (struct nb_slice){0} : params->path,
                   .backlog = params->backlog > 0 ? params->backlog : BACKLOG,
                   .mode = path_mode(params),
                   .ipv6_only = params->ipv6_only,
                   .reuse_port = params->reuse_port},
        .is_exclusive = params->exclusive || params->reuse_port,
    };
}

static void start_listening(struct nb_server *server)
{
    struct nb_command *request = server->order.request;
    if (request->fd >= 0)
        nb_server_listen_on_descriptor(server, nb_command_take_fd(request));
    else if (!nb_actor_id_is_nobody(request->lender))
        nb_server_borrow(server, request->lender);
    else if (server->order.target.path.data)
        listen_on_target(server);
    else
        listen_on_host(server, request->params.server_listen.host);
}

void nb_on_server_listen(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    const nb_ServerListen *params = &(*command)->params.server_listen;
    struct nb_failure *failure = check_listen(server, *command);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    nb_command_hand_over_filter(*command, &server->filter);
    server->state = NB_SERVER_RESOLVING;
    server->order = order_of(params);
    server->order.request = nb_command_take(command);
    nb_server_update_activity(server);
    start_listening(server);
}
