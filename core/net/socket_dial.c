/*
 * The race for a connection, after RFC 8305: an address is tried as soon as the
 * one before has failed, or beside it when it takes long. The first that is
 * connected to wins; what takes long is not given up before.
 */
#include "socket_dial.h"

#include "destination.h"
#include "fd_reserve.h"
#include "listen.h"
#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- failures ---- */

/* What an attempt is to be bound to; family 0: nothing was asked for. */
static struct nb_endpoint local_for(const struct nb_dial *dial, const struct nb_endpoint *remote)
{
    struct nb_endpoint local = dial->local;
    if (!local.ip.family && dial->local_port)
        local.ip.family = remote->ip.family;
    local.port = dial->local_port;
    return local;
}

/* remote NULL: the path. Both ends are told where a port was asked for, as by Node. */
static struct nb_failure *failure_of(const struct nb_dial *dial, const struct nb_endpoint *remote, int status)
{
    if (!remote || !dial->local_port)
        return nb_failure_connect(status, remote, dial->path, NULL);
    struct nb_endpoint local = local_for(dial, remote);
    return nb_failure_local(nb_failure_connect(status, remote, dial->path, &local), &local);
}

/* What fails at once is told with the end that the system chose; refusals are not, which libuv tells later. */
static struct nb_failure *failure_at_once(const struct nb_attempt *attempt)
{
    struct nb_endpoint local;
    nb_endpoint_of_local(attempt->fd, &local);
    return nb_failure_connect(attempt->status, &attempt->remote, (struct nb_slice){0}, &local);
}

/* Takes the failure. */
static void note_failure(struct nb_dial *dial, struct nb_failure *failure)
{
    dial->failures[dial->failure_count++] = failure;
}

/* A single address is news to nobody, unless the client knows of attempts. */
static void tell(struct nb_dial *dial, enum nb_event_index index, const struct nb_endpoint *remote,
                 struct nb_failure *failure)
{
    if (dial->tells_attempts || dial->count > 1)
        nb_dial_tell_attempt(dial, index, remote, failure);
}

/* Takes the failure. */
static void fail_attempt(struct nb_dial *dial, const struct nb_endpoint *remote, struct nb_failure *failure)
{
    tell(dial, NB_EVENT_SOCKET_CONNECTION_ATTEMPT_FAILED, remote, failure);
    note_failure(dial, failure);
}

/* ---- one attempt ---- */

static int set_reuse(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ? -errno : 0;
}

static int bind_local(int fd, const struct nb_endpoint *local)
{
    struct sockaddr_storage storage;
    socklen_t length = nb_endpoint_to_sockaddr(local, &storage);
    int status = set_reuse(fd);
    if (status == 0 && bind(fd, (struct sockaddr *)&storage, length) < 0)
        status = -errno;
    return status;
}

/* Binds as asked for; true when there is nothing to bind or it went well. As in Node, no event tells of a failure. */
static bool bind_if_wanted(struct nb_dial *dial, const struct nb_endpoint *remote, int fd)
{
    struct nb_endpoint local = local_for(dial, remote);
    if (!local.ip.family)
        return true;
    int status = bind_local(fd, &local);
    if (status == UV_EAFNOSUPPORT)
        status = UV_EINVAL; /* Node's word for an address of the other family */
    if (status < 0)
        note_failure(dial, nb_failure_bind(status, &local));
    return status == 0;
}

static void on_done(struct nb_attempt *attempt, int status);

/* Takes fd, or the error of having none. remote NULL: the path. True when the attempt is under way. */
static bool start_attempt(struct nb_dial *dial, int fd, const struct nb_endpoint *remote,
                          const struct sockaddr *address, socklen_t length)
{
    struct nb_attempt *attempt;
    if (fd >= 0)
        nb_options_apply(&dial->socket->options, fd); /* some count from the first packet on */
    tell(dial, NB_EVENT_SOCKET_CONNECTION_ATTEMPT, remote, NULL);
    int status =
        fd < 0 ? fd
               : nb_attempt_start(dial->socket->actor.loop, fd, address, length, on_done, dial, &attempt);
    if (status < 0) {
        if (fd >= 0)
            close(fd);
        fail_attempt(dial, remote, failure_of(dial, remote, status));
        return false;
    }
    if (remote)
        attempt->remote = *remote;
    attempt->next = dial->attempts;
    dial->attempts = attempt;
    return true;
}

/* The address as it was given and as it is dialled. */
static bool is_on(struct nb_filter *filter, unsigned reader, const struct nb_ip *given,
                  const struct nb_ip *dialled)
{
    struct nb_rule rule;
    return nb_filter_match(filter, reader, given, &rule) ||
           (memcmp(given, dialled, sizeof *given) != 0 && nb_filter_match(filter, reader, dialled, &rule));
}

/* NULL: it may be connected to. */
static struct nb_failure *objection_to(const struct nb_socket *socket, const struct nb_endpoint *remote,
                                       const struct nb_ip *dialled)
{
    unsigned reader = socket->actor.loop->index;
    if (is_on(socket->account->deny_connect, reader, &remote->ip, dialled))
        return nb_failure_denied(remote);
    return is_on(socket->filter, reader, &remote->ip, dialled) ? nb_failure_blocked(remote) : NULL;
}

