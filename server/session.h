/*
 * The session actor: one client connection. Reads frames, sends commands to the
 * actors it owns, writes their responses and events.
 */
#ifndef NB_SESSION_H
#define NB_SESSION_H

#include "account.h"
#include "command.h"
#include "frame_input.h"
#include "handles.h"
#include "held_events.h"
#include "lists.h"
#include "pending.h"
#include "policy.h"
#include "session_features.h"
#include "session_limits.h"
#include "stream.h"
#include "timer.h"
#include "unclaimed.h"

#include <sys/socket.h>

enum { NB_SESSION_GOODBYE = 1000 }; /* ms for a client that has the last frames to close its end too */

/*
 *   OPEN --(end of input, session.close, fatal error, stop)--> ENDING --> gone
 *
 * ENDING: what is queued still goes to the client, within a limit; what it sends
 * is dropped.
 */
struct nb_session {
    struct nb_actor actor;
    struct nb_stream stream;
    struct nb_account *account; /* a share */
    struct nb_encoder *encoder; /* borrowed: the loop's, empty between two frames */
    const struct nb_limits *limits; /* borrowed from the daemon, for its life */
    struct nb_lists *lists; /* likewise */
    struct nb_groups *groups; /* likewise */
    struct nb_rights rights;
    struct ucred peer;
    char name[24]; /* for logs */

    struct nb_frame_input input;
    struct nb_unclaimed *unclaimed; /* owned; descriptors from the client; NULL: no feature fds */
    struct nb_handles handles;
    struct nb_handles leaving; /* of actors that are still to be stopped */
    struct nb_flush stop_more; /* of them */
    struct nb_command *close; /* owned; session.close goes on when all were stopped */
    struct nb_pending pending;

    unsigned features; /* granted; enum nb_feature */
    bool polls; /* events are held until they are fetched */
    struct nb_held_events held;
    struct nb_command *poll; /* owned; the open poll */
    struct nb_flush go_on; /* starts the frames that were left for the next turn */
    struct nb_flush poll_flush; /* answers it at the end of a turn that brought events */
    struct nb_timer poll_timer;

    struct nb_timer timer; /* stalled writes while OPEN, the last limit while ENDING */
    uint64_t paid_before; /* of the account, when the stall timer was started */

    uint64_t frames_in, frames_out;
    uint64_t fds_out; /* descriptors sent to the client: the number of the next */
    bool has_started; /* a first frame came */
    bool input_ended;
    bool output_ended; /* shut, or failed: nothing more reaches the client */
    bool sends_no_more; /* the client has hung up: its last input is bounded, carried out without waiting */
    bool has_last_frame; /* no further one is started; the end is on its way behind those that were */
    bool is_ending;
    bool stream_in_use; /* from open to on_closed */
    bool stop_has_begun;
    bool is_attaching; /* the connection is to be a channel: what comes is no frame any more */
    bool holds_frames; /* no further one is started in this turn, because of the one before */
    bool looks_again; /* at the next frame, once what was started before it is settled */
    unsigned look_rounds; /* messages to itself that it waits for before that */
    bool waits_for_relief; /* too much is unflushed; with feature flow frames are started all the same */
    bool waits_for_client; /* far too much is queued to it */
    bool output_is_full; /* too much is queued to it for sockets to be read */
};

/*
 * A session on this loop over a connected, non-blocking Unix socket, which it
 * takes. serial: unique, for the name. NULL: no memory; the fd is closed then.
 */
struct nb_session *nb_session_new(struct nb_loop *loop, int fd, const struct ucred *peer,
                                  struct nb_rights rights, const struct nb_limits *limits,
                                  struct nb_lists *lists, struct nb_groups *groups,
                                  struct nb_encoder *encoder, uint64_t serial);

/* Tells a session, or a host all of its own, that the broker shuts down. */
struct nb_closing_notice {
    struct nb_message message;
    const char *reason; /* static */
    uint32_t deadline; /* ms */
};
extern const struct nb_message_class nb_closing_class;

