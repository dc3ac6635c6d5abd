/* Host names into addresses, on libuv's thread pool. */
#ifndef NB_RESOLVER_H
#define NB_RESOLVER_H

#include "actor.h"
#include "endpoint.h"

enum {
    NB_LOOKUP_ADDRESSES = 16, /* more are left out */
    NB_HOST_MAX = 255, /* RFC 1035: the longest name; longer ones are not found */
};

/* The answer, sent to the actor that asked. */
struct nb_lookup_answer {
    struct nb_message message;
    uint64_t ticket; /* the asker's, to know an answer that it no longer waits for */
    int status; /* 0, or a negative libuv code (UV_EAI_...) */
    unsigned count;
    struct nb_endpoint addresses[NB_LOOKUP_ADDRESSES]; /* each once, in the system's order; without port */
};
extern const struct nb_message_class nb_lookup_answer_class;

/*
 * Asks the system for the stream addresses of a name; the answer comes as a
 * message, always, unless a negative errno is returned. The asker may be gone
 * before. host: copied. family: 0, 4 or 6; hints: AI_... flags of getaddrinfo.
 */
int nb_lookup(struct nb_actor *asker, uint64_t ticket, struct nb_slice host, int family, int hints);

/* Lookups of the whole process that have not been answered yet. Any thread. */
unsigned nb_lookups_under_way(void);

#endif
