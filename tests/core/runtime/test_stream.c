#include "loop.h"
#include "memory.h"
#include "sockets.h"
#include "stream.h"
#include "suite.h"
#include "turns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 1000 };

static struct nb_runtime runtime;
static struct nb_loop *const loop = &runtime.loops[0];

/* A stream under test; what its callbacks tell is put down as a line of words. */
static struct owner {
    struct nb_stream stream;
    char story[8192];
    const char *closes_in; /* the word at which it closes the stream */
    void (*on_word)(void); /* at each word */
    uint8_t room[ROOM];
    uint8_t bytes[1 << 20];
    size_t length; /* of bytes */
    size_t sent;
    bool refuses_room;
    bool has_no_room; /* but looks for the end */
} owner;

static struct nb_stream *const stream = &owner.stream;
static int peer; /* the other end, of the test */

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char word[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(word, sizeof word, format, arguments);
    va_end(arguments);
    size_t used = strlen(owner.story);
    ck_assert_uint_lt(used + strlen(word) + 2, sizeof owner.story);
    sprintf(owner.story + used, "%s%s", used ? " " : "", word);
    if (owner.closes_in && strncmp(word, owner.closes_in, strlen(owner.closes_in)) == 0)
        nb_stream_close(stream);
    if (owner.on_word)
        owner.on_word();
}

static uint8_t *reserve(struct nb_stream *self, size_t *ret_size)
{
    if (owner.refuses_room) {
        nb_stream_stop_reading(self);
        tell("no-room");
        return NULL;
    }
    *ret_size = owner.has_no_room ? 0 : ROOM;
    return owner.room;
}

static void on_bytes(struct nb_stream *self, size_t length)
{
    ck_assert_uint_le(owner.length + length, sizeof owner.bytes);
    memcpy(owner.bytes + owner.length, owner.room, length);
    owner.length += length;
    tell("bytes:%zu", length);
}

static void on_end(struct nb_stream *self)
{
    tell("end");
}

static void on_sent(struct nb_stream *self, size_t length)
{
    owner.sent += length;
    tell("sent:%zu", length);
}

static void on_shut(struct nb_stream *self, int status)
{
    tell("shut:%s", status ? uv_err_name(status) : "ok");
}

static void on_failure(struct nb_stream *self, int status, const char *syscall)
{
    tell("failure:%s:%s", uv_err_name(status), syscall);
}

static void on_closed(struct nb_stream *self)
{
    tell("closed");
    self->loop = NULL; /* marks it as gone */
}

static void on_hangup(struct nb_stream *self)
{
    tell("hangup");
}

static void on_fds(struct nb_stream *self, struct nb_fd_batch *batch)
{
    tell(batch->is_truncated ? "fds:%u-lost" : "fds:%u", batch->count);
    nb_fd_batch_close(batch);
}

static const struct nb_stream_ops ops = {.on_hangup = on_hangup,
                                         .on_fds = on_fds,
                                         .reserve = reserve,
                                         .on_bytes = on_bytes,
                                         .on_end = on_end,
                                         .on_sent = on_sent,
                                         .on_shut = on_shut,
                                         .on_failure = on_failure,
                                         .on_closed = on_closed};

/* ---- sendmsg that fails on demand (the linker wraps it) ---- */

static int sends_until_failure = -1;
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (sends_until_failure < 0 || sends_until_failure--)
        return __real_sendmsg(fd, message, flags);
    errno = ECONNRESET;
    return -1;
}

/* ---- the frame of each test ---- */

static void begin(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    nb_stream_init(stream, loop, &ops, false);
}

static void begin_with(void (*make_pair)(int[2]))
{
    int ends[2];
    begin();
    make_pair(ends);
    ck_assert_int_eq(nb_stream_open(stream, ends[0]), 0);
    peer = ends[1];
}

static void turn(void)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

static bool is_told(void *word)
{
    return strstr(owner.story, word) != NULL;
}

static void wait_for(const char *word)
{
    turn_until(loop, is_told, (void *)(uintptr_t)word);
}

static void close_and_end(void)
{
    nb_stream_close(stream);
    nb_stream_close(stream);
    wait_for("closed");
    if (peer)
        close(peer);
    nb_runtime_finish(&runtime);
    ck_assert_ptr_null(stream->loop);
}

static void send_from_peer(const char *text)
{
    ck_assert_int_eq(send(peer, text, strlen(text), 0), strlen(text));
}

