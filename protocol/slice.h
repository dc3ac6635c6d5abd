/* A borrowed run of bytes. */
#ifndef NB_SLICE_H
#define NB_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Borrows: whoever made the slice says how long the bytes live (a decoded
 * frame's slices: as long as the frame). Never NUL-terminated. data == NULL
 * means absent; an empty but present slice has a non-NULL pointer.
 */
struct nb_slice {
    const uint8_t *data;
    size_t length;
};

/* A slice of a string literal or of any string that outlives the slice. */
static inline struct nb_slice nb_slice_of(const char *text)
{
    return (struct nb_slice){(const uint8_t *)text, strlen(text)};
}

static inline bool nb_slice_is(struct nb_slice slice, const char *text)
{
    size_t length = strlen(text);
    return slice.data && slice.length == length && memcmp(slice.data, text, length) == 0;
}

#endif
