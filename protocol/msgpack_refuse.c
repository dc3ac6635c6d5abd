#include "msgpack_refuse.h"

#include <stdio.h>

#include "inspect.h"
#include "schema_index.h"
#include "utf8.h"

enum { PATH_SIZE = 128 };

enum spelling { NAME, LABEL };

/* onread.size, or options.onread.size; returns the length, without what does not fit. */
static size_t write_path(const struct nb_place *place, enum spelling spelling, char *text)
{
    const char *last = spelling == LABEL ? place->label : place->name;
    size_t length = 0;
    if (place->outer && !place->outer->is_body) {
        length = write_path(place->outer, spelling, text);
        if (length < PATH_SIZE - 1)
            text[length++] = '.';
    }
    size_t more = strnlen(last, PATH_SIZE - 1 - length);
    memcpy(text + length, last, more);
    text[length + more] = '\0';
    return length + more;
}

/* The last step of a refusal, as the message is made first. */
static bool name_field(struct nb_fault *fault, const struct nb_place *place)
{
    char path[PATH_SIZE];
    write_path(place, NAME, path);
    nb_fault_set_argument(fault, path);
    return false;
}

bool nb_refuse_type(struct nb_fault *fault, const struct nb_place *place, const char *expected,
                    const struct nb_value *value)
{
    char label[PATH_SIZE], received[NB_INSPECT_SIZE];
    write_path(place, LABEL, label);
    nb_inspect_type(value, received);
    nb_fault_type(fault, label, expected, received);
    return name_field(fault, place);
}

bool nb_refuse_range(struct nb_fault *fault, const struct nb_place *place, const char *range,
                     const struct nb_value *value)
{
    char label[PATH_SIZE], received[NB_INSPECT_SIZE];
    write_path(place, LABEL, label);
    nb_inspect_range(value, received);
    nb_fault_range(fault, label, range, received);
    return name_field(fault, place);
}

bool nb_refuse_value(struct nb_fault *fault, const struct nb_place *place, const char *reason,
                     const struct nb_value *value)
{
    char label[PATH_SIZE], received[NB_INSPECT_SIZE];
    write_path(place, LABEL, label);
    nb_inspect(value, received);
    nb_fault_value(fault, label, reason, received);
    return name_field(fault, place);
}

static bool is_of_connect(const struct nb_place *place, const struct nb_shape *shape)
{
    return shape != &nb_shape_ServerListen && shape != &nb_shape_SocketAddress &&
           strcmp(place->name, "port") == 0;
}

/* Node calls the port of a connect "Port", every other one by its option. */
bool nb_refuse_port(struct nb_fault *fault, const struct nb_place *place, const struct nb_shape *shape,
                    const struct nb_value *value)
{
    char received[NB_INSPECT_SIZE];
    nb_inspect_type(value, received);
    nb_fault_port(fault, is_of_connect(place, shape) ? "Port" : place->label, received);
    return name_field(fault, place);
}

bool nb_refuse_listen_address(struct nb_fault *fault, const struct nb_place *place,
                              const struct nb_value *value)
{
    char inner[NB_INSPECT_SIZE], received[NB_INSPECT_SIZE + PATH_SIZE];
    nb_inspect(value, inner);
    snprintf(received, sizeof received, "{ %s: %s }", place->name, inner);
    nb_fault_value(fault, "options", "is invalid", received);
    return name_field(fault, place);
}

bool nb_refuse_unknown(struct nb_fault *fault, const struct nb_place *place, struct nb_slice key)
{
    char name[PATH_SIZE], path[PATH_SIZE];
    size_t length = key.length < sizeof name ? key.length : nb_utf8_cut(key.data, sizeof name - 1);
    memcpy(name, key.data, length);
    name[length] = '\0';
    write_path(&(struct nb_place){.outer = place, .name = name}, NAME, path);
    nb_fault_set(fault, "ERR_NB_UNKNOWN_OPTION", NULL, "Unknown option \"%s\"", path);
    fault->map.argument = nb_fault_keep(fault, path, strlen(path));
    return false;
}
