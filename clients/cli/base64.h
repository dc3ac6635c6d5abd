/* Base64 of RFC 4648 with padding. */
#ifndef NB_CLI_BASE64_H
#define NB_CLI_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Room that `length` bytes need as text, NUL included. */
size_t nb_cli_base64_size(size_t length);
void nb_cli_base64_encode(const unsigned char *bytes, size_t length, char *out);

/* `out` has room for 3 bytes per 4 characters. False when the text is no base64. */
bool nb_cli_base64_decode(const char *text, size_t length, unsigned char *out, size_t *ret_length);

#endif
