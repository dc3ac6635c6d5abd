#include "socket.h"

#include "attach.h"
#include "loan.h"
#include "resolver.h"
#include "socket_channel.h"
#include "socket_internal.h"
#include "transfer.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

enum { LINGER_LIMIT = 5000 }; /* ms that a session's last bytes may take after its end */

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);
static void finish_dial(struct nb_flush *flush);

static const struct nb_actor_class socket_class = {
    .name = "socket", .size = sizeof(struct nb_socket), .receive = receive, .stop = stop};

const struct nb_message_class nb_stalled_class = {.name = "stalled", .size = sizeof(struct nb_message)};

/* ---- making ---- */

static void wake_at_gate(struct nb_waiter *waiter)
{
    nb_socket_update_reading((struct nb_socket *)((char *)waiter - offsetof(struct nb_socket, at_gate)));
}

static void on_lingering_cut(struct nb_lingerer *lingerer);

struct nb_socket *nb_socket_new(struct nb_account *account, uint64_t name)
{
    struct nb_socket *socket = nb_actor_new(account->loop, &socket_class);
    if (!socket)
        return NULL;
    socket->account = nb_account_ref(account);
    socket->name = name;
    nb_command_list_init(&socket->requests);
    socket->at_gate.wake = wake_at_gate;
    socket->lingerer.cut = on_lingering_cut;
    socket->debt.socket = socket->actor.id;
    socket->end_of_dial.run = finish_dial;
    socket->timeout = -1;
    socket->read_chunk = account->read_chunk;
    socket->high_water_mark = NB_HIGH_WATER_MARK;
    nb_flow_init(socket);
    nb_socket_read_init(socket);
    socket->auto_release = socket->is_refed = true;
    nb_account_add_socket(account);
    return socket;
}

struct nb_socket *nb_socket_accept(struct nb_account *account, uint64_t name, uint64_t server, int fd,
                                   const struct nb_endpoint *remote, const struct nb_accept_options *options)
{
    struct nb_socket *socket = nb_socket_new(account, name);
    if (!socket) {
        close(fd);
        return NULL;
    }
    socket->server = server;
    socket->is_pipe = options->is_pipe;
    socket->allow_half_open = options->allow_half_open;
    socket->is_paused = options->pause_on_connect;
    socket->options = options->options;
    socket->read_chunk = options->read_chunk;
    socket->high_water_mark = options->high_water_mark;
    nb_flow_set_window(socket, options->read_window);
    socket->remote = *remote;
    nb_stream_init(&socket->stream, account->loop, &nb_socket_stream_ops, true);
    socket->stream.is_foreign = options->is_foreign;
    if (nb_stream_open(&socket->stream, fd) < 0) {
        close(fd);
        nb_actor_stop(&socket->actor);
        return NULL;
    }
    socket->stream_in_use = true;
    nb_socket_opened(socket);
    return socket;
}

/* ---- open requests ---- */

struct nb_command *nb_socket_next_request(struct nb_socket *socket)
{
    return nb_command_list_take(&socket->requests);
}

static bool is_connect(const struct nb_command *command)
{
    return command->reply.method->index == NB_METHOD_SOCKET_CONNECT ||
           command->reply.method->index == NB_METHOD_NET_CREATE_CONNECTION;
}

/* One connect at a time is kept in any case: it knows whether the client is to be told the new id. */
void nb_socket_keep_request(struct nb_socket *socket, struct nb_command *command)
{
    if (command->reply.is_notification && !is_connect(command))
        nb_message_dispose(socket->actor.loop, &command->message);
    else
        nb_command_list_add(&socket->requests, command);
}

static bool is_destroy(const struct nb_command *command)
{
    return command->reply.method->index == NB_METHOD_SOCKET_DESTROY ||
           command->reply.method->index == NB_METHOD_SOCKET_RESET_AND_DESTROY;
}

/* The answer to a request that is still open when the socket closes. */
static struct nb_failure *verdict(const struct nb_socket *socket, const struct nb_command *command)
{
    if (command->failure)
        return nb_failure_ref(command->failure);
    if (is_connect(command))
        return socket->failure ? nb_failure_ref(socket->failure) : nb_failure_socket_closed();
    bool is_end = command->reply.method->index == NB_METHOD_SOCKET_END;
    return nb_failure_destroyed(is_end ? "end" : "write");
}

static void answer_request(struct nb_socket *socket, struct nb_command *command)
{
    struct nb_loop *loop = socket->actor.loop;
    if (is_destroy(command) && !command->failure)
        nb_reply_done(loop, &command->reply);
    else
        nb_reply_fail(loop, &command->reply, verdict(socket, command));
    nb_message_dispose(loop, &command->message);
}

