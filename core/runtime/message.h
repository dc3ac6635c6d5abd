/* What actors send each other. */
#ifndef NB_MESSAGE_H
#define NB_MESSAGE_H

#include "id.h"

#include <stddef.h>

struct nb_actor;
struct nb_loop;
struct nb_message;

/* Messages come in two sizes, so that they are recycled and the small ones stay small. */
enum { NB_MESSAGE_SMALL = 64, NB_MESSAGE_LARGE = 896 };

struct nb_message_class {
    const char *name;
    size_t size; /* of the struct that starts with struct nb_message; at most NB_MESSAGE_LARGE */
    /*
     * Lets go of what the message holds and answers what it asks, on the loop
     * where it ends (delivered or not). It must end with nb_message_free, or
     * send the message on. NULL: nothing to let go of.
     */
    void (*dispose)(struct nb_loop *loop, struct nb_message *message);
    /*
     * For the runtime's own messages: is called instead of the actor's receive
     * and takes the message.
     */
    void (*arrive)(struct nb_actor *actor, struct nb_message *message);
};

/* The head of every message; the fields belong to the runtime. */
struct nb_message {
    struct nb_message *next;
    const struct nb_message_class *class;
    struct nb_actor_id to;
};

/* A message of that class whose further bytes are not initialised; NULL: no memory. */
void *nb_message_new(struct nb_loop *loop, const struct nb_message_class *class);

/* The memory only, back to the loop. Takes. */
void nb_message_free(struct nb_loop *loop, struct nb_message *message);

/* Lets go of the message and all it holds. Takes. */
void nb_message_dispose(struct nb_loop *loop, struct nb_message *message);

/*
 * Sends from the loop that runs this thread. Takes the message, always: one
 * to an actor that is gone is disposed of, which answers its request. Messages
 * from one sender to one receiver arrive in order; on one loop, all do.
 */
void nb_send(struct nb_loop *loop, struct nb_actor_id to, struct nb_message *message);

/*
 * The same from a thread that runs no loop, to an actor of this one, which must
 * not end meanwhile. The message was made on that loop.
 */
void nb_send_from_outside(struct nb_loop *home, struct nb_actor_id to, struct nb_message *message);

#endif
