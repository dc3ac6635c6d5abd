#include "fd_receive.h"
#include "foreign.h"
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* ---- a close that waits, as that of a file of a FUSE file system may (the linker wraps it) ---- */

static pthread_mutex_t server = PTHREAD_MUTEX_INITIALIZER; /* held: it does not answer */
static pthread_t test_thread;
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    if (!pthread_equal(pthread_self(), test_thread)) {
        pthread_mutex_lock(&server);
        pthread_mutex_unlock(&server);
    }
    return __real_close(fd);
}

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

static void raise_file_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What cannot be closed is not taken: the kernel drops it, and the receiver hears that something was lost. */
START_TEST(a_thread_that_is_stuck_holds_up_nobody)
{
    enum { MANY = 1100 };
    struct nb_fd_batch batch;
    int ends[2], pipe_ends[2];
    char byte;
    raise_file_limit();
    test_thread = pthread_self();
    pthread_mutex_lock(&server);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    for (unsigned i = 0; i < MANY; i++)
        nb_foreign_close(dup(pipe_ends[1]));
    ck_assert(nb_foreign_is_stuck());
    unix_pair(ends);
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, pipe_ends, 2), 1);
    int open_before = count_descriptors();
    ck_assert_int_eq(nb_receive_with_fds(ends[0], &byte, 1, &batch), 1);
    ck_assert(batch.is_truncated);
    ck_assert_uint_eq(batch.count, 0);
    ck_assert_int_eq(count_descriptors(), open_before);
    pthread_mutex_unlock(&server);
    close(pipe_ends[1]);
    ck_assert(is_ready(pipe_ends[0], POLLHUP, 10000)); /* all are closed */
    ck_assert(!nb_foreign_is_stuck());
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, ends, 2), 1);
    ck_assert_int_eq(nb_receive_with_fds(ends[0], &byte, 1, &batch), 1);
    ck_assert_uint_eq(batch.count, 2);
    nb_fd_batch_close(&batch);
    close(pipe_ends[0]);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    return run_suite("foreign",
                     (const TTest *[]){what_is_no_socket_is_closed_elsewhere, a_socket_is_closed_at_once,
                                       no_socket_lingers, a_thread_that_is_stuck_holds_up_nobody, NULL});
}
