#include "fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"

struct nb_slice nb_fault_keep(struct nb_fault *fault, const char *text, size_t length)
{
    uint8_t *place = (uint8_t *)fault->text + fault->text_length;
    size_t room = sizeof fault->text - fault->text_length;
    if (length > room)
        length = nb_utf8_cut((const uint8_t *)text, room);
    memcpy(place, text, length);
    fault->text_length += length;
    return (struct nb_slice){place, length};
}

static void start(struct nb_fault *fault, const char *code, const char *name)
{
    memset(&fault->map, 0, sizeof fault->map);
    fault->text_length = 0;
    fault->map.code = nb_slice_of(code);
    if (name)
        fault->map.name = nb_slice_of(name);
}

void nb_fault_set(struct nb_fault *fault, const char *code, const char *name, const char *format, ...)
{
    char message[NB_FAULT_TEXT];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    start(fault, code, name);
    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof message)
        length = (int)nb_utf8_cut((const uint8_t *)message, sizeof message - 1);
    fault->map.message = nb_fault_keep(fault, message, (size_t)length);
}

/* Where a slice of the copy must point to: its own text, or the static string. */
static void rebase(struct nb_slice *slice, const struct nb_fault *from, struct nb_fault *to)
{
    const uint8_t *text = (const uint8_t *)from->text;
    if (slice->data >= text && slice->data <= text + sizeof from->text)
        slice->data = (const uint8_t *)to->text + (slice->data - text);
}

void nb_fault_copy(struct nb_fault *to, const struct nb_fault *from)
{
    if (to == from)
        return;
    to->map = from->map;
    to->text_length = from->text_length;
    memcpy(to->text, from->text, from->text_length);
    struct nb_slice *slices[] = {&to->map.code,    &to->map.message,  &to->map.name,
                                 &to->map.syscall, &to->map.address,  &to->map.hostname,
                                 &to->map.limit,   &to->map.argument, &to->map.method};
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
        rebase(slices[i], from, to);
}

/* Node calls a dotted name a property. */
static const char *kind_of(const char *label)
{
    return strchr(label, '.') ? "property" : "argument";
}

void nb_fault_set_argument(struct nb_fault *fault, const char *field)
{
    if (!nb_slice_is(fault->map.argument, field))
        fault->map.argument = nb_fault_keep(fault, field, strlen(field));
}

/* The wire has no options object: its fields are those of the body. */
static void keep_field(struct nb_fault *fault, const char *label)
{
    static const char prefix[] = "options.";
    bool is_option = strncmp(label, prefix, sizeof prefix - 1) == 0;
    nb_fault_set_argument(fault, is_option ? label + sizeof prefix - 1 : label);
}

void nb_fault_type(struct nb_fault *fault, const char *label, const char *expected, const char *received)
{
    nb_fault_set(fault, "ERR_INVALID_ARG_TYPE", "TypeError", "The \"%s\" %s must be %s. Received %s", label,
                 kind_of(label), expected, received);
    keep_field(fault, label);
}

void nb_fault_range(struct nb_fault *fault, const char *label, const char *range, const char *received)
{
    nb_fault_set(fault, "ERR_OUT_OF_RANGE", "RangeError",
                 "The value of \"%s\" is out of range. It must be %s. Received %s", label, range, received);
    keep_field(fault, label);
}

void nb_fault_value(struct nb_fault *fault, const char *label, const char *reason, const char *received)
{
    nb_fault_set(fault, "ERR_INVALID_ARG_VALUE", "TypeError", "The %s '%s' %s. Received %s", kind_of(label),
                 label, reason, received);
    keep_field(fault, label);
}

void nb_fault_port(struct nb_fault *fault, const char *label, const char *received)
{
    nb_fault_set(fault, "ERR_SOCKET_BAD_PORT", "RangeError", "%s should be >= 0 and < 65536. Received %s.",
                 label, received);
    keep_field(fault, label);
}

void nb_fault_limit(struct nb_fault *fault, const char *limit, uint64_t value)
{
    nb_fault_set(fault, "ERR_NB_LIMIT", NULL, "The limit %s of %" PRIu64 " is passed", limit, value);
    fault->map.limit = nb_slice_of(limit);
}
