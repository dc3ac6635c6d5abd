#include "options.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    KEEP_ALIVE_COUNT = 10, /* Node: TCP_KEEPCNT 10, TCP_KEEPINTVL 1 */
    KEEP_ALIVE_INTERVAL = 1,
    SECONDS_MAX = 32767, /* what Linux takes */
    SECOND = 1000, /* ms */
};

struct row {
    const char *field;
    size_t has, value; /* offsets in nb_SocketOptions */
    bool is_flag; /* a bool, else an int32_t */
    int level, name;
    int unit; /* the client's value by this is the kernel's */
    int min, max; /* the client's */
};

#define ROW(member, text, flag, level_, name_, unit_, min_, max_)                                            \
    {                                                                                                        \
        text, offsetof(nb_SocketOptions, has_##member), offsetof(nb_SocketOptions, member), flag, level_,    \
            name_, unit_, min_, max_                                                                         \
    }
#define FLAG(member, text, level, name) ROW(member, text, true, level, name, 1, 0, 1)
#define NUMBER(member, text, level, name, min, max) ROW(member, text, false, level, name, 1, min, max)
#define SECONDS(member, text, level, name)                                                                   \
    ROW(member, text, false, level, name, SECOND, SECOND, SECONDS_MAX *SECOND)

static const struct row rows[NB_OPTION_COUNT] = {
    [NB_OPTION_NO_DELAY] = FLAG(no_delay, "noDelay", IPPROTO_TCP, TCP_NODELAY),
    [NB_OPTION_KEEP_ALIVE] = FLAG(keep_alive, "keepAlive", SOL_SOCKET, SO_KEEPALIVE),
    [NB_OPTION_KEEP_ALIVE_DELAY] =
        SECONDS(keep_alive_initial_delay, "keepAliveInitialDelay", IPPROTO_TCP, TCP_KEEPIDLE),
    [NB_OPTION_KEEP_ALIVE_INTERVAL] =
        SECONDS(keep_alive_interval, "keepAliveInterval", IPPROTO_TCP, TCP_KEEPINTVL),
    [NB_OPTION_KEEP_ALIVE_COUNT] =
        NUMBER(keep_alive_count, "keepAliveCount", IPPROTO_TCP, TCP_KEEPCNT, 1, 127),
    [NB_OPTION_TYPE_OF_SERVICE] = NUMBER(type_of_service, "typeOfService", IPPROTO_IP, IP_TOS, 0, 255),
    [NB_OPTION_TIME_TO_LIVE] = NUMBER(time_to_live, "timeToLive", IPPROTO_IP, IP_TTL, 1, 255),
    [NB_OPTION_PRIORITY] = NUMBER(priority, "priority", SOL_SOCKET, SO_PRIORITY, 0, 6),
    [NB_OPTION_RECEIVE_BUFFER] =
        NUMBER(receive_buffer_size, "receiveBufferSize", SOL_SOCKET, SO_RCVBUF, 1, INT_MAX / 2),
    [NB_OPTION_SEND_BUFFER] =
        NUMBER(send_buffer_size, "sendBufferSize", SOL_SOCKET, SO_SNDBUF, 1, INT_MAX / 2),
    [NB_OPTION_USER_TIMEOUT] = NUMBER(user_timeout, "userTimeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX),
    [NB_OPTION_NOT_SENT_LOW_WATER] =
        NUMBER(not_sent_low_water, "notSentLowWater", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, INT_MAX),
    [NB_OPTION_MAX_SEGMENT] = NUMBER(max_segment_size, "maxSegmentSize", IPPROTO_TCP, TCP_MAXSEG, 88, 32767),
};

/* ---- the client's map ---- */

static bool is_given(const nb_SocketOptions *given, const struct row *row)
{
    return *(const bool *)((const char *)given + row->has);
}

static int value_of(const nb_SocketOptions *given, const struct row *row)
{
    const char *place = (const char *)given + row->value;
    return row->is_flag ? *(const bool *)place : *(const int32_t *)place;
}

static void give(nb_SocketOptions *ret_options, const struct row *row, int value)
{
    char *place = (char *)ret_options + row->value;
    *(bool *)((char *)ret_options + row->has) = true;
    if (row->is_flag)
        *(bool *)place = value != 0;
    else
        *(int32_t *)place = value > INT_MAX / row->unit ? INT_MAX : value * row->unit;
}

static struct nb_failure *failure_of(const struct row *row, const char *prefix, int value)
{
    char label[96], range[64];
    snprintf(label, sizeof label, "%s%s", prefix, row->field);
    snprintf(range, sizeof range, ">= %d && <= %d", row->min, row->max);
    return nb_failure_range(label, range, value);
}

struct nb_failure *nb_options_check(const nb_SocketOptions *given, const char *prefix)
{
    for (const struct row *row = rows; row < rows + NB_OPTION_COUNT; row++) {
        int value = is_given(given, row) ? value_of(given, row) : row->min;
        if (value < row->min || value > row->max)
            return failure_of(row, prefix, value);
    }
    return NULL;
}

void nb_options_take(struct nb_options *options, const nb_SocketOptions *given)
{
    for (int i = 0; i < NB_OPTION_COUNT; i++)
        if (is_given(given, &rows[i]))
            nb_options_want(options, (enum nb_option)i, value_of(given, &rows[i]) / rows[i].unit);
}

/* ---- what is wanted ---- */

void nb_options_want(struct nb_options *options, enum nb_option option, int value)
{
    options->wanted |= 1u << option;
    options->values[option] = value;
}

int nb_keep_alive_seconds(double milliseconds)
{
    if (!(milliseconds >= SECOND))
        return 0;
    return milliseconds / SECOND > SECONDS_MAX ? SECONDS_MAX : (int)(milliseconds / SECOND);
}

static void want_unless_wanted(struct nb_options *options, enum nb_option option, int value)
{
    if (!nb_options_has(options, option))
        nb_options_want(options, option, value);
}

void nb_options_want_keep_alive(struct nb_options *options, bool enable, int delay)
{
    nb_options_want(options, NB_OPTION_KEEP_ALIVE, enable);
    if (delay)
        nb_options_want(options, NB_OPTION_KEEP_ALIVE_DELAY, delay);
    if (!enable)
        return;
    want_unless_wanted(options, NB_OPTION_KEEP_ALIVE_COUNT, KEEP_ALIVE_COUNT);
    want_unless_wanted(options, NB_OPTION_KEEP_ALIVE_INTERVAL, KEEP_ALIVE_INTERVAL);
}

void nb_options_show(const struct nb_options *options, nb_SocketOptions *ret_options)
{
    for (int i = 0; i < NB_OPTION_COUNT; i++)
        if (nb_options_has(options, (enum nb_option)i))
            give(ret_options, &rows[i], options->values[i]);
}

/* ---- the kernel ---- */

static bool is_ipv6(int fd)
{
    int domain = 0;
    socklen_t length = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_INET6;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

/* What IPv4 has two names for; 0: any other option. */
static int ipv6_name(const struct row *row)
{
    if (row->level != IPPROTO_IP)
        return 0;
    return row->name == IP_TOS ? IPV6_TCLASS : IPV6_UNICAST_HOPS;
}

/* An IPv6 socket may be connected to an IPv4 address: then the packets are those of the other name. */
int nb_option_set(int fd, enum nb_option option, int value)
{
    const struct row *row = &rows[option];
    int status = set(fd, row->level, row->name, value);
    return ipv6_name(row) && is_ipv6(fd) ? set(fd, IPPROTO_IPV6, ipv6_name(row), value) : status;
}

static int get(int fd, const struct row *row, int *ret_value)
{
    bool is_six = ipv6_name(row) && is_ipv6(fd);
    int level = is_six ? IPPROTO_IPV6 : row->level, name = is_six ? ipv6_name(row) : row->name;
    socklen_t length = sizeof *ret_value;
    return getsockopt(fd, level, name, ret_value, &length) < 0 ? -errno : 0;
}

void nb_options_apply(const struct nb_options *options, int fd)
{
    for (int i = 0; i < NB_OPTION_COUNT; i++)
        if (nb_options_has(options, (enum nb_option)i))
            (void)nb_option_set(fd, (enum nb_option)i, options->values[i]);
}

int nb_options_set_given(int fd, const nb_SocketOptions *given, const char **ret_field)
{
    for (int i = 0; i < NB_OPTION_COUNT; i++) {
        const struct row *row = &rows[i];
        int status =
            is_given(given, row) ? nb_option_set(fd, (enum nb_option)i, value_of(given, row) / row->unit) : 0;
        if (status < 0) {
            *ret_field = row->field;
            return status;
        }
    }
    return 0;
}

void nb_options_read(int fd, nb_SocketOptions *ret_options)
{
    for (const struct row *row = rows; row < rows + NB_OPTION_COUNT; row++) {
        int value = 0;
        if (get(fd, row, &value) == 0)
            give(ret_options, row, value);
    }
}
