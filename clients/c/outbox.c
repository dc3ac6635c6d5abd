#include "outbox.h"

#include "memory.h"
#include "pack.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { MAX_VECTORS = 64, KEPT_CAPACITY = 1 << 20, FIRST_PIECES = 16 };

struct nbc_piece {
    uint64_t at; /* goes before the byte of frames at this place in the stream */
    const char *bytes;
    size_t length;
    void (*release)(void *context);
    void *context;
};

void nbc_outbox_init(struct nbc_outbox *outbox, const struct netbroker_allocator *allocator)
{
    *outbox = (struct nbc_outbox){.frames.allocator = allocator};
}

static bool has_pieces(const struct nbc_outbox *outbox)
{
    return outbox->first_piece < outbox->piece_count;
}

bool nbc_outbox_is_empty(const struct nbc_outbox *outbox)
{
    return outbox->head == outbox->frames.length && !has_pieces(outbox);
}

static void release_first(struct nbc_outbox *outbox)
{
    struct nbc_piece piece = outbox->pieces[outbox->first_piece++];
    outbox->piece_sent = 0;
    if (piece.release)
        piece.release(piece.context);
}

static void reset(struct nbc_outbox *outbox)
{
    outbox->base += outbox->frames.length;
    outbox->head = outbox->frames.length = 0;
    outbox->first_piece = outbox->piece_count = 0;
    if (outbox->frames.capacity > KEPT_CAPACITY)
        netbroker_packer_free(&outbox->frames);
}

void nbc_outbox_discard(struct nbc_outbox *outbox)
{
    while (has_pieces(outbox))
        release_first(outbox);
    reset(outbox);
}

void nbc_outbox_finish(struct nbc_outbox *outbox)
{
    nbc_outbox_discard(outbox);
    nbc_resize(outbox->frames.allocator, outbox->pieces, 0);
    netbroker_packer_free(&outbox->frames);
}

/* Moves what is unwritten to the front once that is the smaller half, so each byte moves at most once. */
static void compact(struct nbc_outbox *outbox)
{
    struct netbroker_packer *frames = &outbox->frames;
    if (outbox->head == 0 || outbox->head < frames->length - outbox->head)
        return;
    frames->length -= outbox->head;
    memmove(frames->bytes, frames->bytes + outbox->head, frames->length);
    outbox->base += outbox->head;
    outbox->head = 0;
}

size_t nbc_outbox_begin(struct nbc_outbox *outbox)
{
    compact(outbox);
    return outbox->frames.length;
}

int nbc_outbox_end(struct nbc_outbox *outbox, size_t begin)
{
    if (!outbox->frames.failed)
        return 0;
    outbox->frames.length = begin;
    outbox->frames.failed = false;
    return -ENOMEM;
}

static int reserve_pieces(struct nbc_outbox *outbox, size_t count)
{
    if (outbox->first_piece > 0) {
        outbox->piece_count -= outbox->first_piece;
        memmove(outbox->pieces, outbox->pieces + outbox->first_piece,
                outbox->piece_count * sizeof *outbox->pieces);
        outbox->first_piece = 0;
    }
    size_t capacity = outbox->piece_capacity ? outbox->piece_capacity : FIRST_PIECES;
    while (capacity < outbox->piece_count + count)
        capacity *= 2;
    if (capacity == outbox->piece_capacity)
        return 0;
    struct nbc_piece *pieces =
        nbc_resize(outbox->frames.allocator, outbox->pieces, capacity * sizeof *pieces);
    if (!pieces)
        return -ENOMEM;
    outbox->pieces = pieces;
    outbox->piece_capacity = capacity;
    return 0;
}

int nbc_outbox_reserve(struct nbc_outbox *outbox, size_t bytes, size_t pieces)
{
    size_t begin = nbc_outbox_begin(outbox);
    nbc_pack_reserve(&outbox->frames, bytes);
    int result = nbc_outbox_end(outbox, begin);
    outbox->frames.length = begin;
    if (result == 0 && outbox->piece_capacity - outbox->piece_count < pieces)
        result = reserve_pieces(outbox, pieces);
    return result;
}

void nbc_outbox_borrow(struct nbc_outbox *outbox, const void *bytes, size_t length,
                       void (*release)(void *context), void *context)
{
    outbox->pieces[outbox->piece_count++] =
        (struct nbc_piece){outbox->base + outbox->frames.length, bytes, length, release, context};
}

/* The offset in frames before which the i-th piece goes, or the end of frames. */
static size_t frames_until(const struct nbc_outbox *outbox, size_t i)
{
    return i < outbox->piece_count ? (size_t)(outbox->pieces[i].at - outbox->base) : outbox->frames.length;
}

static int fill_vectors(const struct nbc_outbox *outbox, struct iovec *vectors)
{
    size_t at = outbox->head, sent = outbox->piece_sent;
    int count = 0;
    for (size_t i = outbox->first_piece; count < MAX_VECTORS - 1; i++, sent = 0) {
        size_t end = frames_until(outbox, i);
        if (end > at)
            vectors[count++] = (struct iovec){outbox->frames.bytes + at, end - at};
        if (i >= outbox->piece_count)
            break;
        at = end;
        const struct nbc_piece *piece = &outbox->pieces[i];
        vectors[count++] = (struct iovec){(char *)piece->bytes + sent, piece->length - sent};
    }
    return count;
}

/* Takes `written` bytes off the front. */
static void consume(struct nbc_outbox *outbox, size_t written)
{
    while (written > 0) {
        size_t frames = frames_until(outbox, outbox->first_piece) - outbox->head;
        size_t step = frames < written ? frames : written;
        outbox->head += step;
        written -= step;
        if (step < frames || !has_pieces(outbox))
            break;
        size_t rest = outbox->pieces[outbox->first_piece].length - outbox->piece_sent;
        step = rest < written ? rest : written;
        outbox->piece_sent += step;
        written -= step;
        if (step == rest)
            release_first(outbox);
    }
}

int nbc_outbox_write(struct nbc_outbox *outbox, int fd)
{
    while (!nbc_outbox_is_empty(outbox)) {
        struct iovec vectors[MAX_VECTORS];
        struct msghdr message = {.msg_iov = vectors};
        message.msg_iovlen = (size_t)fill_vectors(outbox, vectors);
        ssize_t written = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 1 : -errno;
        consume(outbox, (size_t)written);
    }
    reset(outbox);
    return 0;
}
