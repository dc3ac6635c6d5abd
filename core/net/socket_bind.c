/*
 * The socket actor's socket.bind: an address that is taken before anybody knows
 * whether it will be connected from or listened on.
 */
#include "listen.h"
#include "socket_internal.h"

#include <unistd.h>

void nb_socket_unbind(struct nb_socket *socket)
{
    if (!nb_socket_is_bound(socket))
        return;
    close(socket->bound_fd);
    socket->bound = (struct nb_endpoint){0};
}

/* Returns what is to be thrown; NULL: bound. */
static struct nb_failure *bind_to(struct nb_socket *socket, const struct nb_listen_target *target)
{
    int fd = nb_bind_tcp(target);
    if (fd < 0)
        return nb_failure_bind(fd, &target->address);
    nb_endpoint_of_local(fd, &socket->bound);
    socket->bound_fd = fd;
    return NULL;
}

/* As the system has it: a socket is bound once, and not when it is connected. */
static bool may_bind(const struct nb_socket *socket)
{
    return !nb_socket_is_bound(socket) &&
           (socket->state == NB_SOCKET_FRESH || socket->state == NB_SOCKET_CLOSED);
}

static struct nb_failure *bind_as_told(struct nb_socket *socket, const nb_SocketBind *options)
{
    struct nb_listen_target target = {.ipv6_only = options->ipv6_only, .reuse_port = options->reuse_port};
    target.address.ip.family = options->ipv6_only ? 6 : 4;
    if (options->host.data && !nb_endpoint_parse(options->host, &target.address))
        return nb_failure_invalid_ip(options->host, "host");
    target.address.port = (uint16_t)options->port;
    return may_bind(socket) ? bind_to(socket, &target) : nb_failure_bind(UV_EINVAL, &target.address);
}

nb_handler nb_on_socket_bind;

void nb_on_socket_bind(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    struct nb_failure *failure = bind_as_told(socket, &(*command)->params.socket_bind);
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
    else
        nb_socket_answer_address(socket, &(*command)->reply, &socket->bound);
}
