#include "options.h"
#include "sockets.h"
#include "suite.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int value_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

#define BOUND(member, text, least, most)                                                                     \
    {                                                                                                        \
        text, offsetof(nb_SocketOptions, has_##member), offsetof(nb_SocketOptions, member), least, most      \
    }

static const struct bound {
    const char *name;
    size_t has, value; /* offsets */
    int32_t least, most;
} bounds[] = {
    BOUND(keep_alive_initial_delay, "keepAliveInitialDelay", 1000, 32767000),
    BOUND(keep_alive_interval, "keepAliveInterval", 1000, 32767000),
    BOUND(keep_alive_count, "keepAliveCount", 1, 127),
    BOUND(type_of_service, "typeOfService", 0, 255),
    BOUND(time_to_live, "timeToLive", 1, 255),
    BOUND(priority, "priority", 0, 6),
    BOUND(receive_buffer_size, "receiveBufferSize", 1, 1073741823),
    BOUND(send_buffer_size, "sendBufferSize", 1, 1073741823),
    BOUND(user_timeout, "userTimeout", 0, INT32_MAX),
    BOUND(not_sent_low_water, "notSentLowWater", 0, INT32_MAX),
    BOUND(max_segment_size, "maxSegmentSize", 88, 32767),
};

static struct nb_failure *check_value(const struct bound *bound, int32_t value)
{
    nb_SocketOptions given = {0};
    *(bool *)((char *)&given + bound->has) = true;
    *(int32_t *)((char *)&given + bound->value) = value;
    return nb_options_check(&given, "options.");
}

static void expect_refusal(const struct bound *bound, int32_t value)
{
    char expected[160];
    struct nb_failure *failure = check_value(bound, value);
    ck_assert_ptr_nonnull(failure);
    int length =
        snprintf(expected, sizeof expected,
                 "The value of \"options.%s\" is out of range. It must be >= %d && <= %d. Received %d",
                 bound->name, bound->least, bound->most, value);
    ck_assert_uint_eq(failure->fault.map.message.length, (size_t)length);
    ck_assert_mem_eq(failure->fault.map.message.data, expected, (size_t)length);
    nb_failure_unref(failure);
}

START_TEST(each_number_has_bounds)
{
    for (const struct bound *bound = bounds; bound < bounds + sizeof bounds / sizeof *bounds; bound++) {
        ck_assert_ptr_null(check_value(bound, bound->least));
        ck_assert_ptr_null(check_value(bound, bound->most));
        expect_refusal(bound, bound->least - 1);
        if (bound->most < INT32_MAX)
            expect_refusal(bound, bound->most + 1);
    }
}
END_TEST

START_TEST(keep_alive_is_in_whole_seconds_that_the_system_takes)
{
    static const struct {
        double milliseconds;
        int seconds;
    } cases[] = {{0, 0},
                 {-1, 0},
                 {999.9, 0},
                 {1000, 1},
                 {1999.9, 1},
                 {32767000, 32767},
                 {32768000, 32767},
                 {1e300, 32767},
                 {INFINITY, 32767},
                 {NAN, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(nb_keep_alive_seconds(cases[i].milliseconds), cases[i].seconds);
}
END_TEST

START_TEST(keep_alive_has_the_probes_of_node_unless_others_are_wanted)
{
    struct nb_options options = {0};
    nb_options_want_keep_alive(&options, false, 0);
    ck_assert_uint_eq(options.wanted, 1u << NB_OPTION_KEEP_ALIVE);
    nb_options_want(&options, NB_OPTION_KEEP_ALIVE_INTERVAL, 7);
    nb_options_want_keep_alive(&options, true, 5);
    ck_assert_int_eq(options.values[NB_OPTION_KEEP_ALIVE], 1);
    ck_assert_int_eq(options.values[NB_OPTION_KEEP_ALIVE_DELAY], 5);
    ck_assert_int_eq(options.values[NB_OPTION_KEEP_ALIVE_INTERVAL], 7);
    ck_assert_int_eq(options.values[NB_OPTION_KEEP_ALIVE_COUNT], 10);
    nb_options_want_keep_alive(&options, true, 0);
    ck_assert_int_eq(options.values[NB_OPTION_KEEP_ALIVE_DELAY], 5);
}
END_TEST

START_TEST(what_is_wanted_is_shown_in_the_clients_units)
{
    struct nb_options options = {0};
    nb_SocketOptions shown = {0};
    nb_options_take(&options, &(nb_SocketOptions){.has_keep_alive_interval = true,
                                                  .keep_alive_interval = 2999,
                                                  .has_no_delay = true,
                                                  .no_delay = false,
                                                  .has_priority = true,
                                                  .priority = 3});
    nb_options_show(&options, &shown);
    ck_assert(shown.has_keep_alive_interval && shown.keep_alive_interval == 2000);
    ck_assert(shown.has_no_delay && !shown.no_delay && shown.has_priority && shown.priority == 3);
    ck_assert(!shown.has_keep_alive && !shown.has_time_to_live && !shown.has_send_buffer_size);
}
END_TEST

static const nb_SocketOptions many = {.has_no_delay = true,
                                      .no_delay = true,
                                      .has_keep_alive = true,
                                      .keep_alive = true,
                                      .has_keep_alive_initial_delay = true,
                                      .keep_alive_initial_delay = 9000,
                                      .has_keep_alive_interval = true,
                                      .keep_alive_interval = 4000,
                                      .has_keep_alive_count = true,
                                      .keep_alive_count = 6,
                                      .has_type_of_service = true,
                                      .type_of_service = 16,
                                      .has_time_to_live = true,
                                      .time_to_live = 33,
                                      .has_user_timeout = true,
                                      .user_timeout = 1234,
                                      .has_not_sent_low_water = true,
                                      .not_sent_low_water = 4321};

static void expect_many(const nb_SocketOptions *found)
{
    ck_assert(found->no_delay && found->keep_alive);
    ck_assert_int_eq(found->keep_alive_initial_delay, 9000);
    ck_assert_int_eq(found->keep_alive_interval, 4000);
    ck_assert_int_eq(found->keep_alive_count, 6);
    ck_assert_int_eq(found->type_of_service, 16);
    ck_assert_int_eq(found->time_to_live, 33);
    ck_assert_int_eq(found->user_timeout, 1234);
    ck_assert_int_eq(found->not_sent_low_water, 4321);
}

START_TEST(the_kernel_has_what_was_given)
{
    int ends[2];
    const char *field = NULL;
    struct nb_options options = {0};
    nb_SocketOptions found = {0};
    tcp_pair(ends);
    ck_assert_int_eq(nb_options_set_given(ends[0], &many, &field), 0);
    ck_assert_ptr_null(field);
    nb_options_read(ends[0], &found);
    expect_many(&found);
    ck_assert_int_eq(value_of(ends[0], IPPROTO_TCP, TCP_KEEPIDLE), 9);
    nb_options_take(&options, &many);
    nb_options_apply(&options, ends[1]);
    nb_options_read(ends[1], &found);
    expect_many(&found);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* It may be connected to an address of either family. */
START_TEST(a_socket_of_ipv6_has_both_names)
{
    nb_SocketOptions found = {0};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(nb_option_set(fd, NB_OPTION_TYPE_OF_SERVICE, 24), 0);
    ck_assert_int_eq(nb_option_set(fd, NB_OPTION_TIME_TO_LIVE, 44), 0);
    ck_assert_int_eq(value_of(fd, IPPROTO_IP, IP_TOS), 24);
    ck_assert_int_eq(value_of(fd, IPPROTO_IPV6, IPV6_TCLASS), 24);
    ck_assert_int_eq(value_of(fd, IPPROTO_IP, IP_TTL), 44);
    ck_assert_int_eq(value_of(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 44);
    nb_options_read(fd, &found);
    ck_assert(found.type_of_service == 24 && found.time_to_live == 44);
    close(fd);
}
END_TEST

START_TEST(a_unix_socket_has_few_of_them)
{
    int ends[2];
    const char *field = NULL;
    struct nb_options options = {0};
    nb_SocketOptions found = {0};
    unix_pair(ends);
    ck_assert_int_lt(nb_options_set_given(ends[0], &many, &field), 0);
    ck_assert_str_eq(field, "noDelay");
    nb_options_read(ends[0], &found);
    ck_assert(!found.has_no_delay && !found.has_time_to_live && !found.has_user_timeout);
    ck_assert(found.has_keep_alive &&
              !found.keep_alive); /* those behind the one that was refused are not set */
    ck_assert(found.has_send_buffer_size && found.send_buffer_size > 0);
    nb_options_take(&options, &many);
    nb_options_apply(&options, ends[0]);
    nb_options_read(ends[0], &found);
    ck_assert(found.keep_alive); /* those behind are passed over to */
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_descriptor_that_is_no_socket_has_none)
{
    int fds[2];
    const char *field = NULL;
    nb_SocketOptions found = {0};
    static const nb_SocketOptions none;
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(nb_options_set_given(fds[0], &many, &field), -ENOTSOCK);
    nb_options_read(fds[0], &found);
    ck_assert_mem_eq(&found, &none, sizeof found);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_number_has_bounds,
        keep_alive_is_in_whole_seconds_that_the_system_takes,
        keep_alive_has_the_probes_of_node_unless_others_are_wanted,
        what_is_wanted_is_shown_in_the_clients_units,
        the_kernel_has_what_was_given,
        a_socket_of_ipv6_has_both_names,
        a_unix_socket_has_few_of_them,
        a_descriptor_that_is_no_socket_has_none,
        NULL,
    };
    return run_suite("options", tests);
}