static bool try_address(struct nb_dial *dial, const struct nb_endpoint *remote)
{
    struct sockaddr_storage storage;
    struct nb_endpoint dialled = *remote; /* what was checked, not what the system would make of it */
    dialled.ip = nb_destination_of(&remote->ip, &dial->local.ip);
    struct nb_failure *objection = objection_to(dial->socket, remote, &dialled.ip);
    if (objection) {
        fail_attempt(dial, remote, objection);
        return false;
    }
    socklen_t length = nb_endpoint_to_sockaddr(&dialled, &storage);
    int fd = nb_fd_reserve_socket(storage.ss_family);
    if (fd >= 0 && !bind_if_wanted(dial, remote, fd)) {
        close(fd);
        return false;
    }
    return start_attempt(dial, fd, remote, (struct sockaddr *)&storage, length);
}

static bool try_path(struct nb_dial *dial)
{
    struct sockaddr_un address;
    int status = nb_path_to_sockaddr(dial->path, &address);
    if (status == 0)
        return start_attempt(dial, nb_fd_reserve_socket(AF_UNIX), NULL, (struct sockaddr *)&address,
                             sizeof address);
    note_failure(dial, failure_of(dial, NULL, status));
    return false;
}

/* ---- the race ---- */

static struct nb_failure *take_verdict(struct nb_dial *dial)
{
    if (dial->failure_count == 1)
        return nb_failure_ref(dial->failures[0]);
    return nb_failure_aggregate(dial->failures, dial->failure_count);
}

static void proceed(struct nb_dial *dial);

static void on_pace(struct nb_timer *timer)
{
    struct nb_dial *dial = (struct nb_dial *)((char *)timer - offsetof(struct nb_dial, pace));
    tell(dial, NB_EVENT_SOCKET_CONNECTION_ATTEMPT_TIMEOUT, &dial->attempts->remote, NULL);
    proceed(dial);
}

/* False: there is nothing to wait for, or no memory to wait with. */
static bool paces(struct nb_dial *dial)
{
    return nb_timer_start(&dial->pace, dial->socket->actor.loop, dial->attempt_delay, on_pace) == 0;
}

/* Tries the next address; the last failure, with nothing under way, is the end. */
static void proceed(struct nb_dial *dial)
{
    nb_timer_stop(&dial->pace);
    while (dial->next < dial->count)
        if (try_address(dial, &dial->candidates[dial->next++]) && (dial->next == dial->count || paces(dial)))
            return;
    if (!dial->attempts)
        nb_socket_close(dial->socket, take_verdict(dial));
}

void nb_dial_race(struct nb_dial *dial)
{
    dial->socket->state = NB_SOCKET_CONNECTING;
    if (!dial->path.data || !try_path(dial))
        proceed(dial);
}

static void take_out(struct nb_dial *dial, const struct nb_attempt *attempt)
{
    struct nb_attempt **link = &dial->attempts;
    while (*link != attempt)
        link = &(*link)->next;
    *link = attempt->next;
}

static void drop_attempts(struct nb_dial *dial)
{
    while (dial->attempts) {
        struct nb_attempt *attempt = dial->attempts;
        dial->attempts = attempt->next;
        nb_attempt_drop(attempt);
    }
}

static int open_stream(struct nb_socket *socket, int fd)
{
    nb_stream_init(&socket->stream, socket->actor.loop, &nb_socket_stream_ops, true);
    int status = nb_stream_open(&socket->stream, fd);
    socket->stream_in_use = status == 0;
    if (status < 0)
        close(fd);
    return status;
}

/* There is a connection, and the stream has it. */
static void finish_race(struct nb_dial *dial)
{
    struct nb_socket *socket = dial->socket;
    nb_stream_take_queue(&socket->stream, &dial->early);
    nb_socket_touch(socket);
    nb_socket_opened(socket);
    nb_dial_tell_connected(dial);
    nb_socket_drop_dial(socket);
    if (socket->wants_reset) {
        nb_stream_linger_zero(&socket->stream);
        nb_socket_close(socket, NULL);
        return;
    }
    nb_socket_sent(&socket->stream, 0);
    if (socket->is_ending)
        nb_stream_shutdown(&socket->stream);
}

static void on_done(struct nb_attempt *attempt, int status)
{
    struct nb_dial *dial = attempt->owner;
    struct nb_endpoint remote = attempt->remote;
    const struct nb_endpoint *told = dial->path.data ? NULL : &remote;
    bool at_once = told && attempt->status < 0 && attempt->status != UV_ECONNREFUSED;
    struct nb_failure *failure = at_once ? failure_at_once(attempt) : NULL;
    take_out(dial, attempt);
    if (status == 0)
        status = open_stream(dial->socket, nb_attempt_take(attempt));
    else
        nb_attempt_drop(attempt);
    if (status == 0) {
        dial->socket->remote = remote;
        finish_race(dial);
        return;
    }
    fail_attempt(dial, told, failure ? failure : failure_of(dial, told, status));
    proceed(dial);
}

struct nb_write_queue *nb_socket_early_writes(struct nb_socket *socket)
{
    return &socket->dial->early;
}

void nb_socket_drop_dial(struct nb_socket *socket)
{
    struct nb_dial *dial = socket->dial;
    if (!dial)
        return;
    socket->dial = NULL;
    nb_lookup_end(socket->actor.loop, dial->lookup);
    drop_attempts(dial);
    nb_timer_finish(&dial->pace);
    nb_write_queue_finish(&dial->early);
    for (unsigned i = 0; i < dial->failure_count; i++)
        nb_failure_unref(dial->failures[i]);
    for (unsigned i = 0; i < dial->held_count; i++)
        nb_message_dispose(socket->actor.loop, &dial->held[i]->message);
    nb_chunk_unref(dial->chunk);
    nb_free(dial);
}
