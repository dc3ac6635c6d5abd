#include "acceptor.h"
#include "log.h"
#include "memory.h"
#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MANY = 150 /* more than are accepted in one turn */ };

static struct nb_runtime runtime;
static struct nb_loop *const loop = &runtime.loops[0];
static struct nb_acceptor *acceptor;
static struct sockaddr_in address;
static int clients[MANY], accepted[MANY];
static unsigned client_count, accepted_count, wanted, failures;
static int failure;
static void (*when_accepted)(void);

/* ---- accept4 that fails on demand (the linker wraps it) ---- */

static int errors_to_come[8]; /* 0 ends them */
static unsigned errors_told;
int __real_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags);

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
    if (!errors_to_come[errors_told])
        return __real_accept4(fd, peer, length, flags);
    errno = errors_to_come[errors_told++];
    return -1;
}

/* ---- an acceptor and its clients ---- */

static void on_accept(void *owner, int fd, const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *client = (const struct sockaddr_in *)peer;
    ck_assert_ptr_eq(owner, &runtime);
    ck_assert_int_eq(client->sin_family, AF_INET);
    ck_assert_uint_eq(client->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    accepted[accepted_count++] = fd;
    if (when_accepted)
        when_accepted();
}

static void on_failure(void *owner, int status)
{
    failures++;
    failure = status;
    nb_acceptor_close(acceptor);
    acceptor = NULL;
}

static const struct nb_acceptor_ops ops = {.on_accept = on_accept, .on_failure = on_failure};

static void begin(void)
{
    nb_log_set_level(NB_LOG_ERROR);
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    ck_assert_int_eq(nb_acceptor_open(loop, &ops, &runtime, listen_on_loopback(&address), &acceptor), 0);
}

static void connect_clients(unsigned count)
{
    for (; count; count--) {
        int fd = tcp_socket();
        (void)!connect(fd, (struct sockaddr *)&address, sizeof address);
        ck_assert(is_ready(fd, POLLOUT, 10000));
        clients[client_count++] = fd;
    }
}

static bool has_wanted(void *context)
{
    return accepted_count >= wanted;
}

static void wait_for_accepted(unsigned count)
{
    wanted = count;
    turn_until(loop, has_wanted, NULL);
}

/* Each client is connected to one accepted socket, and sends its number through it. */
static void assert_all_connected(void)
{
    bool is_seen[MANY] = {false};
    ck_assert_uint_eq(accepted_count, client_count);
    for (uint8_t i = 0; i < client_count; i++)
        ck_assert_int_eq(send(clients[i], &i, 1, MSG_NOSIGNAL), 1);
    for (unsigned i = 0; i < accepted_count; i++) {
        uint8_t number = 0;
        ck_assert(is_ready(accepted[i], POLLIN, 10000));
        ck_assert_int_eq(recv(accepted[i], &number, 1, 0), 1);
        ck_assert(!is_seen[number]);
        is_seen[number] = true;
    }
}

static void end(void)
{
    nb_acceptor_close(acceptor);
    for (unsigned i = 0; i < client_count; i++)
        close(clients[i]);
    for (unsigned i = 0; i < accepted_count; i++)
        close(accepted[i]);
    nb_runtime_finish(&runtime);
}

/* ---- tests ---- */

START_TEST(a_burst_is_accepted_over_some_turns)
{
    begin();
    connect_clients(MANY);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    ck_assert_uint_gt(accepted_count, 1);
    ck_assert_uint_lt(accepted_count, MANY);
    wait_for_accepted(MANY);
    assert_all_connected();
    end();
}
END_TEST

START_TEST(a_paused_acceptor_leaves_connections_waiting)
{
    begin();
    nb_acceptor_pause(acceptor);
    nb_acceptor_pause(acceptor);
    connect_clients(3);
    turn_until_quiet(loop);
    ck_assert_uint_eq(accepted_count, 0);
    nb_acceptor_resume(acceptor);
    nb_acceptor_resume(acceptor);
    wait_for_accepted(3);
    assert_all_connected();
    end();
}
END_TEST

static void pause_at_two(void)
{
    if (accepted_count == 2)
        nb_acceptor_pause(acceptor);
}

START_TEST(a_pause_inside_on_accept_counts_at_once)
{
    begin();
    when_accepted = pause_at_two;
    connect_clients(5);
    turn_until_quiet(loop);
    ck_assert_uint_eq(accepted_count, 2);
    nb_acceptor_resume(acceptor);
    wait_for_accepted(5);
    assert_all_connected();
    end();
}
END_TEST

static void close_at_two(void)
{
    if (accepted_count < 2)
        return;
    nb_acceptor_close(acceptor);
    acceptor = NULL;
}

START_TEST(a_close_inside_on_accept_counts_at_once)
{
    begin();
    when_accepted = close_at_two;
    connect_clients(5);
    turn_until_quiet(loop);
    ck_assert_uint_eq(accepted_count, 2);
    ck_assert_uint_eq(failures, 0);
    int fd = tcp_socket();
    (void)!connect(fd, (struct sockaddr *)&address, sizeof address);
    ck_assert(is_ready(fd, POLLHUP, 10000));
    close(fd);
    end();
}
END_TEST

START_TEST(closing_tells_nothing)
{
    begin();
    connect_clients(3);
    nb_acceptor_close(acceptor);
    acceptor = NULL;
    nb_acceptor_close(NULL);
    turn_until_quiet(loop);
    ck_assert_uint_eq(accepted_count + failures, 0);
    end();
}
END_TEST

/* From here on no further descriptor can be opened. */
static rlim_t use_up_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    int lowest_free = dup(STDIN_FILENO);
    close(lowest_free);
    limit.rlim_cur = (rlim_t)lowest_free;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void give_descriptors(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(without_descriptors_connections_wait)
{
    begin();
    connect_clients(5);
    rlim_t before = use_up_descriptors();
    uint64_t turns = 0;
    for (uint64_t end = uv_hrtime() + 250000000; uv_hrtime() < end; turns++)
        uv_run(&loop->uv, UV_RUN_ONCE); /* each retry is an event */
    ck_assert_uint_lt(turns, 10);
    ck_assert_uint_eq(accepted_count + failures, 0);
    give_descriptors(before);
    wait_for_accepted(5);
    assert_all_connected();
    end();
}
END_TEST

START_TEST(a_pause_holds_also_while_descriptors_lack)
{
    begin();
    connect_clients(2);
    rlim_t before = use_up_descriptors();
    turn_until_quiet(loop);
    nb_acceptor_pause(acceptor);
    give_descriptors(before);
    turn_for(loop, 200);
    ck_assert_uint_eq(accepted_count, 0);
    nb_acceptor_resume(acceptor);
    wait_for_accepted(2);
    assert_all_connected();
    end();
}
END_TEST

START_TEST(an_acceptor_may_close_while_descriptors_lack)
{
    begin();
    connect_clients(2);
    rlim_t before = use_up_descriptors();
    turn_until_quiet(loop);
    nb_acceptor_close(acceptor);
    acceptor = NULL;
    give_descriptors(before);
    end();
}
END_TEST

START_TEST(without_memory_for_the_retry_it_tries_at_once)
{
    begin();
    connect_clients(2);
    errors_to_come[0] = ENOMEM;
    nb_memory_fail_after(1);
    wait_for_accepted(2);
    ck_assert_uint_eq(errors_told, 1);
    assert_all_connected();
    end();
}
END_TEST

START_TEST(a_connection_that_failed_before_is_passed_over)
{
    static const int passing[] = {ECONNABORTED, EINTR, EPROTO, ENETDOWN, EHOSTUNREACH, EPERM};
    begin();
    memcpy(errors_to_come, passing, sizeof passing);
    connect_clients(3);
    wait_for_accepted(3);
    ck_assert_uint_eq(errors_told, 6);
    ck_assert_uint_eq(failures, 0);
    assert_all_connected();
    end();
}
END_TEST

START_TEST(a_useless_listener_is_told_once)
{
    begin();
    errors_to_come[0] = EINVAL;
    connect_clients(3);
    turn_until_quiet(loop);
    ck_assert_uint_eq(failures, 1);
    ck_assert_int_eq(failure, UV_EINVAL);
    ck_assert_uint_eq(accepted_count, 0);
    end();
}
END_TEST

/* Blocking is a matter of the socket, whoever sets it: the accept behind the last connection would wait for another. */
START_TEST(another_holder_may_make_it_blocking)
{
    begin();
    nb_acceptor_distrust(acceptor);
    for (unsigned round = 1; round <= 3; round++) {
        ck_assert_int_eq(fcntl(nb_acceptor_fd(acceptor), F_SETFL, 0), 0);
        connect_clients(2);
        wait_for_accepted(2 * round);
        turn_until_quiet(loop);
    }
    assert_all_connected();
    end();
}
END_TEST

START_TEST(an_open_that_fails_leaves_the_descriptor)
{
    begin();
    struct nb_acceptor *none = acceptor;
    int fd = listen_on_loopback(&(struct sockaddr_in){0}),
        file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    nb_memory_fail_after(1);
    ck_assert_int_eq(nb_acceptor_open(loop, &ops, NULL, fd, &none), UV_ENOMEM);
    ck_assert_int_lt(nb_acceptor_open(loop, &ops, NULL, file, &none), 0);
    ck_assert_ptr_eq(none, acceptor);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(close(file), 0);
    end();
}
END_TEST

int main(void)
{
    return run_suite(
        "acceptor",
        (const TTest *[]){
            a_burst_is_accepted_over_some_turns, a_paused_acceptor_leaves_connections_waiting,
            a_pause_inside_on_accept_counts_at_once, a_close_inside_on_accept_counts_at_once,
            closing_tells_nothing, without_descriptors_connections_wait,
            a_pause_holds_also_while_descriptors_lack, an_acceptor_may_close_while_descriptors_lack,
            without_memory_for_the_retry_it_tries_at_once, a_connection_that_failed_before_is_passed_over,
            a_useless_listener_is_told_once, another_holder_may_make_it_blocking,
            an_open_that_fails_leaves_the_descriptor, NULL});
}
