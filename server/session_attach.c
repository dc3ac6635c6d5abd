/* session.attach: a connection that becomes the channel of another session's socket. */
#include "attach.h"
#include "fd_reserve.h"
#include "session.h"

#include <string.h>

static struct nb_failure *unknown_token(void)
{
    return nb_failure_make("ERR_NB_TOKEN", NULL, "No channel waits for this token");
}

/* What was encoded, as an answer; empty where none is wanted. False: no memory. */
static bool take_encoded(struct nb_session *session, const struct nb_reply_to *reply,
                         struct nb_attach_answer *ret_answer)
{
    struct nb_encoder *encoder = session->encoder;
    bool is_there = !encoder->failed && encoder->length <= sizeof ret_answer->bytes;
    if (is_there && !reply->is_notification) {
        memcpy(ret_answer->bytes, encoder->data, encoder->length);
        ret_answer->length = encoder->length;
    }
    nb_encoder_clear(encoder);
    return is_there;
}

/* Whoever decides has nothing to encode with: both answers go along. */
static bool encode_answers(struct nb_session *session, const struct nb_reply_to *reply,
                           struct nb_attach *attach)
{
    union nb_result nothing;
    struct nb_failure *failure = unknown_token();
    memset(&nothing, 0, sizeof nothing);
    nb_encode_response(session->encoder, reply->msgid, reply->method, &nothing);
    bool is_there = take_encoded(session, reply, &attach->granted);
    nb_encode_error(session->encoder, reply->msgid, &failure->fault.map);
    is_there = take_encoded(session, reply, &attach->refused) && is_there;
    nb_failure_unref(failure);
    return is_there;
}

/* Into a chunk that may go to another loop. */
static bool take_rest(struct nb_session *session, struct nb_attach *attach)
{
    struct nb_bytes rest;
    nb_frame_input_take_rest(&session->input, &rest);
    if (rest.length && (attach->rest = nb_chunk_new(&session->actor.loop->pool, rest.length))) {
        memcpy(attach->rest->bytes, rest.data, rest.length);
        attach->rest_length = rest.length;
    }
    nb_chunk_unref(rest.chunk);
    return attach->rest_length == rest.length;
}

/* The session ends, and its connection goes on without it. */
static void hand_over(struct nb_session *session, struct nb_reply_to *reply,
                      const struct nb_offering *offering)
{
    struct nb_attach *attach = nb_attach_new(session->actor.loop);
    nb_actor_stop(&session->actor);
    if (!attach)
        return;
    if (encode_answers(session, reply, attach) && take_rest(session, attach)) {
        memcpy(attach->token, offering->token, sizeof attach->token);
        attach->fd = nb_stream_release(&session->stream);
        session->output_ended = true;
        nb_pending_remove(&session->pending, reply->msgid);
        nb_reply_forget(reply);
        nb_send(session->actor.loop, offering->socket, &attach->message);
    } else {
        nb_message_dispose(session->actor.loop, &attach->message);
    }
}

static struct nb_failure *find_channel(const struct nb_session *session, struct nb_slice token,
                                       struct nb_offering *ret_offering)
{
    if (!token.data)
        return nb_failure_type("token", "of type string", "undefined");
    if (!nb_offering_find(token, session->peer.uid, NB_OFFERING_CHANNEL, ret_offering))
        return unknown_token();
    if (nb_fd_reserve_is_reached(session->stream.fd)) /* it counts as a client's socket from now on */
        return nb_failure_system(UV_EMFILE, "attach");
    return NULL;
}

nb_handler nb_on_session_attach;

void nb_on_session_attach(struct nb_actor *self, struct nb_command **command)
{
    struct nb_session *session = (struct nb_session *)self;
    struct nb_reply_to *reply = &(*command)->reply;
    struct nb_slice token = (*command)->params.session_attach.token;
    struct nb_offering offering;
    struct nb_failure *failure = find_channel(session, token, &offering);
    if (!failure) {
        hand_over(session, reply, &offering);
        return;
    }
    nb_reply_throw(self->loop, reply, failure);
    nb_session_end_behind_frames(session);
}
