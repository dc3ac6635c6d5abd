/* The socket actor's write side: write, end, and what the kernel took. */
#include "memory.h"
#include "socket_internal.h"

#include <string.h>

/* ---- what the kernel took ---- */

static bool is_write(const struct nb_command *command)
{
    return command->reply.method->index == NB_METHOD_SOCKET_WRITE;
}

static void answer_writes(struct nb_socket *socket)
{
    struct nb_command *first;
    while ((first = socket->requests.first) && is_write(first) && first->offset <= socket->bytes_sent) {
        struct nb_command *command = nb_socket_next_request(socket);
        nb_Written written = {.has_bytes_written = true, .bytes_written = socket->bytes_sent};
        nb_reply_result(socket->actor.loop, &command->reply, &written, NULL);
        nb_message_dispose(socket->actor.loop, &command->message);
    }
}

/* Tells what the bytes sent so far have brought about. */
static void tell_sent(struct nb_socket *socket)
{
    nb_flow_tell(socket);
    if (socket->needs_drain && !socket->is_ending && socket->bytes_sent == socket->bytes_written) {
        socket->needs_drain = false;
        nb_event_emit(socket->account, NB_EVENT_SOCKET_DRAIN, socket->name);
    }
    answer_writes(socket);
}

void nb_socket_note_sent(struct nb_socket *socket, size_t length)
{
    socket->bytes_sent += length;
    nb_socket_touch(socket);
    answer_writes(socket);
}

void nb_socket_sent(struct nb_stream *stream, size_t length)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    socket->bytes_sent += length;
    nb_debt_pay(socket->account, &socket->debt, length);
    nb_lingering_pay(socket->actor.loop, &socket->lingerer, length);
    nb_socket_touch(socket);
    tell_sent(socket);
}

static void answer_ends(struct nb_socket *socket)
{
    struct nb_command *first;
    while ((first = socket->requests.first) && first->reply.method->index == NB_METHOD_SOCKET_END) {
        struct nb_command *command = nb_socket_next_request(socket);
        nb_reply_done(socket->actor.loop, &command->reply);
        nb_message_dispose(socket->actor.loop, &command->message);
    }
}

void nb_socket_note_finished(struct nb_socket *socket)
{
    socket->has_finished = true;
    nb_socket_touch(socket);
    answer_ends(socket);
}

/* Node does not look at the status either: a peer that is gone by now shows up as a read error or end. */
void nb_socket_shut(struct nb_stream *stream, int status)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    (void)status;
    nb_socket_note_finished(socket);
    if (socket->is_lingering && !socket->has_ended)
        nb_stream_discard_input(stream); /* unread bytes would turn the close into a reset */
    if ((socket->is_lingering || socket->has_ended) && !socket->offer)
        nb_socket_close(socket, NULL);
}

void nb_socket_end_writing(struct nb_socket *socket)
{
    socket->is_ending = true;
    if (socket->state == NB_SOCKET_OPEN)
        nb_stream_shutdown(&socket->stream);
}

/* ---- writing ---- */

static int queue_to_stream(struct nb_socket *socket, struct nb_bytes bytes)
{
    if (socket->bytes_sent == socket->bytes_written) /* as in Node, where further ones wait for the first */
        nb_socket_touch(socket);
    return nb_stream_write(&socket->stream, bytes);
}

static int queue_to_dial(struct nb_socket *socket, struct nb_bytes bytes)
{
    int status = nb_write_queue_share(nb_socket_early_writes(socket), bytes);
    nb_write_queue_settle(nb_socket_early_writes(socket));
    return status;
}

/* NULL: it went well. */
static struct nb_failure *queue_bytes(struct nb_socket *socket, struct nb_bytes bytes)
{
    struct nb_failure *objection = nb_flow_objection(socket, bytes.length);
    if (objection)
        return objection;
    int status =
        socket->state == NB_SOCKET_OPEN ? queue_to_stream(socket, bytes) : queue_to_dial(socket, bytes);
    if (status < 0)
        return nb_failure_system(status, "write");
    nb_debt_add(socket->account, &socket->debt, bytes.length);
    nb_flow_wrote(socket, bytes.length);
    socket->bytes_written += bytes.length;
    if (socket->bytes_written - socket->bytes_sent >= socket->high_water_mark)
        socket->needs_drain = true;
    return NULL;
}

