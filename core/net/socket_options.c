/* The socket actor's options: the idle timeout, and what is set on the descriptor. */
#include "socket_internal.h"

#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
    KEEP_ALIVE_COUNT = 10, /* Node: TCP_KEEPCNT 10, TCP_KEEPINTVL 1 */
    KEEP_ALIVE_INTERVAL = 1,
    KEEP_ALIVE_DELAY_MAX = 32767, /* what Linux takes */
};

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
    if (socket->timeout <= 0 || socket->is_lingering)
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

/* ---- descriptor options ---- */

static void set_option(int fd, int level, int name, int value)
{
    /* As in Node: a system that does not take an option is not an error of the connection. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

uint32_t nb_keep_alive_seconds(double milliseconds)
{
    if (!(milliseconds >= 1000))
        return 0;
    return milliseconds / 1000 > KEEP_ALIVE_DELAY_MAX ? KEEP_ALIVE_DELAY_MAX
                                                      : (uint32_t)(milliseconds / 1000);
}

static void apply_keep_alive(struct nb_socket *socket)
{
    int fd = socket->stream.fd;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, socket->keep_alive);
    if (!socket->keep_alive)
        return;
    if (socket->keep_alive_delay)
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)socket->keep_alive_delay);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL);
}

void nb_socket_apply_options(struct nb_socket *socket)
{
    if (socket->is_pipe)
        return;
    if (socket->no_delay)
        set_option(socket->stream.fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (socket->keep_alive)
        apply_keep_alive(socket);
}

/* ---- commands ---- */

nb_handler nb_on_socket_set_keep_alive, nb_on_socket_set_no_delay, nb_on_socket_set_timeout;

void nb_on_socket_set_keep_alive(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SetKeepAlive *params = &(*command)->params.set_keep_alive;
    uint32_t delay = nb_keep_alive_seconds(params->has_initial_delay ? params->initial_delay : 0);
    socket->keep_alive = params->enable;
    if (delay)
        socket->keep_alive_delay = delay;
    if (socket->state == NB_SOCKET_OPEN && !socket->is_pipe)
        apply_keep_alive(socket);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_socket_set_no_delay(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SetNoDelay *params = &(*command)->params.set_no_delay;
    socket->no_delay = !params->has_no_delay || params->no_delay;
    if (socket->state == NB_SOCKET_OPEN && !socket->is_pipe)
        set_option(socket->stream.fd, IPPROTO_TCP, TCP_NODELAY, socket->no_delay);
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
