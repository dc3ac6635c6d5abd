/*
 * The host: one actor on each worker's loop, which makes the sessions that the
 * daemon sends there and knows them until they are gone.
 */
#ifndef NB_HOST_H
#define NB_HOST_H

#include "actor.h"
#include "lists.h"
#include "policy.h"
#include "rpc.h"
#include "session.h"
#include "session_limits.h"

#include <stdatomic.h>

/* A connection on its way to its host; the fd is closed when it does not get there. */
struct nb_newcomer {
    struct nb_message message;
    struct ucred peer;
    struct nb_rights rights;
    struct nb_places places; /* taken, and its own until there is a session */
    uint64_t serial;
    int fd; /* owned */
};
extern const struct nb_message_class nb_newcomer_class;

struct nb_host {
    struct nb_actor actor;
    const struct nb_limits *limits; /* borrowed from the daemon, for its life */
    struct nb_lists *lists; /* likewise */
    struct nb_groups *groups; /* likewise */
    struct nb_encoder encoder; /* all sessions of this loop use it, one frame at a time */
    struct nb_actor_id *sessions; /* owned */
    uint32_t count, capacity;
    bool is_closing; /* ends with its last session */
};

/*
 * Called before the loop's thread starts. NULL: no memory. A closing notice
 * makes it end with its last session; its stop ends the sessions first.
 */
struct nb_host *nb_host_new(struct nb_loop *loop, const struct nb_limits *limits, struct nb_lists *lists,
                            struct nb_groups *groups);

#endif
