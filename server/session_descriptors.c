/* A session's descriptors: those that come from its client, and those that its commands name. */
#include "control_socket.h"
#include "fd_reserve.h"
#include "foreign.h"
#include "inherited.h"
#include "session.h"

#include <string.h>
#include <sys/un.h>

/* ---- receiving ---- */

/* Where the kernel knows the option it is off for control connections: who sends without the feature is told. */
static void let_fds_pass(int fd)
{
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof on);
}

int nb_session_accept_fds(struct nb_session *session)
{
    session->unclaimed = nb_unclaimed_new(session->limits->max_fds_unclaimed);
    if (!session->unclaimed)
        return UV_ENOMEM;
    let_fds_pass(session->stream.fd);
    nb_stream_take_fds(&session->stream, true);
    return 0;
}

void nb_session_drop_fds(struct nb_session *session)
{
    nb_stream_take_fds(&session->stream, false);
    nb_unclaimed_free(session->unclaimed);
    session->unclaimed = NULL;
}

static void break_by_limit(struct nb_session *session, const char *limit, uint32_t value)
{
    struct nb_fault fault = {0};
    nb_fault_limit(&fault, limit, value);
    fault.map.code = nb_slice_of("ERR_NB_PROTOCOL");
    nb_session_break(session, &fault);
}

static void break_as_truncated(struct nb_session *session)
{
    struct nb_fault fault = {0};
    nb_fault_set(&fault, "ERR_NB_FD_TRUNCATED", NULL,
                 "Descriptors were lost: the broker has no room for them");
    nb_session_break(session, &fault);
}

/* The kernel fills the lowest numbers first, so the last one tells whether it is short of them. */
static bool leaves_reserve(const struct nb_fd_batch *batch)
{
    return !batch->count || !nb_fd_reserve_is_reached(batch->fds[batch->count - 1]);
}

void nb_session_receive_fds(struct nb_stream *stream, struct nb_fd_batch *batch)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    const struct nb_limits *limits = session->limits;
    if (batch->is_truncated || !leaves_reserve(batch))
        break_as_truncated(session);
    else if (batch->count > limits->max_fds_per_frame)
        break_by_limit(session, "maxFdsPerFrame", limits->max_fds_per_frame);
    else if (nb_unclaimed_add(session->unclaimed, batch->fds, batch->count) < 0)
        break_by_limit(session, "maxFdsUnclaimed", limits->max_fds_unclaimed);
    else
        return;
    nb_fd_batch_close(batch);
}

/* ---- what a request names ---- */

struct names {
    uint64_t fd;
    struct nb_slice fd_name;
    nb_ServerHandle handle;
    bool has_fd, has_handle;
};

static void take_create(const nb_SocketCreate *params, struct names *ret)
{
    ret->has_fd = params->has_fd;
    ret->fd = params->fd;
    ret->fd_name = params->fd_name;
}

static void take_listen(const nb_ServerListen *params, struct names *ret)
{
    ret->has_fd = params->has_fd;
    ret->fd = params->fd;
    ret->fd_name = params->fd_name;
    ret->has_handle = params->has_handle;
    ret->handle = params->handle;
}

/* False: it names nothing. */
static bool find_names(const struct nb_request *request, struct names *ret)
{
    *ret = (struct names){0};
    if (request->method->index == NB_METHOD_SOCKET_CREATE)
        take_create(&request->params.socket_create, ret);
    else if (request->method->index == NB_METHOD_NET_CREATE_CONNECTION)
        take_create(&request->params.create_connection.create, ret);
    else if (request->method->index == NB_METHOD_SERVER_LISTEN)
        take_listen(&request->params.server_listen, ret);
    return ret->has_fd || ret->fd_name.data || ret->has_handle;
}

static bool refuse(struct nb_session *session, const struct nb_request *request, struct nb_fault *fault,
                   const char *argument)
{
    nb_fault_set_argument(fault, argument);
    nb_session_refuse(session, request, fault);
    return false;
}

static bool is_one(struct nb_session *session, const struct nb_request *request, const struct names *names)
{
    struct nb_fault fault = {0};
    bool connects = request->method->index == NB_METHOD_NET_CREATE_CONNECTION;
    if (!connects && names->has_fd + !!names->fd_name.data + names->has_handle == 1)
        return true;
    nb_fault_set(&fault, "ERR_INVALID_ARG_VALUE", "TypeError", "%s",
                 connects ? "A descriptor is a connection already: it is for socket.create"
                          : "Only one of 'handle', 'fd' and 'fdName' can be given");
    return refuse(session, request, &fault, names->has_fd ? "fd" : "fdName");
}

