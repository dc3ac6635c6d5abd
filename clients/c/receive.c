#include "decode.h"
#include "memory.h"
#include "schema.h"
#include "session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { FIRST_CAPACITY = 64 << 10, USUAL_CAPACITY = 256 << 10, RESPONSE = 1, NOTIFICATION = 2 };

/* ---- frames ---- */

static int read_uint(struct netbroker_cursor *frame, uint64_t *ret_number)
{
    struct netbroker_value value;
    if (netbroker_read(frame, &value) < 0 || value.type != NETBROKER_UINT)
        return -EBADMSG;
    *ret_number = value.uint64;
    return 0;
}

static bool is_nil(const struct netbroker_cursor *value)
{
    return value->at < value->end && *value->at == 0xc0;
}

static int handle_response(struct netbroker_session *session, struct netbroker_cursor frame)
{
    uint64_t msgid;
    if (read_uint(&frame, &msgid) < 0)
        return -EBADMSG;
    struct netbroker_cursor failure = frame;
    struct netbroker_reply reply = {NULL, NULL, 0};
    struct netbroker_error error;
    if (!is_nil(&failure)) {
        if (nbc_decode_error(failure, &error) < 0)
            return -EBADMSG;
        reply.error = &error;
    }
    if (netbroker_skip(&frame) < 0 || frame.at == frame.end)
        return -EBADMSG;
    reply.result = frame.at;
    if (netbroker_skip(&frame) < 0)
        return -EBADMSG;
    reply.result_length = (size_t)(frame.at - (const unsigned char *)reply.result);
    struct nbc_request request; /* open until here: whoever waits is told of an answer that is none, too */
    if (nbc_requests_close(&session->requests, msgid, &request) < 0)
        return -EBADMSG;
    request.on_reply(session, &request, &reply);
    return 0;
}

static int on_session_error(struct netbroker_session *session, struct netbroker_cursor body)
{
    struct netbroker_error error;
    if (nbc_decode_error(body, &error) < 0)
        return -EBADMSG;
    if (error.fatal)
        session->error = error;
    else if (session->options.events->on_error)
        session->options.events->on_error(session, session->options.context, &error);
    return 0;
}

static int on_session_idle(struct netbroker_session *session, struct netbroker_cursor body)
{
    if (session->options.events->on_idle)
        session->options.events->on_idle(session, session->options.context);
    return 0;
}

static int on_session_closing(struct netbroker_session *session, struct netbroker_cursor body)
{
    uint32_t deadline;
    int result = nbc_decode_closing(body, &deadline);
    if (result == 0 && session->options.events->on_closing)
        session->options.events->on_closing(session, session->options.context, deadline);
    return result;
}

struct event {
    struct netbroker_slice name;
    enum nbc_kind kind;
    int (*on_session)(struct netbroker_session *session, struct netbroker_cursor body);
    int (*on_actor)(struct nbc_actor *actor, struct netbroker_cursor body);
};

#define NAME(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* The most frequent first. */
static const struct event events[] = {
    {NAME(NETBROKER_EVENT_SOCKET_DATA), NBC_SOCKET, NULL, nbc_socket_on_data},
    {NAME(NETBROKER_EVENT_SOCKET_FLUSHED), NBC_SOCKET, NULL, nbc_socket_on_flushed},
    {NAME(NETBROKER_EVENT_SOCKET_CONNECT), NBC_SOCKET, NULL, nbc_socket_on_connect},
    {NAME(NETBROKER_EVENT_SOCKET_END), NBC_SOCKET, NULL, nbc_socket_on_end},
    {NAME(NETBROKER_EVENT_SOCKET_CLOSE), NBC_SOCKET, NULL, nbc_socket_on_close},
    {NAME(NETBROKER_EVENT_SOCKET_ERROR), NBC_SOCKET, NULL, nbc_socket_on_error},
    {NAME(NETBROKER_EVENT_SOCKET_TIMEOUT), NBC_SOCKET, NULL, nbc_socket_on_timeout},
    {NAME(NETBROKER_EVENT_SERVER_CONNECTION), NBC_SERVER, NULL, nbc_server_on_connection},
    {NAME(NETBROKER_EVENT_SERVER_LISTENING), NBC_SERVER, NULL, nbc_server_on_listening},
    {NAME(NETBROKER_EVENT_SERVER_DROP), NBC_SERVER, NULL, nbc_server_on_drop},
    {NAME(NETBROKER_EVENT_SERVER_ERROR), NBC_SERVER, NULL, nbc_server_on_error},
    {NAME(NETBROKER_EVENT_SERVER_CLOSE), NBC_SERVER, NULL, nbc_server_on_close},
    {NAME(NETBROKER_EVENT_SESSION_ERROR), NBC_SESSION, on_session_error, NULL},
    {NAME(NETBROKER_EVENT_SESSION_IDLE), NBC_SESSION, on_session_idle, NULL},
    {NAME(NETBROKER_EVENT_SESSION_CLOSING), NBC_SESSION, on_session_closing, NULL},
};

