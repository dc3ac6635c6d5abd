/* The socket actor out of one that another session has offered. */
#include "memory.h"
#include "socket_internal.h"
#include "transfer.h"

#include <string.h>
#include <unistd.h>

/* While the other socket is asked. */
struct nb_adoption {
    struct nb_command *request; /* owned; NULL: answered, as the session is gone */
    struct nb_command *first, **last; /* owned; what has come for the socket meanwhile */
    size_t unsent, unread; /* what the account has room for until it is known */
};

/* ---- asking ---- */

static struct nb_failure *unknown_token(void)
{
    return nb_failure_make("ERR_NB_TOKEN", NULL, "No socket is on offer by this token");
}

static struct nb_failure *find_offer(const struct nb_socket *socket, const nb_SocketAdopt *params,
                                     struct nb_offering *ret_offering)
{
    const struct nb_account *account = socket->account;
    if (!params->token.data)
        return nb_failure_type("options.token", "of type string", "undefined");
    if (params->has_read_window && !account->has_flow)
        return nb_failure_not_negotiated("flow", "readWindow");
    if (!nb_offering_find(params->token, account->uid, NB_OFFERING_SOCKET, ret_offering))
        return unknown_token();
    return nb_account_object_to_bytes(account, ret_offering->unsent, ret_offering->unread);
}

static void reserve_room(struct nb_socket *socket, const struct nb_offering *offering)
{
    socket->adoption->unsent = offering->unsent;
    socket->adoption->unread = offering->unread;
    nb_account_charge(socket->account, offering->unsent);
    socket->account->unread += offering->unread;
}

static int ask(struct nb_socket *socket, const struct nb_offering *offering)
{
    struct nb_adoption *adoption = nb_calloc(1, sizeof *adoption);
    if (!adoption)
        return UV_ENOMEM;
    if (nb_transfer_ask(&socket->actor, offering) < 0) {
        nb_free(adoption);
        return UV_ENOMEM;
    }
    adoption->last = &adoption->first;
    socket->adoption = adoption;
    reserve_room(socket, offering);
    socket->state = NB_SOCKET_ADOPTING;
    return 0;
}

nb_handler nb_on_socket_adopt;

void nb_on_socket_adopt(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SocketAdopt *params = &(*command)->params.socket_adopt;
    struct nb_offering offering;
    struct nb_failure *failure = find_offer(socket, params, &offering);
    if (!failure && ask(socket, &offering) < 0)
        failure = nb_failure_system(UV_ENOMEM, "adopt");
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        nb_socket_leave(socket);
        return;
    }
    socket->auto_release = !params->has_auto_release || params->auto_release;
    if (params->has_read_window)
        nb_flow_set_window(socket, params->read_window);
    socket->adoption->request = nb_command_take(command);
}

void nb_socket_defer(struct nb_socket *socket, struct nb_command *command)
{
    command->next = NULL;
    *socket->adoption->last = command;
    socket->adoption->last = &command->next;
}

/* ---- the answer ---- */

static void dispose_deferred(struct nb_loop *loop, struct nb_command *command)
{
    while (command) {
        struct nb_command *next = command->next;
        nb_message_dispose(loop, &command->message);
        command = next;
    }
}

static void run_deferred(struct nb_socket *socket, struct nb_command *command)
{
    while (command) {
        struct nb_command *next = command->next;
        struct nb_message *message = &command->message;
        socket->actor.class->receive(&socket->actor, &message);
        if (message)
            nb_message_dispose(socket->actor.loop, message);
        command = next;
    }
}

void nb_socket_abandon_adoption(struct nb_socket *socket)
{
    struct nb_adoption *adoption = socket->adoption;
    struct nb_loop *loop = socket->actor.loop;
    nb_reply_fail(loop, &adoption->request->reply, nb_failure_socket_closed());
    nb_message_dispose(loop, &adoption->request->message);
    dispose_deferred(loop, adoption->first);
    adoption->request = adoption->first = NULL;
}

static void give_room_back(struct nb_socket *socket, const struct nb_adoption *adoption)
{
    nb_account_pay(socket->account, adoption->unsent);
    socket->account->unread -= adoption->unread;
}

static struct nb_failure *failure_of(int status)
{
    return status == UV_ENOENT ? unknown_token() : nb_failure_system(status, "adopt");
}

/* Nothing has become of it, but the answer. */
static void fail(struct nb_socket *socket, const struct nb_adoption *adoption, int status)
{
    struct nb_loop *loop = socket->actor.loop;
    socket->state = NB_SOCKET_FRESH;
    if (socket->stop_has_begun) {
        nb_socket_wind_up(socket);
        return;
    }
    nb_reply_throw(loop, &adoption->request->reply, failure_of(status));
    nb_message_dispose(loop, &adoption->request->message);
    nb_socket_leave(socket);
    dispose_deferred(loop, adoption->first);
}

