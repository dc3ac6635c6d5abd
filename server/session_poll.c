/* session.poll: events that wait until the client fetches them. */
#include "session.h"

enum { POLL_MAX = 64, WAIT_LIMIT = 60000 };

/* Moves what is held behind the answer's head. */
static void answer(struct nb_session *session, struct nb_command *command)
{
    const nb_Poll *params = &command->params.poll;
    uint32_t most = params->has_max ? params->max : POLL_MAX;
    uint32_t count = session->held.count < most ? session->held.count : most;
    struct nb_encoder *encoder = session->encoder;
    nb_encode_poll(encoder, command->reply.msgid, count);
    int status =
        encoder->failed ? UV_ENOMEM : nb_stream_write_copy(&session->stream, encoder->data, encoder->length);
    nb_encoder_clear(encoder);
    if (status == 0)
        status = nb_held_events_move(&session->held, count, &session->stream.queue);
    if (status < 0)
        nb_actor_stop(&session->actor);
    session->frames_out++;
    nb_pending_remove(&session->pending, command->reply.msgid);
    nb_reply_forget(&command->reply);
}

static void answer_open_poll(struct nb_session *session)
{
    struct nb_command *command = session->poll;
    session->poll = NULL;
    nb_timer_stop(&session->poll_timer);
    answer(session, command);
    nb_message_dispose(session->actor.loop, &command->message);
}

void nb_session_poll_end(struct nb_session *session)
{
    if (session->poll)
        answer_open_poll(session);
}

static void on_wait_over(struct nb_timer *timer)
{
    answer_open_poll(NB_SESSION_OF(timer, poll_timer));
}

static void on_turn_end(struct nb_flush *flush)
{
    struct nb_session *session = NB_SESSION_OF(flush, poll_flush);
    if (session->poll && session->held.count && !session->is_ending)
        answer_open_poll(session);
}

void nb_session_poll_init(struct nb_session *session)
{
    nb_held_events_init(&session->held, &session->actor.loop->pool);
    session->poll_flush.run = on_turn_end;
}

void nb_session_poll_finish(struct nb_session *session)
{
    nb_loop_cancel_flush(session->actor.loop, &session->poll_flush);
    nb_timer_finish(&session->poll_timer);
    if (session->poll) {
        nb_reply_forget(&session->poll->reply);
        nb_message_dispose(session->actor.loop, &session->poll->message);
    }
    nb_held_events_finish(&session->held);
}

void nb_session_hold(struct nb_session *session, struct nb_slice frame, struct nb_bytes payload)
{
    if (nb_held_events_add(&session->held, frame, payload) < 0) {
        nb_actor_stop(&session->actor);
        return;
    }
    if (session->poll)
        nb_loop_flush_later(session->actor.loop, &session->poll_flush);
}

static struct nb_failure *check(const struct nb_session *session, const nb_Poll *params)
{
    if (!session->polls)
        return nb_failure_make("ERR_NB_NOT_NEGOTIATED", NULL,
                               "session.poll needs events \"poll\" in session.hello");
    if (session->poll)
        return nb_failure_make("ERR_NB_BUSY", NULL, "A poll is open already");
    if (params->has_max && !params->max)
        return nb_failure_range("max", ">= 1", 0);
    if (params->wait > WAIT_LIMIT)
        return nb_failure_range("wait", ">= 0 && <= 60000", params->wait);
    return NULL;
}

nb_handler nb_on_session_poll;

void nb_on_session_poll(struct nb_actor *self, struct nb_command **command)
{
    struct nb_session *session = (struct nb_session *)self;
    const nb_Poll *params = &(*command)->params.poll;
    struct nb_failure *failure = check(session, params);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    if ((*command)->reply.is_notification ||
        session->output_ended) /* without an answer, what is fetched is lost */
        return;
    if (session->held.count || !params->wait) {
        answer(session, *command);
        return;
    }
    if (nb_timer_start(&session->poll_timer, self->loop, params->wait, on_wait_over) < 0) {
        nb_actor_stop(self);
        return;
    }
    session->poll = nb_command_take(command);
}
