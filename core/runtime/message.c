#include "message.h"

#include "loop.h"
#include "memory.h"

#include <assert.h>

enum { KEPT_FREE = 4096 };

static struct nb_message_pool *pool_for(struct nb_loop *loop, const struct nb_message_class *class)
{
    return &loop->messages[class->size > NB_MESSAGE_SMALL];
}

static size_t size_for(const struct nb_message_class *class)
{
    assert(class->size <= NB_MESSAGE_LARGE);
    return class->size > NB_MESSAGE_SMALL ? NB_MESSAGE_LARGE : NB_MESSAGE_SMALL;
}

void *nb_message_new(struct nb_loop *loop, const struct nb_message_class *class)
{
    struct nb_message_pool *pool = pool_for(loop, class);
    struct nb_message *message = pool->free;
    if (message) {
        pool->free = message->next;
        pool->count--;
    } else if (!(message = nb_malloc(size_for(class)))) {
        return NULL;
    }
    message->next = NULL;
    message->class = class;
    message->to = NB_NOBODY;
    return message;
}

void nb_message_free(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_message_pool *pool = pool_for(loop, message->class);
    if (pool->count >= KEPT_FREE) {
        nb_free(message);
        return;
    }
    message->next = pool->free;
    pool->free = message;
    pool->count++;
}

void nb_message_dispose(struct nb_loop *loop, struct nb_message *message)
{
    if (message->class->dispose)
        message->class->dispose(loop, message);
    else
        nb_message_free(loop, message);
}
