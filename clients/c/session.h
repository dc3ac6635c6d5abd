/*
 * Inside the library: a session, what lives in it, and the frames it sends.
 *
 *   session.c  life of a session, generic commands
 *   descriptors.c  those that come with bytes
 *   receive.c  bytes from the broker -> frames -> replies and events
 *   socket.c socket_write.c socket_window.c socket_channel.c server.c   the two kinds of actors: commands out, events in
 *   wait.c stream.c     blocking convenience
 */
#ifndef NBC_SESSION_H
#define NBC_SESSION_H

#include "deadline.h"
#include "descriptors.h"
#include "frame_scan.h"
#include "netbroker.h"
#include "outbox.h"
#include "requests.h"
#include "socket_window.h"
#include "table.h"

enum nbc_kind { NBC_SESSION, NBC_SOCKET, NBC_SERVER };

/* The head of a socket and of a server. */
struct nbc_actor {
    enum nbc_kind kind;
    uint64_t id;
    struct netbroker_session *session;
};

struct netbroker_session {
    int fd;
    struct netbroker_options options; /* defaults filled in; name and version not kept */
    struct nbc_outbox outbox;
    struct nbc_requests requests;
    struct nbc_table actors; /* by id */
    uint64_t next_id; /* odd */
    uint64_t unflushed; /* of all sockets */
    struct nbc_write_window window;
    size_t write_chunk; /* largest payload of one write */
    unsigned char *in; /* received, not yet handled */
    size_t in_length, in_capacity;
    bool in_filled; /* by the last read */
    struct nbc_descriptors descriptors; /* with_channels only */
    struct nbc_frame_scan scan; /* of the frame at the start of in */
    struct netbroker_error error; /* why it ends, as the broker said */
    int failure; /* negative errno once the session is over */
    struct nbc_deadline welcome_by; /* never, once it has come */
    bool write_broken; /* nothing can be sent; what was sent to us is still read */
    bool dispatching;
    bool flushing; /* releases are called */
    bool free_wanted; /* when nothing calls back any more */
};

void *nbc_allocate(struct netbroker_session *session, size_t size); /* zeroed, or NULL */
void nbc_release(struct netbroker_session *session, void *block);

/* What was asked for, or the session's default. */
static inline uint32_t nbc_read_window(const struct netbroker_session *session, uint32_t asked)
{
    return asked ? asked : session->options.read_window;
}

/* Frames to the broker. Between begin and end the body is packed into frame->packer. */
struct nbc_frame {
    struct netbroker_session *session;
    struct netbroker_packer *packer;
    size_t begin;
    bool is_request;
    uint32_t msgid;
};

/* `params`: 1 (target only) or 2 (a body follows). `request`: NULL for a notification.
 * 0, -ENOTCONN, -ENOMEM, -ENOBUFS. */
int nbc_frame_begin(struct nbc_frame *frame, struct netbroker_session *session, const char *method,
                    uint64_t target, unsigned params, const struct nbc_request *request);
/* 0, or -ENOMEM and it is as if it had not begun. */
int nbc_frame_end(struct nbc_frame *frame);

/* A notification without a body. */
int nbc_command(struct nbc_actor *actor, const char *method);

/* netbroker_call() with the msgid, for nbc_call_forget(): the answer will be dropped. */
int nbc_call(struct netbroker_session *session, const char *method, uint64_t target, const void *body,
             size_t body_length, netbroker_reply_fn *on_reply, void *context, uint32_t *ret_msgid);
void nbc_call_forget(struct netbroker_session *session, uint32_t msgid);

/* Callbacks run: nothing may wait, dispatch or flush. */
static inline bool nbc_is_busy(const struct netbroker_session *session)
{
    return session->dispatching || session->flushing;
}

/* Reads what there is, once, and calls back. 1: some; 0: there was nothing; or negative errno. */
int nbc_receive(struct netbroker_session *session);

/* Socket and server sides of events; each gives 0 or -EBADMSG. `body` is empty when the event has none. */
int nbc_socket_on_connect(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_socket_on_data(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_socket_on_flushed(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_socket_on_end(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_socket_on_timeout(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_socket_on_error(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_socket_on_close(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_server_on_listening(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_server_on_connection(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_server_on_drop(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_server_on_error(struct nbc_actor *actor, struct netbroker_cursor body);
int nbc_server_on_close(struct nbc_actor *actor, struct netbroker_cursor body);

/* The session is over: tells the owner, frees. Leaves the table alone. */
void nbc_socket_lost(struct nbc_actor *actor, const struct netbroker_error *error);
void nbc_server_lost(struct nbc_actor *actor, const struct netbroker_error *error);

/*
 * netbroker_wait() until then; a signal or an empty wake-up is no failure. What is there when the time is over is
 * dispatched once, however much comes behind it.
 */
int nbc_wait_until(struct netbroker_session *session, struct nbc_deadline *deadline);

struct nbc_connection;
/* What a server's options say for its connections. */
struct nbc_accepting {
    bool half_open;
    uint32_t read_window;
    bool consumes_by_hand;
};
/* A connection that a server accepted. 0, -ENOMEM, or -EBADMSG for an id that cannot be. */
int nbc_socket_accepted(struct netbroker_session *session, const struct nbc_connection *connection,
                        const struct nbc_accepting *accepting, struct netbroker_socket **ret_socket);

#endif
