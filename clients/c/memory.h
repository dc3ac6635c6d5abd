/* The one way to memory: the caller's allocator, or realloc(). */
#ifndef NBC_MEMORY_H
#define NBC_MEMORY_H

#include "netbroker.h"

#include <stdlib.h>

/* As struct netbroker_allocator says. `allocator` may be NULL. */
static inline void *nbc_resize(const struct netbroker_allocator *allocator, void *block, size_t size)
{
    if (allocator)
        return allocator->resize(allocator->context, block, size);
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}

#endif
