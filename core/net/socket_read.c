/* The socket actor's read side: bytes and their decoding, pause and resume, the peer's end. */
#include "socket_internal.h"

#include <stddef.h>

static bool may_read(const struct nb_socket *socket)
{
    return socket->state == NB_SOCKET_OPEN && !socket->is_paused && !socket->has_ended &&
           !socket->is_lingering && !socket->offer && nb_socket_channel_has_room(socket);
}

void nb_socket_update_reading(struct nb_socket *socket)
{
    if (socket->state != NB_SOCKET_OPEN)
        return;
    if (!may_read(socket))
        nb_stream_stop_reading(&socket->stream);
    else if (socket->unread.length)
        nb_loop_flush_later(socket->actor.loop, &socket->tell_unread);
    else
        nb_stream_start_reading(&socket->stream);
}

uint8_t *nb_socket_reserve(struct nb_stream *stream, size_t *ret_size)
{
    static uint8_t none;
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    struct nb_account *account = socket->account;
    uint8_t *room = NULL;
    *ret_size = nb_flow_room(socket);
    if (!account->gate_is_closed)
        room = *ret_size ? nb_intake_reserve(&account->intake, *ret_size) : &none;
    if (room)
        return room;
    nb_stream_stop_reading(stream);
    if (account->gate_is_closed)
        nb_account_wait_at_gate(account, &socket->at_gate);
    else
        nb_socket_close(socket, nb_failure_system(UV_ENOMEM, "read"));
    return NULL;
}

static void emit_payload(struct nb_socket *socket, struct nb_bytes bytes, bool is_text)
{
    struct nb_event_message *event = nb_event_new(socket->account, NB_EVENT_SOCKET_DATA, socket->name);
    if (!event)
        return;
    event->body.data.data = (struct nb_slice){bytes.data, bytes.length};
    event->chunk = nb_chunk_ref(bytes.chunk);
    event->payload_is_text = is_text;
    nb_account_send_data(socket->account, bytes.length);
    nb_event_send(socket->account, event);
    nb_flow_sent_data(socket);
}

static size_t decode(struct nb_decoder *decoder, const uint8_t *data, size_t length, void *out)
{
    return data ? nb_decode(decoder, data, length, out) : nb_decode_end(decoder, out);
}

/* The text of a long read may need more than an intake gives; it gets a chunk of its own. */
static void emit_long_text(struct nb_socket *socket, const uint8_t *data, size_t length, size_t bound)
{
    struct nb_account *account = socket->account;
    struct nb_chunk *chunk = nb_chunk_new(&account->loop->pool, bound);
    if (!chunk) {
        nb_stop(account->loop, account->session);
        return;
    }
    size_t used = decode(&socket->decoder, data, length, chunk->bytes);
    if (used)
        emit_payload(socket, (struct nb_bytes){chunk->bytes, used, chunk}, true);
    nb_chunk_unref(chunk);
}

/* Texts are packed like the reads they come from: a short one must not hold a chunk of its own. */
static void emit_text(struct nb_socket *socket, const uint8_t *data, size_t length)
{
    struct nb_account *account = socket->account;
    size_t bound = nb_decode_bound(&socket->decoder, length);
    if (bound > NB_CHUNK_LARGE / 2) {
        emit_long_text(socket, data, length, bound);
        return;
    }
    uint8_t *text = nb_intake_reserve(&account->texts, bound);
    if (!text) {
        nb_stop(account->loop, account->session);
        return;
    }
    size_t used = decode(&socket->decoder, data, length, text);
    if (used)
        emit_payload(socket, nb_intake_commit(&account->texts, used), true);
    nb_intake_settle(&account->texts);
}

static void take(struct nb_socket *socket, struct nb_bytes bytes)
{
    socket->bytes_read += bytes.length;
    nb_socket_touch(socket);
    if (socket->decoder.encoding == NB_ENCODING_NONE)
        emit_payload(socket, bytes, false);
    else
        emit_text(socket, bytes.data, bytes.length);
}

void nb_socket_read(struct nb_stream *stream, size_t length)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    take(socket, nb_intake_commit(&socket->account->intake, length));
    nb_intake_settle(&socket->account->intake);
}

void nb_socket_read_end(struct nb_stream *stream)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    socket->has_ended = true;
    nb_socket_touch(socket);
    if (socket->decoder.encoding != NB_ENCODING_NONE)
        emit_text(socket, NULL, 0);
    nb_event_emit(socket->account, NB_EVENT_SOCKET_END, socket->name);
    if (socket->has_finished) {
        nb_socket_close(socket, NULL);
    } else if (!socket->allow_half_open && !socket->is_ending) {
        socket->was_ended_by_peer = true;
        nb_socket_end_writing(socket);
    }
}

/* ---- what came before the socket was adopted ---- */

void nb_socket_drop_unread(struct nb_socket *socket)
{
    nb_loop_cancel_flush(socket->actor.loop, &socket->tell_unread);
    socket->account->unread -= socket->unread.length;
    nb_chunk_unref(socket->unread.chunk);
    socket->unread = (struct nb_bytes){0};
}

static void tell_part(struct nb_socket *socket, size_t length)
{
    struct nb_bytes *unread = &socket->unread;
    take(socket, (struct nb_bytes){unread->data, length, unread->chunk});
    unread->data += length;
    unread->length -= length;
    socket->account->unread -= length;
    if (!unread->length)
        nb_socket_drop_unread(socket);
}

/* As reads would bring it: no more than the windows allow, and in pieces as large. */
static void tell_unread(struct nb_flush *flush)
{
    struct nb_socket *socket = (struct nb_socket *)((char *)flush - offsetof(struct nb_socket, tell_unread));
    struct nb_account *account = socket->account;
    while (may_read(socket) && socket->unread.length) {
        size_t room = nb_flow_room(socket);
        if (account->gate_is_closed)
            nb_account_wait_at_gate(account, &socket->at_gate);
        if (account->gate_is_closed || !room)
            return;
        tell_part(socket, room < socket->unread.length ? room : socket->unread.length);
    }
    nb_socket_update_reading(socket);
}

void nb_socket_read_init(struct nb_socket *socket)
{
    socket->tell_unread.run = tell_unread;
}

/* ---- commands ---- */

nb_handler nb_on_socket_pause, nb_on_socket_resume, nb_on_socket_set_encoding;

void nb_on_socket_pause(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    socket->is_paused = true;
    nb_socket_update_reading(socket);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_socket_resume(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    socket->is_paused = false;
    nb_socket_update_reading(socket);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_socket_set_encoding(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    struct nb_slice name = (*command)->params.set_encoding.encoding;
    int encoding = name.data ? nb_encoding_of(name) : NB_ENCODING_NONE;
    if (encoding < 0) {
        nb_reply_throw(self->loop, &(*command)->reply, nb_failure_unknown_encoding(name));
        return;
    }
    socket->decoder = (struct nb_decoder){.encoding = (enum nb_encoding)encoding};
    nb_reply_done(self->loop, &(*command)->reply);
}
