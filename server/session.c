#include "session.h"

#include "log.h"
#include "memory.h"
#include "resolver.h"
#include "socket.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FRAMES_A_TURN = 512, /* started before others get their turn, and before their answers are looked at */
    ENDING_LIMIT = 5000, /* ms for the last frames to a client that does not read */
};

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);
static void go_on(struct nb_flush *flush);

static const struct nb_actor_class session_class = {
    .name = "session", .size = sizeof(struct nb_session), .receive = receive, .stop = stop};
static const struct nb_stream_ops stream_ops;

/* A session's word to itself to look at its next frame once more. */
static const struct nb_message_class look_class = {.name = "look again", .size = sizeof(struct nb_message)};

/* Its word to itself that it has started its last frame: the end must not overtake what was started. */
static const struct nb_message_class last_frame_class = {.name = "last frame",
                                                         .size = sizeof(struct nb_message)};

const struct nb_message_class nb_closing_class = {.name = "closing",
                                                  .size = sizeof(struct nb_closing_notice)};

/* ---- making ---- */

static int init_account(struct nb_session *session)
{
    const struct nb_limits *limits = session->limits;
    struct nb_account *account = nb_account_new(session->actor.loop, session->actor.id);
    session->account = account;
    if (!account)
        return UV_ENOMEM;
    account->max_sockets = limits->max_sockets;
    account->read_chunk = limits->read_chunk;
    account->read_window = limits->read_window;
    account->write_window = limits->write_window;
    account->session_write_window = limits->session_write_window;
    account->unflushed_high = limits->unflushed_high;
    account->in_flight_max = limits->out_high;
    account->offer_ttl = limits->offer_ttl;
    account->uid = session->peer.uid;
    account->max_frame = limits->max_frame;
    account->max_rules = limits->max_rules;
    account->deny_connect = session->lists->deny_connect;
    account->deny_accept = session->lists->deny_accept;
    account->budget = nb_budget_new(limits->max_block_lists, limits->max_rules);
    account->lookups = nb_lookup_line_new(session->peer.uid, limits->max_lookups);
    return account->budget && account->lookups ? 0 : UV_ENOMEM;
}

struct nb_session *nb_session_new(struct nb_loop *loop, int fd, const struct ucred *peer,
                                  struct nb_rights rights, const struct nb_limits *limits,
                                  struct nb_lists *lists, struct nb_groups *groups,
                                  struct nb_encoder *encoder, uint64_t serial)
{
    struct nb_session *session = nb_actor_new(loop, &session_class);
    if (!session) {
        close(fd);
        return NULL;
    }
    session->encoder = encoder;
    session->limits = limits;
    session->lists = lists;
    session->groups = groups;
    session->rights = rights;
    session->peer = *peer;
    snprintf(session->name, sizeof session->name, "s%llu", (unsigned long long)serial);
    nb_frame_input_init(&session->input, &loop->pool, nb_limits_for_scan(limits));
    nb_session_poll_init(session);
    nb_session_stop_init(session);
    session->go_on.run = go_on;
    nb_stream_init(&session->stream, loop, &stream_ops, false);
    if (init_account(session) < 0 || nb_stream_open(&session->stream, fd) < 0) {
        close(fd);
        nb_actor_stop(&session->actor);
        return NULL;
    }
    session->stream_in_use = true;
    nb_stream_watch_hangup(&session->stream);
    nb_log(NB_LOG_INFO, "session opened", "session=%s uid=%u pid=%d", session->name, peer->uid, peer->pid);
    nb_session_pump(session);
    return session;
}

/* ---- the end ---- */

static void finish(struct nb_session *session)
{
    nb_timer_finish(&session->timer);
    nb_loop_cancel_flush(session->actor.loop, &session->go_on);
    nb_session_poll_finish(session);
    nb_frame_input_finish(&session->input);
    nb_unclaimed_free(session->unclaimed);
    nb_handles_finish(&session->handles);
    nb_pending_finish(&session->pending);
    nb_account_unref(session->account);
    nb_actor_finish(&session->actor);
}

static void finish_if_done(struct nb_session *session)
{
    if (session->stop_has_begun && !session->stream_in_use && !nb_session_stops_actors(session))
        finish(session);
}

void nb_session_actors_stopped(struct nb_session *session)
{
    struct nb_command *close = session->close;
    session->close = NULL;
    if (close)
        nb_send(session->actor.loop, session->actor.id, &close->message);
    finish_if_done(session);
}

static void on_ending_limit(struct nb_timer *timer)
{
    nb_stream_close(&NB_SESSION_OF(timer, timer)->stream);
}

