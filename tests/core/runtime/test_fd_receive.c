#include "fd_receive.h"
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static int ends[2], gifts[300];
static struct nb_fd_batch batch;
static char bytes[64];

static void begin(unsigned count)
{
    unix_pair(ends);
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_ge(gifts[i] = socket(AF_UNIX, SOCK_STREAM, 0), 0);
}

static void end(unsigned count)
{
    nb_fd_batch_close(&batch);
    for (unsigned i = 0; i < count; i++)
        close(gifts[i]);
    close(ends[0]);
    close(ends[1]);
}

static void expect_bytes(const char *text)
{
    ck_assert_int_eq(nb_receive_with_fds(ends[0], bytes, sizeof bytes, &batch), strlen(text));
    ck_assert_mem_eq(bytes, text, strlen(text));
}

/* Exactly these, in their order, fit to be kept. */
static void expect_gifts(unsigned first, unsigned count)
{
    ck_assert(!batch.is_truncated);
    ck_assert_uint_eq(batch.count, count);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(is_same_socket(batch.fds[i], gifts[first + i]));
        ck_assert_int_ne(fcntl(batch.fds[i], F_GETFD) & FD_CLOEXEC, 0);
    }
    nb_fd_batch_close(&batch);
    ck_assert_uint_eq(batch.count, 0);
}

START_TEST(bytes_alone)
{
    begin(0);
    ck_assert_int_eq(nb_receive_with_fds(ends[0], bytes, sizeof bytes, &batch), UV_EAGAIN);
    ck_assert_int_eq(send_with_fds(ends[1], "abc", 3, NULL, 0), 3);
    expect_bytes("abc");
    expect_gifts(0, 0);
    shutdown(ends[1], SHUT_WR);
    ck_assert_int_eq(nb_receive_with_fds(ends[0], bytes, sizeof bytes, &batch), 0);
    expect_gifts(0, 0);
    end(0);
}
END_TEST

START_TEST(descriptors_come_in_their_order)
{
    begin(3);
    ck_assert_int_eq(send_with_fds(ends[1], "abc", 3, gifts, 3), 3);
    expect_bytes("abc");
    expect_gifts(0, 3);
    end(3);
}
END_TEST

/* The kernel stops a read behind the bytes of a message with descriptors, and lets none pass with others'. */
START_TEST(each_read_brings_those_of_one_message)
{
    begin(3);
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, NULL, 0), 1);
    ck_assert_int_eq(send_with_fds(ends[1], "b", 1, gifts, 2), 1);
    ck_assert_int_eq(send_with_fds(ends[1], "c", 1, gifts + 2, 1), 1);
    ck_assert_int_eq(send_with_fds(ends[1], "d", 1, NULL, 0), 1);
    expect_bytes("ab");
    expect_gifts(0, 2);
    expect_bytes("c");
    expect_gifts(2, 1);
    expect_bytes("d");
    expect_gifts(0, 0);
    end(3);
}
END_TEST

START_TEST(they_come_with_the_first_part_of_their_bytes)
{
    begin(2);
    ck_assert_int_eq(send_with_fds(ends[1], "abc", 3, gifts, 2), 3);
    ck_assert_int_eq(nb_receive_with_fds(ends[0], bytes, 1, &batch), 1);
    expect_gifts(0, 2);
    expect_bytes("bc");
    expect_gifts(0, 0);
    end(2);
}
END_TEST

START_TEST(several_headers_in_one_message)
{
    _Alignas(struct cmsghdr) char control[2 * CMSG_SPACE(sizeof(int))] = {0};
    struct iovec vector = {bytes, 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    begin(2);
    for (unsigned i = 0; i < 2; i++, header = (struct cmsghdr *)(control + CMSG_SPACE(sizeof(int)))) {
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(header), &gifts[i], sizeof(int));
    }
    ck_assert_int_eq(sendmsg(ends[1], &message, 0), 1);
    ck_assert_int_eq(nb_receive_with_fds(ends[0], bytes, sizeof bytes, &batch), 1);
    expect_gifts(0, 2);
    end(2);
}
END_TEST

START_TEST(as_many_as_the_kernel_lets_pass)
{
    begin(NB_FDS_MAX + 1);
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, gifts, NB_FDS_MAX + 1), -EINVAL);
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, gifts, NB_FDS_MAX), 1);
    expect_bytes("a");
    expect_gifts(0, NB_FDS_MAX);
    end(NB_FDS_MAX + 1);
}
END_TEST

/* A service manager may have set these on the socket that connections inherit from. */
START_TEST(who_sends_may_be_told_along)
{
    int on = 1;
    begin(NB_FDS_MAX);
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_PASSSEC, &on, sizeof on);
    (void)setsockopt(ends[0], SOL_SOCKET, 76 /* SO_PASSPIDFD, since Linux 6.5 */, &on, sizeof on);
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, gifts, NB_FDS_MAX), 1);
    expect_bytes("a");
    expect_gifts(0, NB_FDS_MAX);
    end(NB_FDS_MAX);
}
END_TEST

/* What was installed all the same is in the batch, and can be closed. */
START_TEST(without_room_in_the_process_some_are_lost)
{
    struct rlimit before, limit;
    begin(3);
    ck_assert_int_eq(send_with_fds(ends[1], "a", 1, gifts, 3), 1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(ends[0]);
    close(next);
    limit = before;
    limit.rlim_cur = (rlim_t)next + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_bytes("a");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(batch.is_truncated);
    ck_assert_uint_eq(batch.count, 1);
    end(3);
}
END_TEST

int main(void)
{
    return run_suite(
        "fd_receive",
        (const TTest *[]){bytes_alone, descriptors_come_in_their_order, each_read_brings_those_of_one_message,
                          they_come_with_the_first_part_of_their_bytes, several_headers_in_one_message,
                          as_many_as_the_kernel_lets_pass, who_sends_may_be_told_along,
                          without_room_in_the_process_some_are_lost, NULL});
}
