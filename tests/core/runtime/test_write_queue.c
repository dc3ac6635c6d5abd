#include "memory.h"
#include "sockets.h"
#include "suite.h"
#include "write_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { EXPECTED_SIZE = 4 << 20 };

static struct nb_chunk_pool pool;
static struct nb_write_queue queue;
static int sender, receiver;

/* All that was queued, to be compared with what arrives. */
static uint8_t expected[EXPECTED_SIZE];
static size_t queued, received;

/* ---- calls of sendmsg, which the linker wraps ---- */

static unsigned sends, interruptions;
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    sends++;
    if (interruptions) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    return __real_sendmsg(fd, message, flags);
}

/* ---- a queue and its peer ---- */

static void begin(void)
{
    int ends[2], small = 1;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    sender = ends[0];
    receiver = ends[1];
    ck_assert_int_eq(setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    nb_write_queue_init(&queue, &pool);
}

static void end(void)
{
    nb_write_queue_finish(&queue);
    nb_chunk_pool_finish(&pool);
    close(sender);
    close(receiver);
}

static void expect(const uint8_t *data, size_t length)
{
    ck_assert_uint_le(queued + length, sizeof expected);
    memcpy(expected + queued, data, length);
    queued += length;
}

/* Bytes that differ from their neighbours near and far. */
static void fill(uint8_t *data, size_t length)
{
    static uint32_t state = 1;
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
}

static int add_copy(size_t length)
{
    static uint8_t data[100000];
    fill(data, length);
    int status = nb_write_queue_copy(&queue, data, length);
    if (status == 0)
        expect(data, length);
    return status;
}

/* Shares length bytes of a fresh chunk of that capacity; the queue's share is the only one afterwards. */
static int add_share(size_t capacity, size_t length)
{
    struct nb_chunk *chunk = nb_chunk_new(&pool, capacity);
    if (!chunk)
        return UV_ENOMEM;
    fill(chunk->bytes, length);
    int status = nb_write_queue_share(&queue, (struct nb_bytes){chunk->bytes, length, chunk});
    if (status == 0)
        expect(chunk->bytes, length);
    nb_chunk_unref(chunk);
    return status;
}

static void receive_some(void)
{
    static uint8_t data[65536];
    ssize_t length = recv(receiver, data, sizeof data, 0);
    if (length <= 0)
        return;
    ck_assert_uint_le(received + (size_t)length, queued);
    ck_assert_mem_eq(data, expected + received, (size_t)length);
    received += (size_t)length;
}

static int send_some(void)
{
    size_t before = queue.length, sent = 0;
    int status = nb_write_queue_send(&queue, sender, &sent);
    ck_assert_uint_eq(queue.length, before - sent);
    ck_assert(status == UV_EAGAIN || status == 0);
    ck_assert_int_eq(status == 0, queue.length == 0);
    return status;
}

static void send_all(void)
{
    while (send_some() < 0)
        receive_some();
    while (received < queued)
        receive_some();
}

/* ---- tests ---- */

START_TEST(what_is_queued_arrives)
{
    begin();
    ck_assert_int_eq(add_copy(10), 0);
    ck_assert_int_eq(add_share(NB_CHUNK_LARGE, 200000), 0);
    ck_assert_int_eq(add_copy(90000), 0);
    ck_assert_int_eq(add_share(1, 1), 0);
    ck_assert_int_eq(nb_write_queue_copy(&queue, "", 0), 0);
    ck_assert_uint_eq(queue.length, queued);
    send_all();
    ck_assert_uint_eq(queue.count, 0);
    end();
}
END_TEST

START_TEST(what_is_queued_can_be_read)
{
    static uint8_t copy[sizeof expected];
    begin();
    nb_write_queue_read(&queue, NULL);
    ck_assert_int_eq(add_copy(10), 0);
    ck_assert_int_eq(add_share(NB_CHUNK_LARGE, 200000), 0);
    ck_assert_int_eq(add_copy(90000), 0);
    nb_write_queue_read(&queue, copy);
    ck_assert_mem_eq(copy, expected, queued);
    send_all();
    end();
}
END_TEST

/* Reads once, as much as came with one call; the descriptor that came along, or -1. */
static int receive_one(size_t *ret_length)
{
    uint8_t data[256], control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec vector = {data, sizeof data};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int fd = -1;
    ssize_t length = recvmsg(receiver, &message, 0);
    ck_assert_int_gt(length, 0);
    ck_assert_mem_eq(data, expected + received, (size_t)length);
    received += (size_t)length;
    *ret_length = (size_t)length;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header) {
        ck_assert_uint_eq(header->cmsg_len, CMSG_LEN(sizeof fd));
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return fd;
}

static void add_with_fd(const char *text)
{
    int ends[2];
    unix_pair(ends);
    close(ends[1]);
    ck_assert_int_eq(nb_write_queue_copy_with_fd(&queue, text, strlen(text), ends[0]), 0);
    expect((const uint8_t *)text, strlen(text));
}

START_TEST(a_descriptor_goes_with_its_own_bytes)
{
    size_t length;
    begin();
    int before = count_descriptors();
    ck_assert_int_eq(add_copy(3), 0);
    add_with_fd("one");
    add_with_fd("two!");
    ck_assert_int_eq(add_copy(5), 0);
    ck_assert_int_eq(count_descriptors(), before + 2);
    ck_assert_int_eq(send_some(), 0);
    ck_assert_int_eq(count_descriptors(), before);
    static const size_t read_along[] = {
        3 + 3, 4 + 5}; /* a read brings the descriptors of one call, and bytes around it */
    for (int i = 0; i < 2; i++) {
        int fd = receive_one(&length);
        ck_assert_int_ge(fd, 0);
        ck_assert_uint_eq(length, read_along[i]);
        close(fd);
    }
    end();
}
END_TEST

START_TEST(a_descriptor_is_closed_with_its_segment)
{
    begin();
    int before = count_descriptors();
    add_with_fd("dropped");
    nb_write_queue_settle(&queue);
    nb_write_queue_clear(&queue);
    ck_assert_int_eq(count_descriptors(), before);
    nb_chunk_pool_finish(&pool);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_write_queue_copy_with_fd(&queue, "x", 1, dup(sender)), UV_ENOMEM);
    nb_memory_fail_after(0);
    ck_assert_int_eq(count_descriptors(), before);
    queued = received = 0;
    end();
}
END_TEST

