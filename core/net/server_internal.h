/*
 * What the files of the server actor share: server.c (life, commands), server_listen.c, server_descriptor.c,
 * server_accept.c, server_share.c.
 */
#ifndef NB_SERVER_INTERNAL_H
#define NB_SERVER_INTERNAL_H

#include "loan.h"
#include "server.h"

/* ---- server.c ---- */

/* Counts as active for session.idle or not, as state and ref say. */
void nb_server_update_activity(struct nb_server *server);

/* The address for an answer or event; texts is initialised; the caller sends or finishes it. */
void nb_server_fill_address(const struct nb_server *server, struct nb_texts *texts, nb_Address *ret_address);
void nb_server_answer_address(struct nb_server *server, struct nb_reply_to *reply);

/* Empty for a TCP server; borrows from the server. */
struct nb_slice nb_server_path(const struct nb_server *server);

/* Tells the end of a listen that was under way, by the error event and the answer; takes the failure. */
void nb_server_fail_listen(struct nb_server *server, struct nb_failure *failure);

/* Listens no more. */
void nb_server_unlisten(struct nb_server *server);

/* Removes the socket file of a server on a path; it is none any more. */
void nb_server_remove_path(struct nb_server *server);

/* Sends the close event, and answers who waits for it, unless something still holds it back. */
void nb_server_emit_close_if_drained(struct nb_server *server);

/* ---- server_listen.c ---- */

/* Keeps where it listens, to tell of it. */
void nb_server_note_listening(struct nb_server *server, const struct nb_listening *listening);

/* It listens from now on: the event, and the answer to the listen that was under way. */
void nb_server_tell_listening(struct nb_server *server);

void nb_server_lookup_answered(struct nb_server *server, const struct nb_lookup_answer *answer);
void nb_server_end_lookup(struct nb_server *server);

/* What a listen names is nothing to listen on. To be thrown. */
struct nb_failure *nb_server_no_address(void);

/* ---- server_descriptor.c: listening on a socket that is there ---- */

/* The one that came with the command. Takes fd. */
void nb_server_listen_on_descriptor(struct nb_server *server, int fd);

/* The one of another actor: asks it. */
void nb_server_borrow(struct nb_server *server, struct nb_actor_id lender);
void nb_server_loan_answered(struct nb_server *server, struct nb_loan *loan);

/* Another server is to listen on this one's. */
void nb_server_lend(struct nb_server *server, struct nb_message **message);

/* ---- server_accept.c ---- */

extern const struct nb_acceptor_ops nb_server_acceptor_ops; /* of owner struct nb_server */

/* Whether the session can take a connection now; if not, the server waits in line, and is woken. */
bool nb_server_has_room(struct nb_server *server);

/* Whether there are as many connections as there may be. */
bool nb_server_is_full(const struct nb_server *server);

/* Makes a socket of an accepted descriptor, or drops it; takes it. */
void nb_server_take(struct nb_server *server, int fd, const struct nb_endpoint *remote);

/* The listening socket is of no use any more. */
void nb_server_fail_accept(struct nb_server *server, int status);

void nb_server_wake(struct nb_waiter *waiter);

/* ---- server_share.c: as a member of a shared listener ---- */

/* Asks to listen on its group's listener; nb_server_tell_listening follows. Negative errno. */
int nb_server_join(struct nb_server *server, struct nb_listen_target *target);
void nb_server_leave(struct nb_server *server);

/* A connection is gone, or the most that there may be has changed. */
void nb_server_room_changed(struct nb_server *server);

/* Any other message: the listener's. */
void nb_server_hear_listener(struct nb_server *server, struct nb_message **message);

#endif
