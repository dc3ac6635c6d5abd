/* Which block list a request is about: the one that its field blockList names, or the one that it opens. */
#include "inspect.h"
#include "session.h"

static bool refuse(struct nb_session *session, const struct nb_request *request, struct nb_fault *fault)
{
    nb_session_refuse(session, request, fault);
    return false;
}

/* ---- blockList in the options of sockets and servers ---- */

/* 0: it names none. */
static uint64_t named_list(const struct nb_request *request)
{
    const union nb_params *params = &request->params;
    switch (request->method->index) {
    case NB_METHOD_NET_CREATE_CONNECTION:
        return params->create_connection.create.block_list;
    case NB_METHOD_SOCKET_CREATE:
        return params->socket_create.block_list;
    case NB_METHOD_SOCKET_CONNECT:
        return params->socket_connect.block_list;
    case NB_METHOD_SERVER_CREATE:
        return params->server_create.block_list;
    case NB_METHOD_SERVER_LISTEN:
        return params->server_listen.block_list;
    default:
        return 0;
    }
}

static bool find(struct nb_session *session, const struct nb_request *request, uint64_t number,
                 struct nb_filter **ret_filter)
{
    struct nb_fault fault = {0};
    const struct nb_handle *handle = nb_handles_find(&session->handles, number);
    if (handle && handle->filter) {
        *ret_filter = nb_filter_ref(handle->filter);
        return true;
    }
    nb_fault_set(&fault, handle ? "ERR_NB_WRONG_TARGET" : "ERR_NB_NO_SUCH_TARGET", NULL,
                 handle ? "The target %llu is no block list" : "The block list %llu does not exist",
                 (unsigned long long)number);
    nb_fault_set_argument(&fault, "blockList");
    return refuse(session, request, &fault);
}

/* ---- blockList.create ---- */

static bool refuse_status(struct nb_session *session, const struct nb_request *request, int status)
{
    struct nb_fault fault = {0};
    struct nb_slice name = request->params.block_list_create.name;
    if (status == UV_ENOSPC)
        nb_fault_limit(&fault, "maxBlockLists", session->limits->max_block_lists);
    else if (status == UV_ENOENT)
        nb_fault_set(&fault, "ENOENT", NULL, "There is no block list '%.*s'", (int)name.length, name.data);
    else
        nb_fault_set(&fault, "ENOMEM", NULL, "not enough memory for a block list");
    if (status == UV_ENOENT)
        nb_fault_set_argument(&fault, "name");
    return refuse(session, request, &fault);
}

static bool is_good_name(struct nb_session *session, const struct nb_request *request)
{
    char received[NB_INSPECT_SIZE];
    struct nb_fault fault = {0};
    struct nb_slice name = request->params.block_list_create.name;
    if (name.length && name.length <= NB_LIST_NAME)
        return true;
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = name}, received);
    nb_fault_value(&fault, "options.name", "must be of 1 to 64 bytes", received);
    return refuse(session, request, &fault);
}

static bool open_list(struct nb_session *session, const struct nb_request *request,
                      struct nb_filter **ret_filter)
{
    const nb_BlockListCreate *params = &request->params.block_list_create;
    int status;
    if (params->name.data && !is_good_name(session, request))
        return false;
    if (params->name.data)
        status =
            nb_lists_open(session->lists, session->peer.uid, params->name, params->must_exist, ret_filter);
    else
        status = nb_filter_new(session->account->budget, false, ret_filter);
    return status == 0 || refuse_status(session, request, status);
}

bool nb_session_find_list(struct nb_session *session, const struct nb_request *request,
                          struct nb_filter **ret_filter)
{
    uint64_t number = named_list(request);
    *ret_filter = NULL;
    if (request->method->target == NB_TARGET_NEW_BLOCK_LIST)
        return open_list(session, request, ret_filter);
    return !number || find(session, request, number, ret_filter);
}
