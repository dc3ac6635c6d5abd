/* The socket actor's read side: bytes and their decoding, pause and resume, the peer's end. */
#include "socket_internal.h"

void nb_socket_update_reading(struct nb_socket *socket)
{
    if (socket->state != NB_SOCKET_OPEN)
        return;
    if (socket->is_paused || socket->has_ended || socket->is_lingering)
        nb_stream_stop_reading(&socket->stream);
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

void nb_socket_read(struct nb_stream *stream, size_t length)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    struct nb_bytes bytes = nb_intake_commit(&socket->account->intake, length);
    socket->bytes_read += length;
    nb_socket_touch(socket);
    if (socket->decoder.encoding == NB_ENCODING_NONE)
        emit_payload(socket, bytes, false);
    else
        emit_text(socket, bytes.data, length);
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
