#include "memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_uint_fast64_t requests;
static atomic_int_fast64_t live;
static atomic_uint_fast64_t countdown;

/* Whether this request is the one that a test wants to fail. */
static bool is_to_fail(void)
{
    atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
    if (!atomic_load_explicit(&countdown, memory_order_relaxed))
        return false;
    return atomic_fetch_sub_explicit(&countdown, 1, memory_order_relaxed) == 1;
}

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return memory;
}

void *nb_malloc(size_t size)
{
    return is_to_fail() ? NULL : counted(malloc(size));
}

void *nb_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : counted(calloc(count, size));
}

void *nb_realloc(void *memory, size_t size)
{
    if (!memory)
        return nb_malloc(size);
    return is_to_fail() ? NULL : realloc(memory, size);
}

void *nb_malloc_aligned(size_t alignment, size_t size)
{
    return is_to_fail() ? NULL : counted(aligned_alloc(alignment, size));
}

void nb_free(void *memory)
{
    if (memory)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(memory);
}

uint64_t nb_memory_requests(void)
{
    return atomic_load_explicit(&requests, memory_order_relaxed);
}

int64_t nb_memory_live(void)
{
    return atomic_load_explicit(&live, memory_order_relaxed);
}

void nb_memory_fail_after(uint64_t count)
{
    atomic_store_explicit(&countdown, count, memory_order_relaxed);
}
