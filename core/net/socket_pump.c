/* The socket actor's two streams while it has a channel: what one brings goes to the other. */
#include "socket_channel.h"

#include <stddef.h>

enum { LAST_READS = 64 }; /* of what a client left behind: more than a Unix socket holds */

#define CHANNEL_OF(pointer) ((struct nb_channel *)((char *)(pointer)-offsetof(struct nb_channel, stream)))

static bool is_full(const struct nb_stream *stream)
{
    return stream->queue.length >= NB_CHANNEL_HIGH;
}

bool nb_channel_has_room(const struct nb_channel *channel)
{
    return channel->in_use && !channel->is_shut && !is_full(&channel->stream);
}

/* Reads what the client writes, unless the peer is behind; what no longer reaches a peer is read and dropped. */
static void update_intake(struct nb_channel *channel)
{
    bool reads = channel->in_use && (!channel->socket->is_ending || channel->failure) &&
                 !is_full(&channel->socket->stream);
    if (reads)
        nb_stream_start_reading(&channel->stream);
    else
        nb_stream_stop_reading(&channel->stream);
}

/* ---- the ends ---- */

static void close_if_done(struct nb_channel *channel)
{
    struct nb_socket *socket = channel->socket;
    if (!channel->is_shut || !socket->has_finished)
        return;
    nb_stream_discard_input(&socket->stream); /* what nobody wants would turn the close into a reset */
    nb_socket_close(socket, NULL);
}

/* The client has everything: now it may hear of the end, or the failure. */
static void tell_shut(struct nb_channel *channel)
{
    struct nb_socket *socket = channel->socket;
    struct nb_failure *failure = channel->failure;
    channel->is_shut = true;
    channel->failure = NULL;
    if (failure) {
        nb_socket_close(socket, failure);
        return;
    }
    if (!channel->end_was_told)
        nb_event_emit(socket->account, NB_EVENT_SOCKET_END, socket->name);
    channel->end_was_told = true;
    close_if_done(channel);
}

/* Nobody reads the channel any more. */
static void lose_reader(struct nb_channel *channel)
{
    if (channel->is_shut)
        return;
    nb_stream_stop_reading(&channel->socket->stream);
    channel->socket->has_ended = channel->end_was_told = true;
    if (channel->failure) {
        tell_shut(channel);
        return;
    }
    channel->is_shut = true;
    close_if_done(channel);
}

/* The client writes no more. */
static void end_writing(struct nb_channel *channel)
{
    if (!channel->socket->is_ending)
        nb_socket_end_writing(channel->socket);
    update_intake(channel);
}

static void fail_for_memory(struct nb_socket *socket, const char *syscall)
{
    nb_socket_close(socket, nb_failure_system(UV_ENOMEM, syscall));
}

/* ---- from the peer to the client ---- */

static uint8_t *reserve_for_client(struct nb_stream *stream, size_t *ret_size)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    uint8_t *room = NULL;
    *ret_size = NB_CHANNEL_READ;
    if (nb_channel_has_room(socket->channel)) {
        room = nb_intake_reserve(&socket->account->intake, *ret_size);
        if (!room)
            fail_for_memory(socket, "read");
    }
    if (!room)
        nb_stream_stop_reading(stream);
    return room;
}

static void pass_to_client(struct nb_stream *stream, size_t length)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    struct nb_intake *intake = &socket->account->intake;
    socket->bytes_read += length;
    nb_socket_touch(socket);
    int status = nb_stream_write(&socket->channel->stream, nb_intake_commit(intake, length));
    nb_intake_settle(intake);
    if (status < 0)
        fail_for_memory(socket, "read");
}

static void on_client_got(struct nb_stream *stream, size_t length)
{
    (void)length;
    if (stream->queue.length <= NB_CHANNEL_LOW)
        nb_socket_update_reading(CHANNEL_OF(stream)->socket);
}

static void on_peer_end(struct nb_stream *stream)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    socket->has_ended = true;
    nb_socket_touch(socket);
    nb_stream_shutdown(&socket->channel->stream);
}

static void on_channel_shut(struct nb_stream *stream, int status)
{
    (void)status;
    if (!CHANNEL_OF(stream)->is_shut)
        tell_shut(CHANNEL_OF(stream));
}

/* ---- from the client to the peer ---- */

static uint8_t *reserve_for_peer(struct nb_stream *stream, size_t *ret_size)
{
    struct nb_socket *socket = CHANNEL_OF(stream)->socket;
    uint8_t *room = NULL;
    *ret_size = NB_CHANNEL_READ;
    if (!is_full(&socket->stream)) {
        room = nb_intake_reserve(&socket->account->intake, *ret_size);
        if (!room)
            fail_for_memory(socket, "write");
    }
    if (!room)
        nb_stream_stop_reading(stream);
    return room;
}

/* False: there is no memory for them. */
static bool write_to_peer(struct nb_socket *socket, struct nb_bytes bytes)
{
    if (socket->bytes_sent == socket->bytes_written)
        nb_socket_touch(socket);
    socket->bytes_written += bytes.length;
    socket->flow.told = socket->bytes_written;
    return nb_stream_write(&socket->stream, bytes) == 0;
}

static void pass_to_peer(struct nb_stream *stream, size_t length)
{
    struct nb_socket *socket = CHANNEL_OF(stream)->socket;
    struct nb_intake *intake = &socket->account->intake;
    bool is_written = write_to_peer(socket, nb_intake_commit(intake, length));
    nb_intake_settle(intake);
    if (!is_written)
        fail_for_memory(socket, "write");
}

