/* A socket's channel: its bytes by a descriptor of the program's own. */
#include "descriptors.h"
#include "pack.h"
#include "schema.h"
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Calls back once; takes `fd`, and closes it when nobody wants it. */
static void tell(struct netbroker_socket *socket, int fd, const struct netbroker_error *error)
{
    netbroker_channel_fn *on_channel = socket->on_channel;
    socket->on_channel = NULL;
    socket->has_channel = fd >= 0;
    if (on_channel && !socket->destroyed)
        on_channel(socket, socket->channel_context, fd, error);
    else if (fd >= 0)
        close(fd);
}

/* A stream socket; not blocking from now on, whatever it was. */
static bool is_usable(int fd)
{
    int type = 0, flags = fcntl(fd, F_GETFL);
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM && flags >= 0 &&
           fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static int take(struct netbroker_session *session, const struct netbroker_reply *reply)
{
    const unsigned char *at = reply->result;
    struct netbroker_cursor found;
    struct netbroker_value number;
    if (netbroker_find((struct netbroker_cursor){at, at + reply->result_length}, "fd", &found) < 0 ||
        netbroker_read(&found, &number) < 0 || number.type != NETBROKER_UINT)
        return -EBADMSG;
    int fd = nbc_descriptors_take(&session->descriptors, number.uint64);
    if (fd < 0 || is_usable(fd))
        return fd;
    close(fd);
    return -EBADMSG;
}

/* All is as it was, and the end that waited for the answer is made up for. */
static void refuse(struct netbroker_socket *socket, const struct netbroker_error *error)
{
    socket->has_channel = false;
    if (socket->peer_ended && !socket->half_open)
        netbroker_socket_end(socket);
    tell(socket, -1, error);
}

static void fail(struct netbroker_socket *socket, int fd)
{
    struct netbroker_error error = {.error_number = fd};
    strcpy(error.code, fd == -EMFILE ? "EMFILE" : "ERR_NB_PROTOCOL");
    strcpy(error.message, fd == -EMFILE ? "the descriptor of the channel found no room in this process"
                                        : "no stream socket was handed over");
    refuse(socket, &error);
}

/* What was written before is the broker's now: nothing more is heard of it. */
static void begin(struct netbroker_socket *socket, int fd)
{
    struct netbroker_session *session = socket->actor.session;
    nbc_socket_forget_writes(socket);
    nbc_window_serve_line(session);
    tell(socket, fd, NULL);
}

static void on_answer(struct netbroker_session *session, const struct nbc_request *request,
                      const struct netbroker_reply *reply)
{
    struct netbroker_socket *socket = nbc_table_get(&session->actors, request->target);
    int fd = reply->error ? -1 : take(session, reply);
    if (!socket && fd >= 0)
        close(fd);
    if (!socket)
        return;
    if (reply->error)
        refuse(socket, reply->error);
    else if (fd < 0)
        fail(socket, fd);
    else
        begin(socket, fd);
}

static int ask(struct netbroker_socket *socket)
{
    struct nbc_frame frame;
    struct netbroker_session *session = socket->actor.session;
    int result = nbc_frame_begin(&frame, session, NETBROKER_METHOD_SOCKET_CHANNEL, socket->actor.id, 2,
                                 &(struct nbc_request){.on_reply = on_answer, .target = socket->actor.id});
    if (result < 0)
        return result;
    struct nbc_map map = nbc_map_begin(frame.packer);
    nbc_map_text(&map, "via", "fd");
    nbc_map_end(&map);
    return nbc_frame_end(&frame);
}

int netbroker_socket_channel(struct netbroker_socket *socket, netbroker_channel_fn *on_channel, void *context)
{
    if (!socket->actor.session->options.with_channels)
        return -EOPNOTSUPP;
    if (socket->destroyed || socket->failed)
        return -EPIPE;
    if (socket->has_channel || socket->end_waits || !nbc_backlog_is_empty(&socket->backlog))
        return -EBUSY;
    int result = ask(socket);
    if (result < 0)
        return result;
    socket->has_channel = true;
    socket->on_channel = on_channel;
    socket->channel_context = context;
    return 0;
}

void nbc_socket_lose_channel(struct netbroker_socket *socket)
{
    static const struct netbroker_error closed = {.code = "ERR_SOCKET_CLOSED",
                                                  .message = "Socket closed before the channel was there"};
    if (socket->on_channel)
        tell(socket, -1, &closed);
}
