/* Open requests by msgid: a msgid is the number of a slot, so nothing is searched. */
#ifndef NBC_REQUESTS_H
#define NBC_REQUESTS_H

#include "netbroker.h"

/* The broker's default maxPending. */
enum { NBC_MAX_REQUESTS = 65536 };

struct nbc_request {
    /* Internal; NULL for a free slot. `request` is a copy, its slot is free again. */
    void (*on_reply)(struct netbroker_session *session, const struct nbc_request *request,
                     const struct netbroker_reply *reply);
    netbroker_reply_fn *reply; /* the caller's */
    void *context;
    uint64_t target;
    uint32_t next_free;
};

struct nbc_requests {
    const struct netbroker_allocator *allocator;
    struct nbc_request *slots;
    uint32_t capacity;
    uint32_t open;
    uint32_t first_free; /* capacity: none */
};

void nbc_requests_finish(struct nbc_requests *requests);
/* Makes sure that `count` more can be opened. 0, -ENOMEM, or -ENOBUFS above the maximum. */
int nbc_requests_reserve(struct nbc_requests *requests, size_t count);
/* Opens one, copied; needs a reserve. The msgid. */
uint32_t nbc_requests_open(struct nbc_requests *requests, const struct nbc_request *request);
/* Closes one and gives it out. -ENOENT when it is not open. */
int nbc_requests_close(struct nbc_requests *requests, uint64_t msgid, struct nbc_request *ret_request);

#endif
