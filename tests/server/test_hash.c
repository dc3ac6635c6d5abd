#include "hash.h"
#include "suite.h"

/* As Python computes them (siphash13, PYTHONHASHSEED=0) for the number's bytes, least first. */
START_TEST(without_a_key_it_is_siphash_1_3)
{
    ck_assert_uint_eq(nb_hash(0), UINT64_C(0xbd60acb658c79e45));
    ck_assert_uint_eq(nb_hash(1), UINT64_C(0x1e9f734161d62dd9));
    ck_assert_uint_eq(nb_hash(UINT64_C(0x123456789abcdef)), UINT64_C(0x8662046e52264db8));
    ck_assert_uint_eq(nb_hash((UINT64_C(1) << 53) - 1), UINT64_C(0x2e2479cabdaa1097));
}
END_TEST

START_TEST(a_key_makes_it_another_function)
{
    uint64_t before = nb_hash(1);
    nb_hash_draw_key();
    uint64_t first = nb_hash(1);
    nb_hash_draw_key();
    ck_assert_uint_ne(first, before);
    ck_assert_uint_ne(first, nb_hash(1));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {without_a_key_it_is_siphash_1_3, a_key_makes_it_another_function, NULL};
    return run_suite("hash", tests);
}
