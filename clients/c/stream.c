#include "stream.h"
#include "deadline.h"
#include "memory.h"
#include "session.h"

#include <errno.h>
#include <string.h>

enum { WRITE_STEP = 256 << 10, FIRST_INBOX = 4 << 10 };

static void fail_for_memory(struct netbroker_stream *stream)
{
    strcpy(stream->error.code, "ENOMEM");
    strcpy(stream->error.message, "no memory for received data");
    netbroker_socket_destroy(stream->socket);
}

static bool make_room(struct netbroker_stream *stream, size_t length)
{
    size_t kept = stream->inbox_length - stream->inbox_head;
    if (stream->inbox_head > 0)
        memmove(stream->inbox, stream->inbox + stream->inbox_head, kept);
    stream->inbox_head = 0;
    stream->inbox_length = kept;
    size_t capacity = stream->inbox_capacity ? stream->inbox_capacity : FIRST_INBOX;
    while (capacity < kept + length)
        capacity *= 2;
    if (capacity == stream->inbox_capacity)
        return true;
    char *inbox = nbc_resize(stream->allocator, stream->inbox, capacity);
    if (!inbox)
        return false;
    stream->inbox = inbox;
    stream->inbox_capacity = capacity;
    return true;
}

/* ---- events ---- */

static void on_connect(struct netbroker_socket *socket, void *context)
{
    ((struct netbroker_stream *)context)->connected = true;
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    struct netbroker_stream *stream = context;
    if (stream->inbox_capacity - stream->inbox_length < length && !make_room(stream, length)) {
        fail_for_memory(stream);
        return;
    }
    memcpy(stream->inbox + stream->inbox_length, bytes, length);
    stream->inbox_length += length;
}

static void on_end(struct netbroker_socket *socket, void *context)
{
    ((struct netbroker_stream *)context)->peer_ended = true;
}

static void on_error(struct netbroker_socket *socket, void *context, const struct netbroker_error *error)
{
    ((struct netbroker_stream *)context)->error = *error;
}

static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    static const struct netbroker_error cut_short = {.code = "ERR_SOCKET_CLOSED",
                                                     .message = "Socket closed before its peer had ended"};
    struct netbroker_stream *stream = context;
    stream->socket = NULL;
    if (!stream->peer_ended && !stream->error.code[0])
        stream->error = cut_short;
}

static const struct netbroker_socket_events events = {.on_connect = on_connect,
                                                      .on_data = on_data,
                                                      .on_end = on_end,
                                                      .on_error = on_error,
                                                      .on_close = on_close};

/* ---- life ---- */

void netbroker_stream_free(struct netbroker_stream *stream)
{
    if (!stream)
        return;
    if (stream->socket) {
        netbroker_socket_set_events(stream->socket, NULL, NULL);
        if (!stream->peer_ended || (stream->half_open && !stream->ended))
            netbroker_socket_destroy(stream->socket);
    }
    nbc_resize(stream->allocator, stream->inbox, 0);
    nbc_resize(stream->allocator, stream, 0);
}

/* A callback of the program may free the session meanwhile, and with it the socket. */
static int turn(struct netbroker_stream *stream, struct nbc_deadline *deadline)
{
    int result = nbc_wait_until(stream->session, deadline);
    if (result == -ECANCELED) {
        stream->session = NULL;
        stream->socket = NULL;
    }
    return result;
}

struct netbroker_stream *nbc_stream_new(struct netbroker_session *session, bool half_open)
{
    const struct netbroker_allocator *allocator = session->options.allocator;
    struct netbroker_stream *stream = nbc_resize(allocator, NULL, sizeof *stream);
    if (stream)
        *stream =
            (struct netbroker_stream){.allocator = allocator, .session = session, .half_open = half_open};
    return stream;
}

void nbc_stream_accept(struct netbroker_stream *stream, struct netbroker_socket *socket)
{
    stream->socket = socket;
    stream->connected = true;
    netbroker_socket_set_events(socket, &events, stream);
}

