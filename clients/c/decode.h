/* Maps of the broker into the structs of netbroker.h. All give 0 or -EBADMSG. */
#ifndef NBC_DECODE_H
#define NBC_DECODE_H

#include "netbroker.h"

int nbc_decode_error(struct netbroker_cursor body, struct netbroker_error *ret_error);
int nbc_decode_endpoints(struct netbroker_cursor body, struct netbroker_endpoints *ret_endpoints);
int nbc_decode_address(struct netbroker_cursor body, struct netbroker_address *ret_address);
int nbc_decode_closed(struct netbroker_cursor body, struct netbroker_closed *ret_closed);

struct nbc_connection {
    uint64_t socket;
    struct netbroker_endpoints endpoints;
    struct netbroker_peer peer;
    bool has_peer;
};
int nbc_decode_connection(struct netbroker_cursor body, struct nbc_connection *ret_connection);

/* What matters of it here; limits are 0 when absent. */
struct nbc_welcome {
    bool has_flow;
    bool has_channels; /* by descriptors */
    uint64_t max_write, write_window, session_write_window;
};
int nbc_decode_welcome(struct netbroker_cursor body, struct nbc_welcome *ret_welcome);

/* The milliseconds of session.closing. */
int nbc_decode_closing(struct netbroker_cursor body, uint32_t *ret_deadline);

#endif
