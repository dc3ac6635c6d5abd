/*
 * What server.listen asks for with the field handle: the listening socket of
 * another server, or the one of a socket, under a descriptor of its own. The
 * message goes to whom it is of, and comes back as the answer, always.
 */
#ifndef NB_LOAN_H
#define NB_LOAN_H

#include "actor.h"
#include "descriptor.h"

struct nb_loan {
    struct nb_message message;
    struct nb_actor_id asker;
    uint64_t ticket; /* the asker's, to know an answer that it no longer waits for */
    int fd; /* owned; -1: not answered yet, or there is nothing to lend: status */
    int status; /* negative errno; UV_EBADF: it has no socket */
    struct nb_ownership *ownership; /* a share; NULL: the broker made the socket itself */
};
extern const struct nb_message_class nb_loan_class; /* on its way there */
extern const struct nb_message_class nb_loan_answer_class; /* and back */

/* UV_ENOMEM: nothing was sent, and no answer will come. */
int nb_loan_ask(struct nb_actor *asker, struct nb_actor_id lender, uint64_t ticket);

/* The lender's answer: a further descriptor of its socket, or a negative errno. Takes message and fd; shares the ownership. */
void nb_loan_answer(struct nb_loop *loop, struct nb_message **message, int fd,
                    struct nb_ownership *ownership);

/* A further descriptor, the caller's; negative errno: UV_EBADF of -1. */
int nb_loan_duplicate(int fd);

#endif
