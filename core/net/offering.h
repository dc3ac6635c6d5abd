/*
 * What is on offer to other connections, a socket or the channel of one: which
 * actor a token leads to, for the whole process. A token is 128 random bits and
 * leads there only for the uid that it was made for.
 *
 * Any thread. The socket's own actor enters and withdraws its offer; everybody
 * else only finds out whom to ask, and may be told that it is over.
 */
#ifndef NB_OFFERING_H
#define NB_OFFERING_H

#include "id.h"
#include "slice.h"

#include <sys/types.h>

enum { NB_TOKEN_TEXT = 33 }; /* 32 hexadecimal digits and a NUL */

enum nb_offering_kind {
    NB_OFFERING_SOCKET,
    NB_OFFERING_CHANNEL,
};

/* What a token says. */
struct nb_offering {
    enum nb_offering_kind kind;
    char token[NB_TOKEN_TEXT];
    struct nb_actor_id socket;
    uid_t uid;
    size_t unsent, unread; /* of a socket: bytes that go along in the two directions; of unsent at most */
};

struct nb_loop;
struct nb_message;

/* Draws the token and enters the offer; its other fields are given. Negative errno: UV_ENOMEM, or no random bits. */
int nb_offering_enter(struct nb_offering *offering);

/* The token leads nowhere from now on. */
void nb_offering_withdraw(const struct nb_offering *offering);

/* False: there is none of that kind by that token for that uid. */
bool nb_offering_find(struct nb_slice token, uid_t uid, enum nb_offering_kind kind,
                      struct nb_offering *ret_offering);

/* There is nobody left to adopt any: tells the sockets, each with a message of nb_offer_over_class. */
void nb_offerings_end(struct nb_loop *loop);
extern const struct nb_message_class nb_offer_over_class;

#endif
