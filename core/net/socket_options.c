/* The socket actor's options: the idle timeout, and those of its descriptor. */
#include "socket_internal.h"

#include <math.h>
#include <string.h>

static const double TIMEOUT_MAX = 2147483647; /* ms; Node's timers go no further */

/* ---- the idle timeout ---- */

/* The timeout as the timer can keep it; the property stays as it was set. */
static uint64_t idle_limit(const struct nb_socket *socket)
{
    return socket->timeout < 1 ? 1 : (uint64_t)fmin(socket->timeout, TIMEOUT_MAX);
}

static void on_idle(struct nb_timer *timer)
{
    struct nb_socket *socket = (struct nb_socket *)((char *)timer - offsetof(struct nb_socket, timer));
    uint64_t idle = nb_loop_now(socket->actor.loop) - socket->last_active;
    uint64_t limit = idle_limit(socket);
    if (idle < limit)
        nb_timer_start(timer, socket->actor.loop, limit - idle, on_idle);
    else
        nb_event_emit(socket->account, NB_EVENT_SOCKET_TIMEOUT, socket->name);
}

/* The timer is not moved at each sign of life; when it fires it looks how long ago the last one was. */
void nb_socket_touch(struct nb_socket *socket)
{
    if (socket->timeout <= 0 || socket->is_lingering || socket->offer)
        return;
    socket->last_active = nb_loop_now(socket->actor.loop);
    if (!nb_timer_is_running(&socket->timer))
        nb_timer_start(&socket->timer, socket->actor.loop, idle_limit(socket), on_idle);
}

/* The only start that may lack memory: those at signs of life use the timer that is there. */
static struct nb_failure *begin_waiting(struct nb_socket *socket)
{
    if (nb_timer_start(&socket->timer, socket->actor.loop, idle_limit(socket), on_idle) < 0) {
        socket->timeout = 0;
        return nb_failure_system(UV_ENOMEM, "setTimeout");
    }
    socket->last_active = nb_loop_now(socket->actor.loop);
    if (nb_socket_is_destroyed(socket))
        nb_timer_stop(&socket->timer);
    return NULL;
}

struct nb_failure *nb_socket_set_timeout(struct nb_socket *socket, double timeout)
{
    if (!(timeout >= 0) || isinf(timeout))
        return nb_failure_timeout(timeout);
    socket->timeout = timeout;
    nb_timer_stop(&socket->timer);
    return socket->timeout > 0 ? begin_waiting(socket) : NULL;
}

/* ---- the commands of Node ---- */

static bool has_descriptor(const struct nb_socket *socket)
{
    return socket->state == NB_SOCKET_OPEN;
}

nb_handler nb_on_socket_set_keep_alive, nb_on_socket_set_no_delay, nb_on_socket_set_timeout,
    nb_on_socket_set_type_of_service, nb_on_socket_get_type_of_service, nb_on_socket_set_options,
    nb_on_socket_get_options;

enum { MOST_PROBES = 127 };

static void want_probes(struct nb_options *options, const nb_SetKeepAlive *params)
{
    int interval = nb_keep_alive_seconds(params->has_interval ? params->interval : 0);
    options->wanted &= ~(1u << NB_OPTION_KEEP_ALIVE_COUNT | 1u << NB_OPTION_KEEP_ALIVE_INTERVAL);
    if (interval)
        nb_options_want(options, NB_OPTION_KEEP_ALIVE_INTERVAL, interval);
    if (params->has_count)
        nb_options_want(options, NB_OPTION_KEEP_ALIVE_COUNT, params->count);
}

void nb_on_socket_set_keep_alive(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SetKeepAlive *params = &(*command)->params.set_keep_alive;
    if (params->has_count && (params->count < 1 || params->count > MOST_PROBES)) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_range("count", ">= 1 && <= 127", params->count));
        return;
    }
    if (params->enable)
        want_probes(&socket->options, params);
    nb_options_want_keep_alive(&socket->options, params->enable,
                               nb_keep_alive_seconds(params->has_initial_delay ? params->initial_delay : 0));
    if (has_descriptor(socket))
        nb_options_apply(&socket->options, socket->stream.fd);
    nb_reply_done(self->loop, &(*command)->reply);
}

/* As in Node: that a system does not take an option is not told. */
static void want(struct nb_socket *socket, enum nb_option option, int value)
{
    nb_options_want(&socket->options, option, value);
    if (has_descriptor(socket))
        (void)nb_option_set(socket->stream.fd, option, value);
}

void nb_on_socket_set_no_delay(struct nb_actor *self, struct nb_command **command)
{
    const nb_SetNoDelay *params = &(*command)->params.set_no_delay;
    want((struct nb_socket *)self, NB_OPTION_NO_DELAY, !params->has_no_delay || params->no_delay);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_socket_set_timeout(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SetTimeout *params = &(*command)->params.set_timeout;
    struct nb_failure *failure =
        params->has_timeout ? nb_socket_set_timeout(socket, params->timeout) : nb_failure_no_timeout();
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
    else
        nb_reply_done(self->loop, &(*command)->reply);
}

static struct nb_failure *check_type_of_service(const nb_SetTypeOfService *params)
{
    if (!params->has_tos)
        return nb_failure_type("tos", "of type number", "undefined");
    if (params->tos < 0 || params->tos > 255)
        return nb_failure_range("tos", ">= 0 && <= 255", params->tos);
    return NULL;
}

/* Node keeps it for what is no TCP socket, too, and tells it back. */
void nb_on_socket_set_type_of_service(struct nb_actor *self, struct nb_command **command)
{
    const nb_SetTypeOfService *params = &(*command)->params.set_type_of_service;
    struct nb_failure *failure = check_type_of_service(params);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    want((struct nb_socket *)self, NB_OPTION_TYPE_OF_SERVICE, params->tos);
    nb_reply_done(self->loop, &(*command)->reply);
}

/* ---- all of them ---- */

static nb_SocketOptions describe(const struct nb_socket *socket)
{
    nb_SocketOptions options;
    memset(&options, 0, sizeof options);
    nb_options_show(&socket->options, &options);
    if (has_descriptor(socket))
        nb_options_read(socket->stream.fd, &options);
    return options;
}

void nb_on_socket_get_type_of_service(struct nb_actor *self, struct nb_command **command)
{
    nb_TypeOfService result = {.has_value = true};
    result.value = describe((struct nb_socket *)self).type_of_service;
    nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

void nb_on_socket_get_options(struct nb_actor *self, struct nb_command **command)
{
    nb_SocketOptions options = describe((struct nb_socket *)self);
    nb_reply_result(self->loop, &(*command)->reply, &options, NULL);
}

static struct nb_failure *set_given(struct nb_socket *socket, const nb_SocketOptions *given)
{
    const char *field;
    struct nb_failure *failure = nb_options_check(given, "options.");
    if (failure)
        return failure;
    int status = has_descriptor(socket) ? nb_options_set_given(socket->stream.fd, given, &field) : 0;
    if (status < 0)
        return nb_failure_argument(nb_failure_system(status, "setsockopt"), field);
    nb_options_take(&socket->options, given);
    return NULL;
}

void nb_on_socket_set_options(struct nb_actor *self, struct nb_command **command)
{
    struct nb_failure *failure = set_given((struct nb_socket *)self, &(*command)->params.socket_options);
    if (failure)
        nb_reply_throw(self->loop, &(*command)->reply, failure);
    else
        nb_reply_done(self->loop, &(*command)->reply);
}