static void answer_requests(struct nb_socket *socket)
{
    struct nb_command *command;
    while ((command = nb_socket_next_request(socket)))
        answer_request(socket, command);
}

/* ---- life ---- */

void nb_socket_update_activity(struct nb_socket *socket)
{
    bool is_open = socket->state != NB_SOCKET_FRESH && socket->state != NB_SOCKET_CLOSED;
    bool counts = is_open && socket->is_refed;
    if (counts == socket->is_counted)
        return;
    socket->is_counted = counts;
    if (counts)
        nb_account_activate(socket->account);
    else
        nb_account_deactivate(socket->account);
}

void nb_socket_opened(struct nb_socket *socket)
{
    socket->state = NB_SOCKET_OPEN;
    nb_socket_unbind(socket);
    if (!socket->is_pipe)
        nb_endpoint_of_local(socket->stream.fd, &socket->local);
    nb_options_apply(&socket->options, socket->stream.fd);
    nb_socket_update_activity(socket);
    nb_socket_update_reading(socket);
}

static void tell_closed(struct nb_socket *socket)
{
    if (socket->failure)
        nb_event_emit_error(socket->account, NB_EVENT_SOCKET_ERROR, socket->name, socket->failure);
    struct nb_event_message *event = nb_event_new(socket->account, NB_EVENT_SOCKET_CLOSE, socket->name);
    if (!event)
        return;
    event->body.socket_closed = (nb_SocketClosed){.has_had_error = true,
                                                  .had_error = socket->failure != NULL,
                                                  .has_bytes_read = true,
                                                  .bytes_read = socket->bytes_read,
                                                  .has_bytes_written = true,
                                                  .bytes_written = socket->bytes_written,
                                                  .has_transferred = socket->is_transferred,
                                                  .transferred = socket->is_transferred};
    nb_event_send(socket->account, event);
}

static void finish(struct nb_socket *socket)
{
    assert(!socket->stream_in_use && !socket->requests.first && !socket->offer && !socket->adoption &&
           !socket->channel);
    nb_socket_unbind(socket);
    nb_waiter_leave(&socket->at_gate);
    nb_timer_finish(&socket->timer);
    nb_account_remove_socket(socket->account);
    nb_filter_unref(socket->filter);
    nb_account_unref(socket->account);
    nb_actor_finish(&socket->actor);
}

/* The one place where a life of the socket ends. */
static void finish_closing(struct nb_socket *socket)
{
    socket->state = NB_SOCKET_CLOSED;
    tell_closed(socket);
    answer_requests(socket);
    nb_socket_update_activity(socket);
    nb_failure_unref(socket->failure);
    socket->failure = NULL;
    socket->is_transferred = false;
    nb_socket_free_channel(socket);
    nb_actor_dismiss_watchers(&socket->actor); /* the id may live on, and connect anew */
    if (socket->stop_has_begun)
        finish(socket);
    else if (socket->auto_release)
        nb_socket_leave(socket);
}

static void finish_dial(struct nb_flush *flush)
{
    finish_closing((struct nb_socket *)((char *)flush - offsetof(struct nb_socket, end_of_dial)));
}

void nb_socket_leave(struct nb_socket *socket)
{
    nb_account_say_farewell(socket->account, socket->name);
    nb_actor_stop(&socket->actor);
}

void nb_socket_close(struct nb_socket *socket, struct nb_failure *failure)
{
    if (nb_socket_is_destroyed(socket)) {
        nb_failure_unref(failure);
        return;
    }
    if (nb_socket_is_connecting(socket))
        nb_socket_answer_held(socket, failure);
    bool was_connecting = socket->state == NB_SOCKET_CONNECTING;
    socket->failure = failure;
    socket->state = NB_SOCKET_CLOSING;
    nb_socket_drop_dial(socket);
    nb_socket_unbind(socket);
    nb_waiter_leave(&socket->at_gate);
    nb_timer_stop(&socket->timer);
    nb_debt_pay(socket->account, &socket->debt, socket->debt.length);
    nb_lingering_remove(socket->actor.loop, &socket->lingerer);
    nb_flow_close(socket);
    nb_socket_drop_offer(socket);
    nb_socket_drop_unread(socket);
    nb_socket_close_channel(socket);
    if (socket->stream_in_use)
        nb_stream_close(&socket->stream);
    else if (was_connecting)
        nb_loop_flush_later(socket->actor.loop, &socket->end_of_dial);
    else
        finish_closing(socket);
}

