#include "stream.h"

#include "foreign.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    READS_A_TURN = 4, /* of one stream, while each fills its room */
    DISCARD_READS = 64,
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void run_flush(struct nb_flush *flush);

#define STREAM_OF(pointer, member)                                                                           \
    ((struct nb_stream *)((char *)(pointer)-offsetof(struct nb_stream, member)))

void nb_stream_init(struct nb_stream *stream, struct nb_loop *loop, const struct nb_stream_ops *ops,
                    bool packs)
{
    *stream =
        (struct nb_stream){.loop = loop, .ops = ops, .flush = {.run = run_flush}, .fd = -1, .packs = packs};
    nb_write_queue_init(&stream->queue, &loop->pool);
}

void nb_stream_set_ops(struct nb_stream *stream, const struct nb_stream_ops *ops)
{
    stream->ops = ops;
}

/* ---- what to wait for ---- */

static void update_interest(struct nb_stream *stream)
{
    int interest = 0;
    if (stream->fd < 0 || stream->is_closing)
        return;
    if (stream->is_reading)
        interest |= UV_READABLE;
    else if (stream->watches_hangup)
        interest |= UV_DISCONNECT;
    if (stream->watches_close)
        interest |= UV_PRIORITIZED; /* libuv tells so of a hang-up; nothing that could be read makes it so */
    if (stream->is_full && !stream->is_broken)
        interest |= UV_WRITABLE;
    if (interest == stream->interest)
        return;
    stream->interest = interest;
    if (interest)
        uv_poll_start(&stream->poll, interest, on_poll);
    else
        uv_poll_stop(&stream->poll);
}

static int adopt(struct nb_stream *stream, int fd)
{
    int status = uv_poll_init_socket(&stream->loop->uv, &stream->poll, fd);
    if (status < 0)
        return status;
    stream->fd = fd;
    return 0;
}

int nb_stream_open(struct nb_stream *stream, int fd)
{
    return adopt(stream, fd);
}

/* ---- failing ---- */

static void fail(struct nb_stream *stream, int status, const char *syscall)
{
    stream->is_broken = true;
    stream->is_full = stream->watches_close = false;
    if (strcmp(syscall, "read") == 0) {
        stream->cannot_read = true;
        stream->is_reading = stream->watches_hangup = false;
    }
    nb_write_queue_clear(&stream->queue);
    update_interest(stream);
    stream->ops->on_failure(stream, status, syscall);
}

/* ---- reading ---- */

void nb_stream_start_reading(struct nb_stream *stream)
{
    stream->is_reading = !stream->cannot_read;
    update_interest(stream);
}

void nb_stream_watch_hangup(struct nb_stream *stream)
{
    stream->watches_hangup = true;
    update_interest(stream);
}

void nb_stream_watch_close(struct nb_stream *stream)
{
    stream->watches_close = true;
    update_interest(stream);
}

void nb_stream_stop_reading(struct nb_stream *stream)
{
    stream->is_reading = false;
    update_interest(stream);
}

static ssize_t receive(int fd, void *room, size_t size, int flags)
{
    ssize_t length;
    do
        length = recv(fd, room, size, MSG_DONTWAIT | flags);
    while (length < 0 && errno == EINTR);
    return length < 0 ? -errno : length;
}

static void take_end(struct nb_stream *stream, ssize_t length)
{
    if (length == 0) {
        nb_stream_stop_reading(stream);
        stream->ops->on_end(stream);
    } else if (length != UV_EAGAIN) {
        fail(stream, (int)length, "read");
    }
}

/* There is no room: bytes wait, an end or a failure does not. */
static void look_for_end(struct nb_stream *stream)
{
    uint8_t first;
    ssize_t length = receive(stream->fd, &first, sizeof first, MSG_PEEK);
    if (length > 0)
        nb_stream_stop_reading(stream);
    else
        take_end(stream, length);
}

static ssize_t receive_with_fds(struct nb_stream *stream, void *room, size_t size)
{
    struct nb_fd_batch batch;
    ssize_t length = nb_receive_with_fds(stream->fd, room, size, &batch);
    if (batch.count || batch.is_truncated)
        stream->ops->on_fds(stream, &batch);
    return length;
}

void nb_stream_take_fds(struct nb_stream *stream, bool takes_fds)
{
    stream->takes_fds = takes_fds;
}

/* True when there may be more to read right away. */
static bool read_once(struct nb_stream *stream)
{
    size_t size;
    uint8_t *room = stream->ops->reserve(stream, &size);
    if (!room)
        return false;
    if (!size) {
        look_for_end(stream);
        return false;
    }
    ssize_t length =
        stream->takes_fds ? receive_with_fds(stream, room, size) : receive(stream->fd, room, size, 0);
    if (stream->is_closing)
        return false;
    if (length > 0) {
        stream->ops->on_bytes(stream, (size_t)length);
        return (size_t)length == size;
    }
    take_end(stream, length);
    return false;
}

/* True when there may be more. */
static bool read_some(struct nb_stream *stream)
{
    for (int i = 0; i < READS_A_TURN; i++)
        if (!stream->is_reading || stream->is_closing || !read_once(stream))
            return false;
    return stream->is_reading && !stream->is_closing;
}

void nb_stream_discard_input(struct nb_stream *stream)
{
    char scrap[16384];
    for (int i = 0; i < DISCARD_READS && stream->fd >= 0; i++)
        if (receive(stream->fd, scrap, sizeof scrap, 0) <= 0)
            return;
}

