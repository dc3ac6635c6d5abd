/*
 * The server actor: a TCP or Unix listening socket with the state machine of
 * Node's net.Server.
 */
#ifndef NB_SERVER_H
#define NB_SERVER_H

#include "acceptor.h"
#include "account.h"
#include "command.h"
#include "descriptor.h"
#include "listen.h"
#include "membership.h"
#include "resolver.h"
#include "socket.h"

/*
 *   IDLE --listen--> RESOLVING --> LISTENING       RESOLVING: a name, or whose socket it is
 *     ^                  |            |
 *     +-----failure------+---close----+
 *
 * The close event is held back while connections are left, or a shared listener
 * that may still close its socket; listen may be called again in IDLE, also before it.
 */
enum nb_server_state {
    NB_SERVER_IDLE,
    NB_SERVER_RESOLVING,
    NB_SERVER_LISTENING,
};

/* What listen asked for; kept while it is carried out. */
struct nb_listen_order {
    struct nb_command *request;
    uint64_t ticket; /* of the lookup or loan under way */
    struct nb_lookup *lookup; /* owned; NULL: none */
    struct nb_listen_target target; /* its path borrows from the request */
    bool is_exclusive; /* shares with no other session */
};

/* Home thread only; private to server.c. */
struct nb_server {
    struct nb_actor actor;
    struct nb_account *account; /* a share */
    uint64_t name;
    enum nb_server_state state;
    struct nb_acceptor *acceptor; /* owned; only while LISTENING, and not as a member */
    struct nb_membership membership; /* of a listener that is shared; only while LISTENING */
    struct nb_ownership *ownership; /* a share; of a socket from outside, while LISTENING; else NULL */
    unsigned leaving; /* shared listeners that have not let go of it yet */
    struct nb_listen_order order;
    uint64_t listens; /* so far: the tickets of their lookups and loans */

    struct nb_endpoint address;
    char path[NB_PATH_MAX + 1];
    uint8_t path_length; /* 0: a TCP server */
    struct nb_path_identity path_identity;

    struct nb_accept_options accepted; /* options of the sockets */
    struct nb_filter *filter; /* a share; whom not to accept; NULL: nobody */
    bool has_max_connections;
    uint32_t max_connections;
    bool drops_at_max; /* as a member of a shared listener too */
    uint64_t connections;
    struct nb_command_list closes; /* owned; close requests to be answered after the close event */
    struct nb_waiter waiter; /* for the gate or a vacancy */
    bool wants_close_event;
    bool is_refed, is_counted;
};

/* A server that does not listen yet; shares the account; NULL: no memory. */
struct nb_server *nb_server_new(struct nb_account *account, uint64_t name);

/* Mode bits of a Unix server's file before readableAll and writableAll. The daemon sets it once, at its start. */
extern mode_t nb_server_path_mode;

#endif
