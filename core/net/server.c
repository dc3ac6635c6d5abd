#include "server_internal.h"

#include <string.h>

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class server_class = {
    .name = "server", .size = sizeof(struct nb_server), .receive = receive, .stop = stop};

struct nb_server *nb_server_new(struct nb_account *account, uint64_t name)
{
    struct nb_server *server = nb_actor_new(account->loop, &server_class);
    if (!server)
        return NULL;
    server->account = nb_account_ref(account);
    server->name = name;
    nb_command_list_init(&server->closes);
    server->waiter.wake = nb_server_wake;
    server->is_refed = true;
    server->accepted.read_chunk = account->read_chunk;
    server->accepted.high_water_mark = NB_HIGH_WATER_MARK;
    server->accepted.read_window = account->read_window;
    account->servers++;
    return server;
}

/* ---- what it tells ---- */

void nb_server_update_activity(struct nb_server *server)
{
    bool counts =
        (server->state == NB_SERVER_LISTENING || server->state == NB_SERVER_RESOLVING) && server->is_refed;
    if (counts == server->is_counted)
        return;
    server->is_counted = counts;
    if (counts)
        nb_account_activate(server->account);
    else
        nb_account_deactivate(server->account);
}

struct nb_slice nb_server_path(const struct nb_server *server)
{
    return (struct nb_slice){(const uint8_t *)server->path, server->path_length};
}

void nb_server_fill_address(const struct nb_server *server, struct nb_texts *texts, nb_Address *ret_address)
{
    char text[NB_ENDPOINT_TEXT];
    nb_Address address = {0};
    nb_texts_init(texts, server->actor.loop, NB_PATH_MAX + NB_ENDPOINT_TEXT);
    if (server->path_length) {
        address.path = nb_texts_add(texts, nb_server_path(server));
    } else {
        address.address = nb_texts_add(texts, nb_slice_of(nb_endpoint_format(&server->address, text)));
        address.family = nb_slice_of(nb_endpoint_family_name(&server->address));
        address.has_port = true;
        address.port = server->address.port;
    }
    *ret_address = address;
}

void nb_server_answer_address(struct nb_server *server, struct nb_reply_to *reply)
{
    struct nb_texts texts;
    nb_Address address;
    nb_server_fill_address(server, &texts, &address);
    nb_reply_texts(server->actor.loop, reply, &address, &texts);
}

/* ---- the end ---- */

static void answer_closes(struct nb_server *server)
{
    struct nb_command *command;
    while ((command = nb_command_list_take(&server->closes))) {
        if (command->failure)
            nb_reply_fail(server->actor.loop, &command->reply, nb_failure_ref(command->failure));
        else
            nb_reply_done(server->actor.loop, &command->reply);
        nb_message_dispose(server->actor.loop, &command->message);
    }
}

void nb_server_emit_close_if_drained(struct nb_server *server)
{
    if (!server->wants_close_event || server->connections || server->leaving ||
        server->state != NB_SERVER_IDLE)
        return;
    server->wants_close_event = false;
    nb_event_emit(server->account, NB_EVENT_SERVER_CLOSE, server->name);
    answer_closes(server);
}

static void finish(struct nb_server *server)
{
    answer_closes(server);
    server->account->servers--;
    nb_filter_unref(server->filter);
    nb_account_unref(server->account);
    nb_actor_finish(&server->actor);
}

/* Takes the failure: the error event, then the answer. */
void nb_server_fail_listen(struct nb_server *server, struct nb_failure *failure)
{
    struct nb_command *request = server->order.request;
    nb_server_end_lookup(server);
    server->order.request = NULL;
    server->state = NB_SERVER_IDLE;
    nb_event_emit_error(server->account, NB_EVENT_SERVER_ERROR, server->name, failure);
    nb_reply_fail(server->actor.loop, &request->reply, failure);
    nb_message_dispose(server->actor.loop, &request->message);
    nb_server_update_activity(server);
}

void nb_server_remove_path(struct nb_server *server)
{
    if (server->path_length)
        nb_unlink_socket(nb_server_path(server), &server->path_identity);
    server->path_length = 0;
}

/* A listen that is still under way is answered as one that came too late. */
static void refuse_listen(struct nb_server *server)
{
    struct nb_command *request = server->order.request;
    nb_server_end_lookup(server);
    server->order.request = NULL;
    nb_reply_fail(server->actor.loop, &request->reply,
                  nb_failure_make("ERR_SERVER_NOT_RUNNING", NULL, "Server is not running."));
    nb_message_dispose(server->actor.loop, &request->message);
}

void nb_server_unlisten(struct nb_server *server)
{
    if (server->state == NB_SERVER_RESOLVING)
        refuse_listen(server);
    server->state = NB_SERVER_IDLE;
    nb_waiter_leave(&server->waiter);
    if (server->membership.listener)
        nb_server_leave(server);
    nb_server_remove_path(server);
    nb_acceptor_close(server->acceptor);
    server->acceptor = NULL;
    nb_ownership_unref(server->ownership);
    server->ownership = NULL;
}

static void stop(struct nb_actor *self)
{
    struct nb_server *server = (struct nb_server *)self;
    if (server->state != NB_SERVER_IDLE)
        nb_server_unlisten(server);
    nb_server_update_activity(server);
    finish(server);
}

