/* The arena: blocks do not overlap, what is free is used again, neighbours are joined, memory may fail. */
#include "arena.h"
#include "memory.h"
#include "suite.h"

#include <string.h>

enum { BLOCKS = 2000 };

struct block {
    uint8_t *bytes;
    size_t size;
    uint8_t fill;
};

static uint64_t random_state = 1;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % limit;
}

static void assert_filled(const struct block *block)
{
    for (size_t i = 0; i < block->size; i++)
        if (block->bytes[i] != block->fill) /* an assertion for each byte would take seconds */
            ck_abort_msg("byte %zu of %zu is another block's", i, block->size);
}

static void take(struct nb_arena *arena, struct block *block, size_t size)
{
    *block = (struct block){nb_arena_alloc(arena, size), size, (uint8_t)below(256)};
    ck_assert_ptr_nonnull(block->bytes);
    ck_assert_uint_eq((uintptr_t)block->bytes % NB_ARENA_GRAIN, 0);
    memset(block->bytes, block->fill, size);
}

static void give_back(struct nb_arena *arena, struct block *block)
{
    assert_filled(block);
    nb_arena_free(arena, block->bytes, block->size);
    block->bytes = NULL;
}

START_TEST(blocks_never_overlap)
{
    static struct block blocks[BLOCKS];
    struct nb_arena arena = {0};
    for (unsigned step = 0; step < 100000; step++) {
        struct block *block = &blocks[below(BLOCKS)];
        if (block->bytes)
            give_back(&arena, block);
        else
            take(&arena, block, 1 + below(below(20) ? 300 : NB_ARENA_LARGEST));
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        if (blocks[i].bytes)
            give_back(&arena, &blocks[i]);
    nb_arena_clear(&arena);
}
END_TEST

START_TEST(a_freed_block_is_the_next_of_its_size)
{
    struct nb_arena arena = {0};
    void *first = nb_arena_alloc(&arena, 100), *second = nb_arena_alloc(&arena, 100);
    nb_arena_free(&arena, first, 100);
    ck_assert_ptr_eq(nb_arena_alloc(&arena, 97), first); /* the same number of grains */
    ck_assert_ptr_ne(nb_arena_alloc(&arena, 100), second);
    nb_arena_clear(&arena);
}
END_TEST

/* All blocks grow by a step again and again, as leaves do: what they leave behind is too small for any. */
START_TEST(neighbours_are_joined_rather_than_memory_added)
{
    static struct block blocks[BLOCKS];
    struct nb_arena arena = {0};
    for (size_t size = 32; size <= 320; size += 16) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            if (size > 32)
                give_back(&arena, &blocks[i]);
            take(&arena, &blocks[i], size);
        }
    }
    ck_assert_uint_lt(arena.memory, 320 * BLOCKS * 3 / 2);
    nb_arena_clear(&arena);
}
END_TEST

START_TEST(every_failure_of_memory_leaves_it_whole)
{
    for (unsigned fails_at = 1; fails_at < 40; fails_at++) {
        static struct block blocks[BLOCKS];
        struct nb_arena arena = {0};
        memset(blocks, 0, sizeof blocks);
        nb_memory_fail_after(fails_at);
        for (unsigned step = 0; step < 5000; step++) {
            struct block *block = &blocks[below(BLOCKS)];
            size_t size = 1 + below(1000);
            if (block->bytes) {
                give_back(&arena, block);
            } else if ((block->bytes = nb_arena_alloc(&arena, size))) {
                block->size = size;
                memset(block->bytes, block->fill, size);
            }
        }
        nb_memory_fail_after(0);
        nb_arena_clear(&arena);
    }
    ck_assert_int_eq(nb_memory_live(), 0);
}
END_TEST

START_TEST(large_arenas_have_large_chunks)
{
    struct nb_arena arena = {0};
    size_t taken = 0;
    for (; taken < 64 << 20; taken += NB_ARENA_LARGEST)
        ck_assert_ptr_nonnull(nb_arena_alloc(&arena, NB_ARENA_LARGEST));
    ck_assert_uint_lt(arena.memory, taken + taken / 4);
    nb_arena_clear(&arena);
    ck_assert_uint_eq(arena.memory, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {blocks_never_overlap,
                                  a_freed_block_is_the_next_of_its_size,
                                  neighbours_are_joined_rather_than_memory_added,
                                  every_failure_of_memory_leaves_it_whole,
                                  large_arenas_have_large_chunks,
                                  NULL};
    return run_suite("block list arena", tests);
}
