#include "memory.h"
#include "sockets.h"
#include "suite.h"
#include "unclaimed.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>
#include <uv.h>

enum { CAPACITY = 4 };

static struct nb_unclaimed *unclaimed;

static void begin(void)
{
    unclaimed = nb_unclaimed_new(CAPACITY);
    ck_assert_ptr_nonnull(unclaimed);
    ck_assert_uint_eq(nb_unclaimed_received(unclaimed), 0);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Sockets, which are closed at once. */
static void add(int *ret_fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ret_fds[i] = tcp_socket();
    ck_assert_int_eq(nb_unclaimed_add(unclaimed, ret_fds, count), 0);
}

START_TEST(one_after_the_other)
{
    int fds[3];
    begin();
    for (unsigned i = 0; i < 3; i++)
        add(&fds[i], 1);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(nb_unclaimed_claim(unclaimed, i), fds[i]);
        ck_assert_int_eq(nb_unclaimed_claim(unclaimed, i), UV_EBADF);
        close(fds[i]);
    }
    ck_assert_uint_eq(nb_unclaimed_received(unclaimed), 3);
    nb_unclaimed_free(unclaimed);
}
END_TEST

START_TEST(a_claim_closes_those_before)
{
    int fds[4];
    begin();
    add(fds, 4);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 2), fds[2]);
    ck_assert(!is_open(fds[0]) && !is_open(fds[1]) && is_open(fds[2]) && is_open(fds[3]));
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 0), UV_EBADF);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 1), UV_EBADF);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 3), fds[3]);
    close(fds[2]);
    close(fds[3]);
    nb_unclaimed_free(unclaimed);
}
END_TEST

START_TEST(what_has_not_come_is_not_there)
{
    int fds[2];
    begin();
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 0), UV_EBADF);
    add(fds, 1);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 1), UV_EBADF);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, UINT64_MAX), UV_EBADF);
    ck_assert(is_open(fds[0])); /* these have closed nothing */
    nb_unclaimed_free(unclaimed);
    ck_assert(!is_open(fds[0]));
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
    int fds[CAPACITY], more[2] = {tcp_socket(), tcp_socket()};
    begin();
    add(fds, CAPACITY - 1);
    ck_assert_int_eq(nb_unclaimed_add(unclaimed, more, 2), UV_ENOSPC);
    ck_assert(is_open(more[0]) && is_open(more[1]));
    ck_assert_uint_eq(nb_unclaimed_received(unclaimed), CAPACITY - 1);
    ck_assert_int_eq(nb_unclaimed_add(unclaimed, more, 1), 0);
    ck_assert_int_eq(nb_unclaimed_add(unclaimed, more + 1, 1), UV_ENOSPC);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, 0), fds[0]);
    ck_assert_int_eq(nb_unclaimed_add(unclaimed, more + 1, 1), 0);
    ck_assert_int_eq(nb_unclaimed_claim(unclaimed, CAPACITY), more[1]);
    close(fds[0]);
    close(more[1]);
    nb_unclaimed_free(unclaimed);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
    nb_memory_fail_after(1);
    ck_assert_ptr_null(nb_unclaimed_new(CAPACITY));
    nb_unclaimed_free(NULL);
}
END_TEST

int main(void)
{
    return run_suite("unclaimed", (const TTest *[]){one_after_the_other, a_claim_closes_those_before,
                                                    what_has_not_come_is_not_there, there_is_room_for_so_many,
                                                    without_memory_there_is_none, NULL});
}
