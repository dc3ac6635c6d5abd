/* An error on its way to a client: the error map of the schema, with room for its texts. */
#ifndef NB_FAULT_H
#define NB_FAULT_H

#include "netbroker.pb.h"

enum { NB_FAULT_TEXT = 640 };

/*
 * The slices of map point to static strings or into text, so a fault is passed
 * by pointer and copied only with nb_fault_copy. Zero-initialised = no fault.
 * Texts that do not fit are cut at a character's edge; nothing is allocated.
 */
struct nb_fault {
    nb_Error map;
    size_t text_length;
    char text[NB_FAULT_TEXT];
};

/* Starts a fault: code and name (NULL: plain Error) are static strings; the message is printf-style. */
void nb_fault_set(struct nb_fault *fault, const char *code, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Copies a text into the fault and returns the slice of it; for the further fields of map. Never NULL. */
struct nb_slice nb_fault_keep(struct nb_fault *fault, const char *text, size_t length);

/* The same error in other memory. */
void nb_fault_copy(struct nb_fault *to, const struct nb_fault *from);

/*
 * Node's argument errors. label is what Node calls the offending value, such as
 * "msecs" or "options.port"; without "options." it is also the name of the field
 * in the error map, and nb_fault_set_argument gives that where it is another one. received is what Node prints
 * behind "Received", such as "type string ('80')" or "-1" (inspect.h makes such texts). expected and range stand
 * behind "must be": "of type boolean", ">= 0 && <= 32"; reason behind the label: "is invalid".
 */
void nb_fault_type(struct nb_fault *fault, const char *label, const char *expected, const char *received);
void nb_fault_range(struct nb_fault *fault, const char *label, const char *range, const char *received);
void nb_fault_value(struct nb_fault *fault, const char *label, const char *reason, const char *received);
void nb_fault_port(struct nb_fault *fault, const char *label, const char *received);

/* The field at fault, as it is called on the wire: "timeout" where Node says "msecs". Copies, unless it is so already. */
void nb_fault_set_argument(struct nb_fault *fault, const char *field);

/* ERR_NB_LIMIT: limit is its name in section 6 of the protocol, a static string; value the limit itself. */
void nb_fault_limit(struct nb_fault *fault, const char *limit, uint64_t value);

#endif