START_TEST(an_empty_queue_sends_nothing)
{
    begin();
    ck_assert_int_eq(send_some(), 0);
    ck_assert_uint_eq(sends, 0);
    end();
}
END_TEST

START_TEST(neighbours_become_one_segment)
{
    begin();
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(add_copy(7), 0);
    ck_assert_uint_eq(queue.count, 1);
    struct nb_chunk *chunk = nb_chunk_new(&pool, NB_CHUNK_LARGE);
    fill(chunk->bytes, 30);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(nb_write_queue_share(&queue, (struct nb_bytes){chunk->bytes + 10 * i, 10, chunk}),
                         0);
    expect(chunk->bytes, 30);
    ck_assert_uint_eq(queue.count, 2);
    ck_assert_uint_eq(chunk->shares, 2);
    nb_chunk_unref(chunk);
    send_all();
    end();
}
END_TEST

START_TEST(bytes_of_other_chunks_and_gaps_do_not_merge)
{
    begin();
    struct nb_chunk *chunk = nb_chunk_new(&pool, NB_CHUNK_LARGE);
    fill(chunk->bytes, 30);
    for (int i = 2; i >= 0; i--) {
        ck_assert_int_eq(nb_write_queue_share(&queue, (struct nb_bytes){chunk->bytes + 10 * i, 9, chunk}), 0);
        expect(chunk->bytes + 10 * i, 9);
    }
    ck_assert_uint_eq(queue.count, 3);
    nb_chunk_unref(chunk);
    send_all();
    end();
}
END_TEST

START_TEST(static_bytes_need_no_chunk)
{
    static const uint8_t text[] = "static";
    begin();
    ck_assert_int_eq(nb_write_queue_share(&queue, (struct nb_bytes){text, 6, NULL}), 0);
    expect(text, 6);
    send_all();
    end();
}
END_TEST

START_TEST(many_segments_leave_in_few_calls)
{
    begin();
    for (int i = 0; i < 256; i++)
        ck_assert_int_eq(add_share(1, 1), 0);
    ck_assert_uint_eq(queue.count, 256);
    ck_assert_int_eq(send_some(), 0);
    ck_assert_uint_eq(sends, 1);
    send_all();
    end();
}
END_TEST

START_TEST(more_segments_than_a_call_takes_all_leave)
{
    begin();
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(add_share(1, (size_t)(i % 5) + 1), 0);
    send_all();
    end();
}
END_TEST

START_TEST(an_interrupted_call_is_repeated)
{
    begin();
    ck_assert_int_eq(add_copy(10), 0);
    interruptions = 3;
    ck_assert_int_eq(send_some(), 0);
    ck_assert_uint_eq(sends, 4);
    send_all();
    end();
}
END_TEST

START_TEST(a_broken_socket_says_so)
{
    size_t sent = 1;
    begin();
    ck_assert_int_eq(add_copy(10), 0);
    shutdown(receiver, SHUT_RD);
    ck_assert_int_eq(nb_write_queue_send(&queue, sender, &sent), UV_EPIPE);
    ck_assert_uint_eq(sent, 0);
    ck_assert_uint_eq(queue.length, 10);
    end();
}
END_TEST

