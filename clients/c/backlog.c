#include "backlog.h"

#include "memory.h"

#include <errno.h>
#include <string.h>

struct nbc_segment {
    struct nbc_segment *next;
    const struct netbroker_allocator *allocator;
    size_t shares; /* the backlog's own, and one for each piece lent */
    const char *bytes;
    size_t length;
    void (*release)(void *context);
    void *context;
    char copy[];
};

static struct nbc_segment *append(struct nbc_backlog *backlog, const struct netbroker_allocator *allocator,
                                  const void *bytes, size_t length, size_t copied)
{
    struct nbc_segment *segment = nbc_resize(allocator, NULL, sizeof *segment + copied);
    if (!segment)
        return NULL;
    *segment = (struct nbc_segment){.allocator = allocator, .shares = 1, .bytes = bytes, .length = length};
    if (backlog->last)
        backlog->last->next = segment;
    else
        backlog->first = segment;
    backlog->last = segment;
    return segment;
}

int nbc_backlog_copy(struct nbc_backlog *backlog, const struct netbroker_allocator *allocator,
                     const void *bytes, size_t length)
{
    struct nbc_segment *segment = append(backlog, allocator, bytes, length, length);
    if (!segment)
        return -ENOMEM;
    memcpy(segment->copy, bytes, length);
    segment->bytes = segment->copy;
    return 0;
}

int nbc_backlog_borrow(struct nbc_backlog *backlog, const struct netbroker_allocator *allocator,
                       const void *bytes, size_t length, void (*release)(void *context), void *context)
{
    struct nbc_segment *segment = append(backlog, allocator, bytes, length, 0);
    if (!segment)
        return -ENOMEM;
    segment->release = release;
    segment->context = context;
    return 0;
}

void nbc_segment_release(void *shared)
{
    struct nbc_segment *segment = shared;
    if (--segment->shares > 0)
        return;
    if (segment->release)
        segment->release(segment->context);
    nbc_resize(segment->allocator, segment, 0);
}

static void drop_first(struct nbc_backlog *backlog)
{
    struct nbc_segment *segment = backlog->first;
    backlog->first = segment->next;
    if (!backlog->first)
        backlog->last = NULL;
    backlog->taken = 0;
    nbc_segment_release(segment);
}

struct nbc_lent nbc_backlog_take(struct nbc_backlog *backlog, size_t most)
{
    struct nbc_segment *segment = backlog->first;
    size_t left = segment->length - backlog->taken;
    struct nbc_lent lent = {segment->bytes + backlog->taken, left < most ? left : most, segment};
    segment->shares++;
    backlog->taken += lent.length;
    if (lent.length == left)
        drop_first(backlog);
    return lent;
}

void nbc_backlog_clear(struct nbc_backlog *backlog)
{
    while (backlog->first)
        drop_first(backlog);
}
