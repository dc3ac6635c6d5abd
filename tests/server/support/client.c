#include "client.h"

#include "log.h"
#include "notation.h"
#include "offering.h"
#include "resolver.h"
#include "sockets.h"
#include "turns.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <msgpack.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG_BIN = 48, WATCHED_FD = 200 };

struct nb_limits broker_limits = NB_LIMITS_DEFAULT;
struct nb_loop *broker_loop;

struct nb_lists broker_lists;
static struct nb_groups groups;

static struct nb_runtime runtime;
static struct nb_actor_id host;
static atomic_uint load, uid_load;
static uint64_t serial;

/* ---- the broker ---- */

void broker_start(void)
{
    nb_log_set_level(NB_LOG_ERROR);
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    ck_assert_int_eq(nb_resolver_start(), 0);
    broker_loop = &runtime.loops[0];
    nb_lists_init(&broker_lists, broker_limits.max_block_lists, broker_limits.max_rules);
    nb_groups_init(&groups);
    struct nb_host *new = nb_host_new(broker_loop, &broker_limits, &broker_lists, &groups);
    ck_assert_ptr_nonnull(new);
    host = new->actor.id;
}

void broker_grow_watchers(void)
{
    uv_poll_t poll;
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int high = fcntl(pair[0], F_DUPFD_CLOEXEC, WATCHED_FD);
    ck_assert_int_ge(high, WATCHED_FD);
    ck_assert_int_eq(uv_poll_init(&broker_loop->uv, &poll, high), 0);
    ck_assert_int_eq(uv_poll_start(&poll, UV_READABLE, NULL), 0);
    uv_close((uv_handle_t *)&poll, NULL);
    turn_until_quiet(broker_loop);
    close(high);
    close(pair[0]);
    close(pair[1]);
}

static bool all_are_gone(void *context)
{
    (void)context;
    return broker_loop->actor_count == 0 && nb_lookups_under_way() == 0;
}

static struct nb_host *find_host(void)
{
    return (struct nb_host *)nb_loop_find(broker_loop, host);
}

struct nb_session *broker_session(void)
{
    turn_until_quiet(broker_loop);
    const struct nb_host *found = find_host();
    ck_assert_uint_gt(found->count, 0);
    return (struct nb_session *)nb_loop_find(broker_loop, found->sessions[found->count - 1]);
}

unsigned broker_session_count(void)
{
    turn_until_quiet(broker_loop);
    return find_host() ? find_host()->count : 0;
}

unsigned broker_load(void)
{
    return atomic_load(&load);
}

void broker_announce_closing(const char *reason, uint32_t deadline)
{
    struct nb_closing_notice *notice = nb_message_new(broker_loop, &nb_closing_class);
    ck_assert_ptr_nonnull(notice);
    notice->reason = reason;
    notice->deadline = deadline;
    nb_send(broker_loop, host, &notice->message);
}

static bool host_is_gone(void *context)
{
    (void)context;
    return !find_host();
}

void broker_wait_for_its_end(void)
{
    turn_until(broker_loop, host_is_gone, NULL);
    nb_offerings_end(broker_loop);
    turn_until(broker_loop, all_are_gone, NULL);
    ck_assert_uint_eq(atomic_load(&load), 0);
    ck_assert_uint_eq(atomic_load(&uid_load), 0);
    nb_resolver_finish();
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    nb_runtime_finish(&runtime);
    nb_lists_finish(&broker_lists);
    nb_groups_finish(&groups);
}

void broker_end(void)
{
    nb_stop(broker_loop, host);
    broker_wait_for_its_end();
}

/* ---- clients ---- */

void client_open_as(struct client *client, struct nb_rights rights)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    struct nb_newcomer *newcomer = nb_message_new(broker_loop, &nb_newcomer_class);
    ck_assert_ptr_nonnull(newcomer);
    newcomer->fd = pair[0];
    newcomer->peer = (struct ucred){.pid = getpid(), .uid = getuid(), .gid = getgid()};
    newcomer->rights = rights;
    newcomer->serial = ++serial;
    newcomer->places = (struct nb_places){&load, &uid_load};
    nb_places_take(&newcomer->places);
    nb_send(broker_loop, host, &newcomer->message);
    *client = (struct client){.fd = pair[1]};
}

