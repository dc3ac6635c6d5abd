/*
 * MessagePack as JSON text and back. Bytes are {"$binary": "<base64>"}; so is a
 * string that is no UTF-8.
 */
#ifndef NB_CLI_JSON_H
#define NB_CLI_JSON_H

#include "netbroker.h"

#include <jansson.h>

/* False when a "$binary" is no base64. */
bool nb_cli_pack_json(struct netbroker_packer *packer, const json_t *value);

/* One value off the cursor; NULL when it is malformed. The caller owns it. */
json_t *nb_cli_unpack_json(struct netbroker_cursor *cursor);

/* The same for one value in memory; no bytes give JSON null. */
json_t *nb_cli_unpack_bytes(const void *bytes, size_t length);

/* One line, or with `pretty` several, and flushes. False when it cannot be written. */
bool nb_cli_print_json(FILE *out, const json_t *value, bool pretty);

#endif
