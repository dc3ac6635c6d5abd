#include "policy.h"

#include <string.h>
#include <unistd.h>

enum { LOW_PORTS = 1024 };

bool nb_policy_admits(const struct nb_policy *policy, uid_t uid, struct nb_rights *ret_rights)
{
    if (uid == geteuid()) {
        *ret_rights =
            (struct nb_rights){.unix_paths = true, .low_ports = true, .bind = true, .all_fds = true};
        return true;
    }
    for (unsigned i = 0; i < policy->count; i++) {
        if (policy->rules[i].uid == uid) {
            *ret_rights = policy->rules[i].rights;
            return true;
        }
    }
    return false;
}

unsigned nb_policy_number(const struct nb_policy *policy, uid_t uid)
{
    unsigned i = 0;
    if (uid == geteuid())
        return 0;
    while (policy->rules[i].uid != uid)
        i++;
    return i + 1;
}

struct nb_uid_rule *nb_policy_rule(struct nb_policy *policy, uid_t uid)
{
    for (unsigned i = 0; i < policy->count; i++)
        if (policy->rules[i].uid == uid)
            return &policy->rules[i];
    if (policy->count == NB_UID_RULES_MAX)
        return NULL;
    policy->rules[policy->count] = (struct nb_uid_rule){.uid = uid};
    return &policy->rules[policy->count++];
}

static bool *right_of_name(struct nb_rights *rights, const char *name, size_t length)
{
    const struct {
        const char *name;
        bool *right;
    } table[] = {{"unix", &rights->unix_paths}, {"low-ports", &rights->low_ports}, {"bind", &rights->bind}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return table[i].right;
    return NULL;
}

static const char fd_prefix[] = "fd=";
enum { FD_PREFIX = sizeof fd_prefix - 1 };

/* "fd=NAME"; false: it is none, or there is no room. */
static bool add_fd(struct nb_rights *rights, const char *name, size_t length)
{
    size_t used = strlen(rights->fds);
    if (length <= FD_PREFIX || memcmp(name, fd_prefix, FD_PREFIX) != 0 ||
        used + length - FD_PREFIX + sizeof " " > sizeof rights->fds)
        return false;
    memcpy(rights->fds + used, name + FD_PREFIX, length - FD_PREFIX);
    memcpy(rights->fds + used + length - FD_PREFIX, " ", sizeof " ");
    return true;
}

static bool may_open(const struct nb_rights *rights, struct nb_slice name)
{
    const char *at = rights->fds;
    for (size_t length; *at; at += length + 1) {
        length = strcspn(at, " ");
        if (length == name.length && memcmp(at, name.data, length) == 0)
            return true;
    }
    return rights->all_fds;
}

bool nb_rights_parse(const char *names, struct nb_rights *ret_rights)
{
    struct nb_rights rights = {0};
    while (*(names += strspn(names, ", \t"))) {
        size_t length = strcspn(names, ", \t");
        bool *right = right_of_name(&rights, names, length);
        if (right)
            *right = true;
        else if (!add_fd(&rights, names, length))
            return false;
        names += length;
    }
    *ret_rights = rights;
    return true;
}

static const char *object_to_connect(const struct nb_rights *rights, const nb_SocketConnect *params)
{
    if (params->path.data)
        return rights->unix_paths ? NULL : "Unix socket paths are not allowed to this uid";
    if (params->has_port && params->port < LOW_PORTS && !rights->low_ports)
        return "Ports below 1024 are not allowed to this uid";
    if ((params->local_address.data || params->has_local_port) && !rights->bind)
        return "Binding is not allowed to this uid";
    return NULL;
}

static const char *object_to_descriptor(const struct nb_rights *rights, struct nb_slice name)
{
    return name.data && !may_open(rights, name) ? "This inherited descriptor is not allowed to this uid"
                                                : NULL;
}

/* A socket that is there was bound by somebody who might. */
static bool has_socket(const nb_ServerListen *params)
{
    return params->has_fd || params->fd_name.data || params->has_handle;
}

static const char *object_to_listen(const struct nb_rights *rights, const nb_ServerListen *params)
{
    if (has_socket(params))
        return object_to_descriptor(rights, params->fd_name);
    if (!rights->bind)
        return "Binding is not allowed to this uid";
    if (params->path.data && !params->has_port && !rights->unix_paths)
        return "Unix socket paths are not allowed to this uid";
    if (params->has_port && params->port && params->port < LOW_PORTS && !rights->low_ports)
        return "Ports below 1024 are not allowed to this uid";
    return NULL;
}

static const char *object_to_bind(const struct nb_rights *rights, const nb_SocketBind *params)
{
    if (!rights->bind)
        return "Binding is not allowed to this uid";
    if (params->port && params->port < LOW_PORTS && !rights->low_ports)
        return "Ports below 1024 are not allowed to this uid";
    return NULL;
}

const char *nb_policy_objection(const struct nb_rights *rights, const struct nb_request *request)
{
    switch (request->method->index) {
    case NB_METHOD_SOCKET_CONNECT:
        return object_to_connect(rights, &request->params.socket_connect);
    case NB_METHOD_NET_CREATE_CONNECTION:
        return object_to_connect(rights, &request->params.create_connection.connect);
    case NB_METHOD_SOCKET_CREATE:
        return object_to_descriptor(rights, request->params.socket_create.fd_name);
    case NB_METHOD_SOCKET_BIND:
        return object_to_bind(rights, &request->params.socket_bind);
    case NB_METHOD_SERVER_LISTEN:
        return object_to_listen(rights, &request->params.server_listen);
    default:
        return NULL;
    }
}
