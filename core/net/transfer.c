#include "transfer.h"

#include "foreign.h"
#include "loop.h"

#include <string.h>
#include <uv.h>

_Static_assert(sizeof(struct nb_transfer) <= NB_MESSAGE_LARGE, "a transfer must fit into a message");

void nb_transfer_answer(struct nb_loop *loop, struct nb_transfer *transfer)
{
    transfer->message.class = &nb_transfer_answer_class;
    nb_send(loop, transfer->adopter, &transfer->message);
}

/* Who had offered it is gone. */
static void dispose_question(struct nb_loop *loop, struct nb_message *message)
{
    nb_transfer_answer(loop, (struct nb_transfer *)message);
}

static void dispose_answer(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_parcel *parcel = &((struct nb_transfer *)message)->parcel;
    if (parcel->fd >= 0)
        nb_foreign_close(parcel->fd);
    nb_ownership_unref(parcel->ownership);
    if (parcel->chunk)
        nb_chunk_move(parcel->chunk, &loop->pool);
    nb_chunk_unref(parcel->chunk);
    nb_message_free(loop, message);
}

const struct nb_message_class nb_transfer_class = {
    .name = "transfer", .size = sizeof(struct nb_transfer), .dispose = dispose_question};
const struct nb_message_class nb_transfer_answer_class = {
    .name = "transfer answer", .size = sizeof(struct nb_transfer), .dispose = dispose_answer};

int nb_transfer_ask(struct nb_actor *adopter, const struct nb_offering *offering)
{
    struct nb_transfer *transfer = nb_message_new(adopter->loop, &nb_transfer_class);
    if (!transfer)
        return UV_ENOMEM;
    transfer->adopter = adopter->id;
    memcpy(transfer->token, offering->token, sizeof transfer->token);
    transfer->status = UV_ENOENT;
    transfer->parcel = (struct nb_parcel){.fd = -1};
    nb_send(adopter->loop, offering->socket, &transfer->message);
    return 0;
}
