#include "pending.h"

#include "hash.h"
#include "memory.h"

#include <uv.h>

enum { FIRST_CAPACITY = 16 };

void nb_pending_finish(struct nb_pending *pending)
{
    nb_free(pending->slots);
    nb_free(pending->used);
    *pending = (struct nb_pending){0};
}

static uint32_t home_of(const struct nb_pending *pending, uint32_t msgid)
{
    return (uint32_t)nb_hash(msgid) & (pending->capacity - 1);
}

/* Where the msgid is, or the free slot where it would be. */
static uint32_t locate(const struct nb_pending *pending, uint32_t msgid)
{
    uint32_t at = home_of(pending, msgid);
    while (pending->used[at] && pending->slots[at] != msgid)
        at = (at + 1) & (pending->capacity - 1);
    return at;
}

static void put(struct nb_pending *pending, uint32_t msgid)
{
    uint32_t at = locate(pending, msgid);
    pending->slots[at] = msgid;
    pending->used[at] = 1;
    pending->count++;
}

static int grow(struct nb_pending *pending)
{
    struct nb_pending larger = {.capacity = pending->capacity ? pending->capacity * 2 : FIRST_CAPACITY};
    larger.slots = nb_malloc(larger.capacity * sizeof *larger.slots);
    larger.used = nb_calloc(larger.capacity, 1);
    if (!larger.slots || !larger.used) {
        nb_pending_finish(&larger);
        return UV_ENOMEM;
    }
    for (uint32_t i = 0; i < pending->capacity; i++)
        if (pending->used[i])
            put(&larger, pending->slots[i]);
    nb_pending_finish(pending);
    *pending = larger;
    return 0;
}

bool nb_pending_has(const struct nb_pending *pending, uint32_t msgid)
{
    return pending->capacity && pending->used[locate(pending, msgid)];
}

int nb_pending_add(struct nb_pending *pending, uint32_t msgid)
{
    if (pending->count * 2 >= pending->capacity && grow(pending) < 0)
        return UV_ENOMEM;
    if (pending->used[locate(pending, msgid)])
        return UV_EEXIST;
    put(pending, msgid);
    return 0;
}

/* Closes the gap, so that no slot behind it becomes unreachable. */
static void close_gap(struct nb_pending *pending, uint32_t gap)
{
    uint32_t mask = pending->capacity - 1;
    for (uint32_t at = (gap + 1) & mask; pending->used[at]; at = (at + 1) & mask) {
        uint32_t home = home_of(pending, pending->slots[at]);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        pending->slots[gap] = pending->slots[at];
        gap = at;
    }
    pending->used[gap] = 0;
}

void nb_pending_remove(struct nb_pending *pending, uint32_t msgid)
{
    if (!pending->capacity)
        return;
    uint32_t at = locate(pending, msgid);
    if (!pending->used[at])
        return;
    pending->count--;
    close_gap(pending, at);
}
