#include "foreign.h"
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* The reading end of a pipe tells when the thread has closed the writing one. */
START_TEST(what_is_no_socket_is_closed_elsewhere)
{
    int ends[2];
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(pipe(ends), 0);
        nb_foreign_close(ends[1]);
        ck_assert(is_ready(ends[0], POLLHUP, 10000));
        close(ends[0]);
    }
    ck_assert(!nb_foreign_is_stuck());
}
END_TEST

START_TEST(a_socket_is_closed_at_once)
{
    int ends[2];
    unix_pair(ends);
    nb_foreign_close(ends[0]);
    ck_assert(!is_open(ends[0]));
    close(ends[1]);
}
END_TEST

/* With bytes that the peer does not take, the close would last as long as this says. */
START_TEST(no_socket_lingers)
{
    static char data[1 << 20];
    struct linger linger = {.l_onoff = 1, .l_linger = 20};
    int ends[2];
    tcp_pair(ends);
    while (send(ends[0], data, sizeof data, MSG_DONTWAIT) > 0)
        continue;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    uint64_t start = uv_hrtime();
    nb_foreign_close(ends[0]);
    ck_assert_uint_lt(uv_hrtime() - start, UINT64_C(5000000000));
    close(ends[1]);
}
END_TEST

int main(void)
{
    return run_suite("foreign", (const TTest *[]){what_is_no_socket_is_closed_elsewhere,
                                                  a_socket_is_closed_at_once, no_socket_lingers, NULL});
}
