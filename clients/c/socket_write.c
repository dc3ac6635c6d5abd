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
    /*
     * The broker stops reading a session, commands included, when 2 MiB of it
     * are unflushed. So that peers that do not read hold up nobody else, less
     * than that is under way, and beyond it one small frame for each socket.
     */
    SESSION_WINDOW = 1536 << 10,
    SPARE = 8 << 10,
};

/*
 * Bytes that may be sent now. A socket may have twice as much in flight as it
 * leaves free: alone two thirds of the window, and however many are stuck, some
 * is left. Never a sliver, and never nothing while nothing is in flight, so that
 * an answer will come to go on with.
 */
static size_t room(const struct netbroker_socket *socket)
{
    const struct netbroker_session *session = socket->actor.session;
    uint64_t left = session->in_flight < SESSION_WINDOW ? SESSION_WINDOW - session->in_flight : 0;
    uint64_t bytes = socket->in_flight < 2 * left ? (2 * left - socket->in_flight) / 3 : 0;
    /* Half of all requests is kept for commands. */
    bool enough = bytes >= SPARE && session->requests.open <= NBC_MAX_REQUESTS / 2;
    return enough ? (size_t)bytes : socket->in_flight == 0 ? SPARE : 0;
}

/* ---- frames ---- */

static void on_written(struct netbroker_session *session, const struct nbc_request *request,
                       const struct netbroker_reply *reply);

/* Room for so many bytes in frames, so that sending them cannot fail half way. */
static int reserve(struct netbroker_session *session, size_t length, bool copies)
{
    size_t chunks = length / session->write_chunk + 1;
    int result = nbc_requests_reserve(&session->requests, chunks);
    if (result < 0)
        return result;
    return nbc_outbox_reserve(&session->outbox, chunks * WRITE_HEADER + (copies ? length : 0),
                              copies ? 0 : chunks);
}

/* The start of a frame; its payload must follow. Needs a reserve. */
static struct netbroker_packer *pack_header(struct netbroker_socket *socket, size_t length)
{
    struct netbroker_session *session = socket->actor.session;
    struct netbroker_packer *packer = &session->outbox.frames;
    struct nbc_request request = {
        .on_reply = on_written, .target = socket->actor.id, .bytes = (uint32_t)length};
    socket->in_flight += length;
    session->in_flight += length;
    netbroker_pack_array(packer, 4);
    netbroker_pack_uint(packer, 0);
    netbroker_pack_uint(packer, nbc_requests_open(&session->requests, &request));
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
    return send_borrowed(socket, lent.bytes, lent.length, nbc_segment_release, lent.segment);
}

/* Sends what may be under way now, and the end once that is all. A failure matters only if no answer is to come. */
static int pump(struct netbroker_socket *socket)
{
    int result = 0;
    size_t most;
    while (result == 0 && !nbc_backlog_is_empty(&socket->backlog) && (most = room(socket)) > 0)
        result = send_backlog(socket, chunk_of(socket, most));
    if (socket->end_waits && nbc_backlog_is_empty(&socket->backlog)) {
        result = nbc_command(&socket->actor, NETBROKER_METHOD_SOCKET_END);
        socket->end_waits = result < 0;
    }
    return socket->in_flight > 0 ? 0 : result;
}

static void fail_for_memory(struct netbroker_socket *socket)
{
    static const struct netbroker_error cause = {
        .code = "ENOMEM", .message = "no memory to send what was written", .error_number = -ENOMEM};
    nbc_socket_fail(socket, &cause);
    netbroker_socket_destroy(socket);
}

static void on_written(struct netbroker_session *session, const struct nbc_request *request,
                       const struct netbroker_reply *reply)
{
    struct netbroker_socket *socket = nbc_table_get(&session->actors, request->target);
    session->in_flight -= request->bytes;
    if (!socket)
        return;
    socket->in_flight -= request->bytes;
    socket->unflushed -= request->bytes;
    session->unflushed -= request->bytes;
    if (reply->error) {
        nbc_socket_fail(socket, reply->error);
        return;
    }
    if (!socket->failed && !socket->destroyed && pump(socket) < 0)
        fail_for_memory(socket);
    if (socket->needs_drain && socket->unflushed <= session->options.high_water_mark / 2) {
        socket->needs_drain = false;
        if (socket->events->on_drain && !socket->destroyed)
            socket->events->on_drain(socket, socket->context);
    }
}

void nbc_socket_forget_writes(struct netbroker_socket *socket)
{
    nbc_backlog_clear(&socket->backlog);
    socket->end_waits = false;
    socket->actor.session->unflushed -= socket->unflushed;
    socket->unflushed = 0;
}

/* ---- writing ---- */

static int check(const struct netbroker_socket *socket, size_t length)
{
    const struct netbroker_session *session = socket->actor.session;
    if (session->failure || session->write_broken)
        return -ENOTCONN;
    if (socket->ended || socket->destroyed)
        return -EPIPE;
    if (socket->unflushed > 0 && length > session->options.max_unflushed - socket->unflushed)
        return -ENOBUFS;
    return 0;
}

static bool goes_at_once(const struct netbroker_socket *socket, size_t length)
{
    return nbc_backlog_is_empty(&socket->backlog) && length <= room(socket);
}

/* Something must be in flight for a backlog to go on: makes sure that its first frame can be sent. */
static int prepare_backlog(struct netbroker_socket *socket)
{
    struct netbroker_session *session = socket->actor.session;
    return socket->in_flight > 0 ? 0 : reserve(session, session->write_chunk, false);
}

static int add_copy(struct netbroker_socket *socket, const void *bytes, size_t length)
{
    int result = prepare_backlog(socket);
    if (result < 0)
        return result;
    return nbc_backlog_copy(&socket->backlog, socket->actor.session->options.allocator, bytes, length);
}

static int add_borrowed(struct netbroker_socket *socket, const void *bytes, size_t length,
                        void (*release)(void *context), void *context)
{
    int result = prepare_backlog(socket);
    if (result < 0)
        return result;
    return nbc_backlog_borrow(&socket->backlog, socket->actor.session->options.allocator, bytes, length,
                              release, context);
}

static int count_written(struct netbroker_socket *socket, size_t length)
{
    struct netbroker_session *session = socket->actor.session;
    socket->unflushed += length;
    session->unflushed += length;
    pump(socket);
    socket->needs_drain |= socket->unflushed >= session->options.high_water_mark;
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
    return socket->unflushed;
}
