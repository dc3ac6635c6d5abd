#include "fd_reserve.h"
#include "suite.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { LIMIT = 80, CLIENTS_END = 60, CONTROL_END = 70 };

static int taken[LIMIT];
static unsigned taken_count;

/* Until the next descriptor is that one. */
static void take_up_to(int next)
{
    for (int fd; (fd = dup(STDIN_FILENO)) < next;)
        taken[taken_count++] = fd;
    close(next);
}

static void give_back(void)
{
    while (taken_count)
        close(taken[--taken_count]);
}

static void expect_ends(unsigned long limit, unsigned control, int clients_end, int control_end)
{
    nb_fd_reserve_init(limit, control);
    ck_assert(!nb_fd_reserve_is_reached(clients_end - 1));
    ck_assert(nb_fd_reserve_is_reached(clients_end));
    ck_assert(!nb_fd_reserve_is_last(control_end - 1));
    ck_assert(nb_fd_reserve_is_last(control_end));
}

START_TEST(it_is_a_part_of_the_limit)
{
    expect_ends(LIMIT, 1024, CLIENTS_END, CONTROL_END);
    expect_ends(LIMIT, 3, 67, CONTROL_END);
    expect_ends(1024, 1024, 832, 960);
    expect_ends(524288, 1024, 524288 - 64 - 1024, 524288 - 64);
    expect_ends(ULONG_MAX, 16, INT_MAX - 64 - 16, INT_MAX - 64);
}
END_TEST

START_TEST(no_socket_for_a_client_comes_out_of_it)
{
    nb_fd_reserve_init(LIMIT, 1024);
    take_up_to(CLIENTS_END - 1);
    int last = nb_fd_reserve_socket(AF_INET);
    ck_assert_int_eq(last, CLIENTS_END - 1);
    ck_assert_int_eq(fcntl(last, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    ck_assert_int_eq(fcntl(last, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(nb_fd_reserve_socket(AF_UNIX), UV_EMFILE);
    ck_assert_int_eq(dup(STDIN_FILENO), CLIENTS_END); /* nothing was left open */
    close(CLIENTS_END);
    close(last);
    last = nb_fd_reserve_socket(AF_UNIX);
    ck_assert_int_eq(last, CLIENTS_END - 1);
    close(last);
    ck_assert_int_eq(nb_fd_reserve_socket(-1), UV_EAFNOSUPPORT);
    give_back();
}
END_TEST

START_TEST(there_is_room_until_the_last_was_accepted)
{
    nb_fd_reserve_init(LIMIT, 1024);
    take_up_to(CLIENTS_END - 2);
    for (int fd = CLIENTS_END - 2; fd < CLIENTS_END; fd++) {
        ck_assert(nb_fd_reserve_has_room(STDIN_FILENO));
        ck_assert_int_eq(dup(STDIN_FILENO), fd);
        nb_fd_reserve_note(fd);
    }
    for (int i = 0; i < 3; i++)
        ck_assert(!nb_fd_reserve_has_room(STDIN_FILENO));
    close(CLIENTS_END - 2);
    ck_assert(nb_fd_reserve_has_room(STDIN_FILENO));
    close(CLIENTS_END - 1);
    give_back();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        it_is_a_part_of_the_limit,
        no_socket_for_a_client_comes_out_of_it,
        there_is_room_until_the_last_was_accepted,
        NULL,
    };
    return run_suite("fd reserve", tests);
}
