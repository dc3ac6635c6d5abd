/*
 * The daemon's allocator: malloc, counted, and able to fail on demand, so that
 * tests can show how much is allocated and force every failure. Any thread.
 */
#ifndef NB_MEMORY_H
#define NB_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* NULL when there is no memory, as malloc, calloc, realloc. The caller owns the result. */
void *nb_malloc(size_t size);
void *nb_calloc(size_t count, size_t size);
void *nb_realloc(void *memory, size_t size);
void nb_free(void *memory);

/* As aligned_alloc: alignment is a power of two, size a multiple of it. */
void *nb_malloc_aligned(size_t alignment, size_t size);

/* Calls that asked for memory so far, in the whole process. */
uint64_t nb_memory_requests(void);

/* Blocks that are allocated and not freed. */
int64_t nb_memory_live(void);

/* The count-th request from now on fails, once; 0: none does. For tests. */
void nb_memory_fail_after(uint64_t count);

/* Makes libuv allocate here too. Before any other use of libuv. */
void nb_memory_serve_libuv(void);

#endif
