/*
 * A socket's way to a connection:
 *
 *     host --resolver or client--> addresses --race--> one connection
 *
 * socket_connect.c begins it, socket_lookup.c finds the addresses, socket_dial.c
 * tries them side by side, socket_news.c tells of it. Home thread only.
 */
#ifndef NB_SOCKET_DIAL_H
#define NB_SOCKET_DIAL_H

#include "attempt.h"
#include "resolver.h"
#include "socket_internal.h"

/* A lookup event and three for the attempt, for each address. */
enum { NB_DIAL_EVENTS = 4 * NB_LOOKUP_ADDRESSES };

/* From the request to its end. */
struct nb_dial {
    struct nb_socket *socket; /* whose it is */
    struct nb_slice host, path; /* borrow from chunk; absent where not used */
    struct nb_chunk *chunk; /* a share */
    struct nb_write_queue early; /* what was written before there is a connection */

    int family, hints;
    bool is_single; /* only the first address counts */
    bool asks_client; /* the client looks the host up */
    bool waits_for_client;
    uint64_t ticket; /* of the lookup under way */
    struct nb_lookup *lookup; /* owned; NULL: none */

    struct nb_endpoint candidates[NB_LOOKUP_ADDRESSES]; /* in the order of their attempts, with port */
    unsigned count, next;
    struct nb_endpoint local; /* to bind to; family 0: none wanted */
    uint16_t port, local_port;
    struct nb_attempt *attempts; /* owned; under way, newest first */
    uint32_t attempt_delay; /* ms */
    struct nb_timer pace; /* until the next is tried beside the newest */
    struct nb_failure *failures[NB_LOOKUP_ADDRESSES]; /* shares */
    unsigned failure_count;

    bool tells_attempts; /* events for attempts, although there may be one address only */
    bool holds_events; /* the client does not know the id yet: events wait for the answer */
    struct nb_event_message *held[NB_DIAL_EVENTS]; /* owned */
    unsigned held_count;
};

/* ---- socket_lookup.c ---- */

/* Finds the addresses of the host and begins the race. The socket is RESOLVING, with its request. */
void nb_dial_resolve(struct nb_dial *dial);

/* ---- socket_dial.c ---- */

/* Begins to try the candidates, or the path. */
void nb_dial_race(struct nb_dial *dial);

/* ---- socket_news.c ---- */

/* Events; text is sent as it is. failure NULL: none; of lookup: then there is no address. family 0: absent. */
void nb_dial_tell_lookup(struct nb_dial *dial, struct nb_failure *failure, struct nb_slice address,
                         int family);
void nb_dial_tell_request(struct nb_dial *dial);

/* remote NULL: the path. index: one of the three that tell of attempts. */
void nb_dial_tell_attempt(struct nb_dial *dial, enum nb_event_index index, const struct nb_endpoint *remote,
                          struct nb_failure *failure);

/* The connect and ready events and the answer to the request, in the order in which the client can use them. */
void nb_dial_tell_connected(struct nb_dial *dial);

#endif
