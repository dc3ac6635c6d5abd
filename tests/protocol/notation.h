/*
 * MessagePack for tests, written nearly like JSON: [0, 3, 'socket.write', [1, x'00ff']].
 * x'..' is a bin, <..> the bytes of one value as they are; 1.5 is a float64, 2.0 too;
 * commas and colons are space. Widths are the shortest.
 */
#ifndef NB_TEST_NOTATION_H
#define NB_TEST_NOTATION_H

#include "slice.h"

/* The slice owns its bytes, exactly as many as are used, so that sanitizers see one byte too far; free them. */
struct nb_slice notation(const char *text);

/* Bytes from hex digits; owned alike. */
struct nb_slice unhex(const char *digits);

/* Hex digits of bytes; static memory, good until the next call. */
const char *hex(const uint8_t *data, size_t length);

#endif
