#include "failure.h"

#include "inspect.h"
#include "memory.h"
#include "msgpack_encode.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { CONSTANT = UINT_MAX }; /* shares of a failure that is never freed */

static struct nb_failure out_of_memory = {
    .shares = CONSTANT,
    .fault.map = {.code = {(const uint8_t *)"ENOMEM", 6},
                  .message = {(const uint8_t *)"not enough memory", 17},
                  .has_error_number = true,
                  .error_number = UV_ENOMEM},
};

static struct nb_failure *new_failure(void)
{
    struct nb_failure *failure = nb_malloc(sizeof *failure);
    if (!failure)
        return NULL;
    failure->shares = 1;
    failure->fault.map = (nb_Error){0};
    failure->fault.text_length = 0;
    failure->errors = NULL;
    return failure;
}

struct nb_failure *nb_failure_ref(struct nb_failure *failure)
{
    if (failure && failure->shares != CONSTANT)
        failure->shares++;
    return failure;
}

void nb_failure_unref(struct nb_failure *failure)
{
    if (!failure || failure->shares == CONSTANT || --failure->shares)
        return;
    nb_free(failure->errors);
    nb_free(failure);
}

/* libuv tells apart two ways in which a name is not there; Node does not. */
static const char *code_of(int status)
{
    if (status == UV_EAI_NONAME || status == UV_EAI_NODATA)
        return "ENOTFOUND";
    return uv_err_name(status);
}

static void set_system(struct nb_failure *failure, int status, const char *syscall)
{
    nb_Error *map = &failure->fault.map;
    map->has_error_number = true;
    map->error_number = status;
    map->syscall = nb_slice_of(syscall);
}

static struct nb_slice keep(struct nb_failure *failure, struct nb_slice text)
{
    return nb_fault_keep(&failure->fault, (const char *)text.data, text.length);
}

static int shown(struct nb_slice text)
{
    return text.length > 256 ? 256 : (int)text.length;
}

struct nb_failure *nb_failure_system(int status, const char *syscall)
{
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    nb_fault_set(&failure->fault, code_of(status), NULL, "%s %s", syscall, code_of(status));
    set_system(failure, status, syscall);
    return failure;
}

enum { PORT_TEXT = 8 };

/* Node leaves a port of 0 out. */
static const char *print_port(int port, char text[PORT_TEXT])
{
    text[0] = '\0';
    if (port > 0)
        snprintf(text, PORT_TEXT, ":%u", (unsigned)port & 0xffff);
    return text;
}

struct nb_failure *nb_failure_connect(int status, const struct nb_endpoint *remote, struct nb_slice path,
                                      const struct nb_endpoint *local)
{
    char text[NB_ENDPOINT_TEXT], port[PORT_TEXT], details[NB_ENDPOINT_TEXT + 32] = "";
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    if (local && local->ip.family) {
        nb_endpoint_format(local, text);
        snprintf(details, sizeof details, " - Local (%s:%u)", text, local->port);
    }
    const char *code = code_of(status);
    if (path.data) {
        nb_fault_set(&failure->fault, code, NULL, "connect %s %.*s%s", code, shown(path),
                     (const char *)path.data, details);
        failure->fault.map.address = keep(failure, path);
    } else {
        nb_endpoint_format(remote, text);
        nb_fault_set(&failure->fault, code, NULL, "connect %s %s%s%s", code, text,
                     print_port(remote->port, port), details);
        failure->fault.map.address = keep(failure, nb_slice_of(text));
        failure->fault.map.has_port = remote->port != 0;
        failure->fault.map.port = remote->port;
    }
    set_system(failure, status, "connect");
    return failure;
}

struct nb_failure *nb_failure_local(struct nb_failure *failure, const struct nb_endpoint *local)
{
    char text[NB_ENDPOINT_TEXT];
    if (failure->shares == CONSTANT)
        return failure;
    nb_endpoint_format(local, text);
    failure->fault.map.local_address = keep(failure, nb_slice_of(text));
    failure->fault.map.has_local_port = true;
    failure->fault.map.local_port = local->port;
    return failure;
}

struct nb_failure *nb_failure_listen(int status, const char *syscall, struct nb_slice address, int port)
{
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    const char *code = code_of(status);
    char port_text[PORT_TEXT];
    nb_fault_set(&failure->fault, code, NULL, "%s %s: %s%s%.*s%s", syscall, code, uv_strerror(status),
                 address.data ? " " : "", shown(address), address.data ? (const char *)address.data : "",
                 print_port(port, port_text));
    if (address.data)
        failure->fault.map.address = keep(failure, address);
    failure->fault.map.has_port = port != 0;
    failure->fault.map.port = port;
    set_system(failure, status, syscall);
    return failure;
}