void client_open(struct client *client)
{
    client_open_as(client,
                   (struct nb_rights){.unix_paths = true, .low_ports = true, .bind = true, .all_fds = true});
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->data);
    client->fd = -1;
    client->data = NULL;
    client->length = client->capacity = 0;
}

/* ---- sending ---- */

void client_send_bytes(struct client *client, const void *data, size_t length)
{
    const uint8_t *at = data;
    while (length) {
        ssize_t sent = send(client->fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            turn_until_ready(broker_loop, client->fd, POLLOUT);
            continue;
        }
        if (sent < 0)
            return; /* the broker has closed, which receiving shows */
        at += sent;
        length -= (size_t)sent;
    }
}

void client_send(struct client *client, const char *format, ...)
{
    char text[FRAME_TEXT];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert_int_lt(length, sizeof text);
    struct nb_slice frame = notation(text);
    client_send_bytes(client, frame.data, frame.length);
    free((void *)frame.data);
}

/* Room for the descriptors and the first byte is room for a byte; the rest may take its time. */
static void send_bytes_and_fds(struct client *client, struct nb_slice frame, const int *fds, unsigned count)
{
    ssize_t sent;
    while ((sent = send_with_fds(client->fd, frame.data, frame.length, fds, count)) == -EAGAIN)
        turn_until_ready(broker_loop, client->fd, POLLOUT);
    if (sent > 0)
        client_send_bytes(client, frame.data + sent, frame.length - (size_t)sent);
}

void client_send_fds(struct client *client, const int *fds, unsigned count, const char *format, ...)
{
    char text[FRAME_TEXT];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert_int_lt(length, sizeof text);
    struct nb_slice frame = notation(text);
    send_bytes_and_fds(client, frame, fds, count);
    free((void *)frame.data);
}

void client_open_for_fds(struct client *client)
{
    client_open(client);
    client_ask(client, "[0,0,'session.hello',[0,{'features':['fds']}]]", "[1,0,nil,{*'features':['fds']*");
}

void client_send_write(struct client *client, uint64_t socket, const void *data, size_t length)
{
    char text[64];
    uint8_t head[80];
    snprintf(text, sizeof text, "[2,'socket.write',[%" PRIu64 ",nil]]", socket);
    struct nb_slice frame = notation(text);
    size_t used = frame.length - 1;
    memcpy(head, frame.data, used);
    free((void *)frame.data);
    head[used++] = 0xc6;
    for (int shift = 24; shift >= 0; shift -= 8)
        head[used++] = (uint8_t)(length >> shift);
    client_send_bytes(client, head, used);
    client_send_bytes(client, data, length);
}

/* ---- showing ---- */

static void show_bin(FILE *out, const msgpack_object_bin *bin)
{
    if (bin->size > LONG_BIN) {
        fprintf(out, "x(%u)", bin->size);
        return;
    }
    fprintf(out, "x'%s'", hex((const uint8_t *)bin->ptr, bin->size));
}

static void show(FILE *out, const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        fprintf(out, "nil");
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        fprintf(out, object->via.boolean ? "true" : "false");
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        fprintf(out, "%" PRIu64, object->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        fprintf(out, "%" PRId64, object->via.i64);
        break;
    case MSGPACK_OBJECT_STR:
        fprintf(out, "'%.*s'", (int)object->via.str.size, object->via.str.ptr);
        break;
    case MSGPACK_OBJECT_BIN:
        show_bin(out, &object->via.bin);
        break;
    case MSGPACK_OBJECT_ARRAY:
        fprintf(out, "[");
        for (uint32_t i = 0; i < object->via.array.size; i++) {
            fprintf(out, i ? "," : "");
            show(out, &object->via.array.ptr[i]);
        }
        fprintf(out, "]");
        break;
    case MSGPACK_OBJECT_MAP:
        fprintf(out, "{");
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            fprintf(out, i ? "," : "");
            show(out, &object->via.map.ptr[i].key);
            fprintf(out, ":");
            show(out, &object->via.map.ptr[i].val);
        }
        fprintf(out, "}");
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        fprintf(out, "%g", object->via.f64);
        break;
    default:
        fprintf(out, "?");
        break;
    }
}

