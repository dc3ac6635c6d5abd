/*
 * Actors: private state on one loop, reached by messages.
 *
 *     new ---> running ---stop---> stopping ---finish---> gone
 *
 * Only nb_actor_stop starts a stop, and class->stop runs once, later in the
 * same turn, never inside a handler of the same actor. The actor's memory is
 * freed at one place, nb_actor_finish, which it calls itself after its last
 * close callback.
 */
#ifndef NB_ACTOR_H
#define NB_ACTOR_H

#include "id.h"
#include "message.h"

#include <stdbool.h>
#include <stddef.h>

struct nb_loop;

struct nb_actor_class {
    const char *name;
    size_t size; /* of the struct that starts with struct nb_actor */
    /* Handles a message; borrows it: it is disposed of afterwards, unless *message was set to NULL. */
    void (*receive)(struct nb_actor *self, struct nb_message **message);
    /* Begins to let go of everything; must lead to nb_actor_finish, now or in a later callback. */
    void (*stop)(struct nb_actor *self);
};

struct nb_actor {
    const struct nb_actor_class *class;
    struct nb_loop *loop;
    struct nb_actor_id id;
    struct nb_message *watchers; /* the requests of those who want to know of the end */
    struct nb_actor *next_stopping;
    bool is_stopping;
};

/* A new actor on this loop, zeroed behind its head; NULL: no memory. Home thread. */
void *nb_actor_new(struct nb_loop *loop, const struct nb_actor_class *class);

/* Asks for the stop; a repeat does nothing. Home thread. */
void nb_actor_stop(struct nb_actor *self);

/* Frees the actor and tells its watchers. Home thread; self is gone afterwards. */
void nb_actor_finish(struct nb_actor *self);

/*
 * watcher gets a struct nb_down when the other actor is gone, at once if it is
 * gone already. Either may live on any loop; called on the watcher's. Negative
 * errno when there is no memory.
 */
int nb_watch(struct nb_actor *watcher, struct nb_actor_id other);

/* Whoever watches the actor watches that one in its place, on whatever loop, and hears of its end under this one's id. Home thread. */
void nb_actor_pass_on_watchers(struct nb_actor *self, struct nb_actor_id to);

/* Tells the watchers now, as if it were gone. Home thread. */
void nb_actor_dismiss_watchers(struct nb_actor *self);

struct nb_down {
    struct nb_message message;
    struct nb_actor_id who;
};
extern const struct nb_message_class nb_down_class;

/* Asks an actor on any loop to stop; needs memory, and can fail with UV_ENOMEM, only across loops. */
int nb_stop(struct nb_loop *loop, struct nb_actor_id other);

#endif
