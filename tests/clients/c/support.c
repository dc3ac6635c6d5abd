#include "support.h"

#include "json.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEST_SECONDS = 60 };

int run_suite(const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, TEST_SECONDS);
    for (; *tests; tests++)
        tcase_add_test(all, *tests);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* ---- memory ---- */

static void *resize(void *context, void *block, size_t size)
{
    struct counted_memory *memory = context;
    if (size == 0) {
        memory->live -= block != NULL;
        free(block);
        return NULL;
    }
    memory->allocations++;
    if (memory->fail_at && memory->allocations >= memory->fail_at)
        return NULL;
    memory->live += block == NULL;
    return realloc(block, size);
}

void counted_memory_init(struct counted_memory *memory)
{
    *memory = (struct counted_memory){.allocator = {resize, memory}};
}

/* ---- callbacks ---- */

void note(struct record *record, const char *format, ...)
{
    size_t used = strlen(record->text);
    if (used > 0)
        used += (size_t)snprintf(record->text + used, sizeof record->text - used, "; ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(record->text + used, sizeof record->text - used, format, arguments);
    va_end(arguments);
}

void expect_record(struct record *record, const char *text)
{
    ck_assert_str_eq(record->text, text);
    record->text[0] = '\0';
}

static unsigned long long id_of(const struct netbroker_socket *socket)
{
    return netbroker_socket_id(socket);
}

static void on_session_error(struct netbroker_session *session, void *context,
                             const struct netbroker_error *error)
{
    note(context, "session %s %s", error->fatal ? "fatal" : "error", error->code);
}

static void on_idle(struct netbroker_session *session, void *context)
{
    note(context, "idle");
}

static void on_closing(struct netbroker_session *session, void *context, uint32_t deadline)
{
    note(context, "closing %u", deadline);
}

const struct netbroker_session_events recorded_session = {
    .on_error = on_session_error, .on_idle = on_idle, .on_closing = on_closing};

static void on_connect(struct netbroker_socket *socket, void *context)
{
    note(context, "connect %llu", id_of(socket));
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    note(context, "data %llu %.*s", id_of(socket), (int)length, (const char *)bytes);
}

static void on_drain(struct netbroker_socket *socket, void *context)
{
    note(context, "drain %llu", id_of(socket));
}

static void on_end(struct netbroker_socket *socket, void *context)
{
    note(context, "end %llu", id_of(socket));
}

static void on_timeout(struct netbroker_socket *socket, void *context)
{
    note(context, "timeout %llu", id_of(socket));
}

static void on_error(struct netbroker_socket *socket, void *context, const struct netbroker_error *error)
{
    note(context, "error %llu %s", id_of(socket), error->code);
}

static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    note(context, "close %llu%s", id_of(socket), closed->had_error ? " with error" : "");
}

const struct netbroker_socket_events recorded_socket = {
    .on_connect = on_connect,
    .on_data = on_data,
    .on_drain = on_drain,
    .on_end = on_end,
    .on_timeout = on_timeout,
    .on_error = on_error,
    .on_close = on_close,
};

static void on_listening(struct netbroker_server *server, void *context,
                         const struct netbroker_address *address)
{
    note(context, "listening %s", address->path[0] ? address->path : address->address);
}

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *socket)
{
    struct record *record = context;
    record->accepted = socket;
    netbroker_socket_set_events(socket, &recorded_socket, record);
    note(record, "connection %llu", id_of(socket));
}

static void on_drop(struct netbroker_server *server, void *context,
                    const struct netbroker_endpoints *endpoints)
{
    note(context, "drop %s", endpoints->remote.address);
}

static void on_server_error(struct netbroker_server *server, void *context,
                            const struct netbroker_error *error)
{
    note(context, "server error %s", error->code);
}

static void on_server_close(struct netbroker_server *server, void *context)
{
    note(context, "server close");
}

const struct netbroker_server_events recorded_server = {
    .on_listening = on_listening,
    .on_connection = on_connection,
    .on_drop = on_drop,
    .on_error = on_server_error,
    .on_close = on_server_close,
};

void recorded_reply(struct netbroker_session *session, void *context, const struct netbroker_reply *reply)
{
    if (reply->error)
        note(context, "reply error %s", reply->error->code);
    else
        note(context, "reply %zu bytes", reply->result_length);
}

/* ---- a broker played by the test ---- */

