#include "write_queue.h"

#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum {
    FIRST_CAPACITY = 16,
    BATCH = 256, /* segments in one system call */
    KEPT_CAPACITY = BATCH, /* what an empty queue keeps of its ring for the next turn's segments */
    WORTH_HOLDING = 4, /* a segment of this part of its chunk's capacity may hold it alone */
};

void nb_write_queue_init(struct nb_write_queue *queue, struct nb_chunk_pool *pool)
{
    *queue = (struct nb_write_queue){.pool = pool};
}

static struct nb_segment *segment_at(const struct nb_write_queue *queue, uint32_t index)
{
    return &queue->ring[(queue->first + index) & (queue->capacity - 1)];
}

static void let_packed_go(struct nb_write_queue *queue)
{
    nb_chunk_unref(queue->packed);
    queue->packed = NULL;
    queue->packed_used = 0;
}

static void let_ring_go(struct nb_write_queue *queue)
{
    nb_free(queue->ring);
    queue->ring = NULL;
    queue->capacity = 0;
}

/* Nothing is queued any more: what a long queue has needed is not kept for good. */
static void come_to_rest(struct nb_write_queue *queue)
{
    let_packed_go(queue);
    if (queue->capacity > KEPT_CAPACITY)
        let_ring_go(queue);
}

static void close_fd(struct nb_segment *segment)
{
    if (segment->fd >= 0)
        close(segment->fd);
    segment->fd = -1;
}

void nb_write_queue_clear(struct nb_write_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        close_fd(segment_at(queue, i));
        nb_chunk_unref(segment_at(queue, i)->chunk);
    }
    queue->first = queue->count = queue->settled = 0;
    queue->length = 0;
    come_to_rest(queue);
}

void nb_write_queue_finish(struct nb_write_queue *queue)
{
    nb_write_queue_clear(queue);
    let_ring_go(queue);
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

/* Lengthens the last of count segments by one that goes on where it ends, and takes over the share. */
static bool join(struct nb_write_queue *queue, uint32_t count, const struct nb_segment *next)
{
    struct nb_segment *last = count ? segment_at(queue, count - 1) : NULL;
    if (!last || next->fd >= 0 || last->chunk != next->chunk || last->data + last->length != next->data)
        return false;
    last->length += next->length;
    nb_chunk_unref(next->chunk);
    return true;
}

/* Adds a segment or lengthens the last one; takes over the share, and fd. */
static int append(struct nb_write_queue *queue, struct nb_bytes bytes, int fd)
{
    struct nb_segment segment = {bytes.data, bytes.length, bytes.chunk, fd};
    if (!join(queue, queue->count, &segment)) {
        if (queue->count == queue->capacity && grow(queue) < 0)
            return UV_ENOMEM;
        *segment_at(queue, queue->count++) = segment;
    }
    queue->length += bytes.length;
    return 0;
}

int nb_write_queue_share(struct nb_write_queue *queue, struct nb_bytes bytes)
{
    if (!bytes.length)
        return 0;
    nb_chunk_ref(bytes.chunk);
    int status = append(queue, bytes, -1);
    if (status < 0)
        nb_chunk_unref(bytes.chunk);
    return status;
}

/* Room in the chunk where small pieces are put together, which may be a new one. */
static uint8_t *pack_small(struct nb_write_queue *queue, size_t length)
{
    if (queue->packed && queue->packed->capacity - queue->packed_used < length)
        let_packed_go(queue);
    if (!queue->packed && !(queue->packed = nb_chunk_new(queue->pool, NB_CHUNK_SMALL)))
        return NULL;
    uint8_t *room = queue->packed->bytes + queue->packed_used;
    queue->packed_used += length;
    return room;
}

/* A copy of the bytes with a share for a segment; its chunk NULL: no memory. What is not small gets a chunk of its own. */
static struct nb_segment pack(struct nb_write_queue *queue, const void *data, size_t length)
{
    struct nb_segment copy = {.length = length, .fd = -1};
    uint8_t *room = NULL;
    if (length <= NB_CHUNK_SMALL) {
        if ((room = pack_small(queue, length)))
            copy.chunk = nb_chunk_ref(queue->packed);
    } else if ((copy.chunk = nb_chunk_new(queue->pool, length))) {
        room = copy.chunk->bytes;
    }
    if (room)
        memcpy(room, data, length);
    copy.data = room;
    return copy;
}

static int copy_in(struct nb_write_queue *queue, const void *data, size_t length, int fd)
{
    struct nb_segment copy = pack(queue, data, length);
    int status = copy.chunk ? append(queue, (struct nb_bytes){copy.data, length, copy.chunk}, fd) : UV_ENOMEM;
    if (status < 0)
        nb_chunk_unref(copy.chunk);
    return status;
}

int nb_write_queue_copy(struct nb_write_queue *queue, const void *data, size_t length)
{
    return length ? copy_in(queue, data, length, -1) : 0;
}

int nb_write_queue_copy_with_fd(struct nb_write_queue *queue, const void *data, size_t length, int fd)
{
    assert(length);
    int status = copy_in(queue, data, length, fd);
    if (status < 0)
        close(fd);
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
        assert(segment->fd < 0);
        if (nb_write_queue_share(to, (struct nb_bytes){segment->data, part, segment->chunk}) < 0)
            return UV_ENOMEM;
        drop_sent(from, part);
        length -= part;
    }
    if (!from->count)
        come_to_rest(from);
    return 0;
}

