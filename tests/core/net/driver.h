/*
 * Drives socket and server actors by commands, as a session would, and keeps a
 * journal of what they say, one line each:
 *
 *     connect 1                        an event of the actor with that name
 *     connectionAttempt 1 127.0.0.1:80
 *     data 1 hello                     bytes as text, in quotes from setEncoding on
 *     close 1 hadError read=5 written=3
 *     answer 7                         an answer that it went well
 *     answer 7 ECONNREFUSED            ... or not; "thrown 7 CODE" where Node would throw
 *     flushed 1 5                      so many bytes were told of
 *     farewell 1                       the name is free
 *     relief
 */
#ifndef NB_TEST_DRIVER_H
#define NB_TEST_DRIVER_H

#include "account.h"
#include "command.h"
#include "server.h"
#include "socket.h"

extern struct nb_loop *driver_loop;
extern struct nb_account *driver_account; /* its limits may be changed after driver_start */
extern struct nb_actor_id driver_accepted; /* the socket of the last connection event */

extern void (*driver_on_event)(const struct nb_event_message *event); /* called at each; NULL: none */

void driver_start(void);

/* The journal has no lines "idle 0" from now on. */
void driver_ignore_idle(void);

/* As a session that is gone: stops all actors that were made, and hears nothing more. */
void driver_leave(void);

/* Leaves, unless it was done, and runs until all actors are gone. Fails if bytes are still on the ledger. */
void driver_end(void);

/* A socket or server with that name on the wire. */
struct nb_actor_id driver_socket(uint64_t name);
struct nb_actor_id driver_server(uint64_t name);

/* The actor itself, to look into; NULL: gone. */
struct nb_socket *driver_look(struct nb_actor_id id);

/*
 * Sends a command; msgid 0 makes it a notification. params is the struct of the
 * method, NULL for an empty body; its slices must be static.
 */
#define DRIVE(to, msgid, METHOD, method, params)                                                             \
    driver_send(to, msgid, NB_METHOD_##METHOD, nb_on_##method, params)
void driver_send(struct nb_actor_id to, uint32_t msgid, enum nb_method_index index, nb_handler *run,
                 const void *params);

/* What the next command is to carry: a descriptor, which it takes (-1: none), and the actor that its handle names. */
void driver_give(int fd, struct nb_actor_id lender);

/* The usual ones. */
void connect_to_port(struct nb_actor_id socket, uint32_t msgid, uint16_t port); /* of 127.0.0.1 */
void write_text(struct nb_actor_id socket, uint32_t msgid, const char *text);
void write_bytes(struct nb_actor_id socket, uint32_t msgid, const void *data, size_t length);
void end_socket(struct nb_actor_id socket, uint32_t msgid);
void destroy_socket(struct nb_actor_id socket, uint32_t msgid);

/* The next line of the journal matches, soon. */
void expect_line(const char *pattern);

/* Data lines of that socket, until so many bytes have come. */
void expect_data(uint64_t name, size_t length);

/* No line is there once nothing is left to do. */
void expect_silence(void);

bool driver_is_gone(struct nb_actor_id id);

nb_handler nb_on_socket_create, nb_on_socket_connect, nb_on_net_create_connection, nb_on_socket_write,
    nb_on_socket_end, nb_on_socket_destroy, nb_on_socket_reset_and_destroy, nb_on_socket_pause,
    nb_on_socket_resume, nb_on_socket_credit, nb_on_socket_set_encoding, nb_on_socket_set_keep_alive,
    nb_on_socket_set_no_delay, nb_on_socket_set_timeout, nb_on_socket_ref, nb_on_socket_unref,
    nb_on_socket_address, nb_on_socket_info, nb_on_socket_lookup_result, nb_on_socket_release;
nb_handler nb_on_server_create, nb_on_server_listen, nb_on_server_close, nb_on_server_address,
    nb_on_server_get_connections, nb_on_server_set, nb_on_server_ref, nb_on_server_unref, nb_on_server_info,
    nb_on_server_release;

#endif
