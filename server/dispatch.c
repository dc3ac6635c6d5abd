/* From decoded requests to commands on their way to the right actor. */
#include "block_list_actor.h"
#include "foreign.h"
#include "server.h"
#include "session.h"
#include "socket.h"

#include <string.h>

#define NB_HANDLER(index, function) nb_handler function;
#include "generated/handlers.def"
#undef NB_HANDLER

static nb_handler *const handlers[NB_METHOD_COUNT] = {
#define NB_HANDLER(index, function) [index] = function,
#include "generated/handlers.def"
#undef NB_HANDLER
};

/* ---- refusing ---- */

void nb_session_refuse(struct nb_session *session, const struct nb_request *request, struct nb_fault *fault)
{
    nb_Error error = fault->map;
    if (!request->is_notification) {
        nb_session_send_error(session, request->msgid, &error);
        return;
    }
    error.method = request->method_name;
    error.has_target = request->has_target;
    error.target = request->target;
    nb_session_send_complaint(session, &error, false);
}

void nb_session_break(struct nb_session *session, struct nb_fault *fault)
{
    nb_Error error = fault->map;
    nb_session_send_complaint(session, &error, true);
    nb_session_end_behind_frames(session);
}

static void refuse(struct nb_session *session, const struct nb_request *request, const char *code,
                   const char *message)
{
    struct nb_fault fault = {0};
    nb_fault_set(&fault, code, NULL, message, (unsigned long long)request->target);
    nb_session_refuse(session, request, &fault);
}

static void refuse_limit(struct nb_session *session, const struct nb_request *request, const char *limit,
                         uint32_t value)
{
    struct nb_fault fault = {0};
    nb_fault_limit(&fault, limit, value);
    nb_session_refuse(session, request, &fault);
}

/* ---- whom it is for ---- */

struct destination {
    struct nb_actor_id actor;
    uint64_t number; /* the target, or the number that the broker chose */
    struct nb_filter *filter; /* a share; of nb_session_find_list */
    struct nb_named_socket socket; /* its fd is owned; of nb_session_find_socket */
};

static bool find_existing(struct nb_session *session, const struct nb_request *request,
                          struct destination *ret)
{
    const struct nb_handle *handle = nb_handles_find(&session->handles, request->target);
    if (handle && handle->kind == request->method->target) {
        ret->actor = handle->actor;
        ret->number = request->target;
        return true;
    }
    if (handle || !request->target)
        refuse(session, request, "ERR_NB_WRONG_TARGET", "The target %llu is of another kind");
    else if (!request->is_notification) /* the end of the target and a notification may cross */
        refuse(session, request, "ERR_NB_NO_SUCH_TARGET", "The target %llu does not exist");
    return false;
}

/* A live number would send later frames of the same burst to the wrong peer: there is no going on. */
static bool is_free_number(struct nb_session *session, const struct nb_request *request)
{
    struct nb_fault fault = {0};
    if (request->target && request->target % 2 == 0) {
        refuse(session, request, "ERR_NB_WRONG_TARGET", "The target %llu is not the client's to choose");
        return false;
    }
    if (!nb_handles_find(&session->handles, request->target))
        return true;
    nb_fault_set(&fault, "ERR_NB_ID_IN_USE", NULL, "The target %llu is in use",
                 (unsigned long long)request->target);
    fault.map.method = request->method_name;
    fault.map.has_target = true;
    fault.map.target = request->target;
    nb_session_break(session, &fault);
    return false;
}

/* NULL: no memory. */
static struct nb_actor *create(struct nb_session *session, enum nb_target_kind kind,
                               const struct destination *destination)
{
    struct nb_account *account = session->account;
    if (kind == NB_TARGET_SOCKET) {
        struct nb_socket *socket = nb_socket_new(account, destination->number);
        return socket ? &socket->actor : NULL;
    }
    if (kind == NB_TARGET_SERVER) {
        struct nb_server *server = nb_server_new(account, destination->number);
        return server ? &server->actor : NULL;
    }
    struct nb_block_list_actor *list =
        nb_block_list_actor_new(account, destination->number, destination->filter);
    return list ? &list->actor : NULL;
}

