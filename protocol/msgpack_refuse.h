/* How a value that does not fit its field is refused, in Node's words. */
#ifndef NB_MSGPACK_REFUSE_H
#define NB_MSGPACK_REFUSE_H

#include "fault.h"
#include "msgpack_cursor.h"
#include "schema.h"

/* Where in the body a value stands, for the names in faults. */
struct nb_place {
    const struct nb_place *outer;
    const char *name; /* on the wire */
    const char *label; /* in messages */
    bool is_body; /* the body itself: no part of its fields' names */
};

/* Each sets the fault, always with the argument, and returns false. The texts are those of fault.h. */
bool nb_refuse_type(struct nb_fault *fault, const struct nb_place *place, const char *expected,
                    const struct nb_value *value);
bool nb_refuse_range(struct nb_fault *fault, const struct nb_place *place, const char *range,
                     const struct nb_value *value);
bool nb_refuse_value(struct nb_fault *fault, const struct nb_place *place, const char *reason,
                     const struct nb_value *value);

/* A number or text that is no port; shape is the message it stands in. */
bool nb_refuse_port(struct nb_fault *fault, const struct nb_place *place, const struct nb_shape *shape,
                    const struct nb_value *value);

/* A field that the message at place does not have. */
bool nb_refuse_unknown(struct nb_fault *fault, const struct nb_place *place, struct nb_slice key);

/* A port or path of server.listen of the wrong type: Node refuses the options as a whole. */
bool nb_refuse_listen_address(struct nb_fault *fault, const struct nb_place *place,
                              const struct nb_value *value);

#endif
