/*
 * A copy of bytes of which the address sanitizer lets the code under test read
 * the first ones only, as if the others had not come yet. Unlike a heap block for
 * each length it costs next to nothing. Without the sanitizer all can be read.
 */
#ifndef NB_FUZZ_WINDOW_H
#define NB_FUZZ_WINDOW_H

#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FUZZ_WINDOW = 8192 };

/* Static, all zero before the first use. */
struct fuzz_window {
    _Alignas(16) uint8_t bytes[FUZZ_WINDOW];
};

/* Makes length bytes readable, at most FUZZ_WINDOW, and nothing behind them. */
static inline const uint8_t *fuzz_window_show(struct fuzz_window *window, size_t length)
{
    ASAN_UNPOISON_MEMORY_REGION(window->bytes, length);
    ASAN_POISON_MEMORY_REGION(window->bytes + length, FUZZ_WINDOW - length);
    return window->bytes;
}

/* Copies at most FUZZ_WINDOW bytes and shows them. */
static inline const uint8_t *fuzz_window_fill(struct fuzz_window *window, const void *data, size_t length)
{
    fuzz_window_show(window, length);
    return memcpy(window->bytes, data, length);
}

#endif
