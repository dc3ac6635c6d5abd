#include "lists.h"
#include "suite.h"

#include <uv.h>

static struct nb_lists lists;

static int open_list(uid_t uid, const char *name, bool must_exist, struct nb_filter **ret_filter)
{
    return nb_lists_open(&lists, uid, nb_slice_of(name), must_exist, ret_filter);
}

START_TEST(a_name_is_one_list_while_it_is_used)
{
    struct nb_filter *one, *same, *other, *again;
    nb_lists_init(&lists, 4, 10);
    ck_assert_int_eq(open_list(1, "a", true, &one), UV_ENOENT);
    ck_assert_int_eq(open_list(1, "a", false, &one), 0);
    ck_assert_int_eq(open_list(1, "a", true, &same), 0);
    ck_assert_ptr_eq(one, same);
    ck_assert_int_eq(open_list(1, "ab", false, &other), 0);
    ck_assert_ptr_ne(one, other);
    nb_filter_unref(one);
    ck_assert_int_eq(open_list(1, "a", true, &again), 0);
    nb_filter_unref(same);
    nb_filter_unref(again);
    ck_assert_int_eq(open_list(1, "a", true, &one), UV_ENOENT);
    nb_filter_unref(other);
    nb_lists_finish(&lists);
}
END_TEST

START_TEST(uids_do_not_share)
{
    struct nb_filter *mine, *yours;
    nb_lists_init(&lists, 1, 10);
    ck_assert_int_eq(open_list(1, "a", false, &mine), 0);
    ck_assert_int_eq(open_list(2, "a", true, &yours), UV_ENOENT);
    ck_assert_int_eq(open_list(2, "a", false, &yours), 0);
    ck_assert_ptr_ne(mine, yours);
    ck_assert_int_eq(open_list(1, "b", false, &yours), UV_ENOSPC);
    nb_filter_unref(mine);
    nb_filter_unref(yours);
    nb_lists_finish(&lists);
}
END_TEST

START_TEST(the_configuration_goes_first)
{
    struct nb_filter *filter;
    nb_lists_init(&lists, 1, 10);
    struct nb_filter *configured = nb_lists_configure(&lists, "a");
    ck_assert_ptr_nonnull(configured);
    ck_assert_int_eq(open_list(1, "a", true, &filter), 0);
    ck_assert_ptr_eq(filter, configured);
    ck_assert_ptr_eq(nb_lists_find_configured(&lists, nb_slice_of("a")), configured);
    ck_assert_ptr_null(nb_lists_find_configured(&lists, nb_slice_of("")));
    nb_filter_unref(filter);
    nb_lists_finish(&lists);
}
END_TEST

/* ---- several threads ---- */

enum { THREADS = 4, TURNS = 5000 };

static void *open_and_close(void *context)
{
    struct nb_filter *filter;
    (void)context;
    for (unsigned i = 0; i < TURNS; i++) {
        ck_assert_int_eq(open_list(1, i % 2 ? "a" : "b", false, &filter), 0);
        nb_filter_unref(filter);
    }
    return NULL;
}

START_TEST(the_last_user_and_the_next_one_may_meet)
{
    struct nb_filter *filter;
    pthread_t threads[THREADS];
    nb_lists_init(&lists, 2 * THREADS, 10);
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(open_list(1, "a", true, &filter), UV_ENOENT);
    nb_lists_finish(&lists);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_name_is_one_list_while_it_is_used,
        uids_do_not_share,
        the_configuration_goes_first,
        the_last_user_and_the_next_one_may_meet,
        NULL,
    };
    return run_suite("lists", tests);
}
