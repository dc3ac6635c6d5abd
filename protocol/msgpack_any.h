/*
 * Values of no particular shape (NB_FIELD_ANY): what a client may put into one,
 * and the form in which the broker gives it back. Both walk bytes that nb_scan
 * has accepted, so they go no deeper than NB_SCAN_DEPTH_MAX; nothing is allocated.
 */
#ifndef NB_MSGPACK_ANY_H
#define NB_MSGPACK_ANY_H

#include <msgpack/pack.h>

#include "msgpack_cursor.h"

enum nb_any_status {
    NB_ANY,
    NB_ANY_EXTENSION, /* an ext that is not undefined */
    NB_ANY_KEY_NOT_TEXT,
    NB_ANY_NOT_UTF8, /* a str, or a key */
};

/*
 * Goes over one value. On refusal *ret_wrong is the part that is at fault and
 * the cursor stands behind it.
 */
enum nb_any_status nb_any_take(struct nb_cursor *cursor, struct nb_value *ret_wrong);

/*
 * Packs one value that nb_any_take has let through in the form that protocol.md promises: the shortest integers and
 * heads, float64, keys as str; undefined as nil. Entries of maps that are nil are
 * left out; an item of an array cannot be, and stays.
 */
void nb_any_pack(msgpack_packer *packer, struct nb_slice value);

#endif