/* What the peer has sent and nobody read would turn the close into a reset, which takes our last bytes away. */
static void close_gracefully(struct nb_socket *socket)
{
    if (!socket->has_ended)
        nb_stream_discard_input(&socket->stream);
    nb_socket_close(socket, NULL);
}

/*
 * The peer has not got everything, and is not to take what it has got for all there was. What another process has
 * too stays as it is.
 */
static void give_up(struct nb_socket *socket)
{
    if (!socket->is_pipe && !socket->ownership)
        nb_stream_linger_zero(&socket->stream);
    nb_socket_close(socket, NULL);
}

static void on_linger_limit(struct nb_timer *timer)
{
    give_up((struct nb_socket *)((char *)timer - offsetof(struct nb_socket, timer)));
}

static void on_lingering_cut(struct nb_lingerer *lingerer)
{
    give_up((struct nb_socket *)((char *)lingerer - offsetof(struct nb_socket, lingerer)));
}

/* The session is gone: what it has written still goes out, as when a process exits; nothing more is read. */
static void linger(struct nb_socket *socket)
{
    socket->is_lingering = true;
    nb_socket_update_reading(socket);
    if (nb_timer_start(&socket->timer, socket->actor.loop, LINGER_LIMIT, on_linger_limit) < 0) {
        give_up(socket);
        return;
    }
    if (!socket->is_ending)
        nb_socket_end_writing(socket);
    nb_stream_flush(&socket->stream);
    if (socket->state == NB_SOCKET_OPEN && socket->stream.queue.length)
        nb_lingering_add(socket->actor.loop, &socket->lingerer, socket->stream.queue.length);
}

/* What the client has put into a channel is as good as written. */
static void end_open(struct nb_socket *socket)
{
    if (socket->channel)
        nb_channel_part(socket->channel);
    if (socket->state != NB_SOCKET_OPEN)
        return;
    if (socket->has_finished)
        close_gracefully(socket);
    else
        linger(socket);
}

/* What is on offer, or being adopted, outlives the session: until it is settled whose it is. */
void nb_socket_wind_up(struct nb_socket *socket)
{
    switch (socket->state) {
    case NB_SOCKET_FRESH:
    case NB_SOCKET_CLOSED:
        finish(socket);
        break;
    case NB_SOCKET_RESOLVING:
    case NB_SOCKET_CONNECTING:
        nb_socket_close(socket, NULL);
        break;
    case NB_SOCKET_ADOPTING:
        break;
    case NB_SOCKET_OPEN:
        if (!socket->offer)
            end_open(socket);
        break;
    case NB_SOCKET_CLOSING:
        break;
    }
}

static void stop(struct nb_actor *self)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    socket->stop_has_begun = true;
    answer_requests(socket);
    if (socket->state == NB_SOCKET_ADOPTING)
        nb_socket_abandon_adoption(socket);
    nb_socket_wind_up(socket);
}

/* ---- the stream's news of the end ---- */

static void on_failure(struct nb_stream *stream, int status, const char *syscall)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    struct nb_failure *failure = nb_failure_system(status, syscall);
    struct nb_command *first = socket->requests.first;
    if (first && strcmp(syscall, "write") == 0)
        first->failure = nb_failure_ref(failure);
    nb_socket_close(socket, failure);
}

void nb_socket_stream_closed(struct nb_socket *socket)
{
    if (socket->state == NB_SOCKET_CLOSING && !socket->stream_in_use && !nb_socket_channel_is_in_use(socket))
        finish_closing(socket);
}

void nb_socket_on_closed(struct nb_stream *stream)
{
    struct nb_socket *socket = NB_SOCKET_OF_STREAM(stream);
    socket->stream_in_use = false;
    nb_ownership_unref(socket->ownership);
    socket->ownership = NULL;
    nb_socket_stream_closed(socket);
}

const struct nb_stream_ops nb_socket_stream_ops = {
    .reserve = nb_socket_reserve,
    .on_bytes = nb_socket_read,
    .on_end = nb_socket_read_end,
    .on_sent = nb_socket_sent,
    .on_shut = nb_socket_shut,
    .on_failure = on_failure,
    .on_closed = nb_socket_on_closed,
};

/* ---- commands ---- */

/* A server is to listen on the socket that this one was made of, or on what it has bound, which is its own no more. */
static void lend(struct nb_socket *socket, struct nb_message **message)
{
    int fd = socket->state == NB_SOCKET_OPEN ? socket->stream.fd : -1;
    if (nb_socket_is_bound(socket))
        fd = socket->bound_fd;
    nb_loan_answer(socket->actor.loop, message, nb_loan_duplicate(fd), socket->ownership);
    nb_socket_unbind(socket);
}

