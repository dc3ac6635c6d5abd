#include "frame_input.h"
#include "memory.h"
#include "notation.h"
#include "suite.h"

#include <stdlib.h>

static struct nb_chunk_pool pool;
static const struct nb_scan_limits limits = {
    .frame = (1 << 20) + (64 << 10), .depth = 16, .elements = 4096, .text = 64 << 10};

static void begin(struct nb_frame_input *input)
{
    pool = (struct nb_chunk_pool){0};
    nb_frame_input_init(input, &pool, limits);
}

static void end(struct nb_frame_input *input)
{
    nb_frame_input_finish(input);
    nb_chunk_pool_finish(&pool);
}

/* As a read would: in pieces of at most what is offered, and at most size. */
static size_t feed(struct nb_frame_input *input, const uint8_t *data, size_t length)
{
    size_t room;
    uint8_t *to = nb_frame_input_reserve(input, &room);
    ck_assert_ptr_nonnull(to);
    ck_assert_uint_ge(room, 16 * 1024);
    if (length > room)
        length = room;
    memcpy(to, data, length);
    nb_frame_input_commit(input, length);
    return length;
}

static void expect_frame(struct nb_frame_input *input, const uint8_t *data, size_t length)
{
    struct nb_bytes frame;
    ck_assert_int_eq(nb_frame_input_next(input, &frame), NB_SCAN_FRAME);
    ck_assert_uint_eq(frame.length, length);
    ck_assert_mem_eq(frame.data, data, length);
    nb_chunk_unref(frame.chunk);
}

static void expect_more(struct nb_frame_input *input)
{
    struct nb_bytes frame;
    ck_assert_int_eq(nb_frame_input_next(input, &frame), NB_SCAN_MORE);
}

/* [2, 'socket.write', [1, bin of that size]]; owned. */
static struct nb_slice write_frame(size_t size)
{
    struct nb_slice head = notation("[2, 'socket.write', [1, nil]]");
    size_t start = head.length - 1;
    uint8_t *bytes = malloc(start + 5 + size);
    memcpy(bytes, head.data, start);
    bytes[start] = 0xc6;
    for (int i = 0; i < 4; i++)
        bytes[start + 1 + (size_t)i] = (uint8_t)(size >> (24 - 8 * i));
    for (size_t i = 0; i < size; i++)
        bytes[start + 5 + i] = (uint8_t)(i * 7 + i / 251);
    free((void *)head.data);
    return (struct nb_slice){bytes, start + 5 + size};
}

START_TEST(a_frame_that_is_put_back_comes_again)
{
    struct nb_frame_input input;
    struct nb_bytes frame;
    struct nb_slice first = notation("[2, 'first', [1]]"), second = notation("[2, 'the second', [2]]");
    begin(&input);
    feed(&input, first.data, first.length);
    ck_assert_int_eq(nb_frame_input_next(&input, &frame), NB_SCAN_FRAME);
    nb_frame_input_put_back(&input, frame.length);
    nb_chunk_unref(frame.chunk);
    feed(&input, second.data, second.length);
    expect_frame(&input, first.data, first.length);
    expect_frame(&input, second.data, second.length);
    expect_more(&input);
    end(&input);
    free((void *)first.data);
    free((void *)second.data);
}
END_TEST

START_TEST(every_split_of_two_frames)
{
    struct nb_frame_input input;
    struct nb_slice first =
        notation("[0, 1, 'session.ping', [0, {'a': [1, 2, {'b': 'text'}], 'c': x'00ff'}]]");
    struct nb_slice second = notation("[2, 'socket.write', [70000, 'bytes', {'encoding': 'hex'}]]");
    size_t length = first.length + second.length;
    uint8_t *both = malloc(length);
    memcpy(both, first.data, first.length);
    memcpy(both + first.length, second.data, second.length);
    for (size_t split = 0; split <= length; split++) {
        begin(&input);
        if (split) {
            feed(&input, both, split);
            if (split < first.length)
                expect_more(&input);
        }
        if (split < length)
            feed(&input, both + split, length - split);
        expect_frame(&input, first.data, first.length);
        expect_frame(&input, second.data, second.length);
        expect_more(&input);
        ck_assert_ptr_null(input.chunk); /* nothing waits, nothing is held */
        end(&input);
    }
    free(both);
    free((void *)first.data);
    free((void *)second.data);
}
END_TEST