START_TEST(what_was_sent_holds_no_memory)
{
    begin();
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(add_share(NB_CHUNK_LARGE / 4, 3), 0);
    ck_assert_int_eq(add_copy(50), 0);
    int64_t before = nb_memory_live();
    send_all();
    ck_assert_int_le(nb_memory_live(), before - 100);
    ck_assert_ptr_null(queue.packed);
    end();
}
END_TEST

START_TEST(clearing_lets_everything_go)
{
    begin();
    ck_assert_int_eq(add_share(NB_CHUNK_LARGE, 10), 0);
    ck_assert_int_eq(add_copy(10), 0);
    nb_write_queue_clear(&queue);
    ck_assert_uint_eq(queue.length, 0);
    ck_assert_uint_eq(pool.large_count, 1);
    ck_assert_uint_eq(pool.small_count, 1);
    queued = 0;
    ck_assert_int_eq(add_copy(20), 0);
    send_all();
    end();
}
END_TEST

/* ---- settling ---- */

/* Bytes of chunks that the segments hold, each chunk counted once for neighbours that share it. */
static size_t held_capacity(void)
{
    size_t held = 0;
    const struct nb_chunk *previous = NULL;
    for (uint32_t i = 0; i < queue.count; i++) {
        const struct nb_segment *segment = &queue.ring[(queue.first + i) & (queue.capacity - 1)];
        if (segment->chunk != previous)
            held += segment->chunk->capacity;
        previous = segment->chunk;
    }
    return held;
}

START_TEST(settling_makes_small_remainders_dense)
{
    begin();
    for (size_t i = 0; i < 500; i++)
        ck_assert_int_eq(add_share(NB_CHUNK_LARGE, 1 + i % 700), 0);
    ck_assert_uint_ge(held_capacity(), 500 * (size_t)NB_CHUNK_LARGE);
    nb_write_queue_settle(&queue);
    ck_assert_uint_le(held_capacity(), 2 * queue.length + NB_CHUNK_SMALL);
    send_all();
    end();
}
END_TEST

START_TEST(settling_leaves_long_segments_alone)
{
    begin();
    ck_assert_int_eq(add_share(NB_CHUNK_LARGE, NB_CHUNK_LARGE / 4), 0);
    const uint8_t *data = queue.ring[queue.first].data;
    uint64_t requests = nb_memory_requests();
    nb_write_queue_settle(&queue);
    ck_assert_ptr_eq(queue.ring[queue.first].data, data);
    ck_assert_uint_eq(nb_memory_requests(), requests);
    send_all();
    end();
}
END_TEST

START_TEST(settling_looks_at_each_segment_once)
{
    begin();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(add_share(NB_CHUNK_LARGE, 10), 0);
        nb_write_queue_settle(&queue);
        ck_assert_uint_eq(queue.settled, queue.count);
    }
    ck_assert_uint_le(held_capacity(), 2 * (size_t)NB_CHUNK_SMALL);
    send_all();
    ck_assert_uint_eq(queue.settled, 0);
    end();
}
END_TEST

/* A segment is a few words; without joining, each byte would hold one. */
START_TEST(settling_joins_what_it_packs)
{
    begin();
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(add_share(i % 2 ? NB_CHUNK_LARGE : 1, 1), 0);
        if (i % 100 == 99)
            nb_write_queue_settle(&queue);
    }
    ck_assert_uint_le(queue.count, 10000 / NB_CHUNK_SMALL + 1);
    ck_assert_uint_le(held_capacity(), 3 * NB_CHUNK_SMALL);
    send_all();
    end();
}
END_TEST

START_TEST(a_ring_that_became_large_goes_when_the_queue_is_empty)
{
    begin();
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(add_share(1, 1), 0);
    send_all();
    ck_assert_uint_le(queue.capacity, 256);
    ck_assert_int_eq(add_copy(5), 0);
    send_all();
    ck_assert_uint_ne(queue.capacity, 0);
    end();
}
END_TEST

/* Long when it was settled, then sent but for a little. */
static void leave_little_of(size_t capacity, size_t length)
{
    ck_assert_int_eq(add_share(capacity, length), 0);
    nb_write_queue_settle(&queue);
    while (queue.length > 3000) {
        send_some();
        nb_write_queue_settle(&queue);
        receive_some();
    }
}

START_TEST(the_rest_of_a_long_segment_is_packed_too)
{
    begin();
    leave_little_of(1100000, 1000000);
    ck_assert_uint_gt(queue.length, 0);
    ck_assert_uint_le(held_capacity(), 4 * queue.length + NB_CHUNK_SMALL);
    send_all();
    end();
}
END_TEST

