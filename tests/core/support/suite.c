#include "suite.h"

#include "memory.h"

#include <dirent.h>
#include <uv.h>

static int64_t live_before;
static int descriptors_before;

int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(directory);
    int count = -1; /* the directory's own */
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* libuv keeps a pair of descriptors for signals from its first loop on. */
static void warm_up_libuv(void)
{
    uv_loop_t loop;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void remember(void)
{
    warm_up_libuv();
    live_before = nb_memory_live();
    descriptors_before = count_descriptors();
}

static void compare(void)
{
    nb_memory_fail_after(0);
    ck_assert_int_eq(nb_memory_live(), live_before);
    ck_assert_int_eq(count_descriptors(), descriptors_before);
}

int run_suite(const char *name, const TTest *const *tests)
{
    nb_memory_serve_libuv();
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_add_checked_fixture(all, remember, compare);
    tcase_set_timeout(all, 30);
    for (; *tests; tests++)
        tcase_add_test(all, *tests);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