/* ---- receiving ---- */

typedef void take(struct client *client, const msgpack_object *frame);

/* Gives the first whole frame to take; false: there is none. */
static bool take_frame(struct client *client, take *take_it)
{
    size_t used = 0;
    msgpack_unpacked result;
    msgpack_unpacked_init(&result);
    msgpack_unpack_return status =
        msgpack_unpack_next(&result, (const char *)client->data, client->length, &used);
    if (status == MSGPACK_UNPACK_SUCCESS) {
        take_it(client, &result.data);
        client->length -= used;
        memmove(client->data, client->data + used, client->length);
    }
    msgpack_unpacked_destroy(&result);
    ck_assert_int_ne(status, MSGPACK_UNPACK_PARSE_ERROR);
    return status == MSGPACK_UNPACK_SUCCESS;
}

static void take_text(struct client *client, const msgpack_object *frame)
{
    FILE *out = fmemopen(client->text, sizeof client->text, "w");
    show(out, frame);
    fclose(out);
}

/* 1: got some, 0: the end, -1: nothing there. */
static int receive_some(struct client *client)
{
    if (client->capacity - client->length < 65536) {
        client->capacity = 2 * client->capacity + 131072;
        client->data = realloc(client->data, client->capacity);
        ck_assert_ptr_nonnull(client->data);
    }
    ssize_t length = recv(client->fd, client->data + client->length, client->capacity - client->length, 0);
    if (length > 0)
        client->length += (size_t)length;
    if (length < 0 && errno != EAGAIN)
        return 0; /* reset: the broker has closed with something of ours unread */
    return length > 0 ? 1 : (int)length;
}

/* False: the broker has closed. */
static bool receive_frame(struct client *client, take *take_it)
{
    while (!client->length || !take_frame(client, take_it)) {
        int status = receive_some(client);
        if (status == 0) {
            ck_assert_uint_eq(client->length, 0);
            return false;
        }
        if (status < 0)
            turn_until_ready(broker_loop, client->fd, POLLIN);
    }
    return true;
}

const char *client_receive(struct client *client)
{
    return receive_frame(client, take_text) ? client->text : strcpy(client->text, "end");
}

static struct {
    void *to;
    size_t size, length;
} payload;

static void take_payload(struct client *client, const msgpack_object *frame)
{
    (void)client;
    const msgpack_object_array *fields = &frame->via.array;
    const msgpack_object_str *name = &fields->ptr[1].via.str;
    if (name->size != strlen("socket.data") || memcmp(name->ptr, "socket.data", name->size) != 0)
        return;
    const msgpack_object_bin *bin = &fields->ptr[2].via.array.ptr[1].via.bin;
    ck_assert_uint_le(bin->size, payload.size);
    memcpy(payload.to, bin->ptr, bin->size);
    payload.length = bin->size;
}

size_t client_receive_data(struct client *client, void *ret_payload, size_t size)
{
    payload.to = ret_payload;
    payload.size = size;
    payload.length = 0;
    while (!payload.length)
        ck_assert(receive_frame(client, take_payload));
    return payload.length;
}

void client_expect(struct client *client, const char *pattern)
{
    const char *text = client_receive(client);
    ck_assert_msg(text_matches(text, pattern), "expected %s, got %s", pattern, text);
}

void client_expect_soon(struct client *client, const char *pattern)
{
    while (!text_matches(client_receive(client), pattern))
        ck_assert_msg(strcmp(client->text, "end") != 0, "%s never came", pattern);
}

void client_ask(struct client *client, const char *request, const char *answer)
{
    client_send(client, "%s", request);
    client_expect(client, answer);
}

bool client_hears_nothing(struct client *client)
{
    turn_until_quiet(broker_loop);
    return !client->length && receive_some(client) < 0;
}

uint64_t client_number(const struct client *client, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "'%s':", name);
    const char *at = strstr(client->text, key);
    ck_assert_msg(at != NULL, "no %s in %s", name, client->text);
    return strtoull(at + strlen(key), NULL, 10);
}
