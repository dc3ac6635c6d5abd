/*
 * The messages between a session and the actors it drives: commands down,
 * responses and events up. Their contents are the generated structs of the
 * schema; their encoding is nobody's business here.
 *
 * Every command takes two hops, session -> actor -> session, so that answers
 * and errors come back in the order in which commands were started.
 */
#ifndef NB_COMMAND_H
#define NB_COMMAND_H

#include "actor.h"
#include "chunk.h"
#include "failure.h"
#include "loop.h"
#include "rpc.h"

struct nb_account;
struct nb_command;
struct nb_filter;

/* Carries out a command; borrows it, unless it takes it with nb_command_take. */
typedef void nb_handler(struct nb_actor *self, struct nb_command **command);

/* The right to one answer. Whoever answers spends it; disposing of a command spends what is left. */
struct nb_reply_to {
    struct nb_actor_id session; /* nobody: spent */
    const struct nb_method *method;
    uint64_t target; /* the wire's number */
    uint32_t msgid;
    bool is_notification;
};

struct nb_command {
    struct nb_message message;
    nb_handler *run; /* the method's */
    struct nb_reply_to reply;
    struct nb_chunk *chunk; /* a share: what the slices of params borrow from */
    struct nb_account *account; /* a share while charged > 0 */
    size_t charged; /* payload bytes on the account's ledger */
    struct nb_command *next; /* in a list of open requests; its holder's */
    uint64_t offset; /* of a write: answered when so many bytes were sent */
    struct nb_filter *filter; /* a share: the list that the field blockList names; NULL: none */
    struct nb_failure *failure; /* a share: the answer, where it differs from its neighbours' */
    struct nb_actor_id
        lender; /* server.listen: of the socket or server that the field handle names; else nobody */
    int fd; /* owned: the descriptor that a field fd or fdName names; -1: none */
    bool payload_is_text;
    bool has_body;
    union nb_params params;
};
extern const struct nb_message_class nb_command_class;

struct nb_response {
    struct nb_message message;
    struct nb_reply_to to;
    struct nb_failure *failure; /* a share; NULL: it went well */
    bool is_thrown; /* Node would have thrown: nothing has happened, no event tells of it */
    bool is_empty; /* the result is nil */
    struct nb_chunk *chunk; /* a share: what slices of result borrow from; may be NULL */
    int fd; /* owned: a descriptor that goes with it; -1: none */
    union nb_result result;
};
extern const struct nb_message_class nb_response_class;

struct nb_event_message {
    struct nb_message message;
    const struct nb_event *event;
    uint64_t target;
    struct nb_actor_id
        actor; /* server.connection: the new socket; it stops with the message unless adopted */
    struct nb_chunk *chunk; /* a share: what slices of body borrow from; may be NULL */
    struct nb_failure *failure; /* a share: error events; the lookup event's err */
    bool payload_is_text;
    union nb_event_body body;
};
extern const struct nb_message_class nb_event_class;

/* Takes the command's payload off the ledger: it is counted elsewhere now, or dropped. */
void nb_command_discharge(struct nb_command *command);

/* A new command; NULL: no memory. */
struct nb_command *nb_command_new(struct nb_loop *loop);

/* The handler keeps the command; takes. */
static inline struct nb_command *nb_command_take(struct nb_command **command)
{
    struct nb_command *taken = *command;
    *command = NULL;
    return taken;
}

/* Open requests, oldest first. */
struct nb_command_list {
    struct nb_command *first, **last;
};

void nb_command_list_init(struct nb_command_list *list);

/* Keeps a request until it is answered; takes it. What its params borrow from is let go, and its charge. */
void nb_command_list_add(struct nb_command_list *list, struct nb_command *command);

/* The oldest, which is the caller's now; NULL: none. */
struct nb_command *nb_command_list_take(struct nb_command_list *list);

/* The command's descriptor, which is the caller's then; -1: none. */
int nb_command_take_fd(struct nb_command *command);

/* Puts the command's list, if it has one, in the place of another share. */
void nb_command_hand_over_filter(struct nb_command *command, struct nb_filter **place);

/* True while the answer is still owed. */
static inline bool nb_reply_is_open(const struct nb_reply_to *reply)
{
    return !nb_actor_id_is_nobody(reply->session);
}

/*
 * Answers. Each spends the token and sends at most one message; answering a
 * spent token does nothing. result is of the method's result shape and is
 * copied; its slices must be static strings or borrow from chunk, of which a
 * share is taken. Without memory the session is stopped: an answer is never
 * left out.
 */
void nb_reply_result(struct nb_loop *loop, struct nb_reply_to *reply, const void *result,
                     struct nb_chunk *chunk);
/* The same with a descriptor, which it takes. */
void nb_reply_fd(struct nb_loop *loop, struct nb_reply_to *reply, const void *result, int fd);
void nb_reply_done(struct nb_loop *loop, struct nb_reply_to *reply); /* an empty map, of any result shape */
void nb_reply_nil(struct nb_loop *loop, struct nb_reply_to *reply);

/* Takes the failure. Thrown: also a notification's sender is told, by session.error. */
void nb_reply_throw(struct nb_loop *loop, struct nb_reply_to *reply, struct nb_failure *failure);
void nb_reply_fail(struct nb_loop *loop, struct nb_reply_to *reply, struct nb_failure *failure);

/* Nothing is answered. */
void nb_reply_forget(struct nb_reply_to *reply);

/*
 * Texts that a result or an event body is made of: copied together into one
 * chunk, which the message then shares.
 */
struct nb_texts {
    struct nb_chunk *chunk; /* owned until nb_texts_finish */
    size_t used;
    bool failed; /* no memory: all texts come out absent, and what they were for must not be sent */
};

/* Room for that many bytes. All zero: no texts. */
void nb_texts_init(struct nb_texts *texts, struct nb_loop *loop, size_t size);
void nb_texts_finish(struct nb_texts *texts);

/* nb_reply_result with a result that is made of texts, which it finishes. */
void nb_reply_texts(struct nb_loop *loop, struct nb_reply_to *reply, const void *result,
                    struct nb_texts *texts);

/* Copies. Absent when there was no room. */
struct nb_slice nb_texts_add(struct nb_texts *texts, struct nb_slice text);

/* The six address fields; both empty for a Unix socket. */
void nb_texts_endpoints(struct nb_texts *texts, const struct nb_endpoint *local,
                        const struct nb_endpoint *remote, nb_Endpoints *ret_endpoints);

enum { NB_ENDPOINTS_TEXT = 2 * NB_ENDPOINT_TEXT };

#endif
