/* The socket actor on offer: frozen under a token, then another session's, or its own again. */
#include "memory.h"
#include "socket_internal.h"
#include "transfer.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { RANGE_TEXT = 48 };

struct nb_socket_offer {
    struct nb_socket *socket; /* borrowed; whose it is */
    struct nb_offering offering;
    struct nb_timer timer;
    struct nb_chunk *unshift; /* a share; NULL: nothing was given back */
    size_t unshift_length; /* charged to the account as unread */
};

/* ---- the end of an offer ---- */

void nb_socket_drop_offer(struct nb_socket *socket)
{
    struct nb_socket_offer *offer = socket->offer;
    if (!offer)
        return;
    socket->offer = NULL;
    nb_offering_withdraw(&offer->offering);
    nb_timer_finish(&offer->timer);
    nb_chunk_unref(offer->unshift);
    socket->account->unread -= offer->unshift_length;
    nb_free(offer);
}

static void end_offer(struct nb_socket *socket)
{
    nb_socket_drop_offer(socket);
    if (socket->stop_has_begun) {
        nb_socket_wind_up(socket);
        return;
    }
    socket->is_paused = true;
    nb_socket_touch(socket);
    nb_event_emit(socket->account, NB_EVENT_SOCKET_OFFER_EXPIRED, socket->name);
    if (socket->has_ended && socket->has_finished)
        nb_socket_close(socket, NULL);
}

static void on_expired(struct nb_timer *timer)
{
    struct nb_socket_offer *offer =
        (struct nb_socket_offer *)((char *)timer - offsetof(struct nb_socket_offer, timer));
    end_offer(offer->socket);
}

/* Whose session still lives goes on waiting: it ends, too, and then this comes to nothing. */
void nb_socket_offer_is_over(struct nb_socket *socket)
{
    if (socket->offer && socket->stop_has_begun)
        end_offer(socket);
}

/* ---- making it ---- */

/* The bytes that the client has had as data, and could give back. */
static uint64_t bytes_told(const struct nb_socket *socket)
{
    return socket->bytes_read - socket->decoder.kept_length;
}

struct nb_failure *nb_socket_object_to_state(const struct nb_socket *socket)
{
    if (nb_socket_is_connecting(socket))
        return nb_failure_make("ERR_NB_BUSY", NULL, "The socket is not connected yet");
    return socket->state == NB_SOCKET_OPEN ? NULL : nb_failure_socket_closed();
}

static struct nb_failure *object_to_offer(const struct nb_socket *socket, const nb_SocketOffer *params)
{
    char range[RANGE_TEXT];
    struct nb_failure *failure = nb_socket_object_to_state(socket);
    if (failure)
        return failure;
    if (params->has_ttl && (!params->ttl || params->ttl > socket->account->offer_ttl)) {
        snprintf(range, sizeof range, ">= 1 && <= %u", socket->account->offer_ttl);
        return nb_failure_range("ttl", range, params->ttl);
    }
    if (params->unshift.length > bytes_told(socket)) {
        snprintf(range, sizeof range, "<= %llu bytes", (unsigned long long)bytes_told(socket));
        return nb_failure_range("unshift", range, (double)params->unshift.length);
    }
    return nb_account_object_to_bytes(socket->account, 0, params->unshift.length);
}

/* A chunk of its own: the frame's may be much larger. UV_ENOMEM. */
static int keep_unshift(struct nb_socket_offer *offer, struct nb_slice bytes)
{
    if (!bytes.length)
        return 0;
    offer->unshift = nb_chunk_new(&offer->socket->actor.loop->pool, bytes.length);
    if (!offer->unshift)
        return UV_ENOMEM;
    memcpy(offer->unshift->bytes, bytes.data, bytes.length);
    offer->unshift_length = bytes.length;
    return 0;
}

static size_t unread_length(const struct nb_socket *socket, const struct nb_socket_offer *offer)
{
    return offer->unshift_length + socket->decoder.kept_length + socket->unread.length;
}

static int fill_offer(struct nb_socket_offer *offer, const nb_SocketOffer *params)
{
    struct nb_socket *socket = offer->socket;
    uint64_t ttl = params->has_ttl ? params->ttl : socket->account->offer_ttl;
    int status = keep_unshift(offer, params->unshift);
    if (status == 0)
        status = nb_timer_start(&offer->timer, socket->actor.loop, ttl * 1000, on_expired);
    if (status < 0)
        return status;
    offer->offering = (struct nb_offering){.kind = NB_OFFERING_SOCKET,
                                           .socket = socket->actor.id,
                                           .uid = socket->account->uid,
                                           .unsent = socket->stream.queue.length,
                                           .unread = unread_length(socket, offer)};
    return nb_offering_enter(&offer->offering);
}

/* Negative errno. */
static int make_offer(struct nb_socket *socket, const nb_SocketOffer *params)
{
    struct nb_socket_offer *offer = nb_calloc(1, sizeof *offer);
    if (!offer)
        return UV_ENOMEM;
    offer->socket = socket;
    int status = fill_offer(offer, params);
    if (status < 0) {
        nb_timer_finish(&offer->timer);
        nb_chunk_unref(offer->unshift);
        nb_free(offer);
        return status;
    }
    socket->account->unread += offer->unshift_length;
    socket->offer = offer;
    return 0;
}

