#include "attempt.h"

#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

static struct nb_runtime runtime;
static struct nb_loop *const loop = &runtime.loops[0];

static int status; /* of the attempt; 1: not done */
static unsigned calls;

static void begin(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    status = 1;
    calls = 0;
}

static void end(void)
{
    turn_until_quiet(loop);
    nb_runtime_finish(&runtime);
}

static void on_done(struct nb_attempt *attempt, int result)
{
    ck_assert_ptr_eq(attempt->owner, &status);
    status = result;
    calls++;
}

static bool is_done(void *context)
{
    (void)context;
    return calls > 0;
}

static struct nb_attempt *start(int fd, const void *address, socklen_t length)
{
    struct nb_attempt *attempt;
    ck_assert_int_eq(nb_attempt_start(loop, fd, address, length, on_done, &status, &attempt), 0);
    ck_assert_uint_eq(calls, 0);
    return attempt;
}

static void await(int expected)
{
    turn_until(loop, is_done, NULL);
    turn_until_quiet(loop);
    ck_assert_uint_eq(calls, 1);
    ck_assert_int_eq(status, expected);
}

static int unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static const struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};

/* The socket can go to another handle of the loop at once, as a stream's does. */
START_TEST(a_connected_socket_is_taken)
{
    struct sockaddr_in address;
    uv_poll_t poll;
    int listener = listen_on_loopback(&address), fd = tcp_socket();
    begin();
    struct nb_attempt *attempt = start(fd, &address, sizeof address);
    await(0);
    ck_assert_int_eq(nb_attempt_take(attempt), fd);
    ck_assert_int_eq(uv_poll_init_socket(&loop->uv, &poll, fd), 0);
    uv_close((uv_handle_t *)&poll, NULL);
    int peer = accept_soon(listener);
    ck_assert_int_eq(write(fd, "hello", 5), 5);
    ck_assert_int_eq(is_ready(peer, POLLIN, 10000), 1);
    close(fd);
    close(peer);
    close(listener);
    end();
}
END_TEST

START_TEST(a_refusal)
{
    struct sockaddr_in address;
    close(listen_on_loopback(&address));
    begin();
    struct nb_attempt *attempt = start(tcp_socket(), &address, sizeof address);
    await(UV_ECONNREFUSED);
    nb_attempt_drop(attempt);
    end();
}
END_TEST

START_TEST(what_is_refused_at_once_is_told_later)
{
    begin();
    struct nb_attempt *attempt = start(unix_socket(), &nowhere, sizeof nowhere);
    await(UV_ENOENT);
    nb_attempt_drop(attempt);
    end();
}
END_TEST

START_TEST(what_works_at_once_is_told_later_too)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the system chooses an abstract name */
    socklen_t length = sizeof address;
    int listener = unix_socket();
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &length);
    begin();
    struct nb_attempt *attempt = start(unix_socket(), &address, length);
    await(0);
    nb_attempt_drop(attempt);
    close(listener);
    end();
}
END_TEST

/* Dropped before it is told: nothing is told, and nothing is left. */
START_TEST(a_dropped_attempt_tells_nothing)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address), descriptors = count_descriptors();
    begin();
    nb_attempt_drop(start(tcp_socket(), &address, sizeof address));
    nb_attempt_drop(start(unix_socket(), &nowhere, sizeof nowhere));
    end();
    ck_assert_uint_eq(calls, 0);
    ck_assert_int_eq(count_descriptors(), descriptors);
    close(listener);
}
END_TEST

/* Two are connected in one turn, and the first to hear of it drops the other. */
static struct nb_attempt *rivals[2];

static void drop_rival(struct nb_attempt *attempt, int result)
{
    ck_assert_int_eq(result, 0);
    calls++;
    nb_attempt_drop(attempt == rivals[0] ? rivals[1] : rivals[0]);
    nb_attempt_drop(attempt);
}

START_TEST(the_first_drops_the_others)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    begin();
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(nb_attempt_start(loop, tcp_socket(), (struct sockaddr *)&address, sizeof address,
                                          drop_rival, NULL, &rivals[i]),
                         0);
    turn_until(loop, is_done, NULL);
    end();
    ck_assert_uint_eq(calls, 1);
    close(listener);
}
END_TEST

int main(void)
{
    return run_suite("attempt",
                     (const TTest *[]){a_connected_socket_is_taken, a_refusal,
                                       what_is_refused_at_once_is_told_later,
                                       what_works_at_once_is_told_later_too, a_dropped_attempt_tells_nothing,
                                       the_first_drops_the_others, NULL});
}
