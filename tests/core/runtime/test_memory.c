#include "memory.h"
#include "suite.h"

#include <string.h>
#include <uv.h>

START_TEST(live_blocks_are_counted)
{
    int64_t before = nb_memory_live();
    void *one = nb_malloc(10), *two = nb_calloc(3, 5), *three = nb_realloc(NULL, 7);
    ck_assert_int_eq(nb_memory_live(), before + 3);
    one = nb_realloc(one, 1000);
    ck_assert_int_eq(nb_memory_live(), before + 3);
    nb_free(one);
    nb_free(two);
    nb_free(three);
    nb_free(NULL);
    ck_assert_int_eq(nb_memory_live(), before);
}
END_TEST

START_TEST(requests_are_counted)
{
    uint64_t before = nb_memory_requests();
    char *block = nb_calloc(1, 8);
    block = nb_realloc(block, 16);
    nb_free(block);
    ck_assert_uint_eq(nb_memory_requests(), before + 2);
}
END_TEST

START_TEST(calloc_gives_zeros)
{
    static const char zeros[1000];
    void *block = nb_calloc(10, 100);
    ck_assert_mem_eq(block, zeros, sizeof zeros);
    nb_free(block);
}
END_TEST

START_TEST(the_chosen_request_fails_once)
{
    nb_memory_fail_after(3);
    void *one = nb_malloc(1), *two = nb_calloc(1, 1);
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_nonnull(two);
    ck_assert_ptr_null(nb_malloc(1));
    void *three = nb_malloc(1);
    ck_assert_ptr_nonnull(three);
    nb_free(one);
    nb_free(two);
    nb_free(three);
}
END_TEST

START_TEST(a_block_survives_a_realloc_that_fails)
{
    char *block = nb_malloc(6);
    strcpy(block, "still");
    nb_memory_fail_after(1);
    ck_assert_ptr_null(nb_realloc(block, 100));
    ck_assert_str_eq(block, "still");
    nb_free(block);
}
END_TEST

START_TEST(a_chosen_failure_can_be_called_off)
{
    nb_memory_fail_after(1);
    nb_memory_fail_after(0);
    void *block = nb_malloc(1);
    ck_assert_ptr_nonnull(block);
    nb_free(block);
}
END_TEST

START_TEST(libuv_allocates_here_too)
{
    uv_loop_t loop;
    int64_t before = nb_memory_live();
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_gt(nb_memory_live(), before);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(nb_memory_live(), before);
}
END_TEST

int main(void)
{
    return run_suite("memory",
                     (const TTest *[]){live_blocks_are_counted, requests_are_counted, calloc_gives_zeros,
                                       the_chosen_request_fails_once, a_block_survives_a_realloc_that_fails,
                                       a_chosen_failure_can_be_called_off, libuv_allocates_here_too, NULL});
}