static void answer_with_token(struct nb_socket *socket, struct nb_reply_to *reply)
{
    struct nb_texts texts;
    nb_SocketOffered offered;
    nb_texts_init(&texts, socket->actor.loop, NB_TOKEN_TEXT);
    offered.token = nb_texts_add(&texts, nb_slice_of(socket->offer->offering.token));
    nb_reply_texts(socket->actor.loop, reply, &offered, &texts);
}

nb_handler nb_on_socket_offer;

void nb_on_socket_offer(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_SocketOffer *params = &(*command)->params.socket_offer;
    struct nb_failure *failure = object_to_offer(socket, params);
    int status = failure ? 0 : make_offer(socket, params);
    if (status < 0)
        failure = nb_failure_system(status, "offer");
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    nb_timer_stop(&socket->timer);
    nb_socket_update_reading(socket);
    answer_with_token(socket, &(*command)->reply);
}

/* What only looks, or ends the socket. A credit may have crossed the offer, and counts should it expire. */
bool nb_socket_takes_while_offered(const struct nb_command *command)
{
    switch (command->reply.method->index) {
    case NB_METHOD_SOCKET_DESTROY:
    case NB_METHOD_SOCKET_RESET_AND_DESTROY:
    case NB_METHOD_SOCKET_INFO:
    case NB_METHOD_SOCKET_ADDRESS:
    case NB_METHOD_SOCKET_CREDIT:
    case NB_METHOD_SOCKET_REF:
    case NB_METHOD_SOCKET_UNREF:
        return true;
    default:
        return false;
    }
}

/* ---- handing over ---- */

static uint8_t *append(uint8_t *end, const void *bytes, size_t length)
{
    if (length)
        memcpy(end, bytes, length);
    return end + length;
}

/* What was given back comes first, then what the client has not had yet. UV_ENOMEM. */
static int pack_bytes(struct nb_socket *socket, struct nb_parcel *parcel)
{
    const struct nb_socket_offer *offer = socket->offer;
    const struct nb_decoder *decoder = &socket->decoder;
    parcel->unread = unread_length(socket, offer);
    parcel->unsent = socket->stream.queue.length;
    if (!parcel->unread && !parcel->unsent)
        return 0;
    parcel->chunk = nb_chunk_new(&socket->actor.loop->pool, parcel->unread + parcel->unsent);
    if (!parcel->chunk)
        return UV_ENOMEM;
    uint8_t *end = parcel->chunk->bytes;
    if (offer->unshift)
        end = append(end, offer->unshift->bytes, offer->unshift_length);
    end = append(end, decoder->kept, decoder->kept_length);
    end = append(end, socket->unread.data, socket->unread.length);
    nb_write_queue_read(&socket->stream.queue, end);
    return 0;
}

static void pack_state(const struct nb_socket *socket, struct nb_parcel *parcel)
{
    parcel->bytes_read = bytes_told(socket) - socket->offer->unshift_length;
    parcel->bytes_written = socket->bytes_written;
    parcel->local = socket->local;
    parcel->remote = socket->remote;
    parcel->options = socket->options;
    parcel->timeout = socket->timeout;
    parcel->read_chunk = socket->read_chunk;
    parcel->high_water_mark = socket->high_water_mark;
    parcel->is_pipe = socket->is_pipe;
    parcel->is_foreign = socket->stream.is_foreign;
    parcel->allow_half_open = socket->allow_half_open;
    parcel->is_write_only = socket->is_write_only;
    parcel->is_paused = socket->is_paused;
    parcel->needs_drain = socket->needs_drain;
    parcel->is_ending = socket->is_ending;
    parcel->was_ended_by_peer = socket->was_ended_by_peer;
    parcel->has_finished = socket->has_finished;
}

/* Its bytes and its FIN will go out: whoever waits for that is answered, with what was sent until now. */
static void answer_writes(struct nb_socket *socket)
{
    struct nb_loop *loop = socket->actor.loop;
    struct nb_command *command;
    while ((command = nb_socket_next_request(socket))) {
        nb_Written written = {.has_bytes_written = true, .bytes_written = socket->bytes_sent};
        if (command->reply.method->index == NB_METHOD_SOCKET_WRITE)
            nb_reply_result(loop, &command->reply, &written, NULL);
        else
            nb_reply_done(loop, &command->reply);
        nb_message_dispose(loop, &command->message);
    }
}

static void depart(struct nb_socket *socket, struct nb_actor_id to)
{
    socket->is_transferred = true;
    nb_actor_pass_on_watchers(&socket->actor, to);
    answer_writes(socket);
    nb_socket_close(socket, NULL);
}

static void fill(struct nb_socket *socket, struct nb_transfer *transfer)
{
    struct nb_parcel *parcel = &transfer->parcel;
    if (!socket->offer || strcmp(socket->offer->offering.token, transfer->token) != 0)
        return;
    transfer->status = pack_bytes(socket, parcel);
    if (transfer->status < 0)
        return;
    pack_state(socket, parcel);
    parcel->ownership = socket->ownership;
    socket->ownership = NULL;
    parcel->fd = nb_stream_release(&socket->stream);
    depart(socket, transfer->adopter);
}

void nb_socket_hand_over(struct nb_socket *socket, struct nb_message **message)
{
    struct nb_transfer *transfer = (struct nb_transfer *)*message;
    *message = NULL;
    fill(socket, transfer);
    nb_transfer_answer(socket->actor.loop, transfer);
}
