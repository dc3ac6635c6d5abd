/* MessagePack values into the structs of the schema. Nothing is allocated; slices borrow from the frame. */
#ifndef NB_MSGPACK_DECODE_H
#define NB_MSGPACK_DECODE_H

#include "fault.h"
#include "msgpack_cursor.h"
#include "schema.h"

/* An empty message: nothing present but the inline submessages, which always are. */
void nb_message_clear(const struct nb_shape *shape, void *message);

/*
 * Takes the next value into a cleared message: a map of the shape's fields, or
 * the bare value. argument is what a value of the wrong type is called.
 * False with a fault set when it is refused; message is then of no use.
 */
bool nb_decode_message(struct nb_cursor *cursor, const struct nb_shape *shape, const char *argument,
                       void *message, struct nb_fault *ret_fault);

/* The same for a map of the fields from index first on. */
bool nb_decode_fields(struct nb_cursor *cursor, const struct nb_shape *shape, uint8_t first,
                      const char *argument, void *message, struct nb_fault *ret_fault);

/* The payload of a hot message; *ret_is_text: it came as str. */
bool nb_decode_payload(struct nb_cursor *cursor, const struct nb_field *field, struct nb_slice *ret_payload,
                       bool *ret_is_text, struct nb_fault *ret_fault);

/* The bare first field of a hot message that is no payload. */
bool nb_decode_first(struct nb_cursor *cursor, const struct nb_shape *shape, void *message,
                     struct nb_fault *ret_fault);

#endif
