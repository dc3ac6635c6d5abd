#include "pack.h"
#include "schema.h"
#include "socket.h"

#include <errno.h>
#include <string.h>

enum {
    /* Bytes of a write's frame before its payload, at most. */
    WRITE_HEADER = 64,
    /* Below this a copy is cheaper than a vector of its own. */
    BORROW_MINIMUM = 4 << 10,
};

/* ---- frames ---- */

/* Room for so many bytes in frames, so that sending them cannot fail half way. */
static int reserve(struct netbroker_session *session, size_t length, bool copies)
{
    size_t chunks = length / session->write_chunk + 1;
    return nbc_outbox_reserve(&session->outbox, chunks * WRITE_HEADER + (copies ? length : 0),
                              copies ? 0 : chunks);
}

/* The start of a frame; its payload must follow. Needs a reserve. */
static struct netbroker_packer *pack_header(struct netbroker_socket *socket, size_t length)
{
    struct netbroker_packer *packer = &socket->actor.session->outbox.frames;
    nbc_window_sent(socket, length);
    netbroker_pack_array(packer, 3);
    netbroker_pack_uint(packer, 2);
    netbroker_pack_str_n(packer, NETBROKER_METHOD_SOCKET_WRITE, sizeof NETBROKER_METHOD_SOCKET_WRITE - 1);
    netbroker_pack_array(packer, 2);
    netbroker_pack_uint(packer, socket->actor.id);
    nbc_pack_bin_header(packer, length);
    return packer;
}

static size_t chunk_of(const struct netbroker_socket *socket, size_t length)
{
    size_t most = socket->actor.session->write_chunk;
    return length < most ? length : most;
}

static int send_copy(struct netbroker_socket *socket, const char *bytes, size_t length)
{
    int result = reserve(socket->actor.session, length, true);
    for (size_t at = 0; result == 0 && at < length;) {
        size_t chunk = chunk_of(socket, length - at);
        nbc_pack_raw(pack_header(socket, chunk), bytes + at, chunk);
        at += chunk;
    }
    return result;
}

/* Releases with the last of its frames. */
static int send_borrowed(struct netbroker_socket *socket, const char *bytes, size_t length,
                         void (*release)(void *context), void *context)
{
    int result = reserve(socket->actor.session, length, false);
    for (size_t at = 0; result == 0 && at < length;) {
        size_t chunk = chunk_of(socket, length - at);
        pack_header(socket, chunk);
        at += chunk;
        nbc_outbox_borrow(&socket->actor.session->outbox, bytes + at - chunk, chunk,
                          at == length ? release : NULL, context);
    }
    return result;
}

/* ---- the backlog ---- */

/* One frame off the front. */
static int send_backlog(struct netbroker_socket *socket, size_t most)
{
    int result = reserve(socket->actor.session, most, false);
    if (result < 0)
        return result;
    struct nbc_lent lent = nbc_backlog_take(&socket->backlog, most);
    socket->queued -= lent.length;
    return send_borrowed(socket, lent.bytes, lent.length, nbc_segment_release, lent.segment);
}

/* Sends what may be under way now, and the end once that is all. A failure matters only if no news is to come. */
static int pump(struct netbroker_socket *socket)
{
    int result = 0;
    size_t most;
    while (result == 0 && !nbc_backlog_is_empty(&socket->backlog) && (most = nbc_window_room(socket)) > 0)
        result = send_backlog(socket, chunk_of(socket, most));
    if (socket->end_waits && nbc_backlog_is_empty(&socket->backlog)) {
        result = nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_END);
        socket->end_waits = result < 0;
    }
    if (nbc_window_ahead(socket) > 0)
        return 0;
    if (result == 0 && !nbc_backlog_is_empty(&socket->backlog))
        nbc_window_line_up(socket);
    return result;
}

static void fail_for_memory(struct netbroker_socket *socket)
{
    static const struct netbroker_error cause = {
        .code = "ENOMEM", .message = "no memory to send what was written", .error_number = -ENOMEM};
    nbc_socket_fail(socket, &cause);
    netbroker_socket_destroy(socket);
}

void nbc_socket_pump(struct netbroker_socket *socket)
{
    const struct netbroker_session *session = socket->actor.session;
    bool is_open = !socket->failed && !socket->destroyed && !session->failure && !session->write_broken;
    if (is_open && pump(socket) < 0)
        fail_for_memory(socket);
}

