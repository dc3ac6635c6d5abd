#include "deadline.h"
#include "memory.h"
#include "session.h"
#include "stream.h"

#include <errno.h>
#include <string.h>

enum { DEFAULT_BACKLOG = 511 };

struct netbroker_listener {
    const struct netbroker_allocator *allocator;
    struct netbroker_session *session; /* NULL once it is freed */
    struct netbroker_server *server; /* NULL once closed */
    struct netbroker_stream *first, *last; /* not accepted yet */
    size_t waiting, most_waiting;
    bool half_open;
    bool failed;
    struct netbroker_error error;
};

/* ---- events ---- */

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    struct netbroker_listener *listener = context;
    bool is_full = listener->waiting >= listener->most_waiting;
    struct netbroker_stream *stream = is_full ? NULL : nbc_stream_new(listener->session, listener->half_open);
    if (!stream) {
        netbroker_socket_destroy(socket);
        return;
    }
    listener->waiting++;
    nbc_stream_accept(stream, socket);
    if (listener->last)
        listener->last->next = stream;
    else
        listener->first = stream;
    listener->last = stream;
}

static void on_error(struct netbroker_server *server, void *context, const struct netbroker_error *error)
{
    struct netbroker_listener *listener = context;
    listener->failed = true;
    listener->error = *error;
}

static void on_close(struct netbroker_server *server, void *context)
{
    ((struct netbroker_listener *)context)->server = NULL;
}

static const struct netbroker_server_events events = {
    .on_connection = on_connection, .on_error = on_error, .on_close = on_close};

/* ---- life ---- */

static int turn(struct netbroker_listener *listener, struct nbc_deadline *deadline)
{
    int result = nbc_wait_until(listener->session, deadline);
    if (result == -ECANCELED) {
        listener->session = NULL;
        listener->server = NULL;
    }
    return result;
}

static int listen_here(struct netbroker_listener *listener, const struct netbroker_server_options *options,
                       const struct netbroker_listen_options *where, struct nbc_deadline *deadline)
{
    struct netbroker_server_options filled = options ? *options : (struct netbroker_server_options){0};
    filled.consume_by_hand = filled.pause_on_connect = true;
    listener->half_open = filled.allow_half_open;
    listener->most_waiting = where->backlog > 0 ? (size_t)where->backlog : DEFAULT_BACKLOG;
    int result = netbroker_create_server(listener->session, &filled, &events, listener, &listener->server);
    if (result == 0)
        result = netbroker_server_listen(listener->server, where);
    while (result == 0 && listener->server && !listener->failed && !netbroker_listener_address(listener))
        result = turn(listener, deadline);
    if (result == 0 || netbroker_listener_address(listener))
        return listener->failed || !listener->server ? -EREMOTEIO : 0;
    return result;
}

int netbroker_listener_open(struct netbroker_session *session, const struct netbroker_server_options *options,
                            const struct netbroker_listen_options *where, int timeout,
                            struct netbroker_listener **ret_listener, struct netbroker_error *ret_error)
{
    struct nbc_deadline deadline = nbc_deadline_in(timeout);
    const struct netbroker_allocator *allocator = session->options.allocator;
    struct netbroker_listener *listener = nbc_resize(allocator, NULL, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    *listener = (struct netbroker_listener){.allocator = allocator, .session = session};
    int result = listen_here(listener, options, where, &deadline);
    if (result == 0) {
        *ret_listener = listener;
        return 0;
    }
    if (result == -EREMOTEIO && ret_error)
        *ret_error = listener->error;
    netbroker_listener_free(listener);
    return result;
}

void netbroker_listener_free(struct netbroker_listener *listener)
{
    if (!listener)
        return;
    while (listener->first) {
        struct netbroker_stream *stream = listener->first;
        listener->first = stream->next;
        if (!listener->session)
            stream->socket = NULL;
        netbroker_stream_free(stream);
    }
    if (listener->server) {
        netbroker_server_set_events(listener->server, NULL, NULL);
        netbroker_server_close(listener->server);
    }
    nbc_resize(listener->allocator, listener, 0);
}

const struct netbroker_address *netbroker_listener_address(const struct netbroker_listener *listener)
{
    return listener->server ? netbroker_server_address(listener->server) : NULL;
}

/* ---- accepting ---- */

static struct netbroker_stream *take(struct netbroker_listener *listener)
{
    struct netbroker_stream *stream = listener->first;
    listener->first = stream->next;
    if (!listener->first)
        listener->last = NULL;
    stream->next = NULL;
    listener->waiting--;
    if (stream->socket)
        netbroker_socket_resume(stream->socket);
    return stream;
}

int netbroker_listener_accept(struct netbroker_listener *listener, int timeout,
                              struct netbroker_stream **ret_stream)
{
    struct nbc_deadline deadline = nbc_deadline_in(timeout);
    int result = 0;
    while (result == 0 && !listener->first && listener->server && !listener->failed)
        result = turn(listener, &deadline);
    if (!listener->first)
        return result < 0 ? result : -EREMOTEIO;
    *ret_stream = take(listener);
    return 0;
}

const struct netbroker_error *netbroker_listener_error(const struct netbroker_listener *listener)
{
    return &listener->error;
}
