#include "driver.h"

#include "pattern.h"
#include "resolver.h"
#include "turns.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 4096, LINE = 160, ACTORS = 64 };

struct nb_loop *driver_loop;
struct nb_account *driver_account;
struct nb_actor_id driver_accepted;
void (*driver_on_event)(const struct nb_event_message *event);

static struct nb_runtime runtime;
static struct nb_actor *driver;
static bool has_left;
static bool has_stopped; /* the driver itself: for want of memory */
static struct nb_actor_id actors[ACTORS];
static unsigned actor_count;

static char journal[LINES][LINE];
static size_t data_lengths[LINES]; /* of lines that tell of data */
static unsigned written, read_so_far;

/* ---- the journal ---- */

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    va_list arguments;
    ck_assert_uint_lt(written, LINES);
    data_lengths[written] = 0;
    va_start(arguments, format);
    vsnprintf(journal[written++], LINE, format, arguments);
    va_end(arguments);
}

static void note_data(const struct nb_event_message *event)
{
    struct nb_slice data = event->body.data.data;
    const char *quote = event->payload_is_text ? "'" : "";
    int shown = data.length > 100 ? 100 : (int)data.length;
    note("data %" PRIu64 " %s%.*s%s", event->target, quote, shown, (const char *)data.data, quote);
    data_lengths[written - 1] = data.length;
}

static void note_attempt(const struct nb_event_message *event)
{
    const nb_ConnectionAttempt *attempt = &event->body.connection_attempt;
    const struct nb_failure *failure = event->failure;
    struct nb_slice code = failure ? failure->fault.map.code : (struct nb_slice){0};
    note("%s %" PRIu64 " %.*s:%u%s%.*s", strchr(event->event->name, '.') + 1, event->target,
         (int)attempt->address.length, (const char *)attempt->address.data, attempt->port,
         code.length ? " " : "", (int)code.length, (const char *)code.data);
}

static bool ignores_idle;

void driver_ignore_idle(void)
{
    ignores_idle = true;
}

static void note_event(const struct nb_event_message *event)
{
    const char *name = strchr(event->event->name, '.') + 1;
    const union nb_event_body *body = &event->body;
    switch (event->event->index) {
    case NB_EVENT_SOCKET_DATA:
        note_data(event);
        break;
    case NB_EVENT_SESSION_IDLE:
        if (!ignores_idle)
            note("idle 0");
        break;
    case NB_EVENT_SOCKET_CLOSE:
        note("close %" PRIu64 "%s read=%" PRIu64 " written=%" PRIu64, event->target,
             body->socket_closed.had_error ? " hadError" : "", body->socket_closed.bytes_read,
             body->socket_closed.bytes_written);
        break;
    case NB_EVENT_SOCKET_FLUSHED:
        note("flushed %" PRIu64 " %" PRIu64, event->target, body->flushed.bytes);
        break;
    case NB_EVENT_SERVER_CONNECTION:
        note("connection %" PRIu64 " socket=%" PRIu64, event->target, body->server_connection.socket);
        break;
    default:
        if (event->failure)
            note("%s %" PRIu64 " %.*s", name, event->target, (int)event->failure->fault.map.code.length,
                 (const char *)event->failure->fault.map.code.data);
        else
            note("%s %" PRIu64, name, event->target);
    }
}

static void note_response(const struct nb_response *response)
{
    const char *word = response->is_thrown ? "thrown" : "answer";
    const struct nb_method *method = response->to.method;
    const union nb_result *result = &response->result;
    uint32_t msgid = response->to.msgid;
    if (response->failure)
        note("%s %u %.*s", word, msgid, (int)response->failure->fault.map.code.length,
             (const char *)response->failure->fault.map.code.data);
    else if (response->is_empty)
        note("answer %u nil", msgid);
    else if (method->index == NB_METHOD_SOCKET_WRITE)
        note("answer %u written=%" PRIu64, msgid, result->written.bytes_written);
    else if (method->index == NB_METHOD_SERVER_GET_CONNECTIONS)
        note("answer %u count=%" PRIu64, msgid, result->connections.count);
    else if (method->index == NB_METHOD_SOCKET_INFO)
        note("answer %u %.*s buffer=%" PRIu64, msgid, (int)result->socket_info.ready_state.length,
             (const char *)result->socket_info.ready_state.data, result->socket_info.buffer_size);
    else
        note("answer %u", msgid);
}

/* ---- in the session's place ---- */

static void adopt(struct nb_actor_id id)
{
    ck_assert_uint_lt(actor_count, ACTORS);
    actors[actor_count++] = id;
}

static void take_event(struct nb_event_message *event)
{
    if (driver_on_event)
        driver_on_event(event);
    if (event->event->index == NB_EVENT_SERVER_CONNECTION) {
        driver_accepted = event->actor;
        adopt(event->actor);
        event->actor = NB_NOBODY;
    }
    if (event->event->index == NB_EVENT_SOCKET_DATA)
        nb_account_take_data(driver_account, event->body.data.data.length);
    if (event->event->body == &nb_shape_ConnectionAttempt)
        note_attempt(event);
    else
        note_event(event);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    (void)self;
    const struct nb_message_class *class = (*message)->class;
    if (has_left)
        return;
    if (class == &nb_event_class)
        take_event((struct nb_event_message *)*message);
    else if (class == &nb_response_class)
        note_response((struct nb_response *)*message);
    else if (class == &nb_farewell_class)
        note("farewell %" PRIu64, ((struct nb_farewell *)*message)->name);
    else if (class == &nb_relief_class)
        note("relief");
}

static void stop(struct nb_actor *self)
{
    has_stopped = true;
    nb_actor_finish(self);
}