static void reset_from_peer(void)
{
    struct linger linger = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(peer);
    peer = 0;
}

static void write_text(const char *text)
{
    ck_assert_int_eq(nb_stream_write_copy(stream, text, strlen(text)), 0);
}

static void assert_peer_receives(const char *text)
{
    char got[64] = "";
    ck_assert(is_ready(peer, POLLIN, 10000));
    ck_assert_int_eq(recv(peer, got, sizeof got - 1, 0), strlen(text));
    ck_assert_str_eq(got, text);
}

/* The peer reads length bytes while the loop turns. */
static void drain_peer(size_t length)
{
    static char data[65536];
    while (length) {
        ssize_t part = recv(peer, data, sizeof data, 0);
        ck_assert(part > 0 || (part < 0 && errno == EAGAIN));
        length -= part > 0 ? (size_t)part : 0;
        turn();
    }
}

static void fill_socket(void)
{
    static uint8_t data[65536];
    while (!stream->is_full) {
        ck_assert_int_eq(nb_stream_write_copy(stream, data, sizeof data), 0);
        turn();
    }
    owner.story[0] = '\0';
}

/* ---- opening ---- */

START_TEST(a_descriptor_that_is_no_socket_stays_the_callers)
{
    begin();
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ck_assert_int_lt(nb_stream_open(stream, fd), 0);
    ck_assert_int_eq(stream->fd, -1);
    ck_assert_int_eq(close(fd), 0);
    nb_runtime_finish(&runtime);
}
END_TEST

/* ---- reading ---- */

START_TEST(nothing_is_read_before_it_is_asked_for)
{
    begin_with(tcp_pair);
    send_from_peer("abc");
    turn();
    ck_assert_str_eq(owner.story, "");
    nb_stream_start_reading(stream);
    wait_for("bytes");
    nb_stream_stop_reading(stream);
    send_from_peer("def");
    ck_assert(is_ready(stream->fd, POLLIN, 10000));
    turn();
    ck_assert_str_eq(owner.story, "bytes:3");
    close_and_end();
}
END_TEST

START_TEST(the_end_comes_after_the_bytes)
{
    begin_with(tcp_pair);
    send_from_peer("abc");
    shutdown(peer, SHUT_WR);
    nb_stream_start_reading(stream);
    wait_for("end");
    for (int i = 0; i < 3; i++)
        turn();
    ck_assert_str_eq(owner.story, "bytes:3 end");
    write_text("still open");
    wait_for("sent");
    assert_peer_receives("still open");
    close_and_end();
}
END_TEST

START_TEST(a_reset_comes_after_the_bytes)
{
    begin_with(tcp_pair);
    send_from_peer("abc");
    reset_from_peer();
    nb_stream_start_reading(stream);
    wait_for("failure");
    ck_assert_str_eq(owner.story, "bytes:3 failure:ECONNRESET:read");
    write_text("into the void");
    nb_stream_start_reading(stream);
    nb_stream_shutdown(stream);
    for (int i = 0; i < 3; i++)
        turn();
    ck_assert_str_eq(owner.story, "bytes:3 failure:ECONNRESET:read");
    close_and_end();
}
END_TEST

START_TEST(one_stream_does_not_read_for_ever)
{
    static char data[20 * ROOM];
    begin_with(unix_pair);
    ck_assert_int_eq(send(peer, data, sizeof data, 0), sizeof data);
    nb_stream_start_reading(stream);
    turn();
    ck_assert_uint_gt(owner.length, 0);
    ck_assert_uint_lt(owner.length, sizeof data);
    while (owner.length < sizeof data)
        uv_run(&loop->uv, UV_RUN_ONCE);
    close_and_end();
}
END_TEST

START_TEST(without_room_reading_waits)
{
    begin_with(unix_pair);
    send_from_peer("abc");
    owner.refuses_room = true;
    nb_stream_start_reading(stream);
    wait_for("no-room");
    turn();
    owner.refuses_room = false;
    nb_stream_start_reading(stream);
    wait_for("bytes");
    ck_assert_str_eq(owner.story, "no-room bytes:3");
    close_and_end();
}
END_TEST

START_TEST(without_a_size_the_end_is_seen)
{
    begin_with(tcp_pair);
    owner.has_no_room = true;
    nb_stream_start_reading(stream);
    turn();
    shutdown(peer, SHUT_WR);
    wait_for("end");
    turn();
    ck_assert_str_eq(owner.story, "end");
    close_and_end();
}
END_TEST

