#include "descriptor.h"
#include "memory.h"
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* ---- kinds ---- */

/* Takes fd. */
static void expect_kind(int fd, enum nb_descriptor_kind kind, const char *name)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(nb_descriptor_kind(fd), kind);
    ck_assert_str_eq(nb_descriptor_kind_name(nb_descriptor_kind(fd)), name);
    ck_assert(!nb_descriptor_is_listening(fd));
    close(fd);
}

START_TEST(what_is_no_socket)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    expect_kind(ends[0], NB_DESCRIPTOR_FILE, "FILE");
    expect_kind(ends[1], NB_DESCRIPTOR_FILE, "FILE");
    expect_kind(open("/dev/null", O_RDWR), NB_DESCRIPTOR_FILE, "FILE");
    expect_kind(open("/proc/self/stat", O_RDONLY), NB_DESCRIPTOR_FILE, "FILE");
    expect_kind(open("/", O_PATH), NB_DESCRIPTOR_FILE, "FILE");
    expect_kind(epoll_create1(0), NB_DESCRIPTOR_FILE, "FILE");
    expect_kind(eventfd(0, 0), NB_DESCRIPTOR_FILE, "FILE");
}
END_TEST

START_TEST(sockets_that_are_no_streams)
{
    expect_kind(socket(AF_INET, SOCK_DGRAM, 0), NB_DESCRIPTOR_UDP, "UDP");
    expect_kind(socket(AF_INET6, SOCK_DGRAM, 0), NB_DESCRIPTOR_UDP, "UDP");
    expect_kind(socket(AF_UNIX, SOCK_DGRAM, 0), NB_DESCRIPTOR_UNKNOWN, "UNKNOWN");
    expect_kind(socket(AF_UNIX, SOCK_SEQPACKET, 0), NB_DESCRIPTOR_UNKNOWN, "UNKNOWN");
    expect_kind(socket(AF_NETLINK, SOCK_RAW, 0), NB_DESCRIPTOR_UNKNOWN, "UNKNOWN");
}
END_TEST

START_TEST(streams)
{
    expect_kind(socket(AF_INET, SOCK_STREAM, 0), NB_DESCRIPTOR_TCP, "TCP");
    expect_kind(socket(AF_INET6, SOCK_STREAM, 0), NB_DESCRIPTOR_TCP, "TCP");
    expect_kind(socket(AF_UNIX, SOCK_STREAM, 0), NB_DESCRIPTOR_UNIX, "PIPE");
    int multipath = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    if (multipath >= 0) /* not every kernel has it */
        expect_kind(multipath, NB_DESCRIPTOR_TCP, "TCP");
}
END_TEST

START_TEST(a_listening_one)
{
    struct sockaddr_in address;
    int fd = listen_on_loopback(&address);
    ck_assert_int_eq(nb_descriptor_kind(fd), NB_DESCRIPTOR_TCP);
    ck_assert(nb_descriptor_is_listening(fd));
    close(fd);
}
END_TEST

/* ---- owners ---- */

START_TEST(a_socket_has_one_owner)
{
    struct nb_ownership *first = NULL, *second = NULL;
    int ends[2];
    unix_pair(ends);
    int copy = dup(ends[0]);
    ck_assert_int_eq(nb_ownership_claim(ends[0], &first), 0);
    ck_assert_int_eq(nb_ownership_claim(ends[0], &second), UV_EEXIST);
    ck_assert_int_eq(nb_ownership_claim(copy, &second), UV_EEXIST);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(nb_ownership_claim(ends[1], &second), 0);
    nb_ownership_unref(second);
    nb_ownership_unref(first);
    ck_assert_int_eq(nb_ownership_claim(copy, &first), 0);
    nb_ownership_unref(first);
    close(ends[0]);
    close(ends[1]);
    close(copy);
}
END_TEST

START_TEST(it_is_owned_until_the_last_share_goes)
{
    struct nb_ownership *first, *second;
    int ends[2];
    unix_pair(ends);
    ck_assert_int_eq(nb_ownership_claim(ends[0], &first), 0);
    ck_assert_ptr_eq(nb_ownership_ref(first), first);
    nb_ownership_unref(first);
    ck_assert_int_eq(nb_ownership_claim(ends[0], &second), UV_EEXIST);
    nb_ownership_unref(first);
    ck_assert_int_eq(nb_ownership_claim(ends[0], &second), 0);
    nb_ownership_unref(second);
    ck_assert_ptr_null(nb_ownership_ref(NULL));
    nb_ownership_unref(NULL);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(what_is_no_socket_has_none)
{
    struct nb_ownership *ownership = NULL;
    int fd = open("/dev/null", O_RDONLY);
    ck_assert_int_eq(nb_ownership_claim(fd, &ownership), UV_ENOTSOCK);
    ck_assert_ptr_null(ownership);
    close(fd);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
    struct nb_ownership *ownership = NULL;
    int ends[2];
    unix_pair(ends);
    for (uint64_t failing = 1; failing <= 3; failing++) { /* the share, and the table's two parts */
        nb_memory_fail_after(failing);
        ck_assert_int_eq(nb_ownership_claim(ends[0], &ownership), UV_ENOMEM);
        ck_assert_ptr_null(ownership);
    }
    nb_memory_fail_after(0);
    ck_assert_int_eq(nb_ownership_claim(ends[0], &ownership), 0);
    nb_ownership_unref(ownership);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* Loops claim at the same time: whatever the order, one of them has it. */
static int contested;
static int winners;

static void *claim_often(void *unused)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct nb_ownership *ownership;
        if (nb_ownership_claim(contested, &ownership) < 0)
            continue;
        ck_assert_int_eq(__atomic_add_fetch(&winners, 1, __ATOMIC_SEQ_CST), 1);
        __atomic_sub_fetch(&winners, 1, __ATOMIC_SEQ_CST);
        nb_ownership_unref(ownership);
    }
    return unused;
}

START_TEST(loops_do_not_get_the_same)
{
    pthread_t threads[2];
    contested = tcp_socket();
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, claim_often, NULL), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    close(contested);
}
END_TEST

int main(void)
{
    return run_suite("descriptor",
                     (const TTest *[]){what_is_no_socket, sockets_that_are_no_streams, streams,
                                       a_listening_one, a_socket_has_one_owner,
                                       it_is_owned_until_the_last_share_goes, what_is_no_socket_has_none,
                                       without_memory_there_is_none, loops_do_not_get_the_same, NULL});
}