static int connect_stream(struct netbroker_stream *stream, const struct netbroker_connect_options *options,
                          struct nbc_deadline *deadline)
{
    struct netbroker_connect_options filled = *options;
    filled.consume_by_hand = true;
    int result = netbroker_create_connection(stream->session, &filled, &events, stream, &stream->socket);
    while (result == 0 && stream->socket && !stream->connected)
        result = turn(stream, deadline);
    return stream->connected ? 0 : result < 0 ? result : -EREMOTEIO;
}

int netbroker_stream_connect(struct netbroker_session *session,
                             const struct netbroker_connect_options *options, int timeout,
                             struct netbroker_stream **ret_stream, struct netbroker_error *ret_error)
{
    struct nbc_deadline deadline = nbc_deadline_in(timeout);
    struct netbroker_stream *stream = nbc_stream_new(session, options->allow_half_open);
    if (!stream)
        return -ENOMEM;
    int result = connect_stream(stream, options, &deadline);
    if (result == 0) {
        *ret_stream = stream;
        return 0;
    }
    if (result == -EREMOTEIO && ret_error)
        *ret_error = stream->error;
    netbroker_stream_free(stream);
    return result;
}

/* ---- reading and writing ---- */

/* Without memory it is made up for with the next read. */
static void give_credit(struct netbroker_stream *stream, size_t length)
{
    if (stream->socket)
        stream->owes_credit = netbroker_socket_consumed(stream->socket, length) == -ENOMEM;
}

static size_t take(struct netbroker_stream *stream, void *buffer, size_t size)
{
    size_t kept = stream->inbox_length - stream->inbox_head;
    size_t length = kept < size ? kept : size;
    if (length > 0)
        memcpy(buffer, stream->inbox + stream->inbox_head, length);
    stream->inbox_head += length;
    if (stream->inbox_head == stream->inbox_length)
        stream->inbox_head = stream->inbox_length = 0;
    give_credit(stream, length);
    return length;
}

long netbroker_stream_read(struct netbroker_stream *stream, void *buffer, size_t size, int timeout)
{
    struct nbc_deadline deadline = nbc_deadline_in(timeout);
    int result = 0;
    if (stream->owes_credit)
        give_credit(stream, 0);
    while (result == 0 && stream->inbox_head == stream->inbox_length && !stream->peer_ended && stream->socket)
        result = turn(stream, &deadline);
    if (stream->inbox_head < stream->inbox_length)
        return (long)take(stream, buffer, size);
    if (stream->error.code[0])
        return -EREMOTEIO;
    if (stream->peer_ended)
        return 0;
    return stream->session ? result : -ECANCELED;
}

/* Waits until no more than `most` bytes are unflushed. */
static int drain(struct netbroker_stream *stream, uint64_t most, struct nbc_deadline *deadline)
{
    int result = 0;
    while (result == 0 && stream->socket && netbroker_socket_unflushed(stream->socket) > most)
        result = turn(stream, deadline);
    if (!stream->session)
        return -ECANCELED;
    if (!stream->socket)
        return stream->error.code[0] ? -EREMOTEIO : -EPIPE;
    return netbroker_socket_unflushed(stream->socket) > most ? result : 0;
}

int netbroker_stream_write(struct netbroker_stream *stream, const void *bytes, size_t length, int timeout)
{
    struct nbc_deadline deadline = nbc_deadline_in(timeout);
    for (size_t at = 0; at < length;) {
        size_t step = length - at < WRITE_STEP ? length - at : WRITE_STEP;
        int result = drain(stream, WRITE_STEP, &deadline);
        if (result == 0)
            result = netbroker_socket_write(stream->socket, (const char *)bytes + at, step);
        if (result < 0)
            return result;
        at += step;
    }
    return drain(stream, 0, &deadline);
}

int netbroker_stream_end(struct netbroker_stream *stream)
{
    stream->ended = true;
    return stream->socket ? netbroker_socket_end(stream->socket) : 0;
}

const struct netbroker_error *netbroker_stream_error(const struct netbroker_stream *stream)
{
    return &stream->error;
}

struct netbroker_socket *netbroker_stream_socket(const struct netbroker_stream *stream)
{
    return stream->socket;
}
