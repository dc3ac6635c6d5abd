/*
 * Where a connection really goes. The system takes an unspecified address, as
 * 0.0.0.0, for one of its own: who checks addresses has to know which.
 */
#ifndef NB_DESTINATION_H
#define NB_DESTINATION_H

#include "ip.h"

/*
 * What Linux connects to when it is told remote, from a socket that is bound to
 * local (of family 0: to none): the bound address or the loopback's for an
 * unspecified one, and remote itself for all others.
 */
struct nb_ip nb_destination_of(const struct nb_ip *remote, const struct nb_ip *local);

#endif