START_TEST(without_a_size_a_reset_is_seen)
{
    begin_with(tcp_pair);
    owner.has_no_room = true;
    nb_stream_start_reading(stream);
    turn();
    reset_from_peer();
    wait_for("failure");
    ck_assert_str_eq(owner.story, "failure:ECONNRESET:read");
    close_and_end();
}
END_TEST

START_TEST(without_a_size_bytes_wait_and_the_end_behind_them)
{
    begin_with(tcp_pair);
    owner.has_no_room = true;
    nb_stream_start_reading(stream);
    send_from_peer("abc");
    shutdown(peer, SHUT_WR);
    ck_assert(is_ready(stream->fd, POLLIN, 10000));
    turn();
    ck_assert_str_eq(owner.story, "");
    ck_assert(!stream->is_reading);
    owner.has_no_room = false;
    nb_stream_start_reading(stream);
    wait_for("end");
    ck_assert_str_eq(owner.story, "bytes:3 end");
    close_and_end();
}
END_TEST

START_TEST(a_hangup_is_noticed_while_nothing_is_read)
{
    begin_with(unix_pair);
    nb_stream_start_reading(stream);
    nb_stream_watch_hangup(stream);
    nb_stream_stop_reading(stream);
    send_from_peer("abc");
    turn();
    ck_assert_str_eq(owner.story, "");
    close(peer);
    peer = 0;
    wait_for("hangup");
    turn();
    ck_assert_str_eq(owner.story, "hangup");
    nb_stream_start_reading(stream);
    wait_for("end");
    ck_assert_str_eq(owner.story, "hangup bytes:3 end");
    close_and_end();
}
END_TEST

START_TEST(a_close_behind_an_end_is_noticed)
{
    begin_with(unix_pair);
    nb_stream_start_reading(stream);
    shutdown(peer, SHUT_WR);
    wait_for("end");
    nb_stream_watch_close(stream);
    turn();
    ck_assert_str_eq(owner.story, "end");
    close(peer);
    peer = 0;
    wait_for("hangup");
    turn();
    ck_assert_str_eq(owner.story, "end hangup");
    close_and_end();
}
END_TEST

START_TEST(what_has_arrived_can_be_read_after_a_write_failed)
{
    begin_with(unix_pair);
    send_from_peer("abc");
    close(peer);
    peer = 0;
    write_text("x");
    wait_for("failure");
    nb_stream_start_reading(stream);
    wait_for("end");
    ck_assert_str_eq(owner.story, "failure:EPIPE:write bytes:3 end");
    close_and_end();
}
END_TEST

START_TEST(discarded_input_is_gone)
{
    begin_with(tcp_pair);
    send_from_peer("abc");
    ck_assert(is_ready(stream->fd, POLLIN, 10000));
    nb_stream_discard_input(stream);
    ck_assert(!is_ready(stream->fd, POLLIN, 0));
    nb_stream_close(stream);
    nb_stream_discard_input(stream);
    close_and_end();
}
END_TEST

/* ---- descriptors ---- */

static void send_with_descriptors(const char *text, unsigned count)
{
    const int fds[] = {peer, peer, peer, peer};
    ck_assert_int_eq(send_with_fds(peer, text, strlen(text), fds, count), strlen(text));
}

START_TEST(descriptors_are_told_before_their_bytes)
{
    begin_with(unix_pair);
    nb_stream_take_fds(stream, true);
    nb_stream_start_reading(stream);
    send_with_descriptors("abc", 2);
    send_from_peer("defg");
    send_with_descriptors("h", 1);
    wait_for("fds:1");
    ck_assert_str_eq(owner.story, "fds:2 bytes:3 fds:1 bytes:5");
    ck_assert_mem_eq(owner.bytes, "abcdefgh", 8);
    close_and_end();
}
END_TEST

/* What the kernel drops is never open in this process. */
START_TEST(descriptors_that_nobody_asked_for_do_not_come)
{
    begin_with(unix_pair);
    nb_stream_start_reading(stream);
    int open_before = count_descriptors();
    send_with_descriptors("abc", 3);
    wait_for("bytes:3");
    ck_assert_int_eq(count_descriptors(), open_before);
    nb_stream_take_fds(stream, true);
    send_with_descriptors("d", 1);
    wait_for("bytes:1");
    nb_stream_take_fds(stream, false);
    send_with_descriptors("ef", 1);
    wait_for("bytes:2");
    ck_assert_str_eq(owner.story, "bytes:3 fds:1 bytes:1 bytes:2");
    close_and_end();
}
END_TEST

