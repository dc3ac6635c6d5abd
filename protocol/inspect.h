/* Values as Node's error messages print them. ret_text has room for NB_INSPECT_SIZE bytes. */
#ifndef NB_INSPECT_H
#define NB_INSPECT_H

#include "msgpack_cursor.h"

enum { NB_INSPECT_SIZE = 560 };

/* As util.inspect: 'text', 5000000000, true; containers as [Array], [Object]. At most 128 characters. */
void nb_inspect(const struct nb_value *value, char *ret_text);

/* With its type, as behind the "Received" of a type error: "type string ('80')", "an instance of Array". */
void nb_inspect_type(const struct nb_value *value, char *ret_text);

/* As behind the "Received" of a range error: 5_000_000_000, -1, 1.5 */
void nb_inspect_range(const struct nb_value *value, char *ret_text);

/* The same for a number that is no encoded value. */
void nb_inspect_number(double number, char *ret_text);

#endif
