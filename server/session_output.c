/* The session's frames to the client. */
#include "session.h"

#include <string.h>
#include <unistd.h>

/* A client may leave its answers unread for a while as it waits for us to read; far less than this. */
enum { NO_READING_FACTOR = 4 };

static size_t most_unread(const struct nb_session *session)
{
    return NO_READING_FACTOR * (size_t)session->limits->out_high;
}

static size_t queued(const struct nb_session *session)
{
    return session->stream.queue.length + session->held.bytes.length + session->account->in_flight;
}

/*
 * Sources pause above outHigh, until outLow; for no other reason. In particular
 * not because too much is unflushed: the peer that has to take it may be another
 * socket of this very session.
 */
void nb_session_update_gate(struct nb_session *session)
{
    struct nb_account *account = session->account;
    if (queued(session) > session->limits->out_high)
        session->output_is_full = true;
    else if (queued(session) <= session->limits->out_low)
        session->output_is_full = false;
    if (session->output_is_full || nb_actor_id_is_nobody(account->session))
        nb_account_close_gate(account);
    else if (account->gate_is_closed)
        nb_account_open_gate(account);
}

/* The client's own commands only wait when it does not read its answers, which alone can get so far. */
static void check_queue(struct nb_session *session)
{
    nb_session_update_gate(session);
    if (session->stream.queue.length > most_unread(session))
        session->waits_for_client = true;
}

void nb_session_output_sent(struct nb_session *session)
{
    nb_session_update_gate(session);
    if (!session->waits_for_client || session->stream.queue.length > session->limits->out_low)
        return;
    session->waits_for_client = false;
    nb_session_pump(session);
}

static void note_sent(struct nb_session *session, int status)
{
    if (status < 0) {
        nb_actor_stop(&session->actor);
        return;
    }
    session->frames_out++;
    check_queue(session);
}

/* Queues the frame that was encoded, and its payload. */
static void send_encoded(struct nb_session *session, struct nb_bytes payload)
{
    struct nb_encoder *encoder = session->encoder;
    int status =
        encoder->failed ? UV_ENOMEM : nb_stream_write_copy(&session->stream, encoder->data, encoder->length);
    nb_encoder_clear(encoder);
    if (status == 0)
        status = nb_stream_write(&session->stream, payload);
    note_sent(session, status);
}

/* The same with a descriptor, which it takes. */
static void send_encoded_with_fd(struct nb_session *session, int fd)
{
    struct nb_encoder *encoder = session->encoder;
    int status = UV_ENOMEM;
    if (encoder->failed)
        close(fd);
    else
        status = nb_stream_write_copy_with_fd(&session->stream, encoder->data, encoder->length, fd);
    nb_encoder_clear(encoder);
    note_sent(session, status);
}

static void hold_encoded(struct nb_session *session, struct nb_bytes payload)
{
    struct nb_encoder *encoder = session->encoder;
    bool failed = encoder->failed;
    if (failed)
        nb_actor_stop(&session->actor);
    else
        nb_session_hold(session, (struct nb_slice){encoder->data, encoder->length}, payload);
    nb_encoder_clear(encoder);
    check_queue(session);
}

/* The gate stops what sockets cause; what commands cause can't wait, as the poll that fetches it is one of them. */
static void check_held(struct nb_session *session)
{
    struct nb_fault fault = {0};
    if (session->held.bytes.length <= most_unread(session) || session->actor.is_stopping)
        return;
    nb_fault_limit(&fault, "outHigh", session->limits->out_high);
    nb_session_break(session, &fault);
}

static void deliver_event(struct nb_session *session, struct nb_bytes payload)
{
    if (session->polls)
        hold_encoded(session, payload);
    else
        send_encoded(session, payload);
    check_held(session);
}

/* The body of an event, with its failure where it has one; body: room for it. */
static const void *complete_body(const struct nb_event_message *event, union nb_event_body *body)
{
    if (!event->failure)
        return &event->body;
    const nb_Error *error = &event->failure->fault.map;
    if (event->event->body == &nb_shape_Error)
        return error;
    memcpy(body, &event->body, event->event->body->size);
    if (event->event->body == &nb_shape_Lookup) {
        body->lookup.has_err = true;
        body->lookup.err = *error;
    } else {
        body->connection_attempt.has_error = true;
        body->connection_attempt.error = *error;
    }
    return body;
}

void nb_session_send_event(struct nb_session *session, const struct nb_event_message *event)
{
    struct nb_bytes payload = {0};
    union nb_event_body room;
    const void *body = complete_body(event, &room);
    if (nb_shape_is_payload(event->event->body)) {
        struct nb_slice data = event->body.data.data;
        payload = (struct nb_bytes){data.data, data.length, event->chunk};
    }
    session->encoder->payload_as_text = event->payload_is_text;
    nb_encode_event(session->encoder, event->event, event->target, body);
    session->encoder->payload_as_text = false;
    deliver_event(session, payload);
}

void nb_session_send_error(struct nb_session *session, uint32_t msgid, const nb_Error *error)
{
    nb_encode_error(session->encoder, msgid, error);
    send_encoded(session, (struct nb_bytes){0});
}

/* A fatal one is sent to a polling client too: it could not fetch it any more. */
void nb_session_send_complaint(struct nb_session *session, nb_Error *error, bool fatal)
{
    error->has_fatal = fatal;
    error->fatal = fatal;
    nb_encode_event(session->encoder, &nb_events[NB_EVENT_SESSION_ERROR], 0, error);
    if (fatal)
        send_encoded(session, (struct nb_bytes){0});
    else
        deliver_event(session, (struct nb_bytes){0});
}

static bool is_creation_by_broker(const struct nb_reply_to *to)
{
    return to->target % 2 == 0 &&
           (to->method->target == NB_TARGET_NEW_SOCKET || to->method->target == NB_TARGET_NEW_SERVER);
}

static void send_failure(struct nb_session *session, const struct nb_response *response)
{
    const struct nb_reply_to *to = &response->to;
    nb_Error error = response->failure->fault.map;
    if (to->is_notification) {
        error.method = nb_slice_of(to->method->name);
        error.has_target = true;
        error.target = to->target;
        nb_session_send_complaint(session, &error, false);
        return;
    }
    if (is_creation_by_broker(to)) {
        error.has_target = true;
        error.target = to->target;
    }
    nb_session_send_error(session, to->msgid, &error);
}

/* The only result with a descriptor; its number is known here. */
static void send_channel(struct nb_session *session, struct nb_response *response)
{
    int fd = response->fd;
    response->fd = -1;
    response->result.channel.fd = session->fds_out++;
    nb_encode_response(session->encoder, response->to.msgid, response->to.method, &response->result);
    send_encoded_with_fd(session, fd);
}

void nb_session_send_response(struct nb_session *session, struct nb_response *response)
{
    const struct nb_reply_to *to = &response->to;
    if (response->failure) {
        send_failure(session, response);
        return;
    }
    if (response->fd >= 0) {
        send_channel(session, response);
        return;
    }
    nb_encode_response(session->encoder, to->msgid, to->method,
                       response->is_empty ? NULL : &response->result);
    send_encoded(session, (struct nb_bytes){0});
}

void nb_session_send_closing(struct nb_session *session, const struct nb_closing_notice *notice)
{
    nb_Closing closing = {
        .reason = nb_slice_of(notice->reason), .has_deadline = true, .deadline = notice->deadline};
    nb_encode_event(session->encoder, &nb_events[NB_EVENT_SESSION_CLOSING], 0, &closing);
    deliver_event(session, (struct nb_bytes){0});
}
