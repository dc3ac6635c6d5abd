/*
 * A connection on its way from the socket that offered it to the one that adopts
 * it, on whichever loops the two live:
 *
 *     new socket                        socket on offer
 *       | --transfer, with the token-----> |  packs what it is made of, and closes as transferred
 *       | <--the transfer, answered------- |
 *
 * The message comes back always, also from a socket that is gone.
 */
#ifndef NB_TRANSFER_H
#define NB_TRANSFER_H

#include "actor.h"
#include "descriptor.h"
#include "endpoint.h"
#include "offering.h"
#include "options.h"

/* What the connection is made of, and what the socket's owner has said of it. */
struct nb_parcel {
    int fd; /* owned; -1: there is nothing in it */
    struct nb_ownership *ownership; /* a share; NULL: the broker made the socket itself */
    struct nb_chunk *chunk; /* owned: first what is to be read, then what is to be sent; NULL: neither */
    size_t unread, unsent;
    uint64_t bytes_read, bytes_written; /* without those that are to be read; with those to be sent */
    struct nb_endpoint local, remote;
    struct nb_options options;
    double timeout;
    uint32_t read_chunk, high_water_mark;
    bool is_pipe, is_foreign, allow_half_open, is_write_only;
    bool is_paused, needs_drain, is_ending, was_ended_by_peer, has_finished;
};

struct nb_transfer {
    struct nb_message message;
    struct nb_actor_id adopter;
    char token[NB_TOKEN_TEXT];
    int status; /* negative errno: why the parcel is empty; UV_ENOENT: no such offer */
    struct nb_parcel parcel;
};
extern const struct nb_message_class nb_transfer_class; /* on its way there */
extern const struct nb_message_class nb_transfer_answer_class; /* and back */

/* Asks for what is offered; UV_ENOMEM: nothing was sent, and no answer will come. */
int nb_transfer_ask(struct nb_actor *adopter, const struct nb_offering *offering);

/* The answer, with the parcel or the status set. Takes. */
void nb_transfer_answer(struct nb_loop *loop, struct nb_transfer *transfer);

#endif