START_TEST(one_byte_at_a_time)
{
    struct nb_frame_input input;
    struct nb_slice frame = write_frame(40000);
    begin(&input);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < frame.length; i++) {
            expect_more(&input);
            feed(&input, frame.data + i, 1);
        }
        expect_frame(&input, frame.data, frame.length);
    }
    expect_more(&input);
    end(&input);
    free((void *)frame.data);
}
END_TEST

/* Frames of a size, one behind the other, in reads of a size: the edges of chunks fall everywhere in them. */
static void run_over_edges(size_t payload, size_t read_size, unsigned count)
{
    struct nb_frame_input input;
    struct nb_slice frame = write_frame(payload);
    size_t fed = 0, total = frame.length * count;
    unsigned got = 0;
    begin(&input);
    while (got < count) {
        struct nb_bytes bytes;
        enum nb_scan_status status = nb_frame_input_next(&input, &bytes);
        if (status == NB_SCAN_FRAME) {
            ck_assert_uint_eq(bytes.length, frame.length);
            ck_assert_mem_eq(bytes.data, frame.data, frame.length);
            nb_chunk_unref(bytes.chunk);
            got++;
            continue;
        }
        ck_assert_int_eq(status, NB_SCAN_MORE);
        ck_assert_uint_lt(fed, total);
        size_t at = fed % frame.length, left = frame.length - at;
        fed += feed(&input, frame.data + at, left < read_size ? left : read_size);
    }
    ck_assert_uint_eq(fed, total);
    expect_more(&input);
    end(&input);
    free((void *)frame.data);
}

START_TEST(frames_over_the_edges_of_chunks)
{
    run_over_edges(0, 65536, 100);
    run_over_edges(1, 1000, 30000);
    run_over_edges(4096, 4096, 300);
    run_over_edges(65536, 65536, 40);
    run_over_edges(131000, 50000, 12);
    run_over_edges(262144, 262144, 6);
    run_over_edges(1 << 20, 99991, 4);
}
END_TEST

START_TEST(frames_outlive_the_input)
{
    struct nb_frame_input input;
    struct nb_slice frame = write_frame(5000);
    struct nb_bytes kept[200];
    begin(&input);
    for (unsigned i = 0; i < 200; i++) {
        feed(&input, frame.data, frame.length);
        ck_assert_int_eq(nb_frame_input_next(&input, &kept[i]), NB_SCAN_FRAME);
    }
    nb_frame_input_finish(&input);
    for (unsigned i = 0; i < 200; i++) {
        ck_assert_mem_eq(kept[i].data, frame.data, frame.length);
        nb_chunk_unref(kept[i].chunk);
    }
    nb_chunk_pool_finish(&pool);
    free((void *)frame.data);
}
END_TEST

/* As for a peer that does not read: each frame comes alone and stays in use. */
START_TEST(frames_that_stay_share_chunks)
{
    struct nb_frame_input input;
    struct nb_slice frame = write_frame(65536);
    struct nb_bytes kept[30];
    begin(&input);
    for (unsigned i = 0; i < 30; i++) {
        for (size_t fed = 0; fed < frame.length;)
            fed += feed(&input, frame.data + fed, frame.length - fed);
        ck_assert_int_eq(nb_frame_input_next(&input, &kept[i]), NB_SCAN_FRAME);
        expect_more(&input);
    }
    ck_assert_int_le(nb_memory_live(), 10); /* three of them in each */
    for (unsigned i = 0; i < 30; i++) {
        ck_assert_mem_eq(kept[i].data, frame.data, frame.length);
        nb_chunk_unref(kept[i].chunk);
    }
    ck_assert_ptr_null(input.intake.chunk); /* nothing is in use, nothing is held */
    end(&input);
    free((void *)frame.data);
}
END_TEST

/* Announced lengths reserve nothing; bytes that come reserve at most one frame. */
START_TEST(memory_is_bounded_by_the_frame_limit)
{
    struct nb_frame_input input;
    struct nb_slice frame = write_frame(1 << 20);
    begin(&input);
    size_t fed = feed(&input, frame.data, 30); /* the whole announcement */
    expect_more(&input);
    ck_assert_uint_le(input.chunk->capacity, NB_CHUNK_LARGE);
    while (fed < frame.length) {
        fed += feed(&input, frame.data + fed, frame.length - fed);
        ck_assert_uint_le(input.chunk->capacity, limits.frame + (64 << 10));
        if (fed < frame.length)
            expect_more(&input);
    }
    ck_assert_int_le(nb_memory_live(), 2); /* the frame's chunk, and a free one */
    expect_frame(&input, frame.data, frame.length);
    end(&input);
    free((void *)frame.data);
}
END_TEST

