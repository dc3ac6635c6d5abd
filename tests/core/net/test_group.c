#include "group.h"

#include "memory.h"
#include "suite.h"

#include <string.h>

static struct nb_groups groups;

static struct nb_group *open_group(uid_t uid, const char *name)
{
    return nb_group_open(&groups, uid, nb_slice_of(name));
}

START_TEST(a_name_leads_to_one_group)
{
    nb_groups_init(&groups);
    struct nb_group *one = open_group(1, "web"), *two = open_group(1, "web");
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_eq(one, two);
    nb_group_unref(one);
    ck_assert_ptr_eq(groups.first, two);
    nb_group_unref(two);
    nb_group_unref(NULL);
    nb_groups_finish(&groups);
}
END_TEST

START_TEST(other_uids_and_other_names_have_other_groups)
{
    nb_groups_init(&groups);
    struct nb_group *all[] = {open_group(1, "web"), open_group(2, "web"), open_group(1, "we"),
                              open_group(1, "webs")};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            ck_assert_ptr_ne(all[i], all[k]);
    ck_assert_ptr_eq(open_group(2, "web"), all[1]);
    nb_group_unref(all[1]);
    for (int i = 0; i < 4; i++)
        nb_group_unref(all[i]);
    nb_groups_finish(&groups);
}
END_TEST

START_TEST(a_group_that_went_is_made_anew)
{
    nb_groups_init(&groups);
    nb_group_unref(open_group(1, "web"));
    struct nb_group *group = nb_group_ref(open_group(1, "web"));
    nb_group_unref(group);
    nb_group_unref(group);
    nb_groups_finish(&groups);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
    nb_groups_init(&groups);
    nb_memory_fail_after(1);
    ck_assert_ptr_null(open_group(1, "web"));
    nb_memory_fail_after(0);
    nb_groups_finish(&groups);
}
END_TEST

int main(void)
{
    return run_suite(
        "group", (const TTest *[]){a_name_leads_to_one_group, other_uids_and_other_names_have_other_groups,
                                   a_group_that_went_is_made_anew, without_memory_there_is_none, NULL});
}
