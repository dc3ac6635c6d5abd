#include "chunk.h"
#include "memory.h"
#include "suite.h"

#include <string.h>

static struct nb_chunk_pool pool;

START_TEST(a_chunk_has_at_least_the_capacity_asked_for)
{
    static const size_t sizes[] = {0,
                                   1,
                                   NB_CHUNK_SMALL,
                                   NB_CHUNK_SMALL + 1,
                                   NB_CHUNK_LARGE / 2,
                                   NB_CHUNK_LARGE / 2 + 1,
                                   NB_CHUNK_LARGE,
                                   NB_CHUNK_LARGE + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct nb_chunk *chunk = nb_chunk_new(&pool, sizes[i]);
        ck_assert_uint_ge(chunk->capacity, sizes[i]);
        memset(chunk->bytes, 0xee, chunk->capacity);
        nb_chunk_unref(chunk);
    }
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(a_chunk_lives_until_its_last_share)
{
    struct nb_chunk *chunk = nb_chunk_new(&pool, 1);
    ck_assert_ptr_eq(nb_chunk_ref(chunk), chunk);
    nb_chunk_unref(chunk);
    ck_assert_uint_eq(pool.small_count, 0);
    nb_chunk_unref(chunk);
    ck_assert_uint_eq(pool.small_count, 1);
    ck_assert_ptr_null(nb_chunk_ref(NULL));
    nb_chunk_unref(NULL);
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(free_chunks_are_used_again)
{
    static const size_t sizes[] = {NB_CHUNK_SMALL, NB_CHUNK_LARGE};
    for (size_t i = 0; i < 2; i++) {
        nb_chunk_unref(nb_chunk_new(&pool, sizes[i]));
        uint64_t requests = nb_memory_requests();
        nb_chunk_unref(nb_chunk_new(&pool, sizes[i] - 1));
        ck_assert_uint_eq(nb_memory_requests(), requests);
    }
    nb_chunk_pool_finish(&pool);
}
END_TEST

static int64_t live_after_freeing(unsigned count, size_t capacity)
{
    static struct nb_chunk *chunks[NB_POOL_KEEPS_SMALL + 10];
    int64_t before = nb_memory_live();
    for (unsigned i = 0; i < count; i++)
        chunks[i] = nb_chunk_new(&pool, capacity);
    for (unsigned i = 0; i < count; i++)
        nb_chunk_unref(chunks[i]);
    return nb_memory_live() - before;
}

START_TEST(a_pool_keeps_a_bounded_number)
{
    ck_assert_int_eq(live_after_freeing(NB_POOL_KEEPS_SMALL + 10, 1), NB_POOL_KEEPS_SMALL);
    ck_assert_int_eq(live_after_freeing(NB_POOL_KEEPS_LARGE + 10, NB_CHUNK_LARGE), NB_POOL_KEEPS_LARGE);
    ck_assert_int_eq(live_after_freeing(3, NB_CHUNK_LARGE / 4), 0);
    ck_assert_int_eq(live_after_freeing(3, NB_CHUNK_LARGE + 1), 0);
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(without_memory_there_is_no_chunk)
{
    nb_memory_fail_after(1);
    ck_assert_ptr_null(nb_chunk_new(&pool, 1));
    struct nb_intake intake;
    nb_intake_init(&intake, &pool);
    nb_memory_fail_after(1);
    ck_assert_ptr_null(nb_intake_reserve(&intake, 1));
    nb_intake_finish(&intake);
}
END_TEST

/* Reads text into the intake and keeps a share of it. */
static struct nb_bytes take_in(struct nb_intake *intake, const char *text)
{
    size_t length = strlen(text);
    uint8_t *room = nb_intake_reserve(intake, 4096);
    ck_assert_ptr_nonnull(room);
    memcpy(room, text, length);
    struct nb_bytes bytes = nb_intake_commit(intake, length);
    nb_chunk_ref(bytes.chunk);
    nb_intake_settle(intake);
    return bytes;
}

START_TEST(small_reads_share_a_chunk)
{
    struct nb_intake intake;
    nb_intake_init(&intake, &pool);
    struct nb_bytes one = take_in(&intake, "one"), two = take_in(&intake, "two");
    ck_assert_ptr_eq(one.chunk, two.chunk);
    ck_assert_ptr_eq(one.data + 3, two.data);
    ck_assert_mem_eq(one.data, "onetwo", 6);
    nb_chunk_unref(one.chunk);
    ck_assert_ptr_nonnull(intake.chunk);
    nb_chunk_unref(two.chunk);
    ck_assert_ptr_null(intake.chunk);
    nb_intake_finish(&intake);
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(a_full_chunk_is_followed_by_another)
{
    struct nb_intake intake;
    nb_intake_init(&intake, &pool);
    struct nb_bytes first = take_in(&intake, "first"), last = first;
    unsigned reads = 0;
    while (last.chunk == first.chunk) {
        if (reads++)
            nb_chunk_unref(last.chunk);
        last = take_in(&intake, "0123456789");
    }
    ck_assert_uint_gt(reads, (NB_CHUNK_LARGE - 4096) / 10);
    ck_assert_mem_eq(first.data, "first", 5);
    nb_chunk_unref(first.chunk);
    ck_assert_uint_eq(pool.large_count, 1);
    nb_chunk_unref(last.chunk);
    nb_intake_finish(&intake);
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(an_unused_read_gives_its_chunk_back)
{
    struct nb_intake intake;
    nb_intake_init(&intake, &pool);
    ck_assert_ptr_nonnull(nb_intake_reserve(&intake, NB_CHUNK_LARGE));
    nb_intake_commit(&intake, 100);
    nb_intake_settle(&intake);
    ck_assert_ptr_null(intake.chunk);
    ck_assert_uint_eq(pool.large_count, 1);
    nb_intake_settle(&intake);
    nb_intake_finish(&intake);
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(bytes_outlive_their_intake)
{
    struct nb_intake intake;
    nb_intake_init(&intake, &pool);
    struct nb_bytes bytes = take_in(&intake, "kept");
    nb_intake_finish(&intake);
    memset(&intake, 0xee, sizeof intake);
    ck_assert_mem_eq(bytes.data, "kept", 4);
    nb_chunk_unref(nb_chunk_ref(bytes.chunk));
    nb_chunk_unref(bytes.chunk);
    nb_chunk_pool_finish(&pool);
}
END_TEST

START_TEST(a_chunk_moves_to_another_pool)
{
    static struct nb_chunk_pool other;
    struct nb_chunk *chunk = nb_chunk_new(&pool, 1);
    nb_chunk_move(chunk, &other);
    nb_chunk_unref(chunk);
    ck_assert_uint_eq(pool.small_count, 0);
    ck_assert_uint_eq(other.small_count, 1);
    nb_chunk_pool_finish(&pool);
    nb_chunk_pool_finish(&other);
}
END_TEST

int main(void)
{
    return run_suite("chunk",
                     (const TTest *[]){a_chunk_has_at_least_the_capacity_asked_for,
                                       a_chunk_lives_until_its_last_share, free_chunks_are_used_again,
                                       a_pool_keeps_a_bounded_number, without_memory_there_is_no_chunk,
                                       small_reads_share_a_chunk, a_full_chunk_is_followed_by_another,
                                       an_unused_read_gives_its_chunk_back, bytes_outlive_their_intake,
                                       a_chunk_moves_to_another_pool, NULL});
}