static int encode_errors(struct nb_failure *const *failures, unsigned count, struct nb_encoder *encoder)
{
    msgpack_packer packer = nb_encoder_packer(encoder);
    msgpack_pack_array(&packer, count);
    for (unsigned i = 0; i < count; i++)
        nb_encode_message(encoder, &nb_shape_Error, &failures[i]->fault.map);
    return encoder->failed ? UV_ENOMEM : 0;
}

struct nb_failure *nb_failure_aggregate(struct nb_failure *const *failures, unsigned count)
{
    struct nb_encoder encoder = {.reallocate = nb_realloc};
    struct nb_failure *failure = new_failure();
    if (!failure || encode_errors(failures, count, &encoder) < 0) {
        nb_free(encoder.data);
        nb_failure_unref(failure);
        return &out_of_memory;
    }
    nb_fault_set(&failure->fault, "", "AggregateError", "%s", "");
    struct nb_slice code = failures[0]->fault.map.code;
    failure->fault.map.code = keep(failure, code);
    failure->fault.map.errors = (struct nb_slice){encoder.data, encoder.length};
    failure->errors = encoder.data;
    return failure;
}

struct nb_failure *nb_failure_lookup(int status, struct nb_slice hostname)
{
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    const char *code = code_of(status);
    nb_fault_set(&failure->fault, code, NULL, "getaddrinfo %s %.*s", code, shown(hostname),
                 (const char *)hostname.data);
    failure->fault.map.hostname = keep(failure, hostname);
    set_system(failure, status, "getaddrinfo");
    return failure;
}

struct nb_failure *nb_failure_make(const char *code, const char *name, const char *format, ...)
{
    char message[NB_FAULT_TEXT];
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    nb_fault_set(&failure->fault, code, name, "%s", message);
    return failure;
}

struct nb_failure *nb_failure_bind(int status, const struct nb_endpoint *local)
{
    char text[NB_ENDPOINT_TEXT], port[PORT_TEXT];
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    nb_endpoint_format(local, text);
    nb_fault_set(&failure->fault, code_of(status), NULL, "bind %s %s%s", code_of(status), text,
                 print_port(local->port, port));
    failure->fault.map.address = keep(failure, nb_slice_of(text));
    failure->fault.map.has_port = local->port != 0;
    failure->fault.map.port = local->port;
    set_system(failure, status, "bind");
    return failure;
}

struct nb_failure *nb_failure_type(const char *label, const char *expected, const char *received)
{
    struct nb_fault fault = {0};
    nb_fault_type(&fault, label, expected, received);
    return nb_failure_of_fault(&fault);
}

struct nb_failure *nb_failure_range(const char *label, const char *range, double received)
{
    struct nb_fault fault = {0};
    char text[NB_INSPECT_SIZE];
    nb_inspect_number(received, text);
    nb_fault_range(&fault, label, range, text);
    return nb_failure_of_fault(&fault);
}

struct nb_failure *nb_failure_value(const char *label, const char *reason, const char *received)
{
    struct nb_fault fault = {0};
    nb_fault_value(&fault, label, reason, received);
    return nb_failure_of_fault(&fault);
}

struct nb_failure *nb_failure_of_fault(const struct nb_fault *fault)
{
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    nb_fault_copy(&failure->fault, fault);
    return failure;
}

/* Without memory they are left out. */
static struct nb_slice copy_errors(struct nb_failure *failure, struct nb_slice errors)
{
    failure->errors = errors.data ? nb_malloc(errors.length) : NULL;
    if (!failure->errors)
        return (struct nb_slice){0};
    memcpy(failure->errors, errors.data, errors.length);
    return (struct nb_slice){failure->errors, errors.length};
}

struct nb_failure *nb_failure_of_client(const nb_Error *error)
{
    struct nb_failure *failure = new_failure();
    if (!failure)
        return &out_of_memory;
    nb_Error *map = &failure->fault.map;
    *map = *error;
    struct nb_slice *const texts[] = {&map->code,    &map->message,      &map->name,     &map->syscall,
                                      &map->address, &map->hostname,     &map->argument, &map->limit,
                                      &map->method,  &map->local_address};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i]->data)
            *texts[i] = keep(failure, *texts[i]);
    map->errors = copy_errors(failure, error->errors);
    if (!map->code.data)
        map->code = nb_slice_of("ERR_NB_CLIENT");
    if (!map->message.data)
        map->message = nb_slice_of("");
    return failure;
}

