#include "write_queue.h"

#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    FIRST_CAPACITY = 16,
    BATCH = 256, /* segments in one system call */
    WORTH_HOLDING = NB_CHUNK_LARGE / 4, /* a segment this long may hold a large chunk alone */
};

void nb_write_queue_init(struct nb_write_queue *queue, struct nb_chunk_pool *pool)
{
    *queue = (struct nb_write_queue){.pool = pool};
}

static struct nb_segment *segment_at(struct nb_write_queue *queue, uint32_t index)
{
    return &queue->ring[(queue->first + index) & (queue->capacity - 1)];
}

static void let_packed_go(struct nb_write_queue *queue)
{
    nb_chunk_unref(queue->packed);
    queue->packed = NULL;
    queue->packed_used = 0;
}

void nb_write_queue_clear(struct nb_write_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++)
        nb_chunk_unref(segment_at(queue, i)->chunk);
    queue->first = queue->count = queue->settled = 0;
    queue->length = 0;
    let_packed_go(queue);
}

void nb_write_queue_finish(struct nb_write_queue *queue)
{
    nb_write_queue_clear(queue);
    nb_free(queue->ring);
    queue->ring = NULL;
    queue->capacity = 0;
}

static int grow(struct nb_write_queue *queue)
{
    uint32_t capacity = queue->capacity ? queue->capacity * 2 : FIRST_CAPACITY;
    struct nb_segment *ring = nb_malloc(capacity * sizeof *ring);
    if (!ring)
        return UV_ENOMEM;
    for (uint32_t i = 0; i < queue->count; i++)
        ring[i] = *segment_at(queue, i);
    nb_free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->first = 0;
    return 0;
}

/* Adds a segment or lengthens the last one; takes over the share. */
static int append(struct nb_write_queue *queue, struct nb_bytes bytes)
{
    if (queue->count) {
        struct nb_segment *last = segment_at(queue, queue->count - 1);
        if (last->chunk == bytes.chunk && last->data + last->length == bytes.data) {
            last->length += bytes.length;
            queue->length += bytes.length;
            nb_chunk_unref(bytes.chunk);
            return 0;
        }
    }
    if (queue->count == queue->capacity && grow(queue) < 0)
        return UV_ENOMEM;
    *segment_at(queue, queue->count++) = (struct nb_segment){bytes.data, bytes.length, bytes.chunk};
    queue->length += bytes.length;
    return 0;
}

int nb_write_queue_share(struct nb_write_queue *queue, struct nb_bytes bytes)
{
    if (!bytes.length)
        return 0;
    nb_chunk_ref(bytes.chunk);
    int status = append(queue, bytes);
    if (status < 0)
        nb_chunk_unref(bytes.chunk);
    return status;
}

/* Room for length bytes in one piece, with a share for a segment. */
static uint8_t *pack(struct nb_write_queue *queue, size_t length)
{
    if (queue->packed && queue->packed->capacity - queue->packed_used < length)
        let_packed_go(queue);
    if (!queue->packed && !(queue->packed = nb_chunk_new(queue->pool, length)))
        return NULL;
    uint8_t *room = queue->packed->bytes + queue->packed_used;
    queue->packed_used += length;
    nb_chunk_ref(queue->packed);
    return room;
}

int nb_write_queue_copy(struct nb_write_queue *queue, const void *data, size_t length)
{
    if (!length)
        return 0;
    uint8_t *room = pack(queue, length);
    if (!room)
        return UV_ENOMEM;
    memcpy(room, data, length);
    int status = append(queue, (struct nb_bytes){room, length, queue->packed});
    if (status < 0)
        nb_chunk_unref(queue->packed);
    return status;
}

static void drop_sent(struct nb_write_queue *queue, size_t sent)
{
    queue->length -= sent;
    while (sent) {
        struct nb_segment *segment = segment_at(queue, 0);
        if (segment->length > sent) {
            segment->data += sent;
            segment->length -= sent;
            return;
        }
        sent -= segment->length;
        nb_chunk_unref(segment->chunk);
        queue->first = (queue->first + 1) & (queue->capacity - 1);
        queue->count--;
        if (queue->settled)
            queue->settled--;
    }
}

int nb_write_queue_move(struct nb_write_queue *from, struct nb_write_queue *to, size_t length)
{
    while (length) {
        struct nb_segment *segment = segment_at(from, 0);
        size_t part = segment->length < length ? segment->length : length;
        if (nb_write_queue_share(to, (struct nb_bytes){segment->data, part, segment->chunk}) < 0)
            return UV_ENOMEM;
        drop_sent(from, part);
        length -= part;
    }
    if (!from->count)
        let_packed_go(from);
    return 0;
}

static ssize_t send_batch(struct nb_write_queue *queue, int fd, size_t *ret_offered)
{
    struct iovec vectors[BATCH];
    struct msghdr message = {.msg_iov = vectors};
    *ret_offered = 0;
    for (uint32_t i = 0; i < queue->count && i < BATCH; i++) {
        struct nb_segment *segment = segment_at(queue, i);
        vectors[i] = (struct iovec){(void *)(uintptr_t)segment->data, segment->length};
        *ret_offered += segment->length;
        message.msg_iovlen++;
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
}

int nb_write_queue_send(struct nb_write_queue *queue, int fd, size_t *ret_sent)
{
    *ret_sent = 0;
    while (queue->count) {
        size_t offered;
        ssize_t sent = send_batch(queue, fd, &offered);
        if (sent < 0)
            return errno == EWOULDBLOCK ? UV_EAGAIN : -errno;
        *ret_sent += (size_t)sent;
        drop_sent(queue, (size_t)sent);
        if ((size_t)sent < offered)
            return UV_EAGAIN;
    }
    let_packed_go(queue);
    return 0;
}

/* Moves a small segment out of a large chunk. */
static bool move_to_packed(struct nb_write_queue *queue, struct nb_segment *segment)
{
    uint8_t *room = pack(queue, segment->length);
    if (!room)
        return false;
    memcpy(room, segment->data, segment->length);
    nb_chunk_unref(segment->chunk);
    segment->data = room;
    segment->chunk = queue->packed;
    return true;
}

void nb_write_queue_settle(struct nb_write_queue *queue)
{
    for (; queue->settled < queue->count; queue->settled++) {
        struct nb_segment *segment = segment_at(queue, queue->settled);
        bool is_large = segment->chunk && segment->chunk->capacity > NB_CHUNK_SMALL;
        if (is_large && segment->length < WORTH_HOLDING && !move_to_packed(queue, segment))
            return;
    }
}
