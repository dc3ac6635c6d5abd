/*
 * A non-blocking socket on a loop: reads into its owner's memory, a write queue
 * that is sent at the end of the turn, half-close, close.
 *
 * On uv_poll and system calls of our own instead of uv_stream_t: see
 * docs/decisions/0001-own-streams.md.
 */
#ifndef NB_STREAM_H
#define NB_STREAM_H

#include "chunk.h"
#include "fd_receive.h"
#include "loop.h"
#include "write_queue.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

struct nb_stream;

/*
 * Called on the loop's thread, never from inside a call of nb_stream_* but
 * nb_stream_flush. Each may call any nb_stream_* function.
 */
struct nb_stream_ops {
    /*
     * Where to read to and how much at most; NULL: not now, and reading was stopped. A size of 0: no bytes now, but
     * an end or a failure that comes before any; once there are bytes reading stops.
     */
    uint8_t *(*reserve)(struct nb_stream *stream, size_t *ret_size);
    /*
     * Descriptors came, or were lost; takes them. The bytes that they came with are told next, unless this
     * closes the stream. NULL where nb_stream_take_fds is not called.
     */
    void (*on_fds)(struct nb_stream *stream, struct nb_fd_batch *batch);
    /* So many bytes, at least one, were read into what was reserved. */
    void (*on_bytes)(struct nb_stream *stream, size_t length);
    /* The peer sends no more. */
    void (*on_end)(struct nb_stream *stream);
    /* So many more bytes were given to the kernel; called once for each flush that sent any. */
    void (*on_sent)(struct nb_stream *stream, size_t length);
    /* The write side is shut, after everything that was queued: 0 or negative errno. */
    void (*on_shut)(struct nb_stream *stream, int status);
    /* What is watched for has come: nb_stream_watch_hangup, nb_stream_watch_close. NULL where neither is called. */
    void (*on_hangup)(struct nb_stream *stream);
    /*
     * Reading or writing failed (syscall is "read" or "write"). The stream does
     * neither any more, save that it goes on reading when writing failed. Close it.
     */
    void (*on_failure)(struct nb_stream *stream, int status, const char *syscall);
    /* The descriptor is closed; the memory may go. */
    void (*on_closed)(struct nb_stream *stream);
};

/* Embedded in its owner. All fields private but fd and queue.length. */
struct nb_stream {
    uv_poll_t poll;
    struct nb_loop *loop;
    const struct nb_stream_ops *ops;
    struct nb_write_queue queue;
    struct nb_flush flush;
    int fd; /* -1: none */
    int interest;
    bool is_reading, is_full, is_shutting, is_broken, is_closing;
    bool cannot_read; /* is broken, and not for writing only */
    bool watches_hangup, watches_close; /* until it was told */
    bool packs; /* settles its queue when the socket is full */
    bool takes_fds;
    bool is_foreign; /* another process may have the socket too; the owner's to set */
    bool resets; /* the close is to send RST */
};

/* Nothing open yet. packs: its queue may wait long, keep it dense. */
void nb_stream_init(struct nb_stream *stream, struct nb_loop *loop, const struct nb_stream_ops *ops,
                    bool packs);

/* Others are called from now on; their owner is the same. */
void nb_stream_set_ops(struct nb_stream *stream, const struct nb_stream_ops *ops);

/* Takes an open, connected, non-blocking socket. On failure (negative errno) the fd stays the caller's. */
int nb_stream_open(struct nb_stream *stream, int fd);

void nb_stream_start_reading(struct nb_stream *stream);
void nb_stream_stop_reading(struct nb_stream *stream);

/*
 * Hands descriptors that come with the bytes of a Unix socket to on_fds, or not: the kernel then drops them, as it
 * does at first.
 */
void nb_stream_take_fds(struct nb_stream *stream, bool takes_fds);

/* Calls on_hangup, once, should the peer hang up, or send no more, while nothing is read. */
void nb_stream_watch_hangup(struct nb_stream *stream);

/* Calls on_hangup, once, should the peer of a Unix socket, which sends no more, not receive any more either. */
void nb_stream_watch_close(struct nb_stream *stream);

/* Queues; negative errno: UV_ENOMEM, nothing was queued. Sent at the end of the turn. */
int nb_stream_write(struct nb_stream *stream, struct nb_bytes bytes);
int nb_stream_write_copy(struct nb_stream *stream, const void *data, size_t length);

/* The same with a descriptor, which goes with the first byte of them; takes it, always. */
int nb_stream_write_copy_with_fd(struct nb_stream *stream, const void *data, size_t length, int fd);

/* Goes on with a queue that was filled before there was a connection; takes its content. The own queue must be empty. */
void nb_stream_take_queue(struct nb_stream *stream, struct nb_write_queue *queue);

/* Ends the write side once the queue is empty; on_shut follows unless the stream fails or is closed first. */
void nb_stream_shutdown(struct nb_stream *stream);

/* Sends what can be sent now. */
void nb_stream_flush(struct nb_stream *stream);

/* Closes at once, dropping what is queued; on_closed follows. A repeat does nothing. */
void nb_stream_close(struct nb_stream *stream);

/*
 * As nb_stream_close, but the descriptor stays open and is the caller's: nothing is read or written any more, and what
 * is queued must have been copied before.
 */
int nb_stream_release(struct nb_stream *stream);

/* Reads and drops what has arrived, so that closing does not reset the connection. */
void nb_stream_discard_input(struct nb_stream *stream);

/* The next close sends RST. 0 or negative errno. */
int nb_stream_linger_zero(struct nb_stream *stream);

#endif