/* ---- writing ---- */

/* Takes no bytes any more, and has nothing more to tell of writing. */
static bool is_past_writing(const struct nb_stream *stream)
{
    return stream->is_broken || stream->is_closing;
}

static void queue_flush(struct nb_stream *stream)
{
    if (!stream->is_full && !is_past_writing(stream))
        nb_loop_flush_later(stream->loop, &stream->flush);
}

static void settle_if_full(struct nb_stream *stream)
{
    if (stream->is_full && stream->packs)
        nb_write_queue_settle(&stream->queue);
}

int nb_stream_write(struct nb_stream *stream, struct nb_bytes bytes)
{
    int status = is_past_writing(stream) ? 0 : nb_write_queue_share(&stream->queue, bytes);
    if (status == 0) {
        settle_if_full(stream);
        queue_flush(stream);
    }
    return status;
}

int nb_stream_write_copy(struct nb_stream *stream, const void *data, size_t length)
{
    int status = is_past_writing(stream) ? 0 : nb_write_queue_copy(&stream->queue, data, length);
    if (status == 0)
        queue_flush(stream);
    return status;
}

int nb_stream_write_copy_with_fd(struct nb_stream *stream, const void *data, size_t length, int fd)
{
    if (is_past_writing(stream)) {
        close(fd);
        return 0;
    }
    int status = nb_write_queue_copy_with_fd(&stream->queue, data, length, fd);
    if (status == 0)
        queue_flush(stream);
    return status;
}

void nb_stream_take_queue(struct nb_stream *stream, struct nb_write_queue *queue)
{
    assert(!stream->queue.count);
    nb_write_queue_finish(&stream->queue);
    stream->queue = *queue;
    nb_write_queue_init(queue, queue->pool);
    if (stream->queue.count)
        queue_flush(stream);
}

void nb_stream_shutdown(struct nb_stream *stream)
{
    stream->is_shutting = true;
    queue_flush(stream);
}

static void shut(struct nb_stream *stream)
{
    stream->is_shutting = false;
    int status = shutdown(stream->fd, SHUT_WR) < 0 ? -errno : 0;
    stream->ops->on_shut(stream, status);
}

void nb_stream_flush(struct nb_stream *stream)
{
    size_t sent;
    if (stream->fd < 0 || is_past_writing(stream))
        return;
    int status = nb_write_queue_send(&stream->queue, stream->fd, &sent);
    stream->is_full = status == UV_EAGAIN;
    settle_if_full(stream);
    update_interest(stream);
    if (sent)
        stream->ops->on_sent(stream, sent);
    if (is_past_writing(stream))
        return;
    if (status < 0 && status != UV_EAGAIN)
        fail(stream, status, "write");
    else if (status == 0 && stream->is_shutting && !stream->queue.count)
        shut(stream);
}

static void run_flush(struct nb_flush *flush)
{
    nb_stream_flush(STREAM_OF(flush, flush));
}

/* ---- events ---- */

/* Urgent data would be told in the same way. */
static bool is_hung_up(int fd)
{
    struct pollfd entry = {.fd = fd};
    return poll(&entry, 1, 0) > 0 && (entry.revents & POLLHUP);
}

static void look_for_hangup(struct nb_stream *stream, int events)
{
    bool hangs_up = (events & UV_DISCONNECT) && stream->watches_hangup && !stream->is_reading;
    bool closes = (events & UV_PRIORITIZED) && stream->watches_close;
    stream->watches_hangup = stream->watches_hangup && !hangs_up;
    stream->watches_close = stream->watches_close && !closes;
    if (hangs_up || (closes && is_hung_up(stream->fd)))
        stream->ops->on_hangup(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct nb_stream *stream = STREAM_OF(poll, poll);
    bool may_read_more = false;
    if (status < 0) { /* EPOLLERR, and libuv has stopped polling: the system calls will say what it is */
        stream->interest = 0;
        events = UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED;
    }
    /* A peer may have answered before it went: a write that fails would take away what is still to be read. */
    if (events & UV_READABLE)
        may_read_more = read_some(stream);
    if ((events & UV_WRITABLE) && stream->is_full && !(status < 0 && may_read_more))
        nb_stream_flush(stream);
    if (!stream->is_closing)
        look_for_hangup(stream, events);
    update_interest(stream);
}

/* ---- closing ---- */

static void on_poll_closed(uv_handle_t *handle)
{
    struct nb_stream *stream = STREAM_OF(handle, poll);
    nb_write_queue_finish(&stream->queue);
    stream->ops->on_closed(stream);
}

int nb_stream_release(struct nb_stream *stream)
{
    int fd = stream->fd;
    assert(fd >= 0 && !stream->is_closing);
    stream->is_closing = true;
    stream->is_reading = false;
    nb_loop_cancel_flush(stream->loop, &stream->flush);
    nb_write_queue_clear(&stream->queue);
    uv_close((uv_handle_t *)&stream->poll, on_poll_closed);
    stream->fd = -1;
    return fd;
}

void nb_stream_close(struct nb_stream *stream)
{
    if (stream->is_closing)
        return;
    int fd = nb_stream_release(stream);
    if (stream->is_foreign && !stream->resets)
        nb_foreign_unlinger(fd);
    close(fd);
}

int nb_stream_linger_zero(struct nb_stream *stream)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    stream->resets = true;
    return setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}
