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

#include "actor.h"
#include "endpoint.h"
#include "group.h"
#include "listen.h"

#include <stdbool.h>

struct nb_acceptor;

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

/* A member's place in the ring; comes as the message that it joins. */
struct nb_member {
    struct nb_message message;
    struct nb_member *next;
    struct nb_actor_id server;
    uint64_t serial;
    struct nb_joined *joined; /* owned; NULL once it was sent */
    unsigned offers; /* not answered yet */
    enum nb_verdict last; /* TAKEN: it takes connections; BUSY or FULL: since it said so */
};

struct nb_ready {
    struct nb_message message;
    uint64_t serial;
};
extern const struct nb_message_class nb_join_class, nb_ready_class;

/* The fields are private to shared_listener.c and membership.c. */
struct nb_shared_listener {
    struct nb_actor actor;
    struct nb_group *group; /* a share */

    /* Guarded by the group's lock. */
    struct nb_shared_listener *next;
    unsigned members; /* those on their way to it or from it included */
    uint64_t joins;
    bool is_listed;

    /* Not changed once others can see it. */
    struct nb_endpoint wanted;
    bool is_default_host;
    struct nb_listening listening;

    struct nb_acceptor *acceptor; /* owned; NULL once it is of no use */
    int failure; /* negative errno: why; those who join meanwhile are told too */
    bool is_paused;
    struct nb_member *turn; /* owned; whose turn it is, in a ring; NULL: nobody is there */
    struct nb_offer *returned, **last_returned; /* owned; connections that were not taken */
};

/*
 * A listener on what listens, which it takes, in the group; the group's lock is
 * held. It has no member yet: who made it must become one. NULL: no memory.
 */
struct nb_shared_listener *nb_shared_listener_new(struct nb_loop *loop, struct nb_group *group,
                                                  const struct nb_listen_target *wanted,
                                                  const struct nb_listening *listening);

/* Sends the offer back; takes it. */
void nb_offer_answer(struct nb_loop *loop, struct nb_offer *offer, enum nb_verdict verdict);

#endif