static const struct event *find_event(const struct netbroker_slice *name)
{
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i].name.length == name->length && !memcmp(events[i].name.bytes, name->bytes, name->length))
            return &events[i];
    return NULL;
}

/* Events for actors that are gone here may still be on their way: not an error. */
static int deliver(struct netbroker_session *session, const struct event *event, uint64_t target,
                   struct netbroker_cursor body)
{
    if (event->kind == NBC_SESSION)
        return event->on_session(session, body);
    struct nbc_actor *actor = nbc_table_get(&session->actors, target);
    if (!actor)
        return 0;
    return actor->kind == event->kind ? event->on_actor(actor, body) : -EBADMSG;
}

static void show_event(struct netbroker_session *session, const struct netbroker_slice *name, uint64_t target,
                       const struct netbroker_cursor *body)
{
    size_t length = (size_t)(body->end - body->at);
    struct netbroker_event event = {name->bytes, name->length, target, length ? body->at : NULL, length};
    session->options.events->on_event(session, session->options.context, &event);
}

static int handle_event(struct netbroker_session *session, struct netbroker_cursor frame)
{
    struct netbroker_value name, params;
    uint64_t target;
    if (netbroker_read(&frame, &name) < 0 || name.type != NETBROKER_STR)
        return -EBADMSG;
    if (netbroker_read(&frame, &params) < 0 || params.type != NETBROKER_ARRAY || params.count == 0)
        return -EBADMSG;
    if (read_uint(&frame, &target) < 0)
        return -EBADMSG;
    struct netbroker_cursor body = {frame.at, frame.at};
    if (params.count > 1 && netbroker_skip(&frame) < 0)
        return -EBADMSG;
    body.end = frame.at;
    if (session->options.events->on_event)
        show_event(session, &name.slice, target, &body);
    const struct event *event = find_event(&name.slice);
    return event && !session->free_wanted ? deliver(session, event, target, body) : 0;
}

static int handle_frame(struct netbroker_session *session, struct netbroker_cursor frame)
{
    struct netbroker_value members;
    uint64_t type;
    if (netbroker_read(&frame, &members) < 0 || members.type != NETBROKER_ARRAY ||
        read_uint(&frame, &type) < 0)
        return -EBADMSG;
    if (type == RESPONSE && members.count == 4)
        return handle_response(session, frame);
    if (type == NOTIFICATION && members.count == 3)
        return handle_event(session, frame);
    return -EBADMSG;
}

/* ---- bytes ---- */

/* Handles whole frames; keeps the rest, at the start of the buffer. */
static int handle_input(struct netbroker_session *session)
{
    size_t at = 0;
    int result = 0;
    while (!session->free_wanted && session->failure == 0) {
        const unsigned char *start = session->in + at;
        result = nbc_frame_scan(&session->scan, start, session->in_length - at, session->options.max_frame);
        if (result <= 0)
            break;
        size_t size = session->scan.at;
        session->scan.at = 0;
        at += size;
        result = handle_frame(session, (struct netbroker_cursor){start, start + size});
        if (result < 0)
            break;
    }
    session->in_length -= at;
    memmove(session->in, session->in + at, session->in_length);
    return result < 0 ? result : 0;
}

/* Doubles with what came, not with what was announced: when it is full of one
 * frame, or, up to the usual size, when one read filled it. */
static int make_room(struct netbroker_session *session)
{
    bool busy = session->in_filled && session->in_capacity < USUAL_CAPACITY;
    if (session->in_length < session->in_capacity && !busy)
        return 0;
    size_t capacity = session->in_capacity ? 2 * session->in_capacity : FIRST_CAPACITY;
    unsigned char *in = nbc_resize(session->options.allocator, session->in, capacity);
    if (!in)
        return -ENOMEM;
    session->in = in;
    session->in_capacity = capacity;
    return 0;
}

int nbc_receive(struct netbroker_session *session)
{
    int result = make_room(session);
    if (result < 0)
        return result;
    size_t room = session->in_capacity - session->in_length;
    unsigned char *end = session->in + session->in_length;
    ssize_t received = session->options.with_channels
                           ? nbc_descriptors_receive(&session->descriptors, session->fd, end, room)
                           : recv(session->fd, end, room, MSG_DONTWAIT);
    if (received < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -ECONNRESET;
    if (received == 0)
        return -ECONNRESET;
    session->in_length += (size_t)received;
    session->in_filled = (size_t)received == room;
    result = handle_input(session);
    return result < 0 ? result : 1;
}
