/*
 * The schema as tables: how each message lies in memory and what its fields are
 * called on the MessagePack wire; all methods and events. The tables themselves
 * are generated (generated/schema.c) from netbroker.proto.
 */
#ifndef NB_SCHEMA_H
#define NB_SCHEMA_H

#include "netbroker.pb.h"
#include "slice.h"

enum nb_field_type {
    NB_FIELD_BOOL,
    NB_FIELD_UINT32,
    NB_FIELD_INT32,
    NB_FIELD_UINT64, /* at most 2^53-1 on the wire */
    NB_FIELD_DOUBLE,
    NB_FIELD_STRING, /* struct nb_slice, UTF-8 */
    NB_FIELD_BYTE_STRING, /* struct nb_slice; sent as bin where it is not UTF-8 */
    NB_FIELD_TEXT, /* struct nb_slice of any bytes, sent as UTF-8 */
    NB_FIELD_PAYLOAD, /* struct nb_slice of any bytes */
    NB_FIELD_ANY, /* struct nb_slice of one encoded MessagePack value */
    NB_FIELD_PORT, /* uint32_t, 0..65535 */
    NB_FIELD_MESSAGE, /* a struct of another shape */
    NB_FIELD_STRINGS, /* pb_size_t count at has_offset, then char[max_count][max_size] */
    NB_FIELD_UINT32S, /* pb_size_t count at has_offset, then uint32_t[max_count] */
};

enum { NB_NO_HAS = 0xffff }; /* slices say themselves whether they are present */

struct nb_field {
    const char *name; /* on the wire */
    const char *label; /* in error messages, as Node's: "options.port", "msecs" */
    uint8_t name_length;
    uint8_t type; /* enum nb_field_type */
    uint8_t max_count; /* lists */
    uint8_t max_size; /* of one string of a list, NUL included */
    bool always; /* a list that is sent even when it is empty */
    bool invalid; /* of a wrong type it is refused as of a wrong value */
    uint16_t offset;
    uint16_t has_offset; /* of the bool has_..., or of the count; NB_NO_HAS */
    const struct nb_shape *shape; /* NB_FIELD_MESSAGE */
};

/* A message. Fields of inline submessages stand in the list as its own. */
struct nb_shape {
    const char *name;
    const struct nb_field *fields;
    uint16_t size; /* of the C struct */
    uint8_t field_count;
    bool bare; /* travels as the value of its first field */
    bool open; /* unknown fields are skipped */
    const uint16_t *inlines; /* offsets of the has_... of inline submessages: a decoder sets them all */
    uint8_t inline_count;
};

/* Of a hot row: whether what travels bare is payload, or a number. */
static inline bool nb_shape_is_payload(const struct nb_shape *shape)
{
    return shape->field_count && shape->fields[0].type == NB_FIELD_PAYLOAD;
}

enum nb_target_kind {
    NB_TARGET_SESSION,
    NB_TARGET_SOCKET,
    NB_TARGET_SERVER,
    NB_TARGET_BLOCK_LIST,
    NB_TARGET_NEW_SOCKET,
    NB_TARGET_NEW_SERVER,
    NB_TARGET_NEW_BLOCK_LIST,
};

struct nb_method {
    const char *name; /* "socket.write" */
    uint8_t name_length;
    uint16_t number; /* on the Protobuf wire */
    uint16_t index; /* dense, from 0: enum nb_method_index of generated/schema_index.h */
    enum nb_target_kind target;
    bool hot; /* the body is the bare value of the first field, the others travel as options */
    bool early; /* only as the first frame */
    const char *feature; /* only in sessions that it was granted to; NULL: in all */
    const struct nb_shape *params;
    const struct nb_shape *result;
};

struct nb_event {
    const char *name;
    uint8_t name_length;
    uint16_t number;
    uint16_t index; /* enum nb_event_index */
    bool hot; /* the body is the bare value of the first field */
    const char *feature; /* as a method's */
    const struct nb_shape *body;
    struct nb_slice prefix; /* the first bytes of its frames: [2, name, and the header of params of two */
};

extern const struct nb_method nb_methods[]; /* by index */
extern const struct nb_event nb_events[]; /* by index */

/* The method of that name or alias, or NULL. Constant time. */
const struct nb_method *nb_method_find(struct nb_slice name);

/* The answer of session.describe: one encoded MessagePack map. */
extern const struct nb_slice nb_description;

#endif