/* The number is the actor's from now on. NULL: no memory. */
static struct nb_actor *add_actor(struct nb_session *session, enum nb_target_kind kind,
                                  const struct destination *destination)
{
    struct nb_actor *actor = create(session, kind, destination);
    if (!actor)
        return NULL;
    if (nb_handles_add(&session->handles, destination->number, actor->id, kind) < 0) {
        nb_actor_stop(actor);
        return NULL;
    }
    if (kind == NB_TARGET_BLOCK_LIST)
        nb_handles_find(&session->handles, destination->number)->filter = nb_filter_ref(destination->filter);
    return actor;
}

static enum nb_target_kind kind_of_new(enum nb_target_kind target)
{
    switch (target) {
    case NB_TARGET_NEW_SOCKET:
        return NB_TARGET_SOCKET;
    case NB_TARGET_NEW_SERVER:
        return NB_TARGET_SERVER;
    default:
        return NB_TARGET_BLOCK_LIST;
    }
}

static bool has_room_for(struct nb_session *session, const struct nb_request *request,
                         enum nb_target_kind kind)
{
    const struct nb_limits *limits = session->limits;
    const struct nb_account *account = session->account;
    if (kind == NB_TARGET_SOCKET && account->sockets >= limits->max_sockets)
        refuse_limit(session, request, "maxSockets", limits->max_sockets);
    else if (kind == NB_TARGET_SERVER && account->servers >= limits->max_servers)
        refuse_limit(session, request, "maxServers", limits->max_servers);
    else if (kind == NB_TARGET_BLOCK_LIST && account->block_lists >= limits->max_block_lists)
        refuse_limit(session, request, "maxBlockLists", limits->max_block_lists);
    else
        return true;
    return false;
}

static bool create_new(struct nb_session *session, const struct nb_request *request, struct destination *ret)
{
    enum nb_target_kind kind = kind_of_new(request->method->target);
    if (!is_free_number(session, request) || !has_room_for(session, request, kind))
        return false;
    ret->number = request->target;
    if (!ret->number) {
        ret->number = session->account->next_id;
        session->account->next_id += 2;
    }
    const struct nb_actor *actor = add_actor(session, kind, ret);
    if (!actor) {
        refuse(session, request, "ENOMEM", "not enough memory for target %llu");
        return false;
    }
    ret->actor = actor->id;
    return true;
}

static bool is_creation(const struct nb_method *method)
{
    return method->target == NB_TARGET_NEW_SOCKET || method->target == NB_TARGET_NEW_SERVER ||
           method->target == NB_TARGET_NEW_BLOCK_LIST;
}

bool nb_session_finds_number_in_use(const struct nb_session *session, const struct nb_request *request)
{
    return is_creation(request->method) && nb_handles_find(&session->handles, request->target);
}

static bool find_destination(struct nb_session *session, const struct nb_request *request,
                             struct destination *ret)
{
    switch (request->method->target) {
    case NB_TARGET_SESSION:
        ret->actor = session->actor.id;
        if (!request->target)
            return true;
        refuse(session, request, "ERR_NB_WRONG_TARGET", "The target %llu is not the session");
        return false;
    case NB_TARGET_NEW_SOCKET:
    case NB_TARGET_NEW_SERVER:
    case NB_TARGET_NEW_BLOCK_LIST:
        return create_new(session, request, ret);
    default:
        return find_existing(session, request, ret);
    }
}

/* ---- sending it ---- */

static bool is_in_place(struct nb_session *session, const struct nb_request *request)
{
    struct nb_fault fault = {0};
    if (!request->method->early || !session->has_started)
        return true;
    nb_fault_value(&fault, "method", "must be the first frame", request->method->name);
    nb_session_refuse(session, request, &fault);
    return false;
}

static bool is_granted(struct nb_session *session, const struct nb_request *request)
{
    struct nb_fault fault = {0};
    const char *feature = request->method->feature;
    if (nb_features_have(session->features, feature))
        return true;
    nb_fault_set(&fault, "ERR_NB_NOT_NEGOTIATED", NULL, "The feature %s was not granted", feature);
    nb_session_refuse(session, request, &fault);
    return false;
}

