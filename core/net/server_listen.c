/* The server actor's way to a listening socket. */
#include "inspect.h"
#include "port.h"
#include "server_internal.h"

#include <stdio.h>
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
    int status = nb_lookup_start(&server->actor, server->account->lookups, server->order.ticket, host, 0, 0,
                                 &server->order.lookup);
    if (status < 0)
        nb_server_fail_listen(server, nb_failure_lookup(status, host));
}

void nb_server_end_lookup(struct nb_server *server)
{
    nb_lookup_end(server->actor.loop, server->order.lookup);
    server->order.lookup = NULL;
}

void nb_server_lookup_answered(struct nb_server *server, const struct nb_lookup_answer *answer)
{
    if (server->state != NB_SERVER_RESOLVING || answer->ticket != server->order.ticket)
        return;
    if (answer->status < 0) {
        nb_server_fail_listen(
            server, nb_failure_lookup(answer->status, server->order.request->params.server_listen.host));
        return;
    }
    nb_server_end_lookup(server);
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

static bool needs_lookup(const nb_ServerListen *params)
{
    struct nb_endpoint address;
    bool is_path = params->path.data && !params->has_port;
    return !is_path && params->host.length && !nb_endpoint_parse(params->host, &address);
}

enum { SHOWN_SIZE = NB_INSPECT_SIZE + 256 };

/* The options as Node prints them, in the schema's order. */
static void show(const nb_ServerListen *params, char text[SHOWN_SIZE])
{
    const struct {
        const char *name;
        bool is_there, value;
    } flags[] = {{"exclusive", params->has_exclusive, params->exclusive},
                 {"readableAll", params->has_readable_all, params->readable_all},
                 {"writableAll", params->has_writable_all, params->writable_all},
                 {"ipv6Only", params->has_ipv6_only, params->ipv6_only},
                 {"reusePort", params->has_reuse_port, params->reuse_port}};
    char host[NB_INSPECT_SIZE];
    int length = snprintf(text, SHOWN_SIZE, "{");
    if (params->host.data) {
        nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = params->host}, host);
        length += snprintf(text + length, SHOWN_SIZE - (size_t)length, " host: %s,", host);
    }
    if (params->has_backlog)
        length += snprintf(text + length, SHOWN_SIZE - (size_t)length, " backlog: %d,", params->backlog);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].is_there)
            length += snprintf(text + length, SHOWN_SIZE - (size_t)length, " %s: %s,", flags[i].name,
                               flags[i].value ? "true" : "false");
    if (params->has_block_list)
        length += snprintf(text + length, SHOWN_SIZE - (size_t)length, " blockList: %llu,",
                           (unsigned long long)params->block_list);
    snprintf(text + length - 1, SHOWN_SIZE - (size_t)length, " }"); /* in the place of the last comma */
}

static struct nb_failure *nothing_named(const nb_ServerListen *params)
{
    char text[SHOWN_SIZE];
    show(params, text);
    return nb_failure_value("options", "must have the property \"port\" or \"path\"", text);
}

/* Node takes a text that is a number, or none, for no path. */
static bool is_no_path(struct nb_slice path)
{
    uint32_t port;
    return path.data && (!path.length || nb_port_of_text(path, &port));
}

static struct nb_failure *bad_path(struct nb_slice path)
{
    char text[SHOWN_SIZE], shown[NB_INSPECT_SIZE];
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = path}, shown);
    snprintf(text, sizeof text, "{ path: %s }", shown);
    return nb_failure_argument(nb_failure_value("options", "is invalid", text), "path");
}

static struct nb_failure *check_address(const nb_ServerListen *params)
{
    if (names_nothing(params))
        return nothing_named(params);
    return !params->has_port && is_no_path(params->path) ? bad_path(params->path) : NULL;
}

static struct nb_failure *check_listen(const struct nb_server *server, const struct nb_command *command)
{
    if (server->state != NB_SERVER_IDLE)
        return nb_failure_make("ERR_SERVER_ALREADY_LISTEN", NULL,
                               "Listen method has been called more than once without closing.");
    const nb_ServerListen *params = &command->params.server_listen;
    if (names_a_socket(command))
        return NULL;
    struct nb_failure *failure = check_address(params);
    return failure || !needs_lookup(params) ? failure : nb_account_check_lookup(server->account);
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