/* A text in another encoding than UTF-8 becomes bytes in a chunk of its own. */
static struct nb_failure *queue_encoded(struct nb_socket *socket, enum nb_encoding encoding,
                                        struct nb_slice text)
{
    struct nb_chunk *chunk = nb_chunk_new(&socket->actor.loop->pool, nb_encode_bound(encoding, text.length));
    if (!chunk)
        return nb_failure_system(UV_ENOMEM, "write");
    size_t length = nb_encode_text(encoding, text, chunk->bytes);
    struct nb_failure *failure = queue_bytes(socket, (struct nb_bytes){chunk->bytes, length, chunk});
    nb_chunk_unref(chunk);
    return failure;
}

/* An encoding counts for text only, as in Node. */
static struct nb_failure *queue_payload(struct nb_socket *socket, const struct nb_command *command,
                                        int encoding)
{
    struct nb_slice data = command->params.socket_write.data;
    if (command->payload_is_text && encoding > NB_UTF8)
        return queue_encoded(socket, (enum nb_encoding)encoding, data);
    return queue_bytes(socket, (struct nb_bytes){data.data, data.length, command->chunk});
}

/* Writing in a wrong state ends the socket, and the answer comes behind the events that tell it. */
static void fail_write(struct nb_socket *socket, struct nb_command **command, struct nb_failure *failure)
{
    (*command)->failure = nb_failure_ref(failure);
    nb_socket_keep_request(socket, nb_command_take(command));
    nb_socket_close(socket, failure);
}

/* The client has ended its side, or the peer's end has, as allowHalfOpen is not set. */
static struct nb_failure *after_end(const struct nb_socket *socket)
{
    if (socket->was_ended_by_peer)
        return nb_failure_make("EPIPE", NULL, "This socket has been ended by the other party");
    return nb_failure_make("ERR_STREAM_WRITE_AFTER_END", NULL, "write after end");
}

/* Carries out the data of a write or an end; false: it failed and has been dealt with. */
static bool write_data(struct nb_socket *socket, struct nb_command **command)
{
    const nb_SocketWrite *params = &(*command)->params.socket_write;
    struct nb_loop *loop = socket->actor.loop;
    int encoding = params->encoding.data ? nb_encoding_of(params->encoding) : NB_UTF8;
    if (encoding < 0) {
        nb_reply_throw(loop, &(*command)->reply, nb_failure_unknown_encoding(params->encoding));
        return false;
    }
    if (socket->is_ending) {
        fail_write(socket, command, after_end(socket));
        return false;
    }
    if (socket->state == NB_SOCKET_FRESH) {
        fail_write(socket, command, nb_failure_socket_closed());
        return false;
    }
    struct nb_failure *failure = queue_payload(socket, *command, encoding);
    if (failure)
        fail_write(socket, command, failure);
    return !failure;
}

nb_handler nb_on_socket_write, nb_on_socket_end;

void nb_on_socket_write(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    if (!(*command)->params.socket_write.data.data) {
        nb_reply_throw(
            self->loop, &(*command)->reply,
            nb_failure_make("ERR_STREAM_NULL_VALUES", "TypeError", "May not write null values to stream"));
        return;
    }
    if (nb_socket_is_destroyed(socket)) {
        nb_reply_fail(self->loop, &(*command)->reply, nb_failure_destroyed("write"));
        return;
    }
    if (!write_data(socket, command))
        return;
    (*command)->offset = socket->bytes_written;
    nb_socket_keep_request(socket, nb_command_take(command));
    if (socket->state == NB_SOCKET_OPEN) /* an empty write is done already */
        tell_sent(socket);
}

void nb_on_socket_end(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    bool has_data = (*command)->params.socket_write.data.data != NULL;
    if (nb_socket_is_destroyed(socket)) {
        nb_reply_fail(self->loop, &(*command)->reply, nb_failure_destroyed("end"));
        return;
    }
    if (has_data && !write_data(socket, command))
        return;
    bool was_ending = socket->is_ending;
    if (socket->state == NB_SOCKET_FRESH)
        socket->is_ending = socket->has_finished = true;
    if (socket->has_finished) {
        nb_reply_done(self->loop, &(*command)->reply);
        return;
    }
    nb_socket_keep_request(socket, nb_command_take(command));
    if (!was_ending)
        nb_socket_end_writing(socket);
}
