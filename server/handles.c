#include "hash.h"
#include "memory.h"

#include <stdbool.h>
#include <stddef.h>

/* uthash would end the program when memory runs out; it tells us instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(handle) ((handle)->number = 0)
#define uthash_malloc(size) nb_malloc(size)
#define uthash_free(memory, size) nb_free(memory)
#define HASH_FUNCTION(number, size, hash) ((hash) = (unsigned)nb_hash(*(number)))

#include "handles.h"

#include <uv.h>

void nb_handles_finish(struct nb_handles *handles)
{
    struct nb_handle *handle, *next;
    HASH_ITER(hh, handles->table, handle, next)
    {
        HASH_DEL(handles->table, handle);
        nb_filter_unref(handle->filter);
        nb_free(handle);
    }
}

struct nb_handle *nb_handles_find(const struct nb_handles *handles, uint64_t number)
{
    struct nb_handle *handle;
    HASH_FIND(hh, handles->table, &number, sizeof number, handle);
    return handle;
}

int nb_handles_add(struct nb_handles *handles, uint64_t number, struct nb_actor_id actor,
                   enum nb_target_kind kind)
{
    struct nb_handle *handle = nb_calloc(1, sizeof *handle);
    if (!handle)
        return UV_ENOMEM;
    handle->number = number;
    handle->actor = actor;
    handle->kind = kind;
    HASH_ADD(hh, handles->table, number, sizeof handle->number, handle);
    if (handle->number == number)
        return 0;
    nb_free(handle);
    return UV_ENOMEM;
}

void nb_handles_remove(struct nb_handles *handles, uint64_t number)
{
    struct nb_handle *handle = nb_handles_find(handles, number);
    if (!handle)
        return;
    HASH_DEL(handles->table, handle);
    nb_filter_unref(handle->filter);
    nb_free(handle);
}
