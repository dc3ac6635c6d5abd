/*
 * A listening socket that the servers of a group share. It is an actor on the
 * loop of the server that opened it; its members are servers on any loop.
 *
 *     server                          listener
 *       | --join----------------------> |  gets its place in the ring
 *       | <--joined-------------------- |  listens from now on
 *       | <--offer, with a connection-- |  in turn
 *       | --the offer, with a verdict-> |  not taken: the next one's
 *       | --ready---------------------> |  after BUSY or FULL: offers again
 *       | --leave---------------------> |  the last one: closed, the path unlinked
 *       | <--leave, done--------------- |
 *
 * A connection is closed only when no member is left, or when all of them have as
 * many as they may: then the one whose turn it is drops it.
 */
#ifndef NB_SHARED_LISTENER_H
#define NB_SHARED_LISTENER_H

#include "account.h"
#include "endpoint.h"
#include "listen.h"

#include <stdbool.h>

/* A server's place in a shared listener; embedded in the server. All zero: none. */
struct nb_membership {
    struct nb_membership *next; /* of the same session */
    struct nb_shared_listener *listener; /* NULL: no member */
    uint64_t serial; /* of this membership, among all that the listener ever had */
    struct nb_message *leave; /* owned; there while a member, as leaving must not fail */
    struct nb_message *ready; /* owned; there while the listener waits for the word */
};

enum nb_verdict {
    NB_VERDICT_NONE, /* on its way to the member */
    NB_VERDICT_TAKEN,
    NB_VERDICT_BUSY, /* can't take any now; will say when */
    NB_VERDICT_FULL, /* has as many as it may, or dropped this one for that; will say when it has not */
    NB_VERDICT_GONE, /* is no member any more */
};

/* An accepted connection on its way to a member, or back. Disposed of on its way there it goes back. */
struct nb_offer {
    struct nb_message message;
    struct nb_actor_id listener;
    uint64_t serial; /* of the membership */
    struct nb_offer *next; /* of those that were not taken; the listener's */
    struct nb_endpoint remote;
    enum nb_verdict verdict;
    int fd; /* owned; -1: taken, or dropped */
    bool is_last_resort; /* all members are full: take it, or drop it */
};
extern const struct nb_message_class nb_offer_class;

/* Comes back to the member once the listener has let go of it. */
struct nb_leave {
    struct nb_message message;
    struct nb_actor_id member;
    uint64_t serial;
};
extern const struct nb_message_class nb_leave_class;

/* Tells a member that its turn will come. */
struct nb_joined {
    struct nb_message message;
    uint64_t serial;
};
extern const struct nb_message_class nb_joined_class;

/* Tells a member that the listening socket is of no use any more. */
struct nb_listener_failure {
    struct nb_message message;
    uint64_t serial;
    int status; /* negative errno */
};
extern const struct nb_message_class nb_listener_failure_class;

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

/* Sends the offer back; takes it. Before BUSY and FULL: nb_membership_promise_ready. */
void nb_offer_answer(struct nb_loop *loop, struct nb_offer *offer, enum nb_verdict verdict);

/* UV_ENOMEM: can't be promised. */
int nb_membership_promise_ready(struct nb_membership *membership, struct nb_loop *loop);

/* Says so, if it was promised. */
void nb_membership_say_ready(struct nb_membership *membership, struct nb_loop *loop);

#endif