void nb_session_end(struct nb_session *session)
{
    if (session->is_ending)
        return;
    session->is_ending = true;
    nb_log(NB_LOG_INFO, "session ended", "session=%s frames_in=%llu frames_out=%llu", session->name,
           (unsigned long long)session->frames_in, (unsigned long long)session->frames_out);
    nb_session_stop_actors(session);
    nb_session_drop_fds(session);
    nb_timer_stop(&session->poll_timer);
    if (!session->input_ended)
        nb_stream_start_reading(&session->stream);
    if (session->output_ended ||
        nb_timer_start(&session->timer, session->actor.loop, ENDING_LIMIT, on_ending_limit) < 0)
        nb_stream_close(&session->stream);
    else
        nb_stream_shutdown(&session->stream);
}

void nb_session_end_behind_frames(struct nb_session *session)
{
    struct nb_message *message = nb_message_new(session->actor.loop, &last_frame_class);
    session->has_last_frame = true;
    nb_stream_stop_reading(&session->stream);
    if (message)
        nb_send(session->actor.loop, session->actor.id, message);
    else
        nb_actor_stop(&session->actor);
}

static void stop(struct nb_actor *self)
{
    struct nb_session *session = (struct nb_session *)self;
    session->stop_has_begun = true;
    if (session->stream_in_use)
        nb_session_end(session);
    else
        finish_if_done(session);
}

static void on_closed(struct nb_stream *stream)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    session->stream_in_use = false;
    if (session->stop_has_begun)
        finish_if_done(session);
    else
        nb_actor_stop(&session->actor);
}

/* ---- input ---- */

static bool may_start_frames(const struct nb_session *session)
{
    bool is_over =
        session->is_ending || session->has_last_frame || session->is_attaching || session->actor.is_stopping;
    bool waits = (session->waits_for_relief && !session->account->has_flow) || session->waits_for_client;
    return !is_over && (!waits || session->sends_no_more);
}

static void on_stalled(struct nb_timer *timer)
{
    struct nb_session *session = NB_SESSION_OF(timer, timer);
    struct nb_account *account = session->account;
    if (!session->waits_for_relief)
        return;
    struct nb_actor_id debtor = nb_account_largest_debtor(account);
    if (account->paid == session->paid_before && !nb_actor_id_is_nobody(debtor)) {
        struct nb_message *message = nb_message_new(session->actor.loop, &nb_stalled_class);
        if (message)
            nb_send(session->actor.loop, debtor, message);
    }
    session->paid_before = account->paid;
    nb_timer_start(timer, session->actor.loop, session->limits->stall_timeout, on_stalled);
}

/* With feature flow: when the session's window leaves no room for a whole window of one more socket. */
static size_t most_unflushed(const struct nb_session *session)
{
    const struct nb_limits *limits = session->limits;
    if (!session->account->has_flow)
        return limits->unflushed_high;
    return limits->session_write_window > limits->write_window
               ? limits->session_write_window - limits->write_window
               : 0;
}

/* Stuck peers have used up what may be queued for them: the client has to wait, until half is out. */
static void wait_for_relief(struct nb_session *session)
{
    struct nb_loop *loop = session->actor.loop;
    session->waits_for_relief = true;
    session->paid_before = session->account->paid;
    if (nb_timer_start(&session->timer, loop, session->limits->stall_timeout, on_stalled) < 0 ||
        nb_account_ask_for_relief(session->account, most_unflushed(session) / 2) < 0)
        nb_actor_stop(&session->actor);
}

static void check_unflushed(struct nb_session *session)
{
    if (session->account->unflushed > most_unflushed(session) && !session->waits_for_relief &&
        !session->sends_no_more)
        wait_for_relief(session);
}

static void break_at(struct nb_session *session, enum nb_scan_status status)
{
    const struct nb_limits *limits = session->limits;
    struct nb_fault fault = {0};
    switch (status) {
    case NB_SCAN_FRAME_TOO_BIG:
        nb_fault_limit(&fault, "maxFrame", limits->max_frame);
        fault.map.code = nb_slice_of("ERR_NB_FRAME_TOO_BIG");
        break;
    case NB_SCAN_TOO_DEEP:
        nb_fault_limit(&fault, "maxDepth", limits->max_depth);
        fault.map.code = nb_slice_of("ERR_NB_PROTOCOL");
        break;
    case NB_SCAN_TOO_MANY_ELEMENTS:
        nb_fault_limit(&fault, "maxElements", limits->max_elements);
        fault.map.code = nb_slice_of("ERR_NB_PROTOCOL");
        break;
    case NB_SCAN_TEXT_TOO_LONG:
        nb_fault_limit(&fault, "maxText", limits->max_text);
        fault.map.code = nb_slice_of("ERR_NB_PROTOCOL");
        break;
    default:
        nb_fault_set(&fault, "ERR_NB_PROTOCOL", NULL, "Not a MessagePack frame");
    }
    nb_session_break(session, &fault);
}