START_TEST(on_fds_may_close)
{
    begin_with(unix_pair);
    nb_stream_take_fds(stream, true);
    nb_stream_start_reading(stream);
    owner.closes_in = "fds";
    send_with_descriptors("abc", 1);
    wait_for("closed");
    ck_assert_str_eq(owner.story, "fds:1 closed");
    close_and_end();
}
END_TEST

START_TEST(a_released_descriptor_lives_on)
{
    begin_with(unix_pair);
    nb_stream_start_reading(stream);
    ck_assert_int_eq(nb_stream_write_copy(stream, "dropped", 7), 0);
    int fd = nb_stream_release(stream);
    nb_stream_close(stream); /* a repeat */
    wait_for("closed");
    ck_assert_str_eq(owner.story, "closed");
    ck_assert_int_eq(write(fd, "x", 1), 1);
    close(fd);
    close_and_end();
}
END_TEST

/* Of a socket that another process may have set up. */
START_TEST(a_foreign_stream_does_not_linger)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 20};
    begin_with(tcp_pair);
    stream->is_foreign = true;
    fill_socket();
    ck_assert_int_eq(setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    uint64_t start = uv_hrtime();
    nb_stream_close(stream);
    ck_assert_uint_lt(uv_hrtime() - start, UINT64_C(5000000000));
    close_and_end();
}
END_TEST

START_TEST(a_foreign_stream_resets_when_it_is_told_to)
{
    char byte;
    begin_with(tcp_pair);
    stream->is_foreign = true;
    ck_assert_int_eq(nb_stream_linger_zero(stream), 0);
    nb_stream_close(stream);
    ck_assert(is_ready(peer, POLLIN, 10000));
    ck_assert_int_lt(recv(peer, &byte, 1, 0), 0);
    ck_assert_int_eq(errno, ECONNRESET);
    close_and_end();
}
END_TEST

/* ---- writing ---- */

START_TEST(the_writes_of_a_turn_leave_together)
{
    begin_with(tcp_pair);
    write_text("one");
    write_text("two");
    static const uint8_t text[] = "three";
    ck_assert_int_eq(nb_stream_write(stream, (struct nb_bytes){text, 5, NULL}), 0);
    turn();
    ck_assert_str_eq(owner.story, "sent:11");
    assert_peer_receives("onetwothree");
    close_and_end();
}
END_TEST

START_TEST(a_full_socket_goes_on_when_the_peer_reads)
{
    begin_with(tcp_pair);
    stream->packs = true;
    fill_socket();
    size_t left = stream->queue.length;
    ck_assert_uint_gt(left, 0);
    write_text("more");
    turn();
    ck_assert_str_eq(owner.story, "");
    drain_peer(owner.sent + left + 4);
    ck_assert_uint_eq(stream->queue.length, 0);
    ck_assert(!stream->is_full);
    close_and_end();
}
END_TEST

/* Each write comes in a chunk of its own, as small frames do. */
START_TEST(what_is_written_to_a_full_socket_is_packed)
{
    enum { WRITES = 1000 };
    begin_with(tcp_pair);
    stream->packs = true;
    fill_socket();
    uint32_t segments = stream->queue.count;
    for (int i = 0; i < WRITES; i++) {
        struct nb_chunk *chunk = nb_chunk_new(&loop->pool, NB_CHUNK_LARGE);
        *chunk->bytes = 0;
        ck_assert_int_eq(nb_stream_write(stream, (struct nb_bytes){chunk->bytes, 1, chunk}), 0);
        nb_chunk_unref(chunk);
    }
    ck_assert_uint_le(stream->queue.count, segments + 1);
    ck_assert_uint_eq(loop->pool.large_count, 1);
    close_and_end();
}
END_TEST

/* As a server that refuses an upload: it answers and goes while we still write. */
START_TEST(what_a_peer_said_before_it_reset_is_read)
{
    begin_with(tcp_pair);
    fill_socket();
    nb_stream_start_reading(stream);
    static const char answer[] = "too large";
    ck_assert_int_eq(send(peer, answer, 9, 0), 9);
    close(peer);
    peer = 0;
    ck_assert(is_ready(stream->fd, POLLERR, 10000));
    wait_for("failure");
    ck_assert_ptr_eq(strstr(owner.story, "bytes:9 failure:"), owner.story);
    ck_assert_mem_eq(owner.bytes, answer, 9);
    close_and_end();
}
END_TEST

