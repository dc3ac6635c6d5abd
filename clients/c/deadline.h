/* A point in time by which a whole call is to be done. */
#ifndef NBC_DEADLINE_H
#define NBC_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct nbc_deadline {
    int64_t at; /* milliseconds of the monotonic clock; below 0: never */
    bool is_spent; /* it has passed, and what was there then has been seen to */
};

/* -1: never. */
struct nbc_deadline nbc_deadline_in(int milliseconds);

/* Milliseconds that are left, for poll(): 0 when it has passed, -1 when it never comes. */
int nbc_deadline_left(struct nbc_deadline deadline);

#endif