/*
 * A creation that was started before and is refused gives its number back, but only when it is carried out (one
 * round of messages) and the session has heard of it (another). So a number in use is looked at twice.
 */
static bool wants_second_look(struct nb_session *session, const struct nb_request *request)
{
    session->looks_again = !session->looks_again && nb_session_finds_number_in_use(session, request);
    return session->looks_again;
}

static void start_request(struct nb_session *session, struct nb_request *request, struct nb_bytes frame)
{
    if (wants_second_look(session, request)) {
        session->frames_in--;
        nb_frame_input_put_back(&session->input, frame.length);
        nb_chunk_unref(frame.chunk);
        return;
    }
    nb_session_dispatch(session, request, frame.chunk);
}

/* A union of all params is large; it is cleared no further than the decoder does. */
static void start_frame(struct nb_session *session, struct nb_bytes frame)
{
    struct nb_request request;
    struct nb_fault fault = {0};
    session->frames_in++;
    switch (nb_rpc_decode(frame.data, frame.length, session->limits->max_write, &request, &fault)) {
    case NB_RPC_REQUEST:
        start_request(session, &request, frame);
        break;
    case NB_RPC_REFUSED:
        if (nb_session_check_msgid(session, &request))
            nb_session_refuse(session, &request, &fault);
        nb_chunk_unref(frame.chunk);
        break;
    case NB_RPC_BROKEN:
        nb_session_break(session, &fault);
        nb_chunk_unref(frame.chunk);
        break;
    }
    session->has_started = true;
}

static void go_on(struct nb_flush *flush)
{
    nb_session_pump((struct nb_session *)((char *)flush - offsetof(struct nb_session, go_on)));
}

/* A turn is over when sockets get theirs, not when there are no more messages. */
static void leave_backlog(struct nb_session *session)
{
    nb_loop_flush_later(session->actor.loop, &session->go_on);
}

/* Answers to what was started before are on their way: to the actor, and from there. */
static void look_again_later(struct nb_session *session)
{
    struct nb_message *message = nb_message_new(session->actor.loop, &look_class);
    if (!message) {
        nb_actor_stop(&session->actor);
        return;
    }
    session->look_rounds = 2;
    nb_send(session->actor.loop, session->actor.id, message);
}

/* Starts what is there; true when all of it was started and more may be read. */
static bool start_frames(struct nb_session *session)
{
    session->holds_frames = false;
    for (int i = 0; may_start_frames(session); i++) {
        struct nb_bytes frame;
        enum nb_scan_status status = nb_frame_input_next(&session->input, &frame);
        if (status == NB_SCAN_MORE)
            return true;
        if (status != NB_SCAN_FRAME) {
            break_at(session, status);
            return false;
        }
        start_frame(session, frame);
        check_unflushed(session);
        if (session->looks_again) {
            look_again_later(session);
            return false;
        }
        if (i == FRAMES_A_TURN || session->holds_frames) {
            leave_backlog(session);
            return false;
        }
    }
    return false;
}

void nb_session_pump(struct nb_session *session)
{
    if (session->look_rounds || session->go_on.queued || session->has_last_frame || session->is_attaching ||
        session->is_ending || session->actor.is_stopping)
        return;
    if (!start_frames(session)) {
        nb_stream_stop_reading(&session->stream);
        return;
    }
    if (session->input_ended)
        nb_session_end_behind_frames(session);
    else
        nb_stream_start_reading(&session->stream);
}

static uint8_t *reserve(struct nb_stream *stream, size_t *ret_size)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    uint8_t *room = nb_frame_input_reserve(&session->input, ret_size);
    if (!room) {
        nb_stream_stop_reading(stream);
        nb_actor_stop(&session->actor);
    }
    return room;
}

static void on_bytes(struct nb_stream *stream, size_t length)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    if (session->is_ending) {
        nb_frame_input_finish(&session->input);
        return;
    }
    nb_frame_input_commit(&session->input, length);
    nb_session_pump(session);
}

static void on_end(struct nb_stream *stream)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    session->input_ended = true;
    if (session->is_ending && session->output_ended)
        nb_stream_close(stream);
    else
        nb_session_pump(session);
}

