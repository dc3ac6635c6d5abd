#include "deadline.h"
#include "decode.h"
#include "memory.h"
#include "pack.h"
#include "schema.h"
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    DEFAULT_HIGH_WATER_MARK = 192 << 10,
    DEFAULT_MAX_UNFLUSHED = 4 << 20,
    DEFAULT_READ_WINDOW = 256 << 10,
    DEFAULT_MAX_FRAME = 2 << 20,
    DEFAULT_CONNECT_TIMEOUT = 30000,
    LEAST_MAX_WRITE = 1 << 10, /* bytes; no broker can be told less */
    OUTBOX_HIGH = 1 << 20, /* bytes for the broker above which nothing is read from it */
    OUTBOX_FULL = 16 << 20, /* above which no more of the program's own calls are taken */
    /* Larger writes are cut, so that the broker passes on their start while the rest is under way. */
    WRITE_CHUNK = 64 << 10,
};

void *nbc_allocate(struct netbroker_session *session, size_t size)
{
    void *block = nbc_resize(session->options.allocator, NULL, size);
    return block ? memset(block, 0, size) : NULL;
}

void nbc_release(struct netbroker_session *session, void *block)
{
    nbc_resize(session->options.allocator, block, 0);
}

/* ---- opening ---- */

/* Without windows one peer that does not read would hold up all others: no broker of version 1 lacks them. */
static void accept_welcome(struct netbroker_session *session, const struct nbc_welcome *welcome)
{
    if ((!welcome->has_flow && !session->options.without_flow) ||
        (!welcome->has_channels && session->options.with_channels)) {
        session->failure = -EPROTONOSUPPORT;
        return;
    }
    if (welcome->max_write > 0 && welcome->max_write < LEAST_MAX_WRITE) {
        session->failure = -EBADMSG;
        return;
    }
    if (welcome->max_write > 0 && welcome->max_write < session->write_chunk)
        session->write_chunk = (size_t)welcome->max_write;
    session->window.socket = welcome->write_window;
    session->window.session = welcome->session_write_window;
    nbc_window_serve_line(session);
}

static void on_welcome(struct netbroker_session *session, const struct nbc_request *request,
                       const struct netbroker_reply *reply)
{
    session->welcome_by = nbc_deadline_in(-1);
    if (reply->error) {
        session->error = *reply->error;
        session->error.fatal = true;
        session->failure = -ECONNRESET;
        return;
    }
    const unsigned char *result = reply->result;
    struct nbc_welcome welcome;
    if (nbc_decode_welcome((struct netbroker_cursor){result, result + reply->result_length}, &welcome) < 0)
        session->failure = -EBADMSG;
    else
        accept_welcome(session, &welcome);
}

static void pack_features(struct netbroker_packer *packer, const struct netbroker_options *options)
{
    netbroker_pack_array(packer,
                         !options->without_flow + (options->group != NULL) + 2 * options->with_channels);
    if (!options->without_flow)
        netbroker_pack_str(packer, "flow");
    if (options->group)
        netbroker_pack_str(packer, "group");
    if (options->with_channels) {
        netbroker_pack_str(packer, "channel");
        netbroker_pack_str(packer, "fds");
    }
}

static int send_hello(struct netbroker_session *session, const struct netbroker_options *options)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, session, NETBROKER_METHOD_SESSION_HELLO, 0, 2,
                                 &(struct nbc_request){.on_reply = on_welcome});
    if (result < 0)
        return result;
    struct nbc_map hello = nbc_map_begin(frame.packer);
    nbc_map_number(&hello, "protocol", NETBROKER_PROTOCOL_VERSION);
    nbc_map_key(&hello, "client");
    struct nbc_map client = nbc_map_begin(frame.packer);
    nbc_map_text(&client, "name", options->name ? options->name : "libnetbroker");
    nbc_map_text(&client, "version", options->version);
    nbc_map_end(&client);
    nbc_map_key(&hello, "features");
    pack_features(frame.packer, options);
    nbc_map_text(&hello, "group", options->group);
    nbc_map_end(&hello);
    return nbc_frame_end(&frame);
}