void nb_write_queue_read(const struct nb_write_queue *queue, uint8_t *ret_bytes)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct nb_segment *segment = segment_at(queue, i);
        memcpy(ret_bytes, segment->data, segment->length);
        ret_bytes += segment->length;
    }
}

/* Room for one descriptor, aligned as the system wants it. */
union control {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

static void attach_fd(struct msghdr *message, union control *control, int fd)
{
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

/* A descriptor goes with the first byte of a batch, and with its own segment alone. */
static bool ends_batch(const struct nb_write_queue *queue, uint32_t index)
{
    return index == queue->count || index == BATCH ||
           (index && (segment_at(queue, 0)->fd >= 0 || segment_at(queue, index)->fd >= 0));
}

static ssize_t send_batch(struct nb_write_queue *queue, int fd, size_t *ret_offered)
{
    struct iovec vectors[BATCH];
    struct msghdr message = {.msg_iov = vectors};
    union control control;
    *ret_offered = 0;
    if (segment_at(queue, 0)->fd >= 0)
        attach_fd(&message, &control, segment_at(queue, 0)->fd);
    for (uint32_t i = 0; !ends_batch(queue, i); i++) {
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
        close_fd(segment_at(queue, 0));
        *ret_sent += (size_t)sent;
        drop_sent(queue, (size_t)sent);
        if ((size_t)sent < offered)
            return UV_EAGAIN;
    }
    come_to_rest(queue);
    return 0;
}

/* Holds far more memory than its bytes need. */
static bool is_wasteful(const struct nb_write_queue *queue, const struct nb_segment *segment)
{
    const struct nb_chunk *chunk = segment->chunk;
    return chunk && chunk != queue->packed && segment->length < chunk->capacity / WORTH_HOLDING;
}

/* Copies a segment out of its chunk if that is worth it; false: no memory. */
static bool pack_segment(struct nb_write_queue *queue, struct nb_segment *segment)
{
    if (!is_wasteful(queue, segment))
        return true;
    struct nb_segment copy = pack(queue, segment->data, segment->length);
    if (!copy.chunk)
        return false;
    copy.fd = segment->fd;
    nb_chunk_unref(segment->chunk);
    *segment = copy;
    return true;
}

void nb_write_queue_settle(struct nb_write_queue *queue)
{
    bool has_room = true;
    uint32_t count = queue->settled;
    if (count) /* part of it may have been sent since */
        (void)pack_segment(queue, segment_at(queue, 0));
    for (uint32_t i = count; i < queue->count; i++) {
        struct nb_segment segment = *segment_at(queue, i);
        has_room = has_room && pack_segment(queue, &segment);
        if (!join(queue, count, &segment))
            *segment_at(queue, count++) = segment;
    }
    queue->count = count;
    if (has_room)
        queue->settled = count;
}
