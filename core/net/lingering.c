#include "lingering.h"

#include "log.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

/* One loop's; oldest first. */
struct line {
    struct nb_lingerer *oldest, **newest;
    size_t bytes;
    uint32_t sockets;
};

static struct line lines[NB_LOOPS_MAX];
static atomic_size_t all_bytes;
static atomic_uint all_sockets;
static size_t max_bytes = SIZE_MAX;
static uint32_t max_sockets = UINT32_MAX;
static unsigned loop_count = 1;

void nb_lingering_init(uint32_t sockets, uint32_t bytes, unsigned loops)
{
    max_sockets = sockets;
    max_bytes = bytes;
    loop_count = loops;
}

uint32_t nb_lingering_sockets(void)
{
    return atomic_load(&all_sockets);
}

size_t nb_lingering_bytes(void)
{
    return atomic_load(&all_bytes);
}

static void count_bytes_off(struct line *line, size_t length)
{
    line->bytes -= length;
    atomic_fetch_sub(&all_bytes, length);
}

static bool is_too_much(const struct line *line)
{
    return (nb_lingering_bytes() > max_bytes && line->bytes > max_bytes / loop_count) ||
           (nb_lingering_sockets() > max_sockets && line->sockets > max_sockets / loop_count);
}

static void cut_oldest(struct nb_loop *loop, const struct line *line)
{
    struct nb_lingerer *oldest = line->oldest;
    nb_log(NB_LOG_DEBUG, "lingering socket cut", "bytes=%zu", oldest->length);
    nb_lingering_remove(loop, oldest);
    oldest->cut(oldest);
}

static void append(struct line *line, struct nb_lingerer *lingerer)
{
    lingerer->next = NULL;
    lingerer->link = line->oldest ? line->newest : &line->oldest;
    *lingerer->link = lingerer;
    line->newest = &lingerer->next;
}

static void take_out(struct line *line, struct nb_lingerer *lingerer)
{
    *lingerer->link = lingerer->next;
    if (lingerer->next)
        lingerer->next->link = lingerer->link;
    else
        line->newest = lingerer->link;
    lingerer->next = NULL;
    lingerer->link = NULL;
}

void nb_lingering_add(struct nb_loop *loop, struct nb_lingerer *lingerer, size_t length)
{
    struct line *line = &lines[loop->index];
    assert(!lingerer->link);
    append(line, lingerer);
    lingerer->length = length;
    line->bytes += length;
    line->sockets++;
    atomic_fetch_add(&all_bytes, length);
    atomic_fetch_add(&all_sockets, 1);
    while (is_too_much(line))
        cut_oldest(loop, line);
}

void nb_lingering_pay(struct nb_loop *loop, struct nb_lingerer *lingerer, size_t length)
{
    if (!lingerer->link)
        return;
    assert(lingerer->length >= length);
    lingerer->length -= length;
    count_bytes_off(&lines[loop->index], length);
}

void nb_lingering_remove(struct nb_loop *loop, struct nb_lingerer *lingerer)
{
    struct line *line = &lines[loop->index];
    if (!lingerer->link)
        return;
    take_out(line, lingerer);
    count_bytes_off(line, lingerer->length);
    line->sockets--;
    atomic_fetch_sub(&all_sockets, 1);
}
