/*
 * What the files of the socket actor share: socket.c (life), socket_connect.c, socket_descriptor.c, socket_flow.c,
 * socket_write.c, socket_info.c, socket_offer.c, socket_adopt.c, socket_channel.c ...
 */
#ifndef NB_SOCKET_INTERNAL_H
#define NB_SOCKET_INTERNAL_H

#include "socket.h"

#define NB_SOCKET_OF_STREAM(pointer)                                                                         \
    ((struct nb_socket *)((char *)(pointer)-offsetof(struct nb_socket, stream)))

static inline bool nb_socket_is_connecting(const struct nb_socket *socket)
{
    return socket->state == NB_SOCKET_RESOLVING || socket->state == NB_SOCKET_CONNECTING;
}

static inline bool nb_socket_is_destroyed(const struct nb_socket *socket)
{
    return socket->state == NB_SOCKET_CLOSING || socket->state == NB_SOCKET_CLOSED;
}

/* ---- socket.c ---- */

extern const struct nb_stream_ops nb_socket_stream_ops;

/*
 * Begins to close. A failure is taken and told by the error event, and the
 * close event then has hadError; NULL: none. A repeat drops the failure.
 */
void nb_socket_close(struct nb_socket *socket, struct nb_failure *failure);

/* One of its streams is closed; with the last of them its life ends, if it is to. */
void nb_socket_stream_closed(struct nb_socket *socket);
void nb_socket_on_closed(struct nb_stream *stream);

/* The session is gone, and with it goes the socket: at once, or as soon as it has sent what it was given. */
void nb_socket_wind_up(struct nb_socket *socket);

/* The id is free and the actor goes. */
void nb_socket_leave(struct nb_socket *socket);

/* Counts as active for session.idle or not, as state and ref say. */
void nb_socket_update_activity(struct nb_socket *socket);

/* Connected, or accepted: begins to read, and to write what is queued. */
void nb_socket_opened(struct nb_socket *socket);

/* Keeps an open request; takes it. A notification is owed nothing and goes. */
void nb_socket_keep_request(struct nb_socket *socket, struct nb_command *command);

/* Takes the oldest open request out of the list; NULL: none. */
struct nb_command *nb_socket_next_request(struct nb_socket *socket);

/* ---- socket_read.c ---- */

uint8_t *nb_socket_reserve(struct nb_stream *stream, size_t *ret_size);
void nb_socket_read(struct nb_stream *stream, size_t length);
void nb_socket_read_end(struct nb_stream *stream);

/* Reads or not, as state, pause and gate say. */
void nb_socket_update_reading(struct nb_socket *socket);

void nb_socket_read_init(struct nb_socket *socket);

/* What was not told of yet is dropped. */
void nb_socket_drop_unread(struct nb_socket *socket);

/* ---- socket_flow.c: does nothing in sessions without feature flow ---- */

void nb_flow_init(struct nb_socket *socket);

/* Data goes so far ahead of credit, from now on; 0: as far as it likes. */
void nb_flow_set_window(struct nb_socket *socket, uint64_t window);

/* Buffers of that size: one of them goes ahead of credit. */
void nb_flow_set_buffer(struct nb_socket *socket, uint32_t size);

/* A new connection on the same id. */
void nb_flow_begin_life(struct nb_socket *socket);

/* Bytes that may be read now, at most readChunk. */
size_t nb_flow_room(const struct nb_socket *socket);

/* A data event was sent. */
void nb_flow_sent_data(struct nb_socket *socket);

/* NULL: so many bytes may be written; else why not. Then nb_flow_wrote must be called. */
struct nb_failure *nb_flow_objection(const struct nb_socket *socket, size_t length);
void nb_flow_wrote(struct nb_socket *socket, size_t length);

/* Tells how far the kernel has got, when it is time. */
void nb_flow_tell(struct nb_socket *socket);

/* A connection that has come a part of its way already. */
void nb_flow_go_on(struct nb_socket *socket);

/* What was written counts no more. */
void nb_flow_close(struct nb_socket *socket);

/* ---- socket_options.c ---- */

/* Notes a sign of life for the idle timeout. */
void nb_socket_touch(struct nb_socket *socket);

