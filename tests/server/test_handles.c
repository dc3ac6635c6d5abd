#include "handles.h"
#include "memory.h"
#include "suite.h"

#include <uv.h>

enum { MANY = 20000 };

static struct nb_actor_id id_of(uint32_t slot)
{
    return (struct nb_actor_id){.slot = slot, .generation = 1};
}

static void expect(const struct nb_handles *handles, uint64_t number, uint32_t slot, enum nb_target_kind kind)
{
    const struct nb_handle *handle = nb_handles_find(handles, number);
    ck_assert_ptr_nonnull(handle);
    ck_assert_uint_eq(handle->number, number);
    ck_assert_uint_eq(handle->actor.slot, slot);
    ck_assert_int_eq(handle->kind, kind);
}

START_TEST(what_was_added_is_found_until_it_is_removed)
{
    struct nb_handles handles = {0};
    const uint64_t largest = (UINT64_C(1) << 53) - 1;
    ck_assert_ptr_null(nb_handles_find(&handles, 1));
    nb_handles_remove(&handles, 1);
    ck_assert_int_eq(nb_handles_add(&handles, 1, id_of(10), NB_TARGET_SOCKET), 0);
    ck_assert_int_eq(nb_handles_add(&handles, largest, id_of(20), NB_TARGET_SERVER), 0);
    expect(&handles, 1, 10, NB_TARGET_SOCKET);
    expect(&handles, largest, 20, NB_TARGET_SERVER);
    ck_assert_ptr_null(nb_handles_find(&handles, largest - (UINT64_C(1) << 32))); /* the low half alone */
    nb_handles_remove(&handles, 1);
    ck_assert_ptr_null(nb_handles_find(&handles, 1));
    expect(&handles, largest, 20, NB_TARGET_SERVER);
    nb_handles_finish(&handles);
    ck_assert_ptr_null(nb_handles_find(&handles, largest));
    nb_handles_finish(&handles);
}
END_TEST

START_TEST(a_number_is_free_again)
{
    struct nb_handles handles = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert_int_eq(nb_handles_add(&handles, 3, id_of(i), NB_TARGET_SOCKET), 0);
        expect(&handles, 3, i, NB_TARGET_SOCKET);
        nb_handles_remove(&handles, 3);
    }
    ck_assert_ptr_null(handles.table);
}
END_TEST

START_TEST(many)
{
    struct nb_handles handles = {0};
    for (uint32_t i = 1; i <= MANY; i++)
        ck_assert_int_eq(nb_handles_add(&handles, UINT64_C(1000003) * i, id_of(i), NB_TARGET_SOCKET), 0);
    for (uint32_t i = 1; i <= MANY; i += 2)
        nb_handles_remove(&handles, UINT64_C(1000003) * i);
    for (uint32_t i = 1; i <= MANY; i++) {
        if (i % 2)
            ck_assert_ptr_null(nb_handles_find(&handles, UINT64_C(1000003) * i));
        else
            expect(&handles, UINT64_C(1000003) * i, i, NB_TARGET_SOCKET);
    }
    nb_handles_finish(&handles);
}
END_TEST

/* Each allocation of a table that grows is made to fail in turn; what was there stays. */
START_TEST(without_memory_it_stays_as_it_was)
{
    enum { COUNT = 2000 };
    struct nb_handles handles = {0};
    for (uint32_t i = 1; i <= COUNT; i++) {
        nb_memory_fail_after(1 + i % 3);
        if (nb_handles_add(&handles, i, id_of(i), NB_TARGET_SERVER) < 0) {
            nb_memory_fail_after(0);
            ck_assert_ptr_null(nb_handles_find(&handles, i));
            ck_assert_int_eq(nb_handles_add(&handles, i, id_of(i), NB_TARGET_SERVER), 0);
        }
        nb_memory_fail_after(0);
    }
    ck_assert_uint_eq(HASH_COUNT(handles.table), COUNT);
    for (uint32_t i = 1; i <= COUNT; i++)
        expect(&handles, i, i, NB_TARGET_SERVER);
    nb_handles_finish(&handles);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_was_added_is_found_until_it_is_removed,
        a_number_is_free_again,
        many,
        without_memory_it_stays_as_it_was,
        NULL,
    };
    return run_suite("handles", tests);
}