/* ---- a descriptor ---- */

/* The length of a name that can tell one socket from another; else 0. */
static socklen_t name_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *),
                         struct sockaddr_un *ret_name)
{
    socklen_t length = sizeof *ret_name;
    if (get(fd, (struct sockaddr *)ret_name, &length) < 0 || ret_name->sun_family != AF_UNIX)
        return 0;
    return length > sizeof ret_name->sun_family ? length : 0;
}

/* Whether one end of it has the name that all control connections have at the broker's end. */
static bool is_control(const struct nb_session *session, int fd)
{
    struct sockaddr_un ours, theirs;
    socklen_t length = name_of(session->stream.fd, getsockname, &ours);
    if (!length)
        return false;
    return (name_of(fd, getsockname, &theirs) == length && memcmp(&ours, &theirs, length) == 0) ||
           (name_of(fd, getpeername, &theirs) == length && memcmp(&ours, &theirs, length) == 0);
}

static bool claim(struct nb_session *session, const struct nb_request *request, uint64_t ordinal, int *ret_fd)
{
    struct nb_fault fault = {0};
    if (!session->unclaimed) {
        nb_fault_set(&fault, "ERR_NB_NOT_NEGOTIATED", NULL, "The feature fds was not granted");
        return refuse(session, request, &fault, "fd");
    }
    int fd = nb_unclaimed_claim(session->unclaimed, ordinal);
    if (fd < 0) {
        nb_fault_set(&fault, "ERR_NB_FD", NULL, "The descriptor %llu has not come, or is used up",
                     (unsigned long long)ordinal);
        return refuse(session, request, &fault, "fd");
    }
    if (is_control(session, fd)) {
        nb_foreign_close(fd);
        nb_fault_set(&fault, "ERR_INVALID_FD_TYPE", "TypeError", "Unsupported fd type: CONTROL");
        return refuse(session, request, &fault, "fd");
    }
    *ret_fd = fd;
    return true;
}

static bool open_inherited(struct nb_session *session, const struct nb_request *request, struct nb_slice name,
                           int *ret_fd)
{
    struct nb_fault fault = {0};
    int shown = name.length > NB_INHERITED_NAME ? NB_INHERITED_NAME : (int)name.length;
    int fd = nb_inherited_open(name);
    if (fd >= 0) {
        *ret_fd = fd;
        return true;
    }
    if (fd == UV_ENOENT)
        nb_fault_set(&fault, "ERR_NB_FD", NULL, "There is no inherited descriptor '%.*s'", shown, name.data);
    else
        nb_fault_set(&fault, uv_err_name(fd), NULL, "dup %s", uv_err_name(fd));
    return refuse(session, request, &fault, "fdName");
}

/* ---- handle ---- */

static bool find_lender(struct nb_session *session, const struct nb_request *request,
                        const nb_ServerHandle *handle, struct nb_actor_id *ret_lender)
{
    struct nb_fault fault = {0};
    enum nb_target_kind kind = handle->has_server ? NB_TARGET_SERVER : NB_TARGET_SOCKET;
    uint64_t number = handle->has_server ? handle->server : handle->socket;
    const struct nb_handle *found = nb_handles_find(&session->handles, number);
    if (handle->has_server == handle->has_socket) {
        nb_fault_set(&fault, "ERR_INVALID_ARG_VALUE", "TypeError",
                     "The property 'options.handle' must have one of the properties 'server' and 'socket'");
        return refuse(session, request, &fault, "handle");
    }
    if (found && found->kind == kind) {
        *ret_lender = found->actor;
        return true;
    }
    nb_fault_set(&fault, found ? "ERR_NB_WRONG_TARGET" : "ERR_NB_NO_SUCH_TARGET", NULL,
                 found ? "The target %llu is of another kind" : "The target %llu does not exist",
                 (unsigned long long)number);
    return refuse(session, request, &fault, handle->has_server ? "handle.server" : "handle.socket");
}

bool nb_session_find_socket(struct nb_session *session, const struct nb_request *request,
                            struct nb_named_socket *ret_named)
{
    struct names names;
    if (!find_names(request, &names))
        return true;
    if (!is_one(session, request, &names))
        return false;
    if (names.has_fd)
        return claim(session, request, names.fd, &ret_named->fd);
    if (names.fd_name.data)
        return open_inherited(session, request, names.fd_name, &ret_named->fd);
    return find_lender(session, request, &names.handle, &ret_named->lender);
}
