/* What a session itself is asked. */
#include "inspect.h"
#include "resolver.h"
#include "session.h"

#include <string.h>
#include <uv.h>

enum { PROTOCOL = 1 };

nb_handler nb_on_session_hello, nb_on_session_describe, nb_on_session_ping, nb_on_session_info,
    nb_on_session_close;

/* ---- session.hello ---- */

static struct nb_failure *check_version(const nb_Hello *hello)
{
    uint32_t highest = hello->has_protocol ? hello->protocol : PROTOCOL;
    uint32_t lowest = hello->has_min_protocol ? hello->min_protocol : PROTOCOL;
    if (lowest <= PROTOCOL && PROTOCOL <= highest)
        return NULL;
    struct nb_fault fault = {0};
    nb_fault_set(&fault, "ERR_NB_VERSION", NULL, "No common protocol version: this broker speaks %d",
                 PROTOCOL);
    fault.map.supported_count = 2;
    fault.map.supported[0] = fault.map.supported[1] = PROTOCOL;
    return nb_failure_of_fault(&fault);
}

static struct nb_failure *check_hello(const nb_Hello *hello)
{
    if (hello->events.data && !nb_slice_is(hello->events, "push") && !nb_slice_is(hello->events, "poll")) {
        char received[NB_INSPECT_SIZE];
        nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = hello->events}, received);
        return nb_failure_value("events", "must be one of: 'push', 'poll'", received);
    }
    if (hello->group.data && (!hello->group.length || hello->group.length > NB_GROUP_NAME)) {
        char received[NB_INSPECT_SIZE];
        nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = hello->group}, received);
        return nb_failure_value("group", "must be of 1 to 64 bytes", received);
    }
    return check_version(hello);
}

static nb_Limits describe_limits(const struct nb_limits *limits)
{
    return (nb_Limits){
        .has_max_write = true,
        .max_write = limits->max_write,
        .has_max_frame = true,
        .max_frame = limits->max_frame,
        .has_max_depth = true,
        .max_depth = limits->max_depth,
        .has_max_elements = true,
        .max_elements = limits->max_elements,
        .has_max_text = true,
        .max_text = limits->max_text,
        .has_max_pending = true,
        .max_pending = limits->max_pending,
        .has_max_sockets = true,
        .max_sockets = limits->max_sockets,
        .has_max_servers = true,
        .max_servers = limits->max_servers,
        .has_max_block_lists = true,
        .max_block_lists = limits->max_block_lists,
        .has_max_rules = true,
        .max_rules = limits->max_rules,
        .has_max_lookups = true,
        .max_lookups = limits->max_lookups,
        .has_read_chunk = true,
        .read_chunk = limits->read_chunk,
        .has_max_fds_per_frame = true,
        .max_fds_per_frame = limits->max_fds_per_frame,
        .has_max_fds_unclaimed = true,
        .max_fds_unclaimed = limits->max_fds_unclaimed,
        .has_out_high = true,
        .out_high = limits->out_high,
        .has_out_low = true,
        .out_low = limits->out_low,
        .has_read_window = true,
        .read_window = limits->read_window,
        .has_write_window = true,
        .write_window = limits->write_window,
        .has_session_write_window = true,
        .session_write_window = limits->session_write_window,
        .has_stall_timeout = true,
        .stall_timeout = limits->stall_timeout,
        .has_unflushed_high = true,
        .unflushed_high = limits->unflushed_high,
        .has_max_sessions = true,
        .max_sessions = limits->max_sessions,
        .has_offer_ttl = true,
        .offer_ttl = limits->offer_ttl,
    };
}

/* The feature is nothing without a name: such a session shares with nobody. */
static int join_group(struct nb_session *session, struct nb_slice name)
{
    if (name.length)
        session->account->group = nb_group_open(session->groups, session->peer.uid, name);
    return name.length && !session->account->group ? UV_ENOMEM : 0;
}

/* Without memory a feature is not granted. */
static void grant_features(struct nb_session *session, const nb_Hello *hello)
{
    session->features = nb_features_asked(hello);
    if ((session->features & NB_FEATURE_GROUP) && join_group(session, hello->group) < 0)
        session->features &= ~(unsigned)NB_FEATURE_GROUP;
    if ((session->features & NB_FEATURE_FDS) && nb_session_accept_fds(session) < 0)
        session->features &= ~(unsigned)NB_FEATURE_FDS;
    session->account->has_flow = session->features & NB_FEATURE_FLOW;
    session->account->has_fds = session->features & NB_FEATURE_FDS;
}

