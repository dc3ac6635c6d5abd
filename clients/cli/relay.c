#include "relay.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10, PENDING_HIGH = 256 << 10, PENDING_LOW = 64 << 10 };

void nb_cli_relay_init(struct nb_cli_relay *relay, const struct nb_cli_options *options)
{
    *relay = (struct nb_cli_relay){.options = options};
}

void nb_cli_relay_finish(struct nb_cli_relay *relay)
{
    free(relay->pending);
}

static void give_up(struct nb_cli_relay *relay, const char *what, int error)
{
    nb_cli_complain(what, error);
    relay->status = NB_CLI_LOCAL;
    relay->head = relay->length = 0;
    relay->input_ended = true;
    if (relay->socket)
        netbroker_socket_destroy(relay->socket);
}

/* ---- stdin -> socket ---- */

static void end_if_over(struct nb_cli_relay *relay)
{
    /* A listener that goes on belongs to whoever comes next: stdin cannot keep it. */
    if (relay->socket && (relay->input_ended || (relay->keep_stdout && relay->peer_ended)))
        netbroker_socket_end(relay->socket);
}

static void read_input(struct nb_cli_relay *relay)
{
    char buffer[READ_SIZE];
    ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);
    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (length < 0) {
        give_up(relay, "stdin", -errno);
        return;
    }
    relay->input_ended = length == 0;
    int result = length > 0 ? netbroker_socket_write(relay->socket, buffer, (size_t)length) : 0;
    relay->must_wait = result == 1;
    /* -EPIPE: the connection has just failed, and its close event is on the way. */
    if (result < 0 && result != -EPIPE && result != -ENOTCONN)
        give_up(relay, "cannot send", result);
    end_if_over(relay);
}

static void on_drain(struct netbroker_socket *socket, void *context)
{
    ((struct nb_cli_relay *)context)->must_wait = false;
}

/* ---- socket -> stdout ---- */

static bool make_room(struct nb_cli_relay *relay, size_t length)
{
    if (relay->head > 0) {
        relay->length -= relay->head;
        memmove(relay->pending, relay->pending + relay->head, relay->length);
        relay->head = 0;
    }
    if (relay->capacity - relay->length >= length)
        return true;
    size_t capacity = relay->capacity ? relay->capacity : PENDING_HIGH;
    while (capacity < relay->length + length)
        capacity *= 2;
    char *pending = realloc(relay->pending, capacity);
    if (!pending)
        return false;
    relay->pending = pending;
    relay->capacity = capacity;
    return true;
}

static void pace(struct nb_cli_relay *relay)
{
    size_t waiting = relay->length - relay->head;
    if (!relay->socket)
        return;
    if (!relay->paused && waiting >= PENDING_HIGH)
        relay->paused = netbroker_socket_pause(relay->socket) == 0;
    else if (relay->paused && waiting <= PENDING_LOW)
        relay->paused = netbroker_socket_resume(relay->socket) != 0;
}

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    struct nb_cli_relay *relay = context;
    if (relay->capacity - relay->length < length && !make_room(relay, length)) {
        give_up(relay, "stdout", -ENOMEM);
        return;
    }
    memcpy(relay->pending + relay->length, bytes, length);
    relay->length += length;
    pace(relay);
}

/* Standard input may be the same socket and hold it open: so it is shut, too. */
static void close_output(struct nb_cli_relay *relay)
{
    if (!relay->peer_ended || relay->keep_stdout || relay->head != relay->length)
        return;
    shutdown(STDOUT_FILENO, SHUT_WR);
    close(STDOUT_FILENO);
}

/* At most PIPE_BUF at a time: after POLLOUT a pipe takes that without blocking, so the session goes on. */
static void write_output(struct nb_cli_relay *relay)
{
    size_t waiting = relay->length - relay->head;
    ssize_t written =
        write(STDOUT_FILENO, relay->pending + relay->head, waiting < PIPE_BUF ? waiting : PIPE_BUF);
    if (written < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (written < 0) {
        give_up(relay, "stdout", -errno);
        return;
    }
    relay->head += (size_t)written;
    if (relay->head == relay->length)
        relay->head = relay->length = 0;
    pace(relay);
    close_output(relay);
}

static void on_end(struct netbroker_socket *socket, void *context)
{
    struct nb_cli_relay *relay = context;
    relay->peer_ended = true;
    close_output(relay);
    end_if_over(relay);
}

/* ---- life of the connection ---- */

static void on_connect(struct netbroker_socket *socket, void *context)
{
    struct nb_cli_relay *relay = context;
    const struct netbroker_endpoint *peer = &netbroker_socket_endpoints(socket)->remote;
    if (relay->options->verbose && peer->family)
        fprintf(stderr, "connected to %s port %u\n", peer->address, peer->port);
    else if (relay->options->verbose)
        fprintf(stderr, "connected\n");
}

static void on_error(struct netbroker_socket *socket, void *context, const struct netbroker_error *error)
{
    struct nb_cli_relay *relay = context;
    if (!error->fatal)
        relay->status = nb_cli_report(relay->options, error);
}

static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    struct nb_cli_relay *relay = context;
    relay->socket = NULL;
    if (relay->options->verbose)
        fprintf(stderr, "closed: %llu bytes in, %llu bytes out\n", (unsigned long long)closed->bytes_read,
                (unsigned long long)closed->bytes_written);
}

const struct netbroker_socket_events nb_cli_relay_events = {
    .on_connect = on_connect,
    .on_data = on_data,
    .on_drain = on_drain,
    .on_end = on_end,
    .on_error = on_error,
    .on_close = on_close,
};

void nb_cli_relay_join(struct nb_cli_relay *relay, struct netbroker_socket *socket)
{
    relay->socket = socket;
    relay->must_wait = relay->paused = relay->peer_ended = false;
    netbroker_socket_set_events(socket, &nb_cli_relay_events, relay);
    end_if_over(relay);
}

bool nb_cli_relay_is_done(const struct nb_cli_relay *relay)
{
    return !relay->socket && relay->head == relay->length;
}

/* ---- polling ---- */

void nb_cli_relay_prepare(const struct nb_cli_relay *relay, struct pollfd polls[NB_CLI_RELAY_POLLS])
{
    bool reads = relay->socket && !relay->input_ended && !relay->must_wait;
    bool writes = relay->head < relay->length;
    polls[0] = (struct pollfd){reads ? STDIN_FILENO : -1, POLLIN, 0};
    polls[1] = (struct pollfd){writes ? STDOUT_FILENO : -1, POLLOUT, 0};
}

void nb_cli_relay_run(struct nb_cli_relay *relay, const struct pollfd polls[NB_CLI_RELAY_POLLS])
{
    if (polls[0].revents && relay->socket && !relay->input_ended)
        read_input(relay);
    if (polls[1].revents && relay->head < relay->length)
        write_output(relay);
}

int nb_cli_relay_turn(struct nb_cli_relay *relay, struct netbroker_session *session)
{
    struct pollfd polls[1 + NB_CLI_RELAY_POLLS];
    netbroker_flush(session);
    polls[0] = (struct pollfd){netbroker_fd(session), netbroker_events(session), 0};
    nb_cli_relay_prepare(relay, polls + 1);
    if (poll(polls, 1 + NB_CLI_RELAY_POLLS, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    nb_cli_relay_run(relay, polls + 1);
    return polls[0].revents ? netbroker_dispatch(session) : 0;
}
