#include "command.h"

#include "json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void on_error(struct netbroker_session *session, void *context, const struct netbroker_error *error)
{
    nb_cli_report(context, error);
}

static const struct netbroker_session_events default_events = {.on_error = on_error};

int nb_cli_open(const struct nb_cli_options *options, const struct netbroker_session_events *events,
                void *context, struct netbroker_session **ret_session)
{
    struct netbroker_options session = {.events = events ? events : &default_events,
                                        .context = events ? context : (void *)options,
                                        .without_flow = events != NULL,
                                        .name = "netbroker",
                                        .version = NB_VERSION};
    int result = netbroker_connect(options->socket, &session, ret_session);
    if (result == 0)
        return NB_CLI_OK;
    char path[PATH_MAX];
    if (netbroker_find_path(options->socket, path, sizeof path) < 0)
        fprintf(stderr, "netbroker: no broker named: give --socket PATH or set NETBROKER_SOCKET\n");
    else
        fprintf(stderr, "netbroker: cannot reach a broker at %s: %s (netbroker serve starts one)\n", path,
                strerror(-result));
    return NB_CLI_NO_BROKER;
}

static void add_text(json_t *object, const char *key, const char *text)
{
    if (text[0])
        json_object_set_new(object, key, json_string(text));
}

json_t *nb_cli_error_object(const struct netbroker_error *error)
{
    json_t *object = json_object();
    add_text(object, "code", error->code);
    add_text(object, "message", error->message);
    add_text(object, "name", error->name);
    add_text(object, "syscall", error->syscall);
    add_text(object, "address", error->address);
    add_text(object, "hostname", error->hostname);
    add_text(object, "argument", error->argument);
    add_text(object, "limit", error->limit);
    add_text(object, "method", error->method);
    if (error->error_number)
        json_object_set_new(object, "errno", json_integer(error->error_number));
    if (error->port)
        json_object_set_new(object, "port", json_integer(error->port));
    return object;
}

int nb_cli_report(const struct nb_cli_options *options, const struct netbroker_error *error)
{
    if (!options->json) {
        fprintf(stderr, "netbroker: %s: %s\n", error->code, error->message);
        return NB_CLI_REFUSED;
    }
    json_t *object = json_pack("{s:o}", "error", nb_cli_error_object(error));
    nb_cli_print_json(stderr, object, false);
    json_decref(object);
    return NB_CLI_REFUSED;
}

void nb_cli_complain(const char *what, int error)
{
    fprintf(stderr, "netbroker: %s: %s\n", what, strerror(-error));
}

int nb_cli_lost(int error)
{
    /* What ends a session has been reported as its error. */
    if (error != -ECONNRESET && error != -EBADMSG && error != -EMSGSIZE)
        nb_cli_complain("lost the broker", error);
    return NB_CLI_NO_BROKER;
}

/* ---- places ---- */

static bool parse_port(const char *text, uint16_t *ret_port)
{
    char *end;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool nb_cli_parse_place(const char *text, struct nb_cli_place *ret_place)
{
    struct nb_cli_place place = {.host = ""};
    const char *colon = strrchr(text, ':'), *host = text;
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (strchr(text, '/')) {
        place.path = text;
    } else {
        if (!parse_port(colon ? colon + 1 : text, &place.port))
            return false;
        if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
            host++;
            length -= 2;
        }
        if (length >= sizeof place.host)
            return false;
        memcpy(place.host, host, length);
    }
    *ret_place = place;
    return true;
}

/* ---- requests ---- */

static bool is_number(const char *text)
{
    return text[0] && strspn(text, "0123456789") == strlen(text);
}

int nb_cli_parse_request(char **words, struct nb_cli_request *ret_request)
{
    struct nb_cli_request request = {.method = *words++};
    if (*words && is_number(*words))
        request.target = strtoull(*words++, NULL, 10);
    if (*words) {
        json_error_t error;
        request.body =
            json_loads(*words++, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
        if (!request.body) {
            fprintf(stderr, "netbroker: no JSON: %s, at column %d\n", error.text, error.column);
            return NB_CLI_USAGE;
        }
    }
    if (*words) {
        fprintf(stderr, "netbroker: one word too many: %s\n", *words);
        json_decref(request.body);
        return NB_CLI_USAGE;
    }
    *ret_request = request;
    return NB_CLI_OK;
}
