/*
 * Node's text encodings: texts of write and end into bytes, received bytes into
 * text. Results are those of Buffer.from(text, encoding) and StringDecoder.
 */
#ifndef NB_ENCODING_H
#define NB_ENCODING_H

#include "slice.h"

#include <stdbool.h>

enum nb_encoding {
    NB_ENCODING_NONE, /* bytes stay bytes */
    NB_UTF8,
    NB_UTF16LE,
    NB_LATIN1,
    NB_ASCII,
    NB_BASE64,
    NB_BASE64URL,
    NB_HEX,
};

/* By Node's names and aliases, in any letter case; -1: unknown. */
int nb_encoding_of(struct nb_slice name);

/* The canonical name; static. */
const char *nb_encoding_name(enum nb_encoding encoding);

/* Most bytes that nb_encode_text writes for a text of that many UTF-8 bytes. */
size_t nb_encode_bound(enum nb_encoding encoding, size_t length);

/* The bytes of a UTF-8 text; returns their number. What is not valid in base64 or hex ends or is skipped as in Node. */
size_t nb_encode_text(enum nb_encoding encoding, struct nb_slice text, uint8_t *out);

/* What a chunk has left over for the next: less than one character. */
struct nb_decoder {
    enum nb_encoding encoding;
    uint8_t kept[4];
    uint8_t kept_length;
};

/* Most UTF-8 bytes that decoding that many bytes, or the end, gives. */
size_t nb_decode_bound(const struct nb_decoder *decoder, size_t length);

/* Decodes a chunk into UTF-8; returns the length, which may be 0. */
size_t nb_decode(struct nb_decoder *decoder, const uint8_t *bytes, size_t length, char *out);

/* What is left at the end of the stream, as Node's StringDecoder.end; returns the length. */
size_t nb_decode_end(struct nb_decoder *decoder, char *out);

#endif