void nb_on_session_hello(struct nb_actor *self, struct nb_command **command)
{
    struct nb_session *session = (struct nb_session *)self;
    const nb_Hello *hello = &(*command)->params.hello;
    struct nb_failure *failure = check_hello(hello);
    nb_Welcome welcome;
    struct nb_texts texts;
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    session->polls = nb_slice_is(hello->events, "poll");
    grant_features(session, hello);
    memset(&welcome, 0, sizeof welcome);
    nb_features_list(session->features, &welcome);
    nb_texts_init(&texts, self->loop, sizeof session->name);
    welcome.has_protocol = welcome.has_broker = welcome.has_limits = welcome.has_peer = true;
    welcome.protocol = PROTOCOL;
    welcome.broker = (nb_Program){.name = nb_slice_of("netbroker"),
                                  .version = nb_slice_of(NB_VERSION),
                                  .libuv = nb_slice_of(uv_version_string())};
    welcome.limits = describe_limits(session->limits);
    welcome.session = nb_texts_add(&texts, nb_slice_of(session->name));
    welcome.peer = (nb_Peer){.has_uid = true,
                             .uid = session->peer.uid,
                             .has_gid = true,
                             .gid = session->peer.gid,
                             .has_pid = true,
                             .pid = (uint32_t)session->peer.pid};
    nb_reply_texts(self->loop, &(*command)->reply, &welcome, &texts);
}

/* ---- the others ---- */

void nb_on_session_describe(struct nb_actor *self, struct nb_command **command)
{
    struct nb_slice format = (*command)->params.describe.format;
    if (format.data && !nb_slice_is(format, "msgpack")) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_value("format", "must be 'msgpack'", "another format"));
        return;
    }
    nb_Any description = {.value = nb_description};
    nb_reply_result(self->loop, &(*command)->reply, &description, NULL);
}

void nb_on_session_ping(struct nb_actor *self, struct nb_command **command)
{
    nb_Any body = (*command)->params.any;
    static const uint8_t empty_map = 0x80;
    if (!body.value.data)
        body.value = (struct nb_slice){&empty_map, 1};
    nb_reply_result(self->loop, &(*command)->reply, &body, (*command)->chunk);
}

void nb_on_session_info(struct nb_actor *self, struct nb_command **command)
{
    struct nb_session *session = (struct nb_session *)self;
    const struct nb_account *account = session->account;
    nb_SessionInfo info = {
        .has_sockets = true,
        .sockets = account->sockets,
        .has_servers = true,
        .servers = account->servers,
        .has_active = true,
        .active = account->active,
        .has_queued = true,
        .queued = session->stream.queue.length + session->held.bytes.length,
        .has_unflushed = true,
        .unflushed = account->unflushed,
        .has_frames_in = true,
        .frames_in = session->frames_in,
        .has_frames_out = true,
        .frames_out = session->frames_out,
        .has_fds_received = true,
        .fds_received = session->unclaimed ? nb_unclaimed_received(session->unclaimed) : 0,
        .has_block_lists = true,
        .block_lists = account->block_lists,
        .has_lookups = true,
        .lookups = nb_lookup_line_open(account->lookups),
    };
    nb_reply_result(self->loop, &(*command)->reply, &info, NULL);
}

/*
 * The last step of session.close. Its answer is sent here, as nothing reaches
 * the session once it has begun to end.
 */
static void finish_close(struct nb_actor *self, struct nb_command **command)
{
    struct nb_session *session = (struct nb_session *)self;
    nb_session_poll_end(session);
    if (!(*command)->reply.is_notification) {
        struct nb_response response = {.to = (*command)->reply, .fd = -1};
        nb_session_send_response(session, &response);
    }
    nb_reply_forget(&(*command)->reply);
    nb_actor_stop(self);
}

/* The actors have answered what was open; the answers stand in the queue before this command's next round. */
static void await_answers(struct nb_actor *self, struct nb_command **command)
{
    (*command)->run = finish_close;
    nb_send(self->loop, self->id, &nb_command_take(command)->message);
}

void nb_on_session_close(struct nb_actor *self, struct nb_command **command)
{
    struct nb_session *session = (struct nb_session *)self;
    const struct nb_account *account = session->account;
    if (session->close) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_make("ERR_NB_BUSY", NULL, "The session is closing already"));
        return;
    }
    if ((*command)->params.session_close.if_idle && (account->active || account->unflushed)) {
        nb_reply_throw(
            self->loop, &(*command)->reply,
            nb_failure_make("ERR_NB_BUSY", NULL, "The session has open handles or unflushed data"));
        return;
    }
    (*command)->run = await_answers;
    session->close = nb_command_take(command);
    nb_session_stop_actors(session);
}