static void count_flushed(struct netbroker_socket *socket, uint64_t length)
{
    struct netbroker_session *session = socket->actor.session;
    session->unflushed -= length;
    if (!socket->needs_drain || netbroker_socket_unflushed(socket) > session->options.high_water_mark / 2)
        return;
    socket->needs_drain = false;
    if (socket->events->on_drain && !socket->destroyed)
        socket->events->on_drain(socket, socket->context);
}

int nbc_socket_on_flushed(struct nbc_actor *actor, struct netbroker_cursor body)
{
    struct netbroker_socket *socket = (struct netbroker_socket *)actor;
    struct netbroker_value value;
    uint64_t more;
    if (netbroker_read(&body, &value) < 0 || value.type != NETBROKER_UINT ||
        nbc_window_flushed(socket, value.uint64, &more) < 0)
        return -EBADMSG;
    nbc_socket_pump(socket);
    nbc_window_serve_line(actor->session);
    count_flushed(socket, more);
    return 0;
}

void nbc_socket_drop_backlog(struct netbroker_socket *socket)
{
    nbc_backlog_clear(&socket->backlog);
    socket->actor.session->unflushed -= socket->queued;
    socket->queued = 0;
    socket->end_waits = false;
}

void nbc_socket_forget_writes(struct netbroker_socket *socket)
{
    nbc_socket_drop_backlog(socket);
    socket->actor.session->unflushed -= nbc_window_ahead(socket);
    nbc_window_leave(socket);
}

/* ---- writing ---- */

static int check(const struct netbroker_socket *socket, size_t length)
{
    const struct netbroker_session *session = socket->actor.session;
    if (session->failure || session->write_broken)
        return -ENOTCONN;
    if (socket->ended || socket->destroyed)
        return -EPIPE;
    if (socket->has_channel)
        return -EBUSY;
    uint64_t unflushed = netbroker_socket_unflushed(socket);
    if (unflushed > 0 &&
        (unflushed > session->options.max_unflushed || length > session->options.max_unflushed - unflushed))
        return -ENOBUFS;
    return 0;
}

static bool goes_at_once(const struct netbroker_socket *socket, size_t length)
{
    return nbc_backlog_is_empty(&socket->backlog) && length <= nbc_window_room(socket);
}

/* News of what is under way make a backlog go on: without any, makes sure that its first frame can be sent. */
static int prepare_backlog(struct netbroker_socket *socket)
{
    struct netbroker_session *session = socket->actor.session;
    return nbc_window_ahead(socket) > 0 ? 0 : reserve(session, session->write_chunk, false);
}

static int add_copy(struct netbroker_socket *socket, const void *bytes, size_t length)
{
    int result = prepare_backlog(socket);
    if (result < 0)
        return result;
    result = nbc_backlog_copy(&socket->backlog, socket->actor.session->options.allocator, bytes, length);
    socket->queued += result == 0 ? length : 0;
    return result;
}

static int add_borrowed(struct netbroker_socket *socket, const void *bytes, size_t length,
                        void (*release)(void *context), void *context)
{
    int result = prepare_backlog(socket);
    if (result < 0)
        return result;
    result = nbc_backlog_borrow(&socket->backlog, socket->actor.session->options.allocator, bytes, length,
                                release, context);
    socket->queued += result == 0 ? length : 0;
    return result;
}

static int count_written(struct netbroker_socket *socket, size_t length)
{
    struct netbroker_session *session = socket->actor.session;
    session->unflushed += length;
    pump(socket);
    socket->needs_drain |= netbroker_socket_unflushed(socket) >= session->options.high_water_mark;
    return socket->needs_drain ? 1 : 0;
}

int netbroker_socket_write(struct netbroker_socket *socket, const void *bytes, size_t length)
{
    int result = check(socket, length);
    if (result < 0 || length == 0)
        return result < 0 ? result : socket->needs_drain;
    result =
        goes_at_once(socket, length) ? send_copy(socket, bytes, length) : add_copy(socket, bytes, length);
    return result < 0 ? result : count_written(socket, length);
}

int netbroker_socket_write_borrowed(struct netbroker_socket *socket, const void *bytes, size_t length,
                                    void (*release)(void *context), void *context)
{
    if (length < BORROW_MINIMUM) {
        int result = netbroker_socket_write(socket, bytes, length);
        if (result >= 0 && release)
            release(context);
        return result;
    }
    int result = check(socket, length);
    if (result < 0)
        return result;
    result = goes_at_once(socket, length) ? send_borrowed(socket, bytes, length, release, context)
                                          : add_borrowed(socket, bytes, length, release, context);
    return result < 0 ? result : count_written(socket, length);
}

uint64_t netbroker_socket_unflushed(const struct netbroker_socket *socket)
{
    return nbc_window_ahead(socket) + socket->queued;
}
