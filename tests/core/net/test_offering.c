#include "offering.h"

#include "loop.h"
#include "memory.h"
#include "suite.h"

#include <string.h>
#include <uv.h>

static const struct nb_actor_id somebody = {.slot = 1, .generation = 2, .loop = 3};

static struct nb_offering enter(uid_t uid)
{
    struct nb_offering offering = {.socket = somebody, .uid = uid, .unsent = 4, .unread = 5};
    ck_assert_int_eq(nb_offering_enter(&offering), 0);
    return offering;
}

START_TEST(a_token_leads_to_its_socket)
{
    struct nb_offering one = enter(7), two = enter(7), found;
    ck_assert_uint_eq(strspn(one.token, "0123456789abcdef"), NB_TOKEN_TEXT - 1);
    ck_assert_str_ne(one.token, two.token);
    ck_assert(nb_offering_find(nb_slice_of(two.token), 7, NB_OFFERING_SOCKET, &found));
    ck_assert_str_eq(found.token, two.token);
    ck_assert(nb_actor_id_equal(found.socket, somebody));
    ck_assert_uint_eq(found.unsent, 4);
    ck_assert_uint_eq(found.unread, 5);
    nb_offering_withdraw(&two);
    ck_assert(!nb_offering_find(nb_slice_of(two.token), 7, NB_OFFERING_SOCKET, &found));
    ck_assert(nb_offering_find(nb_slice_of(one.token), 7, NB_OFFERING_SOCKET, &found));
    nb_offering_withdraw(&one);
}
END_TEST

START_TEST(a_token_is_of_one_uid_and_whole)
{
    struct nb_offering offering = enter(7), found;
    struct nb_slice token = nb_slice_of(offering.token), cut = {token.data, token.length - 1};
    ck_assert(!nb_offering_find(token, 8, NB_OFFERING_SOCKET, &found));
    ck_assert(!nb_offering_find(cut, 7, NB_OFFERING_SOCKET, &found));
    ck_assert(!nb_offering_find((struct nb_slice){0}, 7, NB_OFFERING_SOCKET, &found));
    ck_assert(!nb_offering_find(token, 7, NB_OFFERING_CHANNEL, &found));
    nb_offering_withdraw(&offering);
}
END_TEST

/* One allocation of ours, and those of the table with the first entry. */
START_TEST(without_memory_there_is_no_offer)
{
    int64_t live = nb_memory_live();
    unsigned failures = 0;
    for (uint64_t failing = 1;; failing++) {
        struct nb_offering offering = {.socket = somebody};
        nb_memory_fail_after(failing);
        int status = nb_offering_enter(&offering);
        nb_memory_fail_after(0);
        if (status == 0) {
            nb_offering_withdraw(&offering);
            break;
        }
        failures++;
        ck_assert_int_eq(status, UV_ENOMEM);
        ck_assert_int_eq(nb_memory_live(), live);
    }
    ck_assert_uint_ge(failures, 2);
    ck_assert_int_eq(nb_memory_live(), live);
}
END_TEST

int main(void)
{
    return run_suite("offering",
                     (const TTest *[]){a_token_leads_to_its_socket, a_token_is_of_one_uid_and_whole,
                                       without_memory_there_is_no_offer, NULL});
}
