/* The socket actor's channel: asking for it, attaching to it, letting it go. */
#include "socket_channel.h"

#include "attach.h"
#include "fd_reserve.h"
#include "inspect.h"
#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- letting go ---- */

static void withdraw_token(struct nb_channel *channel)
{
    if (channel->awaits_client)
        nb_offering_withdraw(&channel->offering);
    channel->awaits_client = false;
}

void nb_socket_close_channel(struct nb_socket *socket)
{
    struct nb_channel *channel = socket->channel;
    if (!channel)
        return;
    withdraw_token(channel);
    if (channel->in_use)
        nb_stream_close(&channel->stream);
}

void nb_socket_free_channel(struct nb_socket *socket)
{
    if (socket->channel)
        nb_failure_unref(socket->channel->failure);
    nb_free(socket->channel);
    socket->channel = NULL;
}

bool nb_socket_channel_is_in_use(const struct nb_socket *socket)
{
    return socket->channel && socket->channel->in_use;
}

bool nb_socket_channel_has_room(const struct nb_socket *socket)
{
    return !socket->channel || nb_channel_has_room(socket->channel);
}

/* ---- asking for it ---- */

static bool is_by_fd(const nb_SocketChannel *params)
{
    return nb_slice_is(params->via, "fd");
}

static struct nb_failure *object_to_via(const struct nb_socket *socket, const nb_SocketChannel *params)
{
    char received[NB_INSPECT_SIZE];
    if (!params->via.data || nb_slice_is(params->via, "attach"))
        return NULL;
    if (is_by_fd(params))
        return socket->account->has_fds ? NULL : nb_failure_not_negotiated("fds", "via");
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = params->via}, received);
    return nb_failure_value("via", "must be one of: 'attach', 'fd'", received);
}

/* Without the answer nobody would get at the bytes. */
static struct nb_failure *object_to_channel(const struct nb_socket *socket, const struct nb_command *command)
{
    if (command->reply.is_notification)
        return nb_failure_make("ERR_INVALID_ARG_VALUE", "TypeError", "socket.channel must be a request");
    struct nb_failure *failure = nb_socket_object_to_state(socket);
    return failure ? failure : object_to_via(socket, &command->params.socket_channel);
}

/* Frames are over: what was written counts in the windows no more, and nothing is read for them. */
static void leave_frames(struct nb_socket *socket, struct nb_channel *channel)
{
    nb_flow_close(socket);
    nb_waiter_leave(&socket->at_gate);
    socket->is_paused = socket->needs_drain = false;
    socket->channel = channel;
    nb_socket_update_reading(socket);
}

static int open_stream(struct nb_channel *channel, int fd)
{
    nb_stream_init(&channel->stream, channel->socket->actor.loop, &nb_channel_ops, true);
    int status = nb_stream_open(&channel->stream, fd);
    channel->in_use = status == 0;
    return status;
}

static int make_pair(int ret_ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_ends) < 0)
        return -errno;
    if (!nb_fd_reserve_is_reached(ret_ends[0]) && !nb_fd_reserve_is_reached(ret_ends[1]))
        return 0;
    close(ret_ends[0]);
    close(ret_ends[1]);
    return UV_EMFILE;
}

/* Negative errno. */
static int give_fd(struct nb_channel *channel, struct nb_reply_to *reply)
{
    int ends[2];
    nb_Channel answer = {.has_fd = true}; /* the session knows the number */
    int status = make_pair(ends);
    if (status < 0)
        return status;
    status = open_stream(channel, ends[0]);
    if (status < 0) {
        close(ends[0]);
        close(ends[1]);
        return status;
    }
    leave_frames(channel->socket, channel);
    nb_reply_fd(channel->socket->actor.loop, reply, &answer, ends[1]);
    nb_channel_begin(channel);
    return 0;
}

static int give_token(struct nb_channel *channel, struct nb_reply_to *reply)
{
    struct nb_socket *socket = channel->socket;
    struct nb_texts texts;
    nb_Channel answer = {0};
    channel->offering = (struct nb_offering){
        .kind = NB_OFFERING_CHANNEL, .socket = socket->actor.id, .uid = socket->account->uid};
    int status = nb_offering_enter(&channel->offering);
    if (status < 0)
        return status;
    channel->awaits_client = true;
    leave_frames(socket, channel);
    nb_texts_init(&texts, socket->actor.loop, NB_TOKEN_TEXT);
    answer.token = nb_texts_add(&texts, nb_slice_of(channel->offering.token));
    nb_reply_texts(socket->actor.loop, reply, &answer, &texts);
    return 0;
}

static int make_channel(struct nb_socket *socket, struct nb_command *command)
{
    struct nb_channel *channel = nb_calloc(1, sizeof *channel);
    if (!channel)
        return UV_ENOMEM;
    channel->socket = socket;
    bool by_fd = is_by_fd(&command->params.socket_channel);
    int status = by_fd ? give_fd(channel, &command->reply) : give_token(channel, &command->reply);
    if (status < 0)
        nb_free(channel);
    return status;
}

nb_handler nb_on_socket_channel;

void nb_on_socket_channel(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    struct nb_failure *failure = object_to_channel(socket, *command);
    int status = failure ? 0 : make_channel(socket, *command);
    if (status < 0)
        failure = nb_failure_system(status, "channel");
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
}

/* What has to do with bytes goes through the channel. A credit may have crossed the answer. */
bool nb_socket_takes_with_channel(const struct nb_command *command)
{
    switch (command->reply.method->index) {
    case NB_METHOD_SOCKET_WRITE:
    case NB_METHOD_SOCKET_END:
    case NB_METHOD_SOCKET_PAUSE:
    case NB_METHOD_SOCKET_RESUME:
    case NB_METHOD_SOCKET_SET_ENCODING:
    case NB_METHOD_SOCKET_OFFER:
    case NB_METHOD_SOCKET_CHANNEL:
        return false;
    default:
        return true;
    }
}

/* ---- attaching to it ---- */

/* What came behind the frame is the first of the client's bytes. UV_ENOMEM. */
static int take_rest(struct nb_socket *socket, struct nb_attach *attach)
{
    struct nb_chunk *rest = attach->rest;
    attach->rest = NULL;
    if (!rest)
        return 0;
    nb_chunk_move(rest, &socket->actor.loop->pool);
    socket->bytes_written += socket->is_ending ? 0 : attach->rest_length;
    socket->flow.told = socket->bytes_written;
    int status =
        socket->is_ending
            ? 0
            : nb_stream_write(&socket->stream, (struct nb_bytes){rest->bytes, attach->rest_length, rest});
    nb_chunk_unref(rest);
    return status;
}

void nb_socket_attach(struct nb_socket *socket, struct nb_attach *attach)
{
    struct nb_channel *channel = socket->channel;
    if (!channel || !channel->awaits_client || strcmp(channel->offering.token, attach->token) != 0 ||
        open_stream(channel, attach->fd) < 0)
        return;
    attach->fd = -1;
    withdraw_token(channel);
    int status = nb_stream_write_copy(&channel->stream, attach->granted.bytes, attach->granted.length);
    if (status == 0)
        status = take_rest(socket, attach);
    if (status < 0)
        nb_socket_close(socket, nb_failure_system(status, "channel"));
    else
        nb_channel_begin(channel);
}
