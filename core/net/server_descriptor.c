/* The server actor on a listening socket, or a bound one, that is there already. */
#include "fd_reserve.h"
#include "foreign.h"
#include "server_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ABSTRACT = '@' }; /* stands for the NUL that the names of no file begin with */

/* Node tells port -1 of what another handle has, none of a descriptor. */
static void fail(struct nb_server *server, int status, int port)
{
    nb_server_fail_listen(server, nb_failure_listen(status, "listen", (struct nb_slice){0}, port));
}

/* The file is not the server's: nothing is known of it that would let it be removed. */
static void find_path(struct nb_listening *listening)
{
    struct sockaddr_un name = {0};
    socklen_t length = sizeof name;
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    if (getsockname(listening->fd, (struct sockaddr *)&name, &length) < 0 || length <= head)
        return;
    size_t used = length - head < sizeof listening->path ? length - head : sizeof listening->path;
    if (name.sun_path[0])
        used = strnlen(name.sun_path, used);
    else
        name.sun_path[0] = ABSTRACT;
    memcpy(listening->path, name.sun_path, used);
    listening->path_length = (uint8_t)used;
}

/* Negative errno. */
static int begin_to_listen(struct nb_listening *listening, int backlog)
{
    enum nb_descriptor_kind kind = nb_descriptor_kind(listening->fd);
    if (kind != NB_DESCRIPTOR_TCP && kind != NB_DESCRIPTOR_UNIX)
        return UV_EINVAL;
    if (listen(listening->fd, backlog) < 0)
        return -errno;
    if (kind == NB_DESCRIPTOR_UNIX)
        find_path(listening);
    else
        nb_endpoint_of_local(listening->fd, &listening->address);
    return 0;
}

/* Takes fd and the share. port: for the failure. */
static void listen_on(struct nb_server *server, int fd, struct nb_ownership *ownership, int port)
{
    struct nb_listening listening = {.fd = fd};
    int status =
        nb_fd_reserve_is_reached(fd) ? UV_EMFILE : begin_to_listen(&listening, server->order.target.backlog);
    if (status == 0)
        status = nb_acceptor_open(server->actor.loop, &nb_server_acceptor_ops, server, fd, &server->acceptor);
    if (status < 0) {
        nb_foreign_close(fd);
        nb_ownership_unref(ownership);
        fail(server, status, port);
        return;
    }
    server->ownership = ownership;
    if (ownership)
        nb_acceptor_distrust(server->acceptor);
    nb_server_note_listening(server, &listening);
    nb_server_tell_listening(server);
}

void nb_server_listen_on_descriptor(struct nb_server *server, int fd)
{
    struct nb_ownership *ownership;
    int status = nb_ownership_claim(fd, &ownership);
    if (status == 0) {
        listen_on(server, fd, ownership, 0);
        return;
    }
    nb_foreign_close(fd);
    fail(server, status == UV_ENOTSOCK ? UV_EINVAL : status, 0);
}

/* ---- handle ---- */

void nb_server_borrow(struct nb_server *server, struct nb_actor_id lender)
{
    server->order.ticket = ++server->listens;
    int status = nb_loan_ask(&server->actor, lender, server->order.ticket);
    if (status < 0)
        fail(server, status, -1);
}

/* Nothing has happened: Node looks at the handle before it begins. */
static void refuse(struct nb_server *server, struct nb_failure *failure)
{
    struct nb_command *request = server->order.request;
    server->order.request = NULL;
    server->state = NB_SERVER_IDLE;
    nb_reply_throw(server->actor.loop, &request->reply, failure);
    nb_message_dispose(server->actor.loop, &request->message);
    nb_server_update_activity(server);
}

void nb_server_loan_answered(struct nb_server *server, struct nb_loan *loan)
{
    if (server->state != NB_SERVER_RESOLVING || loan->ticket != server->order.ticket)
        return;
    if (loan->fd >= 0) {
        int fd = loan->fd;
        struct nb_ownership *ownership = loan->ownership;
        loan->fd = -1;
        loan->ownership = NULL;
        listen_on(server, fd, ownership, -1);
    } else if (loan->status == UV_EBADF) {
        refuse(server, nb_failure_argument(nb_server_no_address(), "handle"));
    } else {
        fail(server, loan->status, -1);
    }
}

static int duplicate(const struct nb_server *server)
{
    if (server->state != NB_SERVER_LISTENING)
        return UV_EBADF;
    return server->membership.listener ? nb_membership_duplicate(&server->membership)
                                       : nb_loan_duplicate(nb_acceptor_fd(server->acceptor));
}

void nb_server_lend(struct nb_server *server, struct nb_message **message)
{
    nb_loan_answer(server->actor.loop, message, duplicate(server), server->ownership);
}
