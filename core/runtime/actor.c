#include "actor.h"

#include "loop.h"
#include "memory.h"

#include <assert.h>

enum { FIRST_SLOTS = 64, NO_SLOT = UINT32_MAX, GENERATION_MASK = 0xffffff };

const struct nb_message_class nb_down_class = {.name = "down", .size = sizeof(struct nb_down)};

/* ---- slots ---- */

static int grow_slots(struct nb_loop *loop)
{
    uint32_t count = loop->slot_count ? loop->slot_count * 2 : FIRST_SLOTS;
    struct nb_slot *slots = nb_realloc(loop->slots, count * sizeof *slots);
    if (!slots)
        return UV_ENOMEM;
    for (uint32_t i = count; i-- > loop->slot_count;) {
        slots[i] = (struct nb_slot){.generation = 1, .next_free = loop->free_slot};
        loop->free_slot = i;
    }
    loop->slots = slots;
    loop->slot_count = count;
    return 0;
}

static struct nb_actor_id take_slot(struct nb_loop *loop, struct nb_actor *actor)
{
    uint32_t index = loop->free_slot;
    struct nb_slot *slot = &loop->slots[index];
    loop->free_slot = slot->next_free;
    slot->actor = actor;
    return (struct nb_actor_id){.slot = index, .generation = slot->generation, .loop = loop->index & 0xff};
}

static void give_slot(struct nb_loop *loop, struct nb_actor_id id)
{
    struct nb_slot *slot = &loop->slots[id.slot];
    slot->actor = NULL;
    slot->generation = (slot->generation + 1) & GENERATION_MASK;
    if (!slot->generation)
        slot->generation = 1;
    slot->next_free = loop->free_slot;
    loop->free_slot = id.slot;
}

/* ---- life ---- */

void *nb_actor_new(struct nb_loop *loop, const struct nb_actor_class *class)
{
    if (loop->free_slot == NO_SLOT && grow_slots(loop) < 0)
        return NULL;
    struct nb_actor *actor = nb_calloc(1, class->size);
    if (!actor)
        return NULL;
    actor->class = class;
    actor->loop = loop;
    actor->id = take_slot(loop, actor);
    loop->actor_count++;
    return actor;
}

void nb_actor_stop(struct nb_actor *self)
{
    if (self->is_stopping)
        return;
    self->is_stopping = true;
    self->next_stopping = self->loop->stopping;
    self->loop->stopping = self;
}

void nb_actor_finish(struct nb_actor *self)
{
    struct nb_loop *loop = self->loop;
    assert(self->is_stopping);
    give_slot(loop, self->id);
    loop->actor_count--;
    nb_actor_dismiss_watchers(self);
    nb_free(self);
}

/* ---- watching ---- */

struct watch_request {
    struct nb_down down; /* becomes this message on its way back */
    struct nb_actor_id watcher;
};

static void arrive_watch(struct nb_actor *actor, struct nb_message *message)
{
    message->next = actor->watchers;
    actor->watchers = message;
}

/* The watched actor is gone: the request itself goes back as the news, so telling it can't fail. */
static void return_as_down(struct nb_loop *loop, struct nb_message *message)
{
    struct watch_request *request = (struct watch_request *)message;
    message->class = &nb_down_class;
    nb_send(loop, request->watcher, message);
}

static const struct nb_message_class watch_class = {
    .name = "watch", .size = sizeof(struct watch_request), .dispose = return_as_down, .arrive = arrive_watch};

static struct nb_message *take_watcher(struct nb_actor *self)
{
    struct nb_message *watch = self->watchers;
    if (watch)
        self->watchers = watch->next;
    return watch;
}

void nb_actor_pass_on_watchers(struct nb_actor *self, struct nb_actor_id to)
{
    struct nb_message *watch;
    while ((watch = take_watcher(self)))
        nb_send(self->loop, to, watch);
}

void nb_actor_dismiss_watchers(struct nb_actor *self)
{
    struct nb_message *watch;
    while ((watch = take_watcher(self)))
        nb_message_dispose(self->loop, watch);
}

int nb_watch(struct nb_actor *watcher, struct nb_actor_id other)
{
    struct watch_request *request = nb_message_new(watcher->loop, &watch_class);
    if (!request)
        return UV_ENOMEM;
    request->down.who = other;
    request->watcher = watcher->id;
    nb_send(watcher->loop, other, &request->down.message);
    return 0;
}

/* ---- stopping from outside ---- */

static void arrive_stop(struct nb_actor *actor, struct nb_message *message)
{
    nb_actor_stop(actor);
    nb_message_free(actor->loop, message);
}

static const struct nb_message_class stop_class = {
    .name = "stop", .size = sizeof(struct nb_message), .arrive = arrive_stop};

int nb_stop(struct nb_loop *loop, struct nb_actor_id other)
{
    struct nb_actor *neighbour = nb_loop_find(loop, other);
    if (neighbour)
        nb_actor_stop(neighbour);
    if (other.loop == loop->index)
        return 0;
    struct nb_message *message = nb_message_new(loop, &stop_class);
    if (!message)
        return UV_ENOMEM;
    nb_send(loop, other, message);
    return 0;
}
