/* The event loops that a session can be in: the library's own wait and the three adapters, one interface for tests. */
#ifndef TEST_LOOP_H
#define TEST_LOOP_H

#include "netbroker.h"

struct loop_kind {
    const char *name;
    /* Opens what the loop's library keeps open for the whole process. */
    void (*warm_up)(void);
    /* Puts the session, shared, into a new loop. */
    void *(*open)(struct netbroker_session *session);
    /* One turn that waits for at most `timeout` milliseconds. 0; or what netbroker_dispatch() gave when the session
     * ended; -ETIMEDOUT when the time passed. */
    int (*turn)(void *loop, int timeout);
    /* The session may be gone already if the last turn told its end. */
    void (*close)(void *loop);
};

extern const struct loop_kind loop_of_wait, loop_of_epoll, loop_of_uv, loop_of_glib;

/* The one that $NETBROKER_TEST_LOOP names; without it that of netbroker_wait(). */
const struct loop_kind *loop_kind_chosen(void);

#endif
