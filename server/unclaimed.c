#include "unclaimed.h"

#include "foreign.h"
#include "memory.h"

#include <string.h>
#include <uv.h>

struct nb_unclaimed *nb_unclaimed_new(unsigned capacity)
{
    struct nb_unclaimed *unclaimed = nb_malloc(sizeof *unclaimed + capacity * sizeof *unclaimed->fds);
    if (unclaimed)
        *unclaimed = (struct nb_unclaimed){.capacity = capacity};
    return unclaimed;
}

/* The oldest ones go; who still holds one has taken it out. */
static void drop(struct nb_unclaimed *unclaimed, unsigned count)
{
    unclaimed->first += count;
    unclaimed->count -= count;
    memmove(unclaimed->fds, unclaimed->fds + count, unclaimed->count * sizeof *unclaimed->fds);
}

static void close_oldest(struct nb_unclaimed *unclaimed, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nb_foreign_close(unclaimed->fds[i]);
    drop(unclaimed, count);
}

void nb_unclaimed_free(struct nb_unclaimed *unclaimed)
{
    if (!unclaimed)
        return;
    close_oldest(unclaimed, unclaimed->count);
    nb_free(unclaimed);
}

int nb_unclaimed_add(struct nb_unclaimed *unclaimed, const int *fds, unsigned count)
{
    if (count > unclaimed->capacity - unclaimed->count)
        return UV_ENOSPC;
    memcpy(unclaimed->fds + unclaimed->count, fds, count * sizeof *fds);
    unclaimed->count += count;
    return 0;
}

int nb_unclaimed_claim(struct nb_unclaimed *unclaimed, uint64_t ordinal)
{
    if (ordinal < unclaimed->first || ordinal - unclaimed->first >= unclaimed->count)
        return UV_EBADF;
    close_oldest(unclaimed, (unsigned)(ordinal - unclaimed->first));
    int fd = unclaimed->fds[0];
    drop(unclaimed, 1);
    return fd;
}