/* What was written before there was a channel is on the ledger, and comes first. */
static void on_peer_got(struct nb_stream *stream, size_t length)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    struct nb_debt *debt = &socket->debt;
    nb_debt_pay(socket->account, debt, length < debt->length ? length : debt->length);
    nb_socket_note_sent(socket, length);
    if (stream->queue.length <= NB_CHANNEL_LOW)
        update_intake(socket->channel);
}

static void on_client_end(struct nb_stream *stream)
{
    end_writing(CHANNEL_OF(stream));
    nb_stream_watch_close(stream);
}

/* The client has closed it, and not just its own direction. */
static void on_client_hangup(struct nb_stream *stream)
{
    lose_reader(CHANNEL_OF(stream));
}

static void on_peer_shut(struct nb_stream *stream, int status)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    (void)status;
    nb_socket_note_finished(socket);
    close_if_done(socket->channel);
}

/* ---- failures ---- */

/* The client is given what came before, then nothing more. */
static void on_peer_failure(struct nb_stream *stream, int status, const char *syscall)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    struct nb_channel *channel = socket->channel;
    struct nb_failure *failure = nb_failure_system(status, syscall);
    nb_stream_stop_reading(stream);
    socket->has_ended = true;
    if (channel->is_shut) {
        nb_socket_close(socket, failure);
        return;
    }
    nb_failure_unref(channel->failure);
    channel->failure = failure;
    nb_stream_shutdown(&channel->stream);
    update_intake(channel);
}

static void on_channel_failure(struct nb_stream *stream, int status, const char *syscall)
{
    struct nb_channel *channel = CHANNEL_OF(stream);
    (void)status;
    if (*syscall == 'r')
        end_writing(channel);
    lose_reader(channel);
}

static void on_channel_closed(struct nb_stream *stream)
{
    struct nb_channel *channel = CHANNEL_OF(stream);
    channel->in_use = false;
    nb_socket_stream_closed(channel->socket);
}

const struct nb_stream_ops nb_channel_ops = {
    .reserve = reserve_for_peer,
    .on_bytes = pass_to_peer,
    .on_end = on_client_end,
    .on_sent = on_client_got,
    .on_shut = on_channel_shut,
    .on_hangup = on_client_hangup,
    .on_failure = on_channel_failure,
    .on_closed = on_channel_closed,
};

const struct nb_stream_ops nb_channel_peer_ops = {
    .reserve = reserve_for_client,
    .on_bytes = pass_to_client,
    .on_end = on_peer_end,
    .on_sent = on_peer_got,
    .on_shut = on_peer_shut,
    .on_failure = on_peer_failure,
    .on_closed = nb_socket_on_closed,
};

/* ---- the beginning, and the session's end ---- */

/* What was read, and not told of. UV_ENOMEM. */
static int pass_unread(struct nb_channel *channel)
{
    struct nb_socket *socket = channel->socket;
    struct nb_decoder *decoder = &socket->decoder;
    int status = nb_stream_write_copy(&channel->stream, decoder->kept, decoder->kept_length);
    if (status == 0)
        status = nb_stream_write(&channel->stream, socket->unread);
    socket->bytes_read += socket->unread.length;
    socket->decoder = (struct nb_decoder){0};
    nb_socket_drop_unread(socket);
    return status;
}

void nb_channel_begin(struct nb_channel *channel)
{
    struct nb_socket *socket = channel->socket;
    nb_stream_set_ops(&socket->stream, &nb_channel_peer_ops);
    if (pass_unread(channel) < 0) {
        fail_for_memory(socket, "read");
        return;
    }
    channel->end_was_told = socket->has_ended;
    if (socket->has_ended)
        nb_stream_shutdown(&channel->stream);
    if (socket->is_ending) {
        shutdown(channel->stream.fd, SHUT_RD);
        nb_stream_watch_close(&channel->stream);
    }
    nb_socket_update_reading(socket);
    update_intake(channel);
}

static void take_last_bytes(struct nb_channel *channel)
{
    struct nb_socket *socket = channel->socket;
    struct nb_intake *intake = &socket->account->intake;
    for (int i = 0; i < LAST_READS && !socket->is_ending; i++) {
        uint8_t *room = nb_intake_reserve(intake, NB_CHANNEL_READ);
        ssize_t length = room ? recv(channel->stream.fd, room, NB_CHANNEL_READ, MSG_DONTWAIT) : 0;
        if (length > 0)
            write_to_peer(socket, nb_intake_commit(intake, (size_t)length));
        nb_intake_settle(intake);
        if (length <= 0)
            return;
    }
}

void nb_channel_part(struct nb_channel *channel)
{
    struct nb_socket *socket = channel->socket;
    struct nb_stream *stream = &socket->stream;
    if (!channel->in_use)
        return;
    nb_stream_flush(&channel->stream);
    if (socket->state == NB_SOCKET_OPEN && channel->failure)
        nb_socket_close(socket, NULL);
    if (socket->state != NB_SOCKET_OPEN)
        return;
    take_last_bytes(channel);
    nb_debt_add(socket->account, &socket->debt, stream->queue.length - socket->debt.length);
    nb_stream_set_ops(stream, &nb_socket_stream_ops);
    nb_stream_close(&channel->stream);
}