struct netbroker_packer pack_text(const char *text)
{
    struct netbroker_packer packer = {0};
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
    ck_assert_msg(value != NULL, "%s: %s", text, error.text);
    ck_assert(nb_cli_pack_json(&packer, value));
    json_decref(value);
    return packer;
}

int fake_broker_send(struct fake_broker *broker, const void *bytes, size_t length)
{
    ck_assert_int_eq(send(broker->fd, bytes, length, MSG_NOSIGNAL), length);
    return netbroker_dispatch(broker->session);
}

int fake_broker_say(struct fake_broker *broker, const char *frame)
{
    struct netbroker_packer packer = pack_text(frame);
    int result = fake_broker_send(broker, packer.bytes, packer.length);
    netbroker_packer_free(&packer);
    return result;
}

/* Takes what the session has to send. False when that is nothing. */
static bool listen_more(struct fake_broker *broker)
{
    if (broker->session)
        netbroker_flush(broker->session);
    broker->length -= broker->head;
    memmove(broker->heard, broker->heard + broker->head, broker->length);
    broker->head = 0;
    ssize_t length =
        recv(broker->fd, broker->heard + broker->length, sizeof broker->heard - broker->length, MSG_DONTWAIT);
    broker->length += length > 0 ? (size_t)length : 0;
    return length > 0;
}

json_t *fake_broker_hear(struct fake_broker *broker)
{
    struct netbroker_cursor cursor;
    do {
        cursor = (struct netbroker_cursor){broker->heard + broker->head, broker->heard + broker->length};
    } while (netbroker_skip(&cursor) < 0 && listen_more(broker));
    cursor = (struct netbroker_cursor){broker->heard + broker->head, broker->heard + broker->length};
    json_t *frame = nb_cli_unpack_json(&cursor);
    if (frame)
        broker->head = (size_t)(cursor.at - broker->heard);
    return frame;
}

/* Whether `actual` is `expected`, in which "*" stands for any value. */
static bool matches(const json_t *expected, const json_t *actual)
{
    if (json_is_string(expected) && strcmp(json_string_value(expected), "*") == 0)
        return true;
    if (!json_is_array(expected) || !json_is_array(actual))
        return json_equal(expected, actual);
    bool same = json_array_size(expected) == json_array_size(actual);
    for (size_t i = 0; same && i < json_array_size(expected); i++)
        same = matches(json_array_get(expected, i), json_array_get(actual, i));
    return same;
}

void fake_broker_expect(struct fake_broker *broker, const char *frame)
{
    json_t *actual = fake_broker_hear(broker), *expected = json_loads(frame, 0, NULL);
    ck_assert_msg(expected != NULL, "no JSON: %s", frame);
    char *text = actual ? json_dumps(actual, 0) : strdup("nothing");
    ck_assert_msg(actual && matches(expected, actual), "expected %s, got %.2000s", frame, text);
    free(text);
    json_decref(actual);
    json_decref(expected);
}

void fake_broker_expect_nothing(struct fake_broker *broker)
{
    json_t *frame = fake_broker_hear(broker);
    char *text = frame ? json_dumps(frame, 0) : NULL;
    ck_assert_msg(frame == NULL, "expected nothing, got %.200s", text);
}

void fake_broker_open(struct fake_broker *broker, const struct netbroker_options *options,
                      const char *welcome)
{
    int pair[2];
    struct netbroker_options filled = options ? *options : (struct netbroker_options){0};
    memset(broker, 0, sizeof *broker);
    counted_memory_init(&broker->memory);
    broker->descriptors = count_descriptors();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    broker->fd = pair[0];
    filled.allocator = &broker->memory.allocator;
    filled.events = &recorded_session;
    filled.context = &broker->record;
    ck_assert_int_eq(netbroker_open(pair[1], &filled, &broker->session), 0);
    fake_broker_expect(broker, "[0, 0, \"session.hello\", [0, \"*\"]]");
    char answer[512];
    snprintf(answer, sizeof answer, "[1, 0, null, %s]", welcome);
    ck_assert_int_eq(fake_broker_say(broker, answer), 0);
}

void fake_broker_close(struct fake_broker *broker)
{
    netbroker_free(broker->session);
    close(broker->fd);
    ck_assert_int_eq(broker->memory.live, 0);
    ck_assert_int_eq(count_descriptors(), broker->descriptors);
}