static void take_command(struct nb_socket *socket, struct nb_command **command)
{
    if (socket->stop_has_begun) /* what comes after the session's end must not touch what it has written */
        return;
    if (socket->state == NB_SOCKET_ADOPTING)
        nb_socket_defer(socket, nb_command_take(command));
    else if (socket->offer && !nb_socket_takes_while_offered(*command))
        nb_reply_throw(socket->actor.loop, &(*command)->reply,
                       nb_failure_make("ERR_NB_OFFERED", NULL, "The socket is on offer"));
    else if (socket->channel && !nb_socket_takes_with_channel(*command))
        nb_reply_throw(socket->actor.loop, &(*command)->reply,
                       nb_failure_make("ERR_NB_BUSY", NULL, "The socket has a channel"));
    else
        (*command)->run(&socket->actor, command);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const struct nb_message_class *class = (*message)->class;
    if (class == &nb_command_class) {
        take_command(socket, (struct nb_command **)message);
    } else if (class == &nb_lookup_answer_class) {
        nb_socket_lookup_answered(socket, (struct nb_lookup_answer *)*message);
    } else if (class == &nb_loan_class) {
        lend(socket, message);
    } else if (class == &nb_transfer_class) {
        nb_socket_hand_over(socket, message);
    } else if (class == &nb_transfer_answer_class) {
        nb_socket_adopted(socket, (struct nb_transfer *)*message);
    } else if (class == &nb_attach_class) {
        nb_socket_attach(socket, (struct nb_attach *)*message);
    } else if (class == &nb_offer_over_class) {
        nb_socket_offer_is_over(socket);
    } else if (class == &nb_stalled_class) {
        nb_socket_close(socket, nb_failure_make("ERR_NB_STALLED", NULL, "The peer takes no more data"));
    }
}

nb_handler nb_on_socket_destroy, nb_on_socket_reset_and_destroy, nb_on_socket_ref, nb_on_socket_unref,
    nb_on_socket_release;

void nb_on_socket_destroy(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SocketDestroy *params = &(*command)->params.socket_destroy;
    if (socket->state == NB_SOCKET_CLOSED) {
        nb_reply_done(self->loop, &(*command)->reply);
        return;
    }
    struct nb_failure *failure = params->has_error ? nb_failure_of_client(&params->error) : NULL;
    if (nb_socket_is_connecting(socket))
        nb_socket_answer_held(socket, NULL);
    if (!nb_socket_is_destroyed(socket))
        answer_requests(socket);
    nb_socket_keep_request(socket, nb_command_take(command));
    nb_socket_close(socket, failure);
}

void nb_on_socket_reset_and_destroy(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    struct nb_failure *failure = NULL;
    if (nb_socket_is_destroyed(socket)) {
        nb_reply_fail(self->loop, &(*command)->reply, nb_failure_socket_closed());
        return;
    }
    if (socket->is_pipe) {
        nb_reply_throw(
            self->loop, &(*command)->reply,
            nb_failure_make("ERR_INVALID_HANDLE_TYPE", "TypeError", "This handle type cannot be sent"));
        return;
    }
    if (socket->state == NB_SOCKET_OPEN)
        nb_stream_linger_zero(&socket->stream);
    if (socket->state == NB_SOCKET_FRESH)
        (*command)->failure = nb_failure_ref(failure = nb_failure_socket_closed());
    if (!nb_socket_is_connecting(socket))
        answer_requests(socket);
    nb_socket_keep_request(socket, nb_command_take(command));
    if (nb_socket_is_connecting(socket))
        socket->wants_reset = true;
    else
        nb_socket_close(socket, failure);
}

static void set_ref(struct nb_actor *self, struct nb_command **command, bool is_refed)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    socket->is_refed = is_refed;
    nb_socket_update_activity(socket);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_socket_ref(struct nb_actor *self, struct nb_command **command)
{
    set_ref(self, command, true);
}

void nb_on_socket_unref(struct nb_actor *self, struct nb_command **command)
{
    set_ref(self, command, false);
}

void nb_on_socket_release(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    if (socket->state != NB_SOCKET_FRESH && socket->state != NB_SOCKET_CLOSED) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_make("ERR_NB_BUSY", NULL, "The socket is not closed"));
        return;
    }
    nb_reply_done(self->loop, &(*command)->reply);
    nb_socket_leave(socket);
}