struct nb_failure *nb_failure_fd_type(const char *kind, const char *argument)
{
    return nb_failure_argument(
        nb_failure_make("ERR_INVALID_FD_TYPE", "TypeError", "Unsupported fd type: %s", kind), argument);
}

struct nb_failure *nb_failure_socket_closed(void)
{
    return nb_failure_make("ERR_SOCKET_CLOSED", NULL, "Socket is closed");
}

struct nb_failure *nb_failure_destroyed(const char *what)
{
    return nb_failure_make("ERR_STREAM_DESTROYED", NULL, "Cannot call %s after a stream was destroyed", what);
}

struct nb_failure *nb_failure_argument(struct nb_failure *failure, const char *field)
{
    if (failure->shares != CONSTANT)
        failure->fault.map.argument = nb_slice_of(field);
    return failure;
}

struct nb_failure *nb_failure_not_negotiated(const char *feature, const char *argument)
{
    return nb_failure_argument(
        nb_failure_make("ERR_NB_NOT_NEGOTIATED", NULL, "The feature %s was not granted", feature), argument);
}

struct nb_failure *nb_failure_limit(const char *limit, uint64_t value)
{
    struct nb_fault fault = {0};
    nb_fault_limit(&fault, limit, value);
    return nb_failure_of_fault(&fault);
}

struct nb_failure *nb_failure_timeout(double received)
{
    return nb_failure_argument(nb_failure_range("msecs", "a non-negative finite number", received),
                               "timeout");
}

struct nb_failure *nb_failure_no_timeout(void)
{
    return nb_failure_argument(nb_failure_type("msecs", "of type number", "undefined"), "timeout");
}

/* A TypeError that shows a text of the client's and names the field it came in. */
static struct nb_failure *text_failure(const char *code, const char *what, struct nb_slice text,
                                       const char *argument)
{
    struct nb_failure *failure =
        nb_failure_make(code, "TypeError", "%s: %.*s", what, shown(text), (const char *)text.data);
    return nb_failure_argument(failure, argument);
}

struct nb_failure *nb_failure_invalid_ip(struct nb_slice text, const char *argument)
{
    return text_failure("ERR_INVALID_IP_ADDRESS", "Invalid IP address", text, argument);
}

struct nb_failure *nb_failure_unknown_encoding(struct nb_slice name)
{
    return text_failure("ERR_UNKNOWN_ENCODING", "Unknown encoding", name, "encoding");
}

struct nb_failure *nb_failure_invalid_address(const char *argument)
{
    return nb_failure_argument(nb_failure_make("ERR_INVALID_ADDRESS", NULL, "Invalid socket address"),
                               argument);
}

struct nb_failure *nb_failure_family(struct nb_slice text, const char *argument)
{
    char received[NB_INSPECT_SIZE];
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = text}, received);
    return nb_failure_argument(nb_failure_value("options.family", "is invalid", received), argument);
}

struct nb_failure *nb_failure_address_family(int family, struct nb_slice host, uint16_t port)
{
    struct nb_failure *failure =
        nb_failure_make("ERR_INVALID_ADDRESS_FAMILY", "RangeError", "Invalid address family: %d %.*s:%u",
                        family, (int)host.length, (const char *)host.data, port);
    if (failure->shares != CONSTANT) {
        failure->fault.map.has_port = true;
        failure->fault.map.port = port;
    }
    return nb_failure_argument(failure, "family");
}

/* Tells where to; a zone is no part of what was blocked. */
static struct nb_failure *add_remote(struct nb_failure *failure, const struct nb_endpoint *remote)
{
    char text[NB_IP_TEXT];
    if (failure->shares == CONSTANT)
        return failure;
    nb_ip_format(&remote->ip, text);
    failure->fault.map.address = keep(failure, nb_slice_of(text));
    failure->fault.map.has_port = remote->port != 0;
    failure->fault.map.port = remote->port;
    return failure;
}

struct nb_failure *nb_failure_blocked(const struct nb_endpoint *remote)
{
    char text[NB_IP_TEXT];
    nb_ip_format(&remote->ip, text);
    return add_remote(nb_failure_make("ERR_IP_BLOCKED", NULL, "IP(%s) is blocked by net.BlockList", text),
                      remote);
}

struct nb_failure *nb_failure_denied(const struct nb_endpoint *remote)
{
    char text[NB_IP_TEXT];
    nb_ip_format(&remote->ip, text);
    return add_remote(
        nb_failure_make("ERR_NB_POLICY", NULL, "The configuration denies connections to %s", text), remote);
}
