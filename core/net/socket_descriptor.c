/* The socket actor out of a descriptor that came from outside. */
#include "fd_reserve.h"
#include "socket_internal.h"

static const char *argument_of(const nb_SocketCreate *options)
{
    return options->has_fd ? "fd" : "fdName";
}

/* NULL: a socket that may be used as a connection. */
static struct nb_failure *check_kind(int fd, enum nb_descriptor_kind kind, const nb_SocketCreate *options)
{
    if (kind != NB_DESCRIPTOR_TCP && kind != NB_DESCRIPTOR_UNIX)
        return nb_failure_fd_type(nb_descriptor_kind_name(kind), argument_of(options));
    if (nb_descriptor_is_listening(fd))
        return nb_failure_fd_type("LISTENING", argument_of(options));
    return NULL;
}

/* On failure (negative errno) the fd stays the caller's. */
static int open_stream(struct nb_socket *socket, int fd)
{
    int status = nb_fd_reserve_is_reached(fd) ? UV_EMFILE : nb_ownership_claim(fd, &socket->ownership);
    if (status < 0)
        return status;
    nb_stream_init(&socket->stream, socket->actor.loop, &nb_socket_stream_ops, true);
    socket->stream.is_foreign = true;
    if ((status = nb_stream_open(&socket->stream, fd)) == 0) {
        socket->stream_in_use = true;
        return 0;
    }
    nb_ownership_unref(socket->ownership);
    socket->ownership = NULL;
    return status;
}

/* A direction that is not wanted has ended before it began. */
static void begin_directions(struct nb_socket *socket, const nb_SocketCreate *options)
{
    socket->is_write_only = socket->has_ended = options->has_readable && !options->readable;
    socket->is_ending = socket->has_finished = options->has_writable && !options->writable;
}

/*
 * What is wrong with a connection that has ended meanwhile, or never was one, is
 * told by the first read or write, as for any other.
 */
struct nb_failure *nb_socket_take_descriptor(struct nb_socket *socket, struct nb_command *command,
                                             const nb_SocketCreate *options)
{
    enum nb_descriptor_kind kind = nb_descriptor_kind(command->fd);
    struct nb_failure *failure = check_kind(command->fd, kind, options);
    if (failure)
        return failure;
    int status = open_stream(socket, command->fd);
    if (status < 0)
        return nb_failure_argument(nb_failure_system(status, "open"), argument_of(options));
    int fd = nb_command_take_fd(command);
    socket->is_pipe = kind == NB_DESCRIPTOR_UNIX;
    if (!socket->is_pipe)
        nb_endpoint_of_peer(fd, &socket->remote);
    begin_directions(socket, options);
    nb_socket_opened(socket);
    return NULL;
}