/* ms; a failure is to be thrown; NULL: taken. */
struct nb_failure *nb_socket_set_timeout(struct nb_socket *socket, double timeout);

/* ---- socket_dial.h: the way to a connection ---- */

struct nb_lookup_answer;
void nb_socket_lookup_answered(struct nb_socket *socket, const struct nb_lookup_answer *answer);

/* Gives up what is under way; NULL is fine. */
void nb_socket_drop_dial(struct nb_socket *socket);

/* What is written before there is a connection; only while connecting. */
struct nb_write_queue *nb_socket_early_writes(struct nb_socket *socket);

/* Answers a creation whose id the client does not know, with the failure (NULL: closed), then tells of what has happened. Once. */
void nb_socket_answer_held(struct nb_socket *socket, struct nb_failure *failure);

/* ---- socket_info.c ---- */

/* Everything there is to know; initialises the texts, which the caller sends or finishes. */
void nb_socket_describe(const struct nb_socket *socket, nb_SocketInfo *ret_info, struct nb_texts *ret_texts);

void nb_socket_answer_address(struct nb_socket *socket, struct nb_reply_to *reply,
                              const struct nb_endpoint *endpoint);

/* ---- socket_bind.c ---- */

static inline bool nb_socket_is_bound(const struct nb_socket *socket)
{
    return socket->bound.ip.family != 0;
}

/* Lets go of what socket.bind has bound, if it has. */
void nb_socket_unbind(struct nb_socket *socket);

/* ---- socket_descriptor.c ---- */

/* Makes a fresh socket one of the command's connection, which it takes over. A failure is to be thrown. */
struct nb_failure *nb_socket_take_descriptor(struct nb_socket *socket, struct nb_command *command,
                                             const nb_SocketCreate *options);

/* ---- socket_channel.c ---- */

struct nb_attach;

/* Whether the command may be carried out on a socket whose bytes go through a channel. */
bool nb_socket_takes_with_channel(const struct nb_command *command);

/* A connection of the client's wants to be the channel; if it may not, the message keeps it. */
void nb_socket_attach(struct nb_socket *socket, struct nb_attach *attach);

/* All are fine without a channel. Closing it drops what it has for the client; nb_socket_stream_closed follows. */
void nb_socket_close_channel(struct nb_socket *socket);
void nb_socket_free_channel(struct nb_socket *socket);
bool nb_socket_channel_is_in_use(const struct nb_socket *socket);
bool nb_socket_channel_has_room(const struct nb_socket *socket); /* true without one */

/* ---- socket_offer.c ---- */

struct nb_transfer;

/* Only what is connected can change hands, or get a channel. To be thrown; NULL: it is. */
struct nb_failure *nb_socket_object_to_state(const struct nb_socket *socket);

/* Withdraws the offer, if there is one. */
void nb_socket_drop_offer(struct nb_socket *socket);

/* Whether the command may be carried out on a socket that is on offer. */
bool nb_socket_takes_while_offered(const struct nb_command *command);

/* There is nobody left to adopt it. */
void nb_socket_offer_is_over(struct nb_socket *socket);

/* Another socket asks for the connection. Takes the message, a nb_transfer. */
void nb_socket_hand_over(struct nb_socket *socket, struct nb_message **message);

/* ---- socket_adopt.c ---- */

/* Keeps what comes while the other socket is asked; takes it. */
void nb_socket_defer(struct nb_socket *socket, struct nb_command *command);

/* The other socket has answered. */
void nb_socket_adopted(struct nb_socket *socket, struct nb_transfer *transfer);

/* The session is gone: nobody waits for it, but the connection may still come. */
void nb_socket_abandon_adoption(struct nb_socket *socket);

/* ---- socket_write.c ---- */

void nb_socket_sent(struct nb_stream *stream, size_t length);
void nb_socket_shut(struct nb_stream *stream, int status);

/* The kernel has so many bytes more; then it has the FIN. Whoever waits for that is answered. */
void nb_socket_note_sent(struct nb_socket *socket, size_t length);
void nb_socket_note_finished(struct nb_socket *socket);

/* No more writes: FIN after what is queued. */
void nb_socket_end_writing(struct nb_socket *socket);

#endif