/* ---- commands ---- */

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct nb_server *server = (struct nb_server *)self;
    if ((*message)->class == &nb_command_class) {
        struct nb_command **command = (struct nb_command **)message;
        (*command)->run(self, command);
    } else if ((*message)->class == &nb_down_class) {
        server->connections--;
        nb_server_room_changed(server);
        nb_server_emit_close_if_drained(server);
    } else if ((*message)->class == &nb_lookup_answer_class) {
        nb_server_lookup_answered(server, (struct nb_lookup_answer *)*message);
    } else if ((*message)->class == &nb_loan_class) {
        nb_server_lend(server, message);
    } else if ((*message)->class == &nb_loan_answer_class) {
        nb_server_loan_answered(server, (struct nb_loan *)*message);
    } else {
        nb_server_hear_listener(server, message);
    }
}

nb_handler nb_on_server_create, nb_on_server_close, nb_on_server_address, nb_on_server_get_connections,
    nb_on_server_set, nb_on_server_ref, nb_on_server_unref, nb_on_server_info, nb_on_server_release;

/* The id is free and the actor goes. */
static void leave(struct nb_server *server)
{
    nb_account_say_farewell(server->account, server->name);
    nb_actor_stop(&server->actor);
}

static struct nb_failure *apply_create(struct nb_server *server, const nb_ServerCreate *params)
{
    struct nb_accept_options *accepted = &server->accepted;
    struct nb_failure *failure = nb_options_check(&params->socket_options, "options.socketOptions.");
    if (failure)
        return failure;
    if (params->has_read_chunk && !params->read_chunk)
        return nb_failure_range("options.readChunk", ">= 1", 0);
    if (params->has_read_chunk && params->read_chunk < accepted->read_chunk)
        accepted->read_chunk = params->read_chunk;
    if (params->has_read_window && !server->account->has_flow)
        return nb_failure_not_negotiated("flow", "readWindow");
    if (params->has_read_window)
        accepted->read_window = params->read_window;
    if (params->has_high_water_mark)
        accepted->high_water_mark = params->high_water_mark;
    accepted->allow_half_open = params->allow_half_open;
    accepted->pause_on_connect = params->pause_on_connect;
    nb_options_take(&accepted->options, &params->socket_options);
    if (params->has_no_delay)
        nb_options_want(&accepted->options, NB_OPTION_NO_DELAY, params->no_delay);
    if (params->keep_alive)
        nb_options_want_keep_alive(&accepted->options, true,
                                   nb_keep_alive_seconds(params->keep_alive_initial_delay));
    server->has_max_connections = params->has_max_connections;
    server->max_connections = params->max_connections;
    server->drops_at_max = params->drop_max_connection;
    return NULL;
}

void nb_on_server_create(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    struct nb_failure *failure = apply_create(server, &(*command)->params.server_create);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        leave(server);
        return;
    }
    nb_command_hand_over_filter(*command, &server->filter);
    nb_Created created = {.has_id = true, .id = server->name};
    nb_reply_result(self->loop, &(*command)->reply, &created, NULL);
}

void nb_on_server_close(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    bool is_open = server->state != NB_SERVER_IDLE;
    if (!(*command)->reply.is_notification) {
        if (!is_open)
            (*command)->failure = nb_failure_make("ERR_SERVER_NOT_RUNNING", NULL, "Server is not running.");
        nb_command_list_add(&server->closes, nb_command_take(command));
    }
    server->wants_close_event = true;
    if (is_open)
        nb_server_unlisten(server);
    nb_server_emit_close_if_drained(server);
    nb_server_update_activity(server);
}

void nb_on_server_address(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    if (server->state == NB_SERVER_LISTENING)
        nb_server_answer_address(server, &(*command)->reply);
    else
        nb_reply_nil(self->loop, &(*command)->reply);
}

void nb_on_server_get_connections(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    nb_Connections result = {.has_count = true, .count = server->connections};
    nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

void nb_on_server_set(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    const nb_ServerSet *params = &(*command)->params.server_set;
    server->has_max_connections = params->has_max_connections;
    server->max_connections = params->max_connections;
    server->drops_at_max = params->drop_max_connection;
    nb_server_room_changed(server);
    nb_reply_done(self->loop, &(*command)->reply);
}

static void set_ref(struct nb_actor *self, struct nb_command **command, bool is_refed)
{
    struct nb_server *server = (struct nb_server *)self;
    server->is_refed = is_refed;
    nb_server_update_activity(server);
    nb_reply_done(self->loop, &(*command)->reply);
}

void nb_on_server_ref(struct nb_actor *self, struct nb_command **command)
{
    set_ref(self, command, true);
}

void nb_on_server_unref(struct nb_actor *self, struct nb_command **command)
{
    set_ref(self, command, false);
}

void nb_on_server_info(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    struct nb_texts texts = {0};
    nb_ServerInfo info;
    memset(&info, 0, sizeof info);
    info.has_listening = info.has_connections = info.has_refed = true;
    info.listening = server->state == NB_SERVER_LISTENING;
    info.connections = server->connections;
    info.refed = server->is_refed;
    info.has_max_connections = server->has_max_connections;
    info.max_connections = server->max_connections;
    info.has_address = info.listening;
    if (info.listening)
        nb_server_fill_address(server, &texts, &info.address);
    nb_reply_texts(self->loop, &(*command)->reply, &info, &texts);
}

void nb_on_server_release(struct nb_actor *self, struct nb_command **command)
{
    struct nb_server *server = (struct nb_server *)self;
    if (server->state != NB_SERVER_IDLE || server->connections || server->leaving) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_make("ERR_NB_BUSY", NULL, "The server is not closed"));
        return;
    }
    nb_reply_done(self->loop, &(*command)->reply);
    leave(server);
}
