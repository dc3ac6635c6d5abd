/*
 * A connection of a client's that becomes a channel: from the session that it was
 * to be, to the socket whose bytes it carries, on whatever loop that lives. A
 * socket that does not take it, or is gone, leaves the message to be disposed of:
 * the client is told, and the connection closed.
 */
#ifndef NB_ATTACH_H
#define NB_ATTACH_H

#include "actor.h"
#include "chunk.h"
#include "offering.h"

#include <stdint.h>

enum { NB_ATTACH_ANSWER = 256 };

/* A frame; empty for a notification. */
struct nb_attach_answer {
    uint8_t bytes[NB_ATTACH_ANSWER];
    size_t length;
};

struct nb_attach {
    struct nb_message message;
    char token[NB_TOKEN_TEXT];
    int fd; /* owned; -1: taken */
    struct nb_chunk *rest; /* owned, of one share; what came behind the frame; NULL: nothing */
    size_t rest_length;
    struct nb_attach_answer granted, refused;
};
extern const struct nb_message_class nb_attach_class;

/* A new one with nothing in it; NULL: no memory. */
struct nb_attach *nb_attach_new(struct nb_loop *loop);

#endif
