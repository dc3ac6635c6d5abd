/* What all examples do first and last: a session by the environment, and events until it ends. */
#ifndef EXAMPLES_SESSION_H
#define EXAMPLES_SESSION_H

#include <netbroker.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL: it has said why not. `options` may be NULL. */
static inline struct netbroker_session *open_session(const struct netbroker_options *options)
{
    struct netbroker_session *session;
    char why[256];
    int result = netbroker_connect(NULL, options, &session);
    if (result == 0)
        return session;
    netbroker_explain(NULL, result, why, sizeof why);
    fprintf(stderr, "%s\n", why);
    return NULL;
}

/* Until the session is over, or `status` is no longer 0. */
static inline int run_session(struct netbroker_session *session, const int *status)
{
    int result = 0;
    while (*status == 0 && (result == 0 || result == -EINTR))
        result = netbroker_wait(session, -1);
    if (*status == 0)
        fprintf(stderr, "the session is over: %s\n", strerror(-result));
    return EXIT_FAILURE;
}

/* For on_listening of a server. */
static inline void print_address(struct netbroker_server *server, void *context,
                                 const struct netbroker_address *address)
{
    (void)server;
    (void)context;
    if (address->path[0])
        printf("listening on %s\n", address->path);
    else
        printf("listening on %s:%u\n", address->address, address->port);
    fflush(stdout);
}

/* For on_error of a server whose context is the program's status. */
static inline void print_error(struct netbroker_server *server, void *context,
                               const struct netbroker_error *error)
{
    (void)server;
    *(int *)context = EXIT_FAILURE;
    fprintf(stderr, "%s\n", error->message);
}

#endif