static void expect_refusal(const char *bytes, enum nb_scan_status expected)
{
    struct nb_frame_input input;
    struct nb_bytes frame;
    struct nb_slice head = unhex(bytes);
    begin(&input);
    feed(&input, head.data, head.length);
    ck_assert_int_eq(nb_frame_input_next(&input, &frame), expected);
    end(&input);
    free((void *)head.data);
}

START_TEST(limits_are_kept_as_soon_as_they_are_passed)
{
    expect_refusal("c1", NB_SCAN_MALFORMED);
    expect_refusal("80", NB_SCAN_MALFORMED);
    expect_refusal("9302c6", NB_SCAN_MORE);
    expect_refusal("9302a1619201c600110000", NB_SCAN_FRAME_TOO_BIG);
    expect_refusal("9302a1619201c6ffffffff", NB_SCAN_FRAME_TOO_BIG);
    expect_refusal("9302da0100", NB_SCAN_MORE);
    expect_refusal("9302db00010001", NB_SCAN_TEXT_TOO_LONG);
    expect_refusal("93029191919191919191919191919191919191", NB_SCAN_TOO_DEEP);
    expect_refusal("9302dc1001", NB_SCAN_TOO_MANY_ELEMENTS);
    expect_refusal("9302ddffffffff", NB_SCAN_TOO_MANY_ELEMENTS);
}
END_TEST

START_TEST(good_frames_before_a_bad_one_are_given)
{
    struct nb_frame_input input;
    struct nb_bytes frame;
    struct nb_slice ping = notation("[0, 1, 'session.ping', [0]]");
    begin(&input);
    feed(&input, ping.data, ping.length);
    feed(&input, ping.data, ping.length);
    feed(&input, (const uint8_t *)"\xc1", 1);
    expect_frame(&input, ping.data, ping.length);
    expect_frame(&input, ping.data, ping.length);
    ck_assert_int_eq(nb_frame_input_next(&input, &frame), NB_SCAN_MALFORMED);
    end(&input);
    free((void *)ping.data);
}
END_TEST

START_TEST(without_memory_there_is_no_room)
{
    struct nb_frame_input input;
    size_t room;
    struct nb_slice frame = write_frame(200000);
    begin(&input);
    nb_memory_fail_after(1);
    ck_assert_ptr_null(nb_frame_input_reserve(&input, &room));
    size_t fed = 0;
    while (fed < 262144 - 16384 && fed < 150000)
        fed += feed(&input, frame.data + fed, 150000 - fed);
    fed += feed(&input, frame.data + fed, frame.length - fed);
    expect_frame(&input, frame.data, frame.length);
    end(&input);
    free((void *)frame.data);
}
END_TEST

/* In the steady state frames cost no allocation. */
START_TEST(no_allocation_per_frame)
{
    static const size_t sizes[] = {1, 64, 4096, 65536};
    struct nb_frame_input input;
    begin(&input);
    for (unsigned i = 0; i < 4; i++) {
        struct nb_slice frame = write_frame(sizes[i]);
        uint64_t requests = 0;
        for (unsigned round = 0; round < 2000; round++) {
            if (round == 10)
                requests = nb_memory_requests();
            for (size_t fed = 0; fed < frame.length;)
                fed += feed(&input, frame.data + fed, frame.length - fed);
            expect_frame(&input, frame.data, frame.length);
        }
        ck_assert_uint_eq(nb_memory_requests(), requests);
        free((void *)frame.data);
    }
    end(&input);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_frame_that_is_put_back_comes_again,
        every_split_of_two_frames,
        one_byte_at_a_time,
        frames_over_the_edges_of_chunks,
        frames_outlive_the_input,
        frames_that_stay_share_chunks,
        memory_is_bounded_by_the_frame_limit,
        limits_are_kept_as_soon_as_they_are_passed,
        good_frames_before_a_bad_one_are_given,
        without_memory_there_is_no_room,
        no_allocation_per_frame,
        NULL,
    };
    return run_suite("frame input", tests);
}