START_TEST(the_write_side_is_shut_after_the_queue)
{
    begin_with(tcp_pair);
    fill_socket();
    size_t all = owner.sent + stream->queue.length;
    nb_stream_shutdown(stream);
    turn();
    ck_assert_ptr_null(strstr(owner.story, "shut"));
    drain_peer(all);
    wait_for("shut:ok");
    char byte;
    ck_assert(is_ready(peer, POLLIN, 10000));
    ck_assert_int_eq(recv(peer, &byte, 1, 0), 0);
    send_from_peer("back");
    nb_stream_start_reading(stream);
    wait_for("bytes:4");
    close_and_end();
}
END_TEST

START_TEST(a_write_to_a_gone_peer_fails)
{
    begin_with(unix_pair);
    close(peer);
    peer = 0;
    write_text("abc");
    wait_for("failure");
    ck_assert_str_eq(owner.story, "failure:EPIPE:write");
    ck_assert_uint_eq(stream->queue.length, 0);
    close_and_end();
}
END_TEST

START_TEST(a_full_socket_learns_of_a_reset)
{
    begin_with(tcp_pair);
    fill_socket();
    nb_stream_shutdown(stream);
    reset_from_peer();
    wait_for("failure");
    ck_assert_str_eq(owner.story, "failure:ECONNRESET:write");
    close_and_end();
}
END_TEST

START_TEST(without_memory_nothing_is_queued)
{
    begin_with(tcp_pair);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_stream_write_copy(stream, "abc", 3), UV_ENOMEM);
    ck_assert_uint_eq(stream->queue.length, 0);
    write_text("def");
    wait_for("sent:3");
    assert_peer_receives("def");
    close_and_end();
}
END_TEST

START_TEST(a_queue_that_was_filled_before_is_taken)
{
    struct nb_write_queue early;
    begin_with(tcp_pair);
    nb_write_queue_init(&early, &loop->pool);
    ck_assert_int_eq(nb_write_queue_copy(&early, "early", 5), 0);
    nb_stream_take_queue(stream, &early);
    ck_assert_uint_eq(early.length, 0);
    nb_write_queue_finish(&early);
    write_text(" late");
    wait_for("sent");
    assert_peer_receives("early late");
    close_and_end();
}
END_TEST

