#include "inbox.h"

#include "message.h"

#include <stddef.h>

bool nb_inbox_put(struct nb_inbox *inbox, struct nb_message *message)
{
    /* Release publishes the message's content to the reader's acquire below. */
    struct nb_message *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);
    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->newest, &newest, message, memory_order_release,
                                                    memory_order_relaxed));
    return newest == NULL;
}

struct nb_message *nb_inbox_take_all(struct nb_inbox *inbox)
{
    struct nb_message *message = atomic_exchange_explicit(&inbox->newest, NULL, memory_order_acquire);
    struct nb_message *oldest = NULL;
    while (message) {
        struct nb_message *next = message->next;
        message->next = oldest;
        oldest = message;
        message = next;
    }
    return oldest;
}
