/* UTF-8 as in RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF. */
#ifndef NB_UTF8_H
#define NB_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the longest run of whole, valid characters from data on. */
size_t nb_utf8_valid(const uint8_t *data, size_t length);

/* Bytes of the one valid character at data, or 0. Needs length > 0. */
size_t nb_utf8_character(const uint8_t *data, size_t length);

/* The largest length, at most that given, that does not end inside a character. */
size_t nb_utf8_cut(const uint8_t *data, size_t length);

#endif
