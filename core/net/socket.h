/*
 * The socket actor: a TCP or Unix stream socket with the state machine of
 * Node's net.Socket. Driven by commands, tells what happens by events.
 */
#ifndef NB_SOCKET_H
#define NB_SOCKET_H

#include "account.h"
#include "command.h"
#include "descriptor.h"
#include "encoding.h"
#include "lingering.h"
#include "options.h"
#include "stream.h"
#include "timer.h"

/*
 *   FRESH --connect--> RESOLVING --> CONNECTING --> OPEN <-- ADOPTING <--adopt-- FRESH
 *     |                    |             |           |
 *     |   (destroy, failure, both sides ended, session gone)
 *     +--------------------+------+------+-----------+
 *                                 v
 *                 CLOSING --close event--> CLOSED --connect--> RESOLVING ...
 *
 * CLOSED ends the actor at once with autoRelease. An accepted socket starts OPEN,
 * and one that is made from a descriptor. One on offer stays OPEN; adopted elsewhere it closes.
 */
enum nb_socket_state {
    NB_SOCKET_FRESH,
    NB_SOCKET_RESOLVING,
    NB_SOCKET_CONNECTING,
    NB_SOCKET_ADOPTING, /* the one on offer was asked */
    NB_SOCKET_OPEN,
    NB_SOCKET_CLOSING,
    NB_SOCKET_CLOSED,
};

struct nb_adoption;
struct nb_channel;
struct nb_dial;
struct nb_socket_offer;

/*
 * The windows of feature flow, in offsets of a connection's two directions; all but
 * the first two begin anew with each connection. Section 7 of the protocol.
 */
struct nb_flow {
    uint64_t window; /* the first limit; 0: there is none */
    bool is_by_buffer; /* onread: a data event waits until the limit was raised for the one before */
    bool awaits_buffer; /* it was not yet */
    uint64_t limit; /* data may go up to this */
    uint64_t told; /* of the last socket.flushed */
    uint64_t told_turn; /* when that was */
    struct nb_flush tell_later; /* there has been one in this turn */
};

/* Home thread only; the fields are private to core/net/socket*.c. */
struct nb_socket {
    struct nb_actor actor;
    struct nb_account *account; /* a share */
    uint64_t name; /* the wire's id */
    uint64_t server; /* id of the server that accepted it; 0: none */
    enum nb_socket_state state;

    struct nb_stream stream;
    bool stream_in_use; /* from open to on_closed */
    struct nb_ownership *ownership; /* a share; of a descriptor from outside, while it is open; else NULL */
    struct nb_endpoint local, remote;
    struct nb_endpoint bound; /* by socket.bind, where to connect from; family 0: nothing was bound */
    int bound_fd; /* owned while something is bound: keeps the address until the connection has it */
    struct nb_filter *filter; /* a share; where not to connect to; NULL: anywhere */
    struct nb_dial *dial; /* owned; only while RESOLVING or CONNECTING */
    uint64_t dials; /* so far: the tickets of their lookups */
    struct nb_flush end_of_dial; /* tells of it behind what was sent before */

    struct nb_command_list requests; /* owned; open ones: connect, write, end, destroy */
    struct nb_failure *failure; /* a share; why it closes, to be told with the close event */
    struct nb_waiter at_gate;
    struct nb_debt debt;
    struct nb_lingerer lingerer;
    struct nb_flow flow;
    struct nb_decoder decoder;

    struct nb_socket_offer *offer; /* owned; while it is on offer: nothing is read; else NULL */
    struct nb_adoption *adoption; /* owned; only while ADOPTING */
    struct nb_channel *channel; /* owned; in place of frames, until it has closed; else NULL */
    struct nb_bytes unread; /* holds a share; of an adopted socket: to be told before anything is read */
    struct nb_flush tell_unread;

    uint64_t bytes_read;
    uint64_t bytes_written; /* queued ones included */
    uint64_t bytes_sent; /* given to the kernel */

    struct nb_timer timer; /* idle timeout; the linger limit once lingering */
    double timeout; /* ms; below 0: never set */
    uint64_t last_active; /* loop time */

    uint32_t read_chunk;
    uint32_t high_water_mark;
    struct nb_options options; /* applied when there is a descriptor, and when it is connected */

    bool is_pipe;
    bool allow_half_open, auto_release, is_refed;
    bool is_paused; /* by the client */
    bool is_write_only; /* the peer's end was taken as having come from the first */
    bool is_transferred; /* it closes because another session has it */
    bool needs_drain; /* the queue was at or above high_water_mark */
    bool has_ended; /* the peer sends no more */
    bool is_ending; /* end was asked for: no more writes */
    bool was_ended_by_peer; /* it is ending because the peer has ended */
    bool has_finished; /* the write side is shut */
    bool wants_reset; /* RST as soon as it is connected */
    bool is_lingering; /* the session is gone; only what is queued is still sent */
    bool is_counted; /* by the account, as active */
    bool stop_has_begun;
};

/* How a server wants the sockets that it accepts. */
struct nb_accept_options {
    bool allow_half_open, pause_on_connect, is_pipe;
    bool is_foreign; /* the listening socket came from outside, and with it what theirs inherit */
    struct nb_options options;
    uint32_t read_chunk, high_water_mark;
    uint64_t read_window;
};

enum { NB_HIGH_WATER_MARK = 16384 }; /* default, bytes */

/* A fresh socket; shares the account; NULL: no memory. */
struct nb_socket *nb_socket_new(struct nb_account *account, uint64_t name);

/*
 * An open socket out of an accepted descriptor, which it takes; it reads from
 * the next turn on. NULL: no memory; the descriptor is closed then.
 */
struct nb_socket *nb_socket_accept(struct nb_account *account, uint64_t name, uint64_t server, int fd,
                                   const struct nb_endpoint *remote, const struct nb_accept_options *options);

/* Sent by a session to a socket whose peer holds everything up: it fails with ERR_NB_STALLED. */
extern const struct nb_message_class nb_stalled_class;

#endif
