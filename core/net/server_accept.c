/* The server actor's connections: taken in, dropped, or left waiting. */
#include "server_internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void nb_server_wake(struct nb_waiter *waiter)
{
    struct nb_server *server = (struct nb_server *)((char *)waiter - offsetof(struct nb_server, waiter));
    if (server->state != NB_SERVER_LISTENING)
        return;
    if (server->membership.listener)
        nb_membership_say_ready(&server->membership, server->actor.loop);
    else
        nb_acceptor_resume(server->acceptor);
}

bool nb_server_has_room(struct nb_server *server)
{
    struct nb_account *account = server->account;
    if (account->gate_is_closed)
        nb_account_wait_at_gate(account, &server->waiter);
    else if (account->sockets >= account->max_sockets)
        nb_account_wait_for_vacancy(account, &server->waiter);
    else
        return true;
    return false;
}

/* Leaves further connections in the kernel's queue while the session can't take them. */
static bool may_accept(void *owner)
{
    struct nb_server *server = owner;
    if (nb_server_has_room(server))
        return true;
    nb_acceptor_pause(server->acceptor);
    return false;
}

/* rule NULL: none blocks it, but there are too many. */
static void emit_drop(struct nb_server *server, int fd, const struct nb_endpoint *remote,
                      const struct nb_rule *rule)
{
    char text[NB_RULE_TEXT];
    struct nb_texts texts;
    struct nb_endpoint local = {0};
    struct nb_event_message *event = nb_event_new(server->account, NB_EVENT_SERVER_DROP, server->name);
    if (!event)
        return;
    if (!server->path_length)
        nb_endpoint_of_local(fd, &local);
    nb_texts_init(&texts, server->actor.loop, NB_ENDPOINTS_TEXT + NB_RULE_TEXT);
    event->body.server_drop.has_endpoints = true;
    nb_texts_endpoints(&texts, &local, remote, &event->body.server_drop.endpoints);
    if (rule) {
        nb_rule_format(rule, text);
        event->body.server_drop.rule = nb_texts_add(&texts, nb_slice_of(text));
    }
    nb_event_send_texts(server->account, event, &texts);
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

/* A socket that nobody hears of is not kept. */
static void emit_connection(struct nb_server *server, struct nb_socket *socket)
{
    struct nb_texts texts = {0};
    struct nb_event_message *event = nb_event_new(server->account, NB_EVENT_SERVER_CONNECTION, server->name);
    if (!event) {
        nb_actor_stop(&socket->actor);
        return;
    }
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
    }
    nb_event_send_texts(server->account, event, &texts);
}

/* A peer on a Unix path has no address, and is on no list. */
static bool is_blocked(struct nb_server *server, const struct nb_endpoint *remote, struct nb_rule *ret_rule)
{
    unsigned reader = server->actor.loop->index;
    return nb_filter_match(server->account->deny_accept, reader, &remote->ip, ret_rule) ||
           nb_filter_match(server->filter, reader, &remote->ip, ret_rule);
}

static void drop(struct nb_server *server, int fd, const struct nb_endpoint *remote,
                 const struct nb_rule *rule)
{
    emit_drop(server, fd, remote, rule);
    close(fd);
}

bool nb_server_is_full(const struct nb_server *server)
{
    return server->has_max_connections && server->connections >= server->max_connections;
}

void nb_server_take(struct nb_server *server, int fd, const struct nb_endpoint *remote)
{
    struct nb_rule rule;
    if (is_blocked(server, remote, &rule)) {
        drop(server, fd, remote, &rule);
        return;
    }
    if (nb_server_is_full(server)) {
        drop(server, fd, remote, NULL);
        return;
    }
    struct nb_socket *socket = nb_socket_accept(server->account, server->account->next_id, server->name, fd,
                                                remote, &server->accepted);
    if (!socket)
        return;
    server->account->next_id += 2;
    if (nb_watch(&server->actor, socket->actor.id) < 0) {
        nb_actor_stop(&socket->actor);
        return;
    }
    server->connections++;
    emit_connection(server, socket);
}

static void on_accept(void *owner, int fd, const struct sockaddr_storage *peer)
{
    const struct nb_endpoint remote = nb_endpoint_from_sockaddr(peer);
    nb_server_take(owner, fd, &remote);
}

void nb_server_fail_accept(struct nb_server *server, int status)
{
    struct nb_failure *failure = nb_failure_system(status, "accept");
    nb_event_emit_error(server->account, NB_EVENT_SERVER_ERROR, server->name, failure);
    nb_failure_unref(failure);
    server->wants_close_event = true;
    nb_server_unlisten(server);
    nb_server_emit_close_if_drained(server);
    nb_server_update_activity(server);
}

static void on_acceptor_failure(void *owner, int status)
{
    nb_server_fail_accept(owner, status);
}

const struct nb_acceptor_ops nb_server_acceptor_ops = {
    .may_accept = may_accept, .on_accept = on_accept, .on_failure = on_acceptor_failure};