START_TEST(linger_zero_resets)
{
    char byte;
    begin_with(tcp_pair);
    ck_assert_int_eq(nb_stream_linger_zero(stream), 0);
    nb_stream_close(stream);
    ck_assert(is_ready(peer, POLLIN, 10000));
    ck_assert_int_eq(recv(peer, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close_and_end();
}
END_TEST

/* ---- calls from inside callbacks ---- */

/* Makes each callback happen, in this order as far as the stream is not closed. */
static void live_a_full_life(const char *closes_in)
{
    begin_with(tcp_pair);
    owner.closes_in = closes_in;
    write_text("abc");
    send_from_peer("abc");
    shutdown(peer, SHUT_WR);
    nb_stream_start_reading(stream);
    nb_stream_shutdown(stream);
    wait_for(closes_in);
    for (int i = 0; i < 3; i++)
        turn();
    close_and_end();
}

START_TEST(each_callback_may_close)
{
    static const char *const words[] = {"sent", "shut", "bytes", "end"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        owner = (struct owner){0};
        live_a_full_life(words[i]);
        const char *last = strstr(owner.story, words[i]);
        ck_assert_ptr_nonnull(strstr(last, " closed"));
        ck_assert_ptr_eq(strchr(last, ' '), strstr(last, " closed"));
    }
}
END_TEST

START_TEST(on_failure_may_close)
{
    begin_with(tcp_pair);
    owner.closes_in = "failure";
    reset_from_peer();
    nb_stream_start_reading(stream);
    wait_for("closed");
    close_and_end();
    ck_assert_str_eq(owner.story, "failure:ECONNRESET:read closed");
}
END_TEST

/* More segments than one call of sendmsg takes. */
static void write_many_segments(void)
{
    for (int i = 0; i < 300; i++) {
        struct nb_chunk *chunk = nb_chunk_new(&loop->pool, 1);
        chunk->bytes[0] = 'x';
        *chunk->bytes = 0;
        ck_assert_int_eq(nb_stream_write(stream, (struct nb_bytes){chunk->bytes, 1, chunk}), 0);
        nb_chunk_unref(chunk);
    }
}

START_TEST(a_failure_behind_what_was_sent_is_told_after_it)
{
    begin_with(tcp_pair);
    write_many_segments();
    sends_until_failure = 1;
    turn();
    ck_assert_str_eq(owner.story, "sent:256 failure:ECONNRESET:write");
    close_and_end();
}
END_TEST

START_TEST(a_stream_closed_in_on_sent_tells_no_failure)
{
    begin_with(tcp_pair);
    owner.closes_in = "sent";
    write_many_segments();
    sends_until_failure = 1;
    turn();
    close_and_end();
    ck_assert_str_eq(owner.story, "sent:256 closed");
}
END_TEST

static void write_and_flush_once(void)
{
    owner.on_word = NULL;
    write_text("abc");
    nb_stream_flush(stream);
}

START_TEST(a_failure_inside_on_sent_is_told_once)
{
    begin_with(tcp_pair);
    owner.on_word = write_and_flush_once;
    write_text("abc");
    nb_stream_shutdown(stream);
    sends_until_failure = 1;
    turn();
    ck_assert_str_eq(owner.story, "sent:3 failure:ECONNRESET:write");
    close_and_end();
}
END_TEST

START_TEST(a_flush_inside_on_sent_shuts_once)
{
    begin_with(tcp_pair);
    owner.on_word = write_and_flush_once;
    write_text("abc");
    nb_stream_shutdown(stream);
    turn();
    ck_assert_str_eq(owner.story, "sent:3 sent:3 shut:ok");
    assert_peer_receives("abcabc");
    close_and_end();
}
END_TEST

START_TEST(a_closed_stream_takes_no_more)
{
    begin_with(tcp_pair);
    nb_stream_close(stream);
    write_text("abc");
    nb_stream_shutdown(stream);
    nb_stream_start_reading(stream);
    ck_assert_ptr_null(loop->flushes);
    ck_assert_uint_eq(stream->queue.length, 0);
    close_and_end();
    ck_assert_str_eq(owner.story, "closed");
}
END_TEST

int main(void)
{
    return run_suite("stream", (const TTest *[]){a_descriptor_that_is_no_socket_stays_the_callers,
                                                 nothing_is_read_before_it_is_asked_for,
                                                 the_end_comes_after_the_bytes,
                                                 a_reset_comes_after_the_bytes,
                                                 one_stream_does_not_read_for_ever,
                                                 without_room_reading_waits,
                                                 without_a_size_the_end_is_seen,
                                                 without_a_size_a_reset_is_seen,
                                                 without_a_size_bytes_wait_and_the_end_behind_them,
                                                 a_hangup_is_noticed_while_nothing_is_read,
                                                 a_close_behind_an_end_is_noticed,
                                                 what_has_arrived_can_be_read_after_a_write_failed,
                                                 discarded_input_is_gone,
                                                 descriptors_are_told_before_their_bytes,
                                                 descriptors_that_nobody_asked_for_do_not_come,
                                                 on_fds_may_close,
                                                 a_released_descriptor_lives_on,
                                                 a_foreign_stream_does_not_linger,
                                                 a_foreign_stream_resets_when_it_is_told_to,
                                                 the_writes_of_a_turn_leave_together,
                                                 a_full_socket_goes_on_when_the_peer_reads,
                                                 what_is_written_to_a_full_socket_is_packed,
                                                 what_a_peer_said_before_it_reset_is_read,
                                                 the_write_side_is_shut_after_the_queue,
                                                 a_write_to_a_gone_peer_fails,
                                                 a_full_socket_learns_of_a_reset,
                                                 without_memory_nothing_is_queued,
                                                 a_queue_that_was_filled_before_is_taken,
                                                 linger_zero_resets,
                                                 each_callback_may_close,
                                                 on_failure_may_close,
                                                 a_failure_behind_what_was_sent_is_told_after_it,
                                                 a_stream_closed_in_on_sent_tells_no_failure,
                                                 a_failure_inside_on_sent_is_told_once,
                                                 a_flush_inside_on_sent_shuts_once,
                                                 a_closed_stream_takes_no_more,
                                                 NULL});
}
