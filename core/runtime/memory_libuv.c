/* Apart from the allocator, which programs without libuv use as well. */
#include "memory.h"

#include <uv.h>

void nb_memory_serve_libuv(void)
{
    uv_replace_allocator(nb_malloc, nb_realloc, nb_calloc, nb_free);
}
