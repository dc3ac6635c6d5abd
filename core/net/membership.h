/* A server's side of a shared listener: how it becomes a member, and leaves. On the server's loop. */
#ifndef NB_MEMBERSHIP_H
#define NB_MEMBERSHIP_H

#include "account.h"
#include "shared_listener.h"

/* A server's place in a shared listener; embedded in the server. All zero: none. */
struct nb_membership {
    struct nb_membership *next; /* of the same session */
    struct nb_shared_listener *listener; /* NULL: no member */
    uint64_t serial; /* of this membership, among all that the listener ever had */
    struct nb_message *leave; /* owned; there while a member, as leaving must not fail */
    struct nb_message *ready; /* owned; there while the listener waits for the word */
};

/*
 * Makes the actor a member of its group's listener on that target, which is
 * opened unless there is one that the session is no member of yet. The account
 * is the actor's. 0: nb_joined comes. Negative errno: of nb_listen, or UV_ENOMEM.
 */
int nb_membership_join(struct nb_membership *membership, struct nb_actor *member, struct nb_account *account,
                       struct nb_listen_target *target);

/* Where the listener listens. */
const struct nb_listening *nb_membership_listening(const struct nb_membership *membership);

/* True when the message is to a membership that holds still. */
static inline bool nb_membership_is_current(const struct nb_membership *membership, uint64_t serial)
{
    return membership->listener && membership->serial == serial;
}

/* A further descriptor of the listening socket, the caller's; negative errno. */
int nb_membership_duplicate(const struct nb_membership *membership);

/* Leaves; offers that are on their way must go back, and nb_leave comes. */
void nb_membership_leave(struct nb_membership *membership, struct nb_account *account);

/* Before an offer is answered with BUSY or FULL. UV_ENOMEM. */
int nb_membership_promise_ready(struct nb_membership *membership, struct nb_loop *loop);

/* Says so, if it was promised. */
void nb_membership_say_ready(struct nb_membership *membership, struct nb_loop *loop);

#endif
