#include "held_events.h"
#include "memory.h"
#include "notation.h"
#include "suite.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static struct nb_chunk_pool pool;
static struct nb_held_events held;
static struct nb_write_queue out;

static void begin(void)
{
    pool = (struct nb_chunk_pool){0};
    nb_held_events_init(&held, &pool);
    nb_write_queue_init(&out, &pool);
}

static void end(void)
{
    nb_held_events_finish(&held);
    nb_write_queue_finish(&out);
    nb_chunk_pool_finish(&pool);
}

static void hold(const char *frame_text)
{
    struct nb_slice frame = notation(frame_text);
    ck_assert_int_eq(nb_held_events_add(&held, frame, (struct nb_bytes){0}), 0);
    free((void *)frame.data);
}

/* What a queue holds, through a socket pair. */
static size_t drain(struct nb_write_queue *queue, uint8_t *ret_bytes, size_t size)
{
    size_t sent, length = 0;
    int sockets[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    while (queue->count) {
        nb_write_queue_send(queue, sockets[0], &sent);
        ssize_t got = read(sockets[1], ret_bytes + length, size - length);
        ck_assert_int_gt(got, 0);
        length += (size_t)got;
    }
    for (ssize_t got; (got = read(sockets[1], ret_bytes + length, size - length)) > 0;)
        length += (size_t)got;
    close(sockets[0]);
    close(sockets[1]);
    return length;
}

static void expect_out(const char *items)
{
    static uint8_t bytes[1 << 20];
    struct nb_slice expected = notation(items); /* an array of few: one byte of head */
    size_t length = drain(&out, bytes, sizeof bytes);
    ck_assert_uint_eq(length, expected.length - 1);
    ck_assert_mem_eq(bytes, expected.data + 1, length);
    free((void *)expected.data);
}

START_TEST(events_become_items_in_order)
{
    begin();
    hold("[2, 'socket.end', [1, {}]]");
    hold("[2, 'socket.close', [1, {'hadError': false}]]");
    hold("[2, 'session.idle', [0, {}]]");
    ck_assert_uint_eq(held.count, 3);
    ck_assert_int_eq(nb_held_events_move(&held, 2, &out), 0);
    ck_assert_uint_eq(held.count, 1);
    expect_out("[['socket.end', [1, {}]], ['socket.close', [1, {'hadError': false}]]]");
    ck_assert_int_eq(nb_held_events_move(&held, 0, &out), 0);
    ck_assert_int_eq(nb_held_events_move(&held, 1, &out), 0);
    expect_out("[['session.idle', [0, {}]]]");
    ck_assert_uint_eq(held.bytes.length, 0);
    end();
}
END_TEST

START_TEST(nothing_of_nothing)
{
    begin();
    ck_assert_int_eq(nb_held_events_move(&held, 0, &out), 0);
    ck_assert_uint_eq(out.length, 0);
    hold("[2, 'session.idle', [0, {}]]");
    ck_assert_uint_eq(held.count, 1);
    end();
}
END_TEST

/* The payload is shared, not copied, and behind its own frame. */
START_TEST(payloads_are_shared)
{
    static uint8_t bytes[200000];
    begin();
    struct nb_chunk *chunk = nb_chunk_new(&pool, 65536);
    memset(chunk->bytes, 'p', 65536);
    struct nb_slice frame = notation("[2, 'socket.data', [1, nil]]");
    struct nb_slice head = {frame.data, frame.length - 1}; /* the payload itself takes the place of nil */
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(nb_held_events_add(&held, head, (struct nb_bytes){chunk->bytes, 65536, chunk}), 0);
    ck_assert_uint_ge(chunk->shares, 3);
    nb_chunk_unref(chunk);
    ck_assert_int_eq(nb_held_events_move(&held, 2, &out), 0);
    size_t item = head.length - 2 + 1 + 65536; /* [2, goes, NB_POLL_ITEM comes */
    ck_assert_uint_eq(drain(&out, bytes, sizeof bytes), 2 * item);
    ck_assert_uint_eq(bytes[0], 0x92);
    ck_assert_uint_eq(bytes[item], 0x92);
    ck_assert_uint_eq(bytes[item - 1], 'p');
    ck_assert_mem_eq(bytes + 1, bytes + item + 1, item - 1);
    free((void *)frame.data);
    end();
}
END_TEST

/* Added and moved in turns, so that the ring of lengths wraps and grows with a part of it in use. */
START_TEST(the_ring_wraps_and_grows)
{
    unsigned added = 0, moved = 0;
    begin();
    srandom(7);
    while (moved < 3000) {
        for (long i = random() % 90; i > 0; i--) {
            char text[80];
            snprintf(text, sizeof text, "[2, 'socket.end', [%u, {'n': '%.*s'}]]", added, (int)(added % 40),
                     "........................................");
            hold(text);
            added++;
        }
        while (held.count && random() % 8) {
            char text[80];
            ck_assert_int_eq(nb_held_events_move(&held, 1, &out), 0);
            snprintf(text, sizeof text, "[['socket.end', [%u, {'n': '%.*s'}]]]", moved, (int)(moved % 40),
                     "........................................");
            expect_out(text);
            moved++;
        }
        ck_assert_uint_eq(held.count, added - moved);
    }
    end();
}
END_TEST

START_TEST(without_memory_an_add_fails)
{
    struct nb_slice frame = notation("[2, 'socket.end', [1, {}]]");
    for (unsigned failing = 1;; failing++) {
        begin();
        nb_memory_fail_after(failing);
        int status = nb_held_events_add(&held, frame, (struct nb_bytes){0});
        nb_memory_fail_after(0);
        end();
        if (status == 0)
            break;
        ck_assert_int_eq(status, UV_ENOMEM);
        ck_assert_uint_lt(failing, 20);
    }
    free((void *)frame.data);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        events_become_items_in_order, nothing_of_nothing,          payloads_are_shared,
        the_ring_wraps_and_grows,     without_memory_an_add_fails, NULL,
    };
    return run_suite("held events", tests);
}