/* ---- between session.c, session_output.c and session_commands.c ---- */

#define NB_SESSION_OF(pointer, member)                                                                       \
    ((struct nb_session *)((char *)(pointer)-offsetof(struct nb_session, member)))

/* Begins the end; what is queued goes out first. A repeat does nothing. */
void nb_session_end(struct nb_session *session);

/* The same, once the actors have got what was started; starts no further frame. */
void nb_session_end_behind_frames(struct nb_session *session);

/*
 * session_stop.c: the actors go, but write out what they were given; they answer what is open, and their events reach
 * nobody. A few each turn; nb_session_actors_stopped is called with the last.
 */
void nb_session_stop_init(struct nb_session *session);
void nb_session_stop_actors(struct nb_session *session);
bool nb_session_stops_actors(const struct nb_session *session);

/* session.c */
void nb_session_actors_stopped(struct nb_session *session);

/* Reads and starts frames, or not, as the queues allow. */
void nb_session_pump(struct nb_session *session);

/* session_output.c: encode and queue. Without memory the session is stopped. */
void nb_session_send_response(struct nb_session *session, struct nb_response *response);
void nb_session_send_event(struct nb_session *session, const struct nb_event_message *event);
void nb_session_send_error(struct nb_session *session, uint32_t msgid, const nb_Error *error);
void nb_session_send_complaint(struct nb_session *session, nb_Error *error, bool fatal);
void nb_session_send_closing(struct nb_session *session, const struct nb_closing_notice *notice);

/* session_output.c: lets the session's sockets and servers read and accept, or not. */
void nb_session_update_gate(struct nb_session *session);

/* session_output.c: the queue to the client has become shorter. */
void nb_session_output_sent(struct nb_session *session);

/* session_poll.c */
void nb_session_poll_init(struct nb_session *session);
void nb_session_poll_finish(struct nb_session *session);
void nb_session_poll_end(struct nb_session *session); /* answers an open poll with what there is */
void nb_session_hold(struct nb_session *session, struct nb_slice frame, struct nb_bytes payload);

/*
 * dispatch.c: a second use of a msgid that is open is fatal, whatever else is wrong with the frame. False: that is
 * what it was.
 */
bool nb_session_check_msgid(struct nb_session *session, const struct nb_request *request);

/* dispatch.c: the request is a creation whose number is in use. */
bool nb_session_finds_number_in_use(const struct nb_session *session, const struct nb_request *request);

/* dispatch.c: starts a decoded request; takes the share of chunk that its slices borrow from. */
void nb_session_dispatch(struct nb_session *session, struct nb_request *request, struct nb_chunk *chunk);

/*
 * session_lists.c: the block list that a request names in its options or opens, a share; NULL: none. False: it was
 * refused.
 */
bool nb_session_find_list(struct nb_session *session, const struct nb_request *request,
                          struct nb_filter **ret_filter);

/* session_descriptors.c: feature fds. UV_ENOMEM. */
int nb_session_accept_fds(struct nb_session *session);
void nb_session_drop_fds(struct nb_session *session); /* takes no more, and closes what is left */
void nb_session_receive_fds(struct nb_stream *stream, struct nb_fd_batch *batch);

/* What a request names by its fields fd, fdName and handle. */
struct nb_named_socket {
    int fd; /* the caller's; -1: none */
    struct nb_actor_id lender; /* or nobody */
};

/* session_descriptors.c: false: it was refused. */
bool nb_session_find_socket(struct nb_session *session, const struct nb_request *request,
                            struct nb_named_socket *ret_named);

/* dispatch.c: answers a request that can't be started; takes nothing. */
void nb_session_refuse(struct nb_session *session, const struct nb_request *request, struct nb_fault *fault);

/* dispatch.c: session.error with fatal, and the end. */
void nb_session_break(struct nb_session *session, struct nb_fault *fault);

#endif
