/* Port numbers given as text. */
#ifndef NB_PORT_H
#define NB_PORT_H

#include "slice.h"

/*
 * A port as Node takes it from text: what JavaScript's Number makes of it (digits, 0x50, 1e3, spaces around)
 * must be an integer from 0 to 65535. False: it is none. At most 63 characters are looked at.
 */
bool nb_port_of_text(struct nb_slice text, uint32_t *ret_port);

#endif