static void set_options(struct netbroker_session *session, const struct netbroker_options *options)
{
    static const struct netbroker_session_events none;
    session->options = *options;
    if (!session->options.events)
        session->options.events = &none;
    if (!session->options.high_water_mark)
        session->options.high_water_mark = DEFAULT_HIGH_WATER_MARK;
    if (!session->options.max_unflushed)
        session->options.max_unflushed = DEFAULT_MAX_UNFLUSHED;
    if (!session->options.read_window)
        session->options.read_window = DEFAULT_READ_WINDOW;
    if (!session->options.max_frame)
        session->options.max_frame = DEFAULT_MAX_FRAME;
    if (!session->options.connect_timeout)
        session->options.connect_timeout = DEFAULT_CONNECT_TIMEOUT;
    /* They are the caller's only while it opens the session. */
    session->options.name = session->options.version = session->options.group = NULL;
}

/* Gives back what was borrowed. Whoever is told may still call anything: all is there, and refused. */
static void end_writes(struct netbroker_session *session)
{
    session->failure = session->failure ? session->failure : -ECANCELED;
    session->flushing = true;
    nbc_outbox_discard(&session->outbox);
    for (size_t i = 0; i < session->actors.capacity; i++) {
        struct nbc_actor *actor = session->actors.entries[i].value;
        if (actor && actor->kind == NBC_SOCKET)
            nbc_socket_forget_writes((struct netbroker_socket *)actor);
    }
}

static void free_now(struct netbroker_session *session)
{
    end_writes(session);
    for (size_t i = 0; i < session->actors.capacity; i++)
        if (session->actors.entries[i].value)
            nbc_release(session, session->actors.entries[i].value);
    nbc_table_finish(&session->actors);
    nbc_requests_finish(&session->requests);
    nbc_outbox_finish(&session->outbox);
    nbc_descriptors_finish(&session->descriptors);
    nbc_release(session, session->in);
    close(session->fd);
    nbc_release(session, session);
}

int netbroker_open(int fd, const struct netbroker_options *options, struct netbroker_session **ret_session)
{
    static const struct netbroker_options defaults;
    options = options ? options : &defaults;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    struct netbroker_session *session = nbc_resize(options->allocator, NULL, sizeof *session);
    if (!session)
        return -ENOMEM;
    *session = (struct netbroker_session){.fd = -1, .next_id = 1, .write_chunk = WRITE_CHUNK};
    set_options(session, options);
    nbc_outbox_init(&session->outbox, options->allocator);
    nbc_descriptors_init(&session->descriptors);
    session->requests.allocator = session->actors.allocator = options->allocator;
    int result = send_hello(session, options);
    if (result < 0) {
        free_now(session);
        return result;
    }
    session->fd = fd;
    session->welcome_by = nbc_deadline_in((int)session->options.connect_timeout);
    *ret_session = session;
    return 0;
}

int netbroker_find_path(const char *path, char *out, size_t size)
{
    const char *directory = getenv("XDG_RUNTIME_DIR");
    if (!path)
        path = getenv("NETBROKER_SOCKET");
    if (!path && !directory)
        return -EDESTADDRREQ;
    int length = path ? snprintf(out, size, "%s", path) : snprintf(out, size, "%s/netbroker.sock", directory);
    if (length == 0)
        return -EDESTADDRREQ;
    return (size_t)length < size ? 0 : -ENAMETOOLONG;
}

