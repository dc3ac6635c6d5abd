/*
 * What a session and its actors share on their one loop: a few counters and
 * lists that would cost a message each if they had to be asked for.
 *
 *   gate     closed while too much is queued to the client: sockets stop reading
 *            and servers stop accepting, each when it next would, and wait here
 *   ledger   bytes accepted from the client that no kernel has taken yet
 *   window   with feature flow: bytes written of which no socket.flushed has told yet
 *   vacancy  servers that wait for a socket of the session to go
 *   active   ref'd open handles; session.idle is sent when the last one goes
 *
 * Home thread of the loop only. See docs/decisions/0002-account.md.
 */
#ifndef NB_ACCOUNT_H
#define NB_ACCOUNT_H

#include "chunk.h"
#include "command.h"
#include "filter.h"
#include "group.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A place in a line, which is circular; embedded in who waits, and in the account as both ends of the line. */
struct nb_waiter {
    struct nb_waiter *next, *before; /* NULL: not waiting */
    void (*wake)(struct nb_waiter *waiter);
};

/* One socket's part of the ledger; embedded in the socket. */
struct nb_debt {
    struct nb_debt *next, **link; /* link NULL: owes nothing */
    struct nb_actor_id socket;
    size_t length;
};

/* Counts of sessions; each is one less when the last share of the session's account goes: what lingers counts. */
struct nb_places {
    atomic_uint *of_loop, *of_uid; /* borrowed, for the process's life; NULL: not counted */
};

struct nb_lookup_line;

struct nb_account {
    struct nb_loop *loop;
    struct nb_actor_id session; /* nobody once the session is gone: events go nowhere */
    unsigned shares;
    struct nb_places places;
    struct nb_intake intake; /* what the session's sockets read */
    struct nb_intake texts; /* what they decode of it */
    bool gate_is_closed;
    size_t in_flight; /* payload bytes of data events that the session has not taken yet */
    size_t in_flight_max; /* the gate closes above this: one turn's reads are bounded too */
    struct nb_waiter at_gate, for_vacancy; /* ends */
    struct nb_flush wake_more; /* at the gate */
    size_t unflushed;
    size_t relief_at; /* a nb_relief message is sent when unflushed falls to this */
    struct nb_message *relief; /* owned; NULL: nobody waits for it */
    struct nb_debt *debts;
    uint64_t paid; /* debts of sockets, since the beginning: shows whether there is progress */
    bool has_fds; /* feature fds was granted */
    bool has_flow; /* feature flow was granted; settled before the first socket is made */
    uint64_t untold; /* the window's use; with has_flow only */
    size_t
        unread; /* bytes that its sockets hold, and have to tell before they read: of offers and adopted sockets */
    uint32_t unflushed_high; /* bytes: of unflushed, without has_flow; the session is not read above it */
    uint32_t offer_ttl; /* seconds at most */
    uid_t uid; /* of the client */
    uint32_t read_window, write_window, session_write_window; /* the limits; bytes */
    uint32_t active;
    uint32_t sockets, servers, block_lists;
    uint32_t max_sockets;
    uint32_t read_chunk;
    uint32_t max_rules;
    uint32_t max_frame; /* bytes; an answer must not be larger */
    uint64_t next_id; /* even, for sockets that servers accept */
    struct nb_budget *budget; /* a share; of its block lists without a name; may be NULL */
    struct nb_group *group; /* a share; NULL: shares no listeners */
    struct nb_membership *memberships; /* borrowed from its servers */
    struct nb_lookup_line *lookups; /* a share; NULL: it looks up nothing */
    struct nb_filter *deny_connect,
        *deny_accept; /* borrowed; the configuration's, for all sessions; NULL: none */
};

/* Tells the session that a number is nobody's any more: after the close event, a release, a refused creation. */
struct nb_farewell {
    struct nb_message message;
    uint64_t name;
};
extern const struct nb_message_class nb_farewell_class;

/* Tells the session that the ledger has come down to relief_at. */
extern const struct nb_message_class nb_relief_class;

void nb_places_take(const struct nb_places *places);
void nb_places_leave(const struct nb_places *places);

/* NULL: no memory. The caller gets the first share. */
struct nb_account *nb_account_new(struct nb_loop *loop, struct nb_actor_id session);
struct nb_account *nb_account_ref(struct nb_account *account);
void nb_account_unref(struct nb_account *account);

/*
 * Waiters wake one by one, who came first first, when the gate opens or a place for a socket is free; at the gate a
 * few each turn while it stays open. Waiting twice is waiting once.
 */
void nb_account_close_gate(struct nb_account *account);
void nb_account_open_gate(struct nb_account *account);

/* Bytes on their way to the session in data events: sent by sockets, taken by the session. */
void nb_account_send_data(struct nb_account *account, size_t length);
void nb_account_take_data(struct nb_account *account, size_t length);
void nb_account_wait_at_gate(struct nb_account *account, struct nb_waiter *waiter);
void nb_account_wait_for_vacancy(struct nb_account *account, struct nb_waiter *waiter);
void nb_waiter_leave(struct nb_waiter *waiter);

static inline bool nb_line_is_empty(const struct nb_waiter *ends)
{
    return ends->next == ends;
}

void nb_account_add_socket(struct nb_account *account);
void nb_account_remove_socket(struct nb_account *account);

/* The ledger. Charges without a debt belong to commands on their way. */
void nb_account_charge(struct nb_account *account, size_t length);
void nb_account_pay(struct nb_account *account, size_t length);
void nb_debt_add(struct nb_account *account, struct nb_debt *debt, size_t length);
void nb_debt_pay(struct nb_account *account, struct nb_debt *debt, size_t length);

/* The socket that owes most; nobody when none owes anything. Linear in the debtors. */
struct nb_actor_id nb_account_largest_debtor(const struct nb_account *account);

/* Asks for one relief message, now or when unflushed falls to that. UV_ENOMEM. */
int nb_account_ask_for_relief(struct nb_account *account, size_t at);

/* Sends the farewell of an actor that stops. Without memory the session is stopped. */
void nb_account_say_farewell(struct nb_account *account, uint64_t name);

/* What is to be thrown when a socket with so many bytes to send and to tell is too much; NULL: there is room for it. */
struct nb_failure *nb_account_object_to_bytes(const struct nb_account *account, size_t unsent, size_t unread);

/* What is to be thrown when the session has as many lookups open as it may; NULL: it may start another. */
struct nb_failure *nb_account_check_lookup(const struct nb_account *account);

void nb_account_activate(struct nb_account *account);
void nb_account_deactivate(struct nb_account *account);

/*
 * A new event for the session with its body zeroed, and its sending. Without
 * memory the session is stopped and NULL returned: an event is never left out.
 * NULL too when the session is gone.
 */
struct nb_event_message *nb_event_new(struct nb_account *account, enum nb_event_index index, uint64_t target);
void nb_event_send(struct nb_account *account, struct nb_event_message *event);

/* The same for an event whose body is made of texts, which it takes; without memory for them, as nb_event_new. */
void nb_event_send_texts(struct nb_account *account, struct nb_event_message *event, struct nb_texts *texts);

/* An event without a body to fill in. */
void nb_event_emit(struct nb_account *account, enum nb_event_index index, uint64_t target);

/* An error event; shares the failure. */
void nb_event_emit_error(struct nb_account *account, enum nb_event_index index, uint64_t target,
                         struct nb_failure *failure);

#endif