static bool is_allowed(struct nb_session *session, const struct nb_request *request)
{
    struct nb_fault fault = {0};
    const char *objection = nb_policy_objection(&session->rights, request);
    if (!objection)
        return true;
    nb_fault_set(&fault, "ERR_NB_POLICY", NULL, "%s", objection);
    nb_session_refuse(session, request, &fault);
    return false;
}

bool nb_session_check_msgid(struct nb_session *session, const struct nb_request *request)
{
    struct nb_fault fault = {0};
    if (request->is_notification || !nb_pending_has(&session->pending, request->msgid))
        return true;
    nb_fault_set(&fault, "ERR_NB_PROTOCOL", NULL, "The msgid %u is still open", request->msgid);
    fault.map.has_msgid = true;
    fault.map.msgid = request->msgid;
    nb_session_break(session, &fault);
    return false;
}

/* Notes the msgid as open; false: refused. */
static bool open_request(struct nb_session *session, const struct nb_request *request)
{
    if (request->is_notification)
        return true;
    if (session->pending.count >= session->limits->max_pending) {
        refuse_limit(session, request, "maxPending", session->limits->max_pending);
        return false;
    }
    if (nb_pending_add(&session->pending, request->msgid) == 0)
        return true;
    nb_actor_stop(&session->actor);
    return false;
}

static void charge(struct nb_session *session, struct nb_command *command)
{
    const struct nb_method *method = command->reply.method;
    if (method->target != NB_TARGET_SOCKET || !nb_shape_is_payload(method->params))
        return;
    command->charged = command->params.socket_write.data.length;
    if (command->charged) {
        nb_account_charge(session->account, command->charged);
        command->account = nb_account_ref(session->account);
    }
}

static void send_command(struct nb_session *session, const struct nb_request *request,
                         struct destination *destination, struct nb_chunk *chunk)
{
    struct nb_loop *loop = session->actor.loop;
    struct nb_command *command = nb_command_new(loop);
    if (!command) {
        nb_actor_stop(&session->actor);
        return;
    }
    command->run = handlers[request->method->index];
    command->reply = (struct nb_reply_to){.session = session->actor.id,
                                          .method = request->method,
                                          .target = destination->number,
                                          .msgid = request->msgid,
                                          .is_notification = request->is_notification};
    command->chunk = nb_chunk_ref(chunk);
    command->filter = nb_filter_ref(destination->filter);
    command->lender = destination->socket.lender;
    command->fd = destination->socket.fd;
    destination->socket.fd = -1;
    command->payload_is_text = request->payload_is_text;
    command->has_body = request->has_body;
    memcpy(&command->params, &request->params, request->method->params->size);
    charge(session, command);
    session->is_attaching = request->method->index == NB_METHOD_SESSION_ATTACH;
    nb_send(loop, destination->actor, &command->message);
}

/*
 * What settles how later frames are to be taken. And what goes over all rules of a list, or answers as much as a
 * frame holds: one at a time, then others get their turn.
 */
static bool holds_frames(const struct nb_method *method)
{
    switch (method->index) {
    case NB_METHOD_SESSION_HELLO:
    case NB_METHOD_BLOCK_LIST_REMOVE_RULE:
    case NB_METHOD_BLOCK_LIST_RULES:
    case NB_METHOD_BLOCK_LIST_HITS:
        return true;
    default:
        return false;
    }
}

static bool find_everything(struct nb_session *session, const struct nb_request *request,
                            struct destination *ret)
{
    return nb_session_find_list(session, request, &ret->filter) &&
           nb_session_find_socket(session, request, &ret->socket) && find_destination(session, request, ret);
}

void nb_session_dispatch(struct nb_session *session, struct nb_request *request, struct nb_chunk *chunk)
{
    struct destination destination = {.socket = {.fd = -1, .lender = NB_NOBODY}};
    if (nb_session_check_msgid(session, request) && is_in_place(session, request) &&
        is_granted(session, request) && is_allowed(session, request) && open_request(session, request)) {
        if (find_everything(session, request, &destination))
            send_command(session, request, &destination, chunk);
        else if (!request->is_notification)
            nb_pending_remove(&session->pending, request->msgid);
        nb_filter_unref(destination.filter);
        if (destination.socket.fd >= 0)
            nb_foreign_close(destination.socket.fd);
        session->holds_frames = holds_frames(request->method);
    }
    nb_chunk_unref(chunk);
}