/* A blocking connect bounded by the send timeout: a full backlog is waited for, not polled. */
static int connect_within(int fd, const struct sockaddr_un *address, uint32_t milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        return -errno;
    while (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

int netbroker_connect(const char *path, const struct netbroker_options *options,
                      struct netbroker_session **ret_session)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int result = netbroker_find_path(path, address.sun_path, sizeof address.sun_path);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    uint32_t timeout =
        options && options->connect_timeout ? options->connect_timeout : DEFAULT_CONNECT_TIMEOUT;
    result = connect_within(fd, &address, timeout);
    if (result == 0)
        result = netbroker_open(fd, options, ret_session);
    if (result < 0)
        close(fd);
    return result;
}

void netbroker_explain(const char *path, int error, char *out, size_t size)
{
    char where[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *origin = path                         ? ""
                         : getenv("NETBROKER_SOCKET") ? " (from NETBROKER_SOCKET)"
                                                      : " (in XDG_RUNTIME_DIR)";
    bool is_missing = error == -ENOENT || error == -ECONNREFUSED;
    if (netbroker_find_path(path, where, sizeof where) == -EDESTADDRREQ)
        snprintf(out, size,
                 "nothing tells where the broker is: set NETBROKER_SOCKET to the path of its socket");
    else
        snprintf(out, size, "no broker answers at %s%s: %s%s%s", where, origin, strerror(-error),
                 is_missing ? "; start one with netbroker serve --socket " : "", is_missing ? where : "");
}

/* ---- ending ---- */

void netbroker_free(struct netbroker_session *session)
{
    if (session && nbc_is_busy(session))
        session->free_wanted = true;
    else if (session)
        free_now(session);
}

static void explain(struct netbroker_session *session)
{
    struct netbroker_error *error = &session->error;
    error->fatal = true;
    if (error->code[0])
        return;
    static const struct {
        int failure;
        const char *code, *message;
    } reasons[] = {
        {-ECONNRESET, "ECONNRESET", "the broker closed the connection"},
        {-ECONNABORTED, "ETIMEDOUT", "the broker does not answer; is it one that listens there?"},
        {-EPROTONOSUPPORT, "ERR_NB_NOT_NEGOTIATED",
         "the broker is older than this library: it lacks a feature that was asked for"},
        {-EMSGSIZE, "ERR_NB_FRAME_TOO_BIG", "the broker sent a larger frame than max_frame allows"},
        {-ENOMEM, "ENOMEM", "no memory"},
        {0, "ERR_NB_PROTOCOL", "the broker sent what is no protocol"},
    };
    size_t i = 0;
    while (reasons[i].failure && reasons[i].failure != session->failure)
        i++;
    error->error_number = session->failure;
    snprintf(error->code, sizeof error->code, "%s", reasons[i].code);
    snprintf(error->message, sizeof error->message, "%s", reasons[i].message);
}

/* Answers everything that is still open. No new request or actor comes up meanwhile. */
static void lose(struct netbroker_session *session)
{
    explain(session);
    nbc_outbox_discard(&session->outbox);
    if (session->options.events->on_error)
        session->options.events->on_error(session, session->options.context, &session->error);
    struct netbroker_reply reply = {.error = &session->error};
    for (uint32_t i = 0; i < session->requests.capacity; i++) {
        struct nbc_request request;
        if (nbc_requests_close(&session->requests, i, &request) == 0 && request.reply)
            request.reply(session, request.context, &reply);
    }
    struct nbc_table lost = session->actors;
    session->actors = (struct nbc_table){.allocator = lost.allocator};
    for (size_t i = 0; i < lost.capacity; i++) {
        struct nbc_actor *actor = lost.entries[i].value;
        if (actor && actor->kind == NBC_SOCKET)
            nbc_socket_lost(actor, &session->error);
        else if (actor)
            nbc_server_lost(actor, &session->error);
    }
    nbc_table_finish(&lost);
}

/* ---- running ---- */

int netbroker_fd(const struct netbroker_session *session)
{
    return session->fd;
}

/* Bytes of frames that the kernel has not taken. */
static size_t waiting(const struct netbroker_session *session)
{
    return session->outbox.frames.length - session->outbox.head;
}

/*
 * A broker that reads no more has its reason in the peers; what it still sends
 * would only make this program write more. It waits there, where it is bounded.
 */
static bool is_backed_up(const struct netbroker_session *session)
{
    return waiting(session) > OUTBOX_HIGH;
}

short netbroker_events(const struct netbroker_session *session)
{
    if (is_backed_up(session))
        return POLLOUT;
    return nbc_outbox_is_empty(&session->outbox) ? POLLIN : POLLIN | POLLOUT;
}

int netbroker_timeout(const struct netbroker_session *session)
{
    bool is_due = session->failure || session->write_broken || session->free_wanted;
    return is_due ? 0 : nbc_deadline_left(session->welcome_by);
}

int netbroker_flush(struct netbroker_session *session)
{
    if (session->failure || session->write_broken)
        return -EPIPE;
    if (session->flushing)
        return 1; /* who has called back goes on with it */
    session->flushing = true;
    int result = nbc_outbox_write(&session->outbox, session->fd);
    if (result < 0) {
        /* The broker may have said why before it went: what it sent is still to be read. */
        session->write_broken = true;
        nbc_outbox_discard(&session->outbox);
    }
    session->flushing = false;
    return result < 0 ? -EPIPE : result;
}

static int dispatch(struct netbroker_session *session)
{
    if (is_backed_up(session))
        netbroker_flush(session);
    bool reads = !is_backed_up(session);
    int result = reads ? nbc_receive(session) : 0;
    if (result == 0 && reads && session->write_broken)
        result = -ECONNRESET; /* that was all it had to say */
    if (result > 0)
        result = 0;
    if (result == 0)
        result = session->failure;
    if (result == 0 && nbc_deadline_left(session->welcome_by) == 0)
        result = -ECONNABORTED;
    if (result == 0 && !session->free_wanted)
        netbroker_flush(session);
    if (result < 0 && !session->free_wanted) {
        session->failure = result;
        lose(session);
    }
    return result;
}

int netbroker_dispatch(struct netbroker_session *session)
{
    if (nbc_is_busy(session))
        return -EBUSY;
    int result = session->failure;
    if (!session->failure && !session->free_wanted) {
        session->dispatching = true;
        result = dispatch(session);
        session->dispatching = false;
    }
    if (!session->free_wanted)
        return result;
    free_now(session);
    return -ECANCELED;
}

uint64_t netbroker_unflushed(const struct netbroker_session *session)
{
    return session->unflushed;
}

/* ---- commands ---- */

int nbc_frame_begin(struct nbc_frame *frame, struct netbroker_session *session, const char *method,
                    uint64_t target, unsigned params, const struct nbc_request *request)
{
    if (session->failure || session->write_broken)
        return -ENOTCONN;
    int result = request ? nbc_requests_reserve(&session->requests, 1) : 0;
    if (result < 0)
        return result;
    struct netbroker_packer *packer = &session->outbox.frames;
    *frame = (struct nbc_frame){session, packer, nbc_outbox_begin(&session->outbox), request != NULL, 0};
    netbroker_pack_array(packer, request ? 4 : 3);
    netbroker_pack_uint(packer, request ? 0 : 2);
    if (request) {
        frame->msgid = nbc_requests_open(&session->requests, request);
        netbroker_pack_uint(packer, frame->msgid);
    }
    netbroker_pack_str(packer, method);
    netbroker_pack_array(packer, params);
    netbroker_pack_uint(packer, target);
    return 0;
}

int nbc_frame_end(struct nbc_frame *frame)
{
    int result = nbc_outbox_end(&frame->session->outbox, frame->begin);
    struct nbc_request request;
    if (result < 0 && frame->is_request)
        nbc_requests_close(&frame->session->requests, frame->msgid, &request);
    return result;
}

static int send_frame(struct nbc_frame *frame, struct netbroker_session *session, const char *method,
                      uint64_t target, const struct netbroker_slice *body, const struct nbc_request *request)
{
    if (waiting(session) > OUTBOX_FULL)
        return -ENOBUFS;
    int result = nbc_frame_begin(frame, session, method, target, body->length > 0 ? 2 : 1, request);
    if (result < 0)
        return result;
    nbc_pack_raw(frame->packer, body->bytes, body->length);
    return nbc_frame_end(frame);
}

int netbroker_notify(struct netbroker_session *session, const char *method, uint64_t target, const void *body,
                     size_t body_length)
{
    struct nbc_frame frame;
    return send_frame(&frame, session, method, target, &(struct netbroker_slice){body, body_length}, NULL);
}

int nbc_command(struct nbc_actor *actor, const char *method)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, actor->session, method, actor->id, 1, NULL);
    return result < 0 ? result : nbc_frame_end(&frame);
}

static void hand_on_reply(struct netbroker_session *session, const struct nbc_request *request,
                          const struct netbroker_reply *reply)
{
    if (request->reply)
        request->reply(session, request->context, reply);
}

int nbc_call(struct netbroker_session *session, const char *method, uint64_t target, const void *body,
             size_t body_length, netbroker_reply_fn *on_reply, void *context, uint32_t *ret_msgid)
{
    struct nbc_request request = {
        .on_reply = hand_on_reply, .reply = on_reply, .context = context, .target = target};
    struct nbc_frame frame;
    int result =
        send_frame(&frame, session, method, target, &(struct netbroker_slice){body, body_length}, &request);
    if (result == 0)
        *ret_msgid = frame.msgid;
    return result;
}

void nbc_call_forget(struct netbroker_session *session, uint32_t msgid)
{
    session->requests.slots[msgid].reply = NULL;
}

int netbroker_call(struct netbroker_session *session, const char *method, uint64_t target, const void *body,
                   size_t body_length, netbroker_reply_fn *on_reply, void *context)
{
    uint32_t msgid;
    return nbc_call(session, method, target, body, body_length, on_reply, context, &msgid);
}