static int open_stream(struct nb_socket *socket, struct nb_parcel *parcel)
{
    nb_stream_init(&socket->stream, socket->actor.loop, &nb_socket_stream_ops, true);
    socket->stream.is_foreign = parcel->is_foreign;
    int status = nb_stream_open(&socket->stream, parcel->fd);
    if (status < 0)
        return status;
    parcel->fd = -1;
    socket->stream_in_use = true;
    return 0;
}

static void take_state(struct nb_socket *socket, const struct nb_parcel *parcel)
{
    socket->local = parcel->local;
    socket->remote = parcel->remote;
    socket->options = parcel->options;
    socket->bytes_read = parcel->bytes_read;
    socket->bytes_written = parcel->bytes_written;
    socket->bytes_sent = parcel->bytes_written - parcel->unsent;
    if (parcel->read_chunk < socket->read_chunk)
        socket->read_chunk = parcel->read_chunk;
    socket->high_water_mark = parcel->high_water_mark;
    socket->is_pipe = parcel->is_pipe;
    socket->allow_half_open = parcel->allow_half_open;
    socket->is_write_only = socket->has_ended = parcel->is_write_only; /* another end is read once more */
    socket->is_paused = parcel->is_paused;
    socket->needs_drain = parcel->needs_drain;
    socket->is_ending = parcel->is_ending;
    socket->was_ended_by_peer = parcel->was_ended_by_peer;
    socket->has_finished = parcel->has_finished;
}

/* UV_ENOMEM: what is to be sent cannot be queued. */
static int take_bytes(struct nb_socket *socket, struct nb_parcel *parcel)
{
    struct nb_chunk *chunk = parcel->chunk;
    if (!chunk)
        return 0;
    parcel->chunk = NULL;
    nb_chunk_move(chunk, &socket->actor.loop->pool);
    if (parcel->unread)
        socket->unread = (struct nb_bytes){chunk->bytes, parcel->unread, nb_chunk_ref(chunk)};
    socket->account->unread += parcel->unread;
    nb_debt_add(socket->account, &socket->debt, parcel->unsent);
    int status = nb_stream_write(&socket->stream,
                                 (struct nb_bytes){chunk->bytes + parcel->unread, parcel->unsent, chunk});
    nb_chunk_unref(chunk);
    return status;
}

static void answer(struct nb_socket *socket, struct nb_command *request)
{
    struct nb_texts texts;
    nb_SocketAdopted adopted;
    memset(&adopted, 0, sizeof adopted);
    adopted.has_id = adopted.has_info = true;
    adopted.id = socket->name;
    nb_socket_describe(socket, &adopted.info, &texts);
    nb_reply_texts(socket->actor.loop, &request->reply, &adopted, &texts);
    nb_message_dispose(socket->actor.loop, &request->message);
}

static void set_timeout(struct nb_socket *socket, double timeout)
{
    if (timeout >= 0)
        nb_failure_unref(nb_socket_set_timeout(socket, timeout));
}

/* As an open one from here on; its session may be gone by now. */
static void take_over(struct nb_socket *socket, const struct nb_adoption *adoption, struct nb_parcel *parcel)
{
    socket->state = NB_SOCKET_OPEN;
    socket->ownership = parcel->ownership;
    parcel->ownership = NULL;
    take_state(socket, parcel);
    int status = take_bytes(socket, parcel);
    nb_flow_go_on(socket);
    if (socket->is_ending && !socket->has_finished)
        nb_stream_shutdown(&socket->stream);
    nb_socket_update_activity(socket);
    if (socket->stop_has_begun) {
        nb_socket_wind_up(socket);
        return;
    }
    set_timeout(socket, parcel->timeout);
    answer(socket, adoption->request);
    if (status < 0)
        nb_socket_close(socket, nb_failure_system(status, "write"));
    nb_socket_update_reading(socket);
    run_deferred(socket, adoption->first);
}

void nb_socket_adopted(struct nb_socket *socket, struct nb_transfer *transfer)
{
    struct nb_adoption *adoption = socket->adoption;
    int status = transfer->status;
    socket->adoption = NULL;
    if (status == 0)
        status = open_stream(socket, &transfer->parcel);
    give_room_back(socket, adoption);
    if (status < 0)
        fail(socket, adoption, status);
    else
        take_over(socket, adoption, &transfer->parcel);
    nb_free(adoption);
}
