/*
 * Where other threads leave messages for a loop: many writers, one reader, no
 * lock. The only memory of a loop that another thread writes.
 */
#ifndef NB_INBOX_H
#define NB_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct nb_message;

struct nb_inbox {
    _Atomic(struct nb_message *) newest;
};

/* Any thread; takes. True when the inbox was empty: the writer must ring the reader's bell. */
bool nb_inbox_put(struct nb_inbox *inbox, struct nb_message *message);

/* The reader's thread only: all messages, linked by next, in the order they were put; NULL: none. Gives. */
struct nb_message *nb_inbox_take_all(struct nb_inbox *inbox);

#endif