/* ---- the stream's other news ---- */

static void on_sent(struct nb_stream *stream, size_t length)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    (void)length;
    if (!session->is_ending)
        nb_session_output_sent(session);
}

/*
 * Closing with bytes of the client's unread, or while it still writes, would
 * break its writing before it has read the last frames: they are dropped until
 * it has closed its end.
 */
static void on_shut(struct nb_stream *stream, int status)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    session->output_ended = true;
    if (status < 0 || session->input_ended ||
        nb_timer_start(&session->timer, session->actor.loop, NB_SESSION_GOODBYE, on_ending_limit) < 0)
        nb_stream_close(stream);
}

static void on_last_input_limit(struct nb_timer *timer)
{
    nb_session_end(NB_SESSION_OF(timer, timer));
}

/* The client sends nothing beyond what the kernel holds: nothing is gained by letting that wait. */
static void finish_input(struct nb_session *session)
{
    session->sends_no_more = true;
    if (session->waits_for_relief)
        nb_timer_stop(&session->timer);
    session->waits_for_relief = session->waits_for_client = false;
    nb_session_pump(session);
}

static void on_hangup(struct nb_stream *stream)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    if (!session->is_ending)
        finish_input(session);
}

/*
 * A client may write, and go without reading its answers: what it has sent is
 * carried out all the same. One that only does not want to read has a limit.
 */
static void on_failure(struct nb_stream *stream, int status, const char *syscall)
{
    struct nb_session *session = NB_SESSION_OF(stream, stream);
    nb_log(NB_LOG_DEBUG, "client gone", "session=%s syscall=%s error=%s", session->name, syscall,
           uv_err_name(status));
    session->output_ended = true;
    session->input_ended = session->input_ended || strcmp(syscall, "read") == 0;
    if (session->is_ending) {
        nb_stream_close(stream);
        return;
    }
    nb_session_update_gate(session);
    finish_input(session);
    if (nb_timer_start(&session->timer, session->actor.loop, ENDING_LIMIT, on_last_input_limit) < 0)
        nb_session_end(session);
}

static const struct nb_stream_ops stream_ops = {
    .reserve = reserve,
    .on_fds = nb_session_receive_fds,
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_sent = on_sent,
    .on_shut = on_shut,
    .on_hangup = on_hangup,
    .on_failure = on_failure,
    .on_closed = on_closed,
};

/* ---- messages ---- */

static void take_response(struct nb_session *session, struct nb_response *response)
{
    if (!response->to.is_notification)
        nb_pending_remove(&session->pending, response->to.msgid);
    nb_session_send_response(session, response);
}

static void take_event(struct nb_session *session, struct nb_event_message *event)
{
    if (event->event->index == NB_EVENT_SERVER_CONNECTION &&
        nb_handles_add(&session->handles, event->body.server_connection.socket, event->actor,
                       NB_TARGET_SOCKET) < 0) {
        nb_actor_stop(&session->actor);
        return;
    }
    event->actor = NB_NOBODY;
    if (event->event->index == NB_EVENT_SOCKET_DATA)
        nb_account_take_data(session->account, event->body.data.data.length);
    nb_session_send_event(session, event);
}

static void look_again(struct nb_session *session, struct nb_message **message)
{
    if (--session->look_rounds) {
        nb_send(session->actor.loop, session->actor.id, *message);
        *message = NULL;
        return;
    }
    nb_session_pump(session);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct nb_session *session = (struct nb_session *)self;
    const struct nb_message_class *class = (*message)->class;
    if (session->is_ending)
        return;
    if (class == &nb_event_class) {
        take_event(session, (struct nb_event_message *)*message);
    } else if (class == &nb_response_class) {
        take_response(session, (struct nb_response *)*message);
    } else if (class == &nb_farewell_class) {
        nb_handles_remove(&session->handles, ((const struct nb_farewell *)*message)->name);
    } else if (class == &nb_command_class) {
        struct nb_command **command = (struct nb_command **)message;
        (*command)->run(self, command);
    } else if (class == &nb_relief_class) {
        if (session->waits_for_relief)
            nb_timer_stop(&session->timer);
        session->waits_for_relief = false;
        nb_session_pump(session);
    } else if (class == &look_class) {
        look_again(session, message);
    } else if (class == &last_frame_class) {
        nb_actor_stop(self);
    } else if (class == &nb_closing_class) {
        nb_session_send_closing(session, (const struct nb_closing_notice *)*message);
    }
}
