/*
 * A chat: what one says, all others hear. Try it with `nc 127.0.0.1 PORT`, several times.
 *
 *   chat [PORT]     (default: any; NETBROKER_SOCKET names the broker)
 */
#include "session.h"

#include <stdarg.h>

enum { LINE = 512, SLOW = 1 << 20 }; /* bytes: of a line, and that somebody may leave unread */

struct person {
    struct person *next;
    struct netbroker_socket *socket;
    char name[32]; /* empty: not told yet */
    char line[LINE];
    size_t length;
};

static struct person *people;

static void say(struct person *to, const char *format, ...)
{
    char text[2 * LINE];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (netbroker_socket_unflushed(to->socket) > SLOW)
        netbroker_socket_destroy(to->socket);
    else
        netbroker_socket_write(to->socket, text, (size_t)length);
}

/* To all who have told their names, but not to `except`. */
static void tell(const struct person *except, const char *before, const char *name, const char *after)
{
    for (struct person *person = people; person; person = person->next)
        if (person != except && person->name[0])
            say(person, "%s%s%s\n", before, name, after);
}

static void join(struct person *person)
{
    tell(person, "* ", person->line, " has come");
    snprintf(person->name, sizeof person->name, "%.*s", (int)sizeof person->name - 1,
             person->length ? person->line : "nobody");
    say(person, "* here:");
    for (struct person *other = people; other; other = other->next)
        if (other->name[0])
            say(person, " %s", other->name);
    say(person, "\n");
}

static void hear(struct person *person)
{
    char after[LINE + 2];
    person->line[person->length] = '\0';
    if (!person->name[0]) {
        join(person);
    } else {
        snprintf(after, sizeof after, ": %s", person->line);
        tell(person, "", person->name, after);
    }
    person->length = 0;
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    struct person *person = context;
    (void)socket;
    for (const char *at = bytes; length > 0; at++, length--)
        if (*at == '\n')
            hear(person);
        else if (*at != '\r' && person->length < LINE - 1)
            person->line[person->length++] = *at;
}

static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    struct person *person = context, **at = &people;
    (void)socket;
    (void)closed;
    while (*at != person)
        at = &(*at)->next;
    *at = person->next;
    if (person->name[0])
        tell(person, "* ", person->name, " has gone");
    free(person);
}

static const struct netbroker_socket_events person_events = {.on_data = on_data, .on_close = on_close};

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    struct person *person = calloc(1, sizeof *person);
    (void)server;
    (void)context;
    if (!person) {
        netbroker_socket_destroy(socket);
        return;
    }
    *person = (struct person){.next = people, .socket = socket};
    people = person;
    netbroker_socket_set_events(socket, &person_events, person);
    say(person, "Your name? ");
}

static const struct netbroker_server_events server_events = {
    .on_connection = on_connection, .on_listening = print_address, .on_error = print_error};

static void forget_people(void)
{
    while (people) {
        struct person *person = people;
        people = person->next;
        free(person);
    }
}

int main(int argc, char **argv)
{
    struct netbroker_session *session = open_session(NULL);
    struct netbroker_server *server;
    int status = EXIT_SUCCESS;
    if (!session)
        return EXIT_FAILURE;
    struct netbroker_listen_options where = {.host = "127.0.0.1",
                                             .port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0};
    if (netbroker_create_server(session, NULL, &server_events, &status, &server) == 0 &&
        netbroker_server_listen(server, &where) == 0)
        status = run_session(session, &status);
    netbroker_free(session);
    forget_people();
    return status;
}
