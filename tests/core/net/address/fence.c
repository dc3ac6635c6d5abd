#include "fence.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

enum { FENCE = 1 << 16 }; /* a multiple of any page */

/* Stays until the test's process ends. */
static char *room(void)
{
    static char *mapped;
    if (!mapped) {
        mapped = mmap(NULL, FENCE_ROOM + 2 * FENCE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(mapped, MAP_FAILED);
        ck_assert_int_eq(mprotect(mapped + FENCE, FENCE_ROOM, PROT_READ | PROT_WRITE), 0);
    }
    return mapped + FENCE;
}

const char *fence_behind(const void *bytes, size_t length)
{
    ck_assert_uint_le(length, FENCE_ROOM);
    return memcpy(room() + FENCE_ROOM - length, bytes, length);
}

const char *fence_before(const void *bytes, size_t length)
{
    ck_assert_uint_le(length, FENCE_ROOM);
    return memcpy(room(), bytes, length);
}
