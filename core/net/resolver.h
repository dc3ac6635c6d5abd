/*
 * Host names into addresses, by the system's getaddrinfo, on threads of their
 * own: it may take long and cannot be interrupted, so nothing else waits behind
 * it, and those who ask share the threads fairly.
 *
 *     session A   line: name, name, name --+
 *     session B   line: name --------------+--> one of each in turn --> threads
 *     session C   line: name, name --------+
 *
 * A session has at most a quarter of the threads, and the sessions of one uid
 * together at most three quarters: slow names of some leave room for the others.
 */
#ifndef NB_RESOLVER_H
#define NB_RESOLVER_H

#include "actor.h"
#include "endpoint.h"

#include <sys/types.h>

enum {
    NB_LOOKUP_ADDRESSES = 16, /* more are left out */
    NB_HOST_MAX = 255, /* RFC 1035: the longest name; longer ones are not found */
    NB_LOOKUP_THREADS = 16,
};

/* Starts the threads: before the first lookup, main thread. Negative libuv code: not one could be started. */
int nb_resolver_start(void);

/* Joins the threads: waits for lookups that run; there must be none that wait. Main thread. */
void nb_resolver_finish(void);

/* Lookups of the whole process that are not done; those that run although nobody waits for them, too. Any thread. */
unsigned nb_lookups_under_way(void);

/* Where the lookups of one session wait for their turn; counted. Home thread of the session. */
struct nb_lookup_line;

/* max: lookups that may be open at a time. NULL: no memory. */
struct nb_lookup_line *nb_lookup_line_new(uid_t uid, uint32_t max);
void nb_lookup_line_unref(struct nb_lookup_line *line); /* NULL is fine */

/* Lookups that somebody waits for, and how many there may be. */
uint32_t nb_lookup_line_open(struct nb_lookup_line *line);
uint32_t nb_lookup_line_max(const struct nb_lookup_line *line);

/* The answer, sent to the actor that asked. */
struct nb_lookup_answer {
    struct nb_message message;
    uint64_t ticket; /* the asker's, to know an answer that it no longer waits for */
    int status; /* 0, or a negative libuv code (UV_EAI_...) */
    unsigned count;
    struct nb_endpoint addresses[NB_LOOKUP_ADDRESSES]; /* each once, in the system's order; without port */
};
extern const struct nb_message_class nb_lookup_answer_class;

/* Owned by the asker, until nb_lookup_end. */
struct nb_lookup;

/*
 * Asks for the stream addresses of a name; the answer comes as a message, unless
 * the lookup is ended before. host: copied. family: 0, 4 or 6; hints: AI_... flags
 * of getaddrinfo. UV_ENOMEM; UV_ENOSPC: the line has as many as it may.
 */
int nb_lookup_start(struct nb_actor *asker, struct nb_lookup_line *line, uint64_t ticket,
                    struct nb_slice host, int family, int hints, struct nb_lookup **ret_lookup);

/*
 * Lets go of a lookup, answered or not; NULL is fine. One that waits is taken out of
 * its line; one that runs goes on, for nobody. An answer that is on its way still
 * arrives. The asker's thread.
 */
void nb_lookup_end(struct nb_loop *loop, struct nb_lookup *lookup);

#endif