static const struct nb_actor_class driver_class = {
    .name = "driver", .size = sizeof(struct nb_actor), .receive = receive, .stop = stop};

void driver_start(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    ck_assert_int_eq(nb_resolver_start(), 0);
    driver_loop = &runtime.loops[0];
    driver = nb_actor_new(driver_loop, &driver_class);
    driver_account = nb_account_new(driver_loop, driver->id);
    driver_account->lookups = nb_lookup_line_new(0, 100);
    driver_account->max_sockets = 1000;
    driver_account->read_chunk = 65536;
    driver_account->in_flight_max = 1 << 20;
    has_left = has_stopped = false;
    actor_count = written = read_so_far = 0;
}

void driver_leave(void)
{
    has_left = true;
    driver_account->session = NB_NOBODY;
    for (unsigned i = 0; i < actor_count; i++)
        nb_stop(driver_loop, actors[i]);
}

static bool is_alone(void *context)
{
    (void)context;
    return driver_loop->actor_count == (has_stopped ? 0 : 1) && nb_lookups_under_way() == 0;
}

void driver_end(void)
{
    if (!has_left)
        driver_leave();
    turn_until(driver_loop, is_alone, NULL);
    ck_assert_uint_eq(driver_account->unflushed, 0);
    ck_assert_ptr_null(driver_account->debts);
    ck_assert_uint_eq(driver_account->active, 0);
    ck_assert_uint_eq(driver_account->sockets, 0);
    ck_assert_uint_eq(driver_account->servers, 0);
    ck_assert_uint_eq(driver_account->shares, 1);
    nb_account_unref(driver_account);
    if (!has_stopped)
        nb_actor_stop(driver);
    nb_resolver_finish();
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    nb_runtime_finish(&runtime);
}

struct nb_actor_id driver_socket(uint64_t name)
{
    struct nb_socket *socket = nb_socket_new(driver_account, name);
    ck_assert_ptr_nonnull(socket);
    adopt(socket->actor.id);
    return socket->actor.id;
}

struct nb_actor_id driver_server(uint64_t name)
{
    struct nb_server *server = nb_server_new(driver_account, name);
    ck_assert_ptr_nonnull(server);
    adopt(server->actor.id);
    return server->actor.id;
}

struct nb_socket *driver_look(struct nb_actor_id id)
{
    return (struct nb_socket *)nb_loop_find(driver_loop, id);
}

bool driver_is_gone(struct nb_actor_id id)
{
    turn_until_quiet(driver_loop);
    return nb_loop_find(driver_loop, id) == NULL;
}

/* ---- commands ---- */

/* As a session charges the payload of a write, until it is the socket's debt. */
static void charge(struct nb_command *command)
{
    command->charged = command->params.socket_write.data.length;
    if (!command->charged)
        return;
    nb_account_charge(driver_account, command->charged);
    command->account = nb_account_ref(driver_account);
}

/* Of the next command. */
static int given_fd = -1;
static struct nb_actor_id given_lender;

void driver_give(int fd, struct nb_actor_id lender)
{
    given_fd = fd;
    given_lender = lender;
}

void driver_send(struct nb_actor_id to, uint32_t msgid, enum nb_method_index index, nb_handler *run,
                 const void *params)
{
    struct nb_command *command = nb_command_new(driver_loop);
    const struct nb_method *method = &nb_methods[index];
    command->run = run;
    command->reply = (struct nb_reply_to){
        .session = driver->id, .method = method, .msgid = msgid, .is_notification = msgid == 0};
    memset(&command->params, 0, method->params->size);
    if (params)
        memcpy(&command->params, params, method->params->size);
    command->has_body = params != NULL;
    command->fd = given_fd;
    command->lender = given_lender;
    given_fd = -1;
    given_lender = NB_NOBODY;
    if (nb_shape_is_payload(method->params))
        charge(command);
    nb_send(driver_loop, to, &command->message);
}

void connect_to_port(struct nb_actor_id socket, uint32_t msgid, uint16_t port)
{
    nb_SocketConnect params = {.host = nb_slice_of("127.0.0.1"), .has_port = true, .port = port};
    DRIVE(socket, msgid, SOCKET_CONNECT, socket_connect, &params);
}

void write_bytes(struct nb_actor_id socket, uint32_t msgid, const void *data, size_t length)
{
    nb_SocketWrite params = {.data = {data, length}};
    DRIVE(socket, msgid, SOCKET_WRITE, socket_write, &params);
}

void write_text(struct nb_actor_id socket, uint32_t msgid, const char *text)
{
    write_bytes(socket, msgid, text, strlen(text));
}

void end_socket(struct nb_actor_id socket, uint32_t msgid)
{
    DRIVE(socket, msgid, SOCKET_END, socket_end, NULL);
}

void destroy_socket(struct nb_actor_id socket, uint32_t msgid)
{
    DRIVE(socket, msgid, SOCKET_DESTROY, socket_destroy, NULL);
}

/* ---- expectations ---- */

static bool has_line(void *context)
{
    (void)context;
    return read_so_far < written;
}

void expect_line(const char *pattern)
{
    turn_until(driver_loop, has_line, NULL);
    const char *line = journal[read_so_far++];
    ck_assert_msg(text_matches(line, pattern), "expected \"%s\", got \"%s\"", pattern, line);
}

void expect_data(uint64_t name, size_t length)
{
    char pattern[40];
    snprintf(pattern, sizeof pattern, "data %" PRIu64 " *", name);
    for (size_t got = 0; got < length;) {
        expect_line(pattern);
        got += data_lengths[read_so_far - 1];
        ck_assert_uint_le(got, length);
    }
}

void expect_silence(void)
{
    turn_until_quiet(driver_loop);
    ck_assert_msg(read_so_far == written, "unexpected: %s", journal[read_so_far]);
}