START_TEST(settling_does_without_memory)
{
    begin();
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(add_share(NB_CHUNK_LARGE, 100), 0);
    nb_memory_fail_after(1);
    nb_write_queue_settle(&queue);
    ck_assert_uint_eq(queue.settled, 0);
    ck_assert_uint_eq(queue.count, 10);
    nb_write_queue_settle(&queue);
    ck_assert_uint_eq(queue.settled, 1);
    ck_assert_uint_eq(queue.count, 1);
    send_all();
    end();
}
END_TEST

/* ---- moving ---- */

START_TEST(a_part_moves_to_another_queue)
{
    struct nb_write_queue from;
    begin();
    nb_write_queue_init(&from, &pool);
    for (int i = 0; i < 20; i++) {
        uint8_t data[100];
        fill(data, sizeof data);
        expect(data, sizeof data);
        ck_assert_int_eq(nb_write_queue_copy(&from, data, sizeof data), 0);
    }
    ck_assert_int_eq(nb_write_queue_move(&from, &queue, 0), 0);
    ck_assert_int_eq(nb_write_queue_move(&from, &queue, 150), 0);
    ck_assert_uint_eq(queue.length, 150);
    ck_assert_uint_eq(from.length, 1850);
    ck_assert_int_eq(nb_write_queue_move(&from, &queue, 1850), 0);
    ck_assert_uint_eq(from.count, 0);
    nb_write_queue_finish(&from);
    send_all();
    end();
}
END_TEST

START_TEST(a_move_without_memory_leaves_both_fit_to_drop)
{
    struct nb_write_queue from;
    begin();
    nb_write_queue_init(&from, &pool);
    ck_assert_int_eq(nb_write_queue_copy(&from, "abc", 3), 0);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_write_queue_move(&from, &queue, 3), UV_ENOMEM);
    nb_write_queue_finish(&from);
    end();
}
END_TEST

/* ---- everything at once ---- */

static unsigned random_below(unsigned limit)
{
    static uint32_t state = 12345;
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
}

/* One random step; a failing allocation must leave the queue as it was. */
static void step(void)
{
    size_t before = queue.length;
    size_t length = random_below(4) ? random_below(100) : random_below(70000);
    int status = 0;
    switch (random_below(6)) {
    case 0:
    case 1:
        status = add_copy(length);
        break;
    case 2:
        status = add_share(random_below(2) ? NB_CHUNK_LARGE : length, length);
        break;
    case 3:
        nb_write_queue_settle(&queue);
        break;
    case 4:
        send_some();
        break;
    default:
        receive_some();
    }
    if (status < 0)
        ck_assert_uint_eq(queue.length, before);
}

/* Every n-th request for memory fails; 0: none. */
static void run_steps_failing_every(uint64_t n)
{
    uint64_t begun_at = nb_memory_requests();
    queued = received = 0;
    while (queued < EXPECTED_SIZE - 200000) {
        if (n && nb_memory_requests() >= begun_at + n) {
            begun_at = nb_memory_requests();
            nb_memory_fail_after(n);
        }
        step();
        if (queue.length > 500000)
            send_all();
    }
    nb_memory_fail_after(0);
    send_all();
}

START_TEST(random_steps_lose_no_byte)
{
    static const uint64_t failing[] = {0, 2, 3, 5, 8};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        begin();
        run_steps_failing_every(failing[i]);
        end();
    }
}
END_TEST

int main(void)
{
    return run_suite("write_queue", (const TTest *[]){what_is_queued_arrives,
                                                      what_is_queued_can_be_read,
                                                      a_descriptor_goes_with_its_own_bytes,
                                                      a_descriptor_is_closed_with_its_segment,
                                                      an_empty_queue_sends_nothing,
                                                      neighbours_become_one_segment,
                                                      bytes_of_other_chunks_and_gaps_do_not_merge,
                                                      static_bytes_need_no_chunk,
                                                      many_segments_leave_in_few_calls,
                                                      more_segments_than_a_call_takes_all_leave,
                                                      an_interrupted_call_is_repeated,
                                                      a_broken_socket_says_so,
                                                      what_was_sent_holds_no_memory,
                                                      clearing_lets_everything_go,
                                                      settling_makes_small_remainders_dense,
                                                      settling_leaves_long_segments_alone,
                                                      settling_looks_at_each_segment_once,
                                                      settling_joins_what_it_packs,
                                                      a_ring_that_became_large_goes_when_the_queue_is_empty,
                                                      the_rest_of_a_long_segment_is_packed_too,
                                                      settling_does_without_memory,
                                                      a_part_moves_to_another_queue,
                                                      a_move_without_memory_leaves_both_fit_to_drop,
                                                      random_steps_lose_no_byte,
                                                      NULL});
}
