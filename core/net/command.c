#include "command.h"

#include "account.h"
#include "foreign.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct nb_command) <= NB_MESSAGE_LARGE, "a command must fit into a message");
_Static_assert(sizeof(struct nb_response) <= NB_MESSAGE_LARGE, "a response must fit into a message");
_Static_assert(sizeof(struct nb_event_message) <= NB_MESSAGE_LARGE, "an event must fit into a message");

void nb_command_discharge(struct nb_command *command)
{
    if (!command->charged)
        return;
    nb_account_pay(command->account, command->charged);
    nb_account_unref(command->account);
    command->charged = 0;
}

/* ---- open requests ---- */

void nb_command_list_init(struct nb_command_list *list)
{
    *list = (struct nb_command_list){.last = &list->first};
}

void nb_command_list_add(struct nb_command_list *list, struct nb_command *command)
{
    nb_chunk_unref(command->chunk);
    nb_command_discharge(command);
    command->chunk = NULL;
    command->next = NULL;
    *list->last = command;
    list->last = &command->next;
}

struct nb_command *nb_command_list_take(struct nb_command_list *list)
{
    struct nb_command *command = list->first;
    if (!command)
        return NULL;
    list->first = command->next;
    if (!list->first)
        list->last = &list->first;
    return command;
}

/* ---- letting go ---- */

static void dispose_command(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_command *command = (struct nb_command *)message;
    nb_command_discharge(command);
    if (nb_reply_is_open(&command->reply) && !command->reply.is_notification)
        nb_reply_fail(loop, &command->reply,
                      nb_failure_make("ERR_NB_NO_SUCH_TARGET", NULL, "The target %llu does not exist",
                                      (unsigned long long)command->reply.target));
    nb_failure_unref(command->failure);
    nb_filter_unref(command->filter);
    nb_chunk_unref(command->chunk);
    if (command->fd >= 0)
        nb_foreign_close(command->fd);
    nb_message_free(loop, message);
}

static void dispose_response(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_response *response = (struct nb_response *)message;
    if (response->fd >= 0)
        close(response->fd);
    nb_failure_unref(response->failure);
    nb_chunk_unref(response->chunk);
    nb_message_free(loop, message);
}

static void dispose_event(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_event_message *event = (struct nb_event_message *)message;
    if (!nb_actor_id_is_nobody(event->actor))
        nb_stop(loop, event->actor);
    nb_failure_unref(event->failure);
    nb_chunk_unref(event->chunk);
    nb_message_free(loop, message);
}

const struct nb_message_class nb_command_class = {
    .name = "command", .size = sizeof(struct nb_command), .dispose = dispose_command};
const struct nb_message_class nb_response_class = {
    .name = "response", .size = sizeof(struct nb_response), .dispose = dispose_response};
const struct nb_message_class nb_event_class = {
    .name = "event", .size = sizeof(struct nb_event_message), .dispose = dispose_event};

struct nb_command *nb_command_new(struct nb_loop *loop)
{
    struct nb_command *command = nb_message_new(loop, &nb_command_class);
    if (!command)
        return NULL;
    memset((char *)command + sizeof command->message, 0,
           offsetof(struct nb_command, params) - sizeof command->message);
    command->lender = NB_NOBODY;
    command->fd = -1;
    return command;
}

int nb_command_take_fd(struct nb_command *command)
{
    int fd = command->fd;
    command->fd = -1;
    return fd;
}

void nb_command_hand_over_filter(struct nb_command *command, struct nb_filter **place)
{
    if (!command->filter)
        return;
    nb_filter_unref(*place);
    *place = command->filter;
    command->filter = NULL;
}

/* ---- answers ---- */

void nb_reply_forget(struct nb_reply_to *reply)
{
    reply->session = NB_NOBODY;
}

static struct nb_response *take_response(struct nb_loop *loop, struct nb_reply_to *reply)
{
    struct nb_response *response = nb_message_new(loop, &nb_response_class);
    if (response) {
        memset((char *)response + sizeof response->message, 0,
               offsetof(struct nb_response, result) - sizeof response->message);
        response->to = *reply;
        response->fd = -1;
    } else {
        nb_stop(loop, reply->session);
    }
    nb_reply_forget(reply);
    return response;
}

static bool is_silent(struct nb_reply_to *reply)
{
    if (!nb_reply_is_open(reply))
        return true;
    if (!reply->is_notification)
        return false;
    nb_reply_forget(reply);
    return true;
}

static void send_response(struct nb_loop *loop, struct nb_response *response)
{
    nb_send(loop, response->to.session, &response->message);
}

void nb_reply_result(struct nb_loop *loop, struct nb_reply_to *reply, const void *result,
                     struct nb_chunk *chunk)
{
    struct nb_response *response;
    if (is_silent(reply) || !(response = take_response(loop, reply)))
        return;
    memcpy(&response->result, result, response->to.method->result->size);
    response->chunk = nb_chunk_ref(chunk);
    send_response(loop, response);
}

void nb_reply_fd(struct nb_loop *loop, struct nb_reply_to *reply, const void *result, int fd)
{
    struct nb_response *response;
    if (is_silent(reply) || !(response = take_response(loop, reply))) {
        close(fd);
        return;
    }
    memcpy(&response->result, result, response->to.method->result->size);
    response->fd = fd;
    send_response(loop, response);
}

void nb_reply_done(struct nb_loop *loop, struct nb_reply_to *reply)
{
    struct nb_response *response;
    if (is_silent(reply) || !(response = take_response(loop, reply)))
        return;
    memset(&response->result, 0, response->to.method->result->size);
    send_response(loop, response);
}

void nb_reply_nil(struct nb_loop *loop, struct nb_reply_to *reply)
{
    struct nb_response *response;
    if (is_silent(reply) || !(response = take_response(loop, reply)))
        return;
    response->is_empty = true;
    send_response(loop, response);
}

static void reply_failure(struct nb_loop *loop, struct nb_reply_to *reply, struct nb_failure *failure,
                          bool thrown)
{
    struct nb_response *response = take_response(loop, reply);
    if (!response) {
        nb_failure_unref(failure);
        return;
    }
    response->failure = failure;
    response->is_thrown = thrown;
    send_response(loop, response);
}

void nb_reply_throw(struct nb_loop *loop, struct nb_reply_to *reply, struct nb_failure *failure)
{
    if (nb_reply_is_open(reply))
        reply_failure(loop, reply, failure, true);
    else
        nb_failure_unref(failure);
}

void nb_reply_fail(struct nb_loop *loop, struct nb_reply_to *reply, struct nb_failure *failure)
{
    if (is_silent(reply))
        nb_failure_unref(failure);
    else
        reply_failure(loop, reply, failure, false);
}

/* ---- texts ---- */

void nb_texts_init(struct nb_texts *texts, struct nb_loop *loop, size_t size)
{
    texts->chunk = nb_chunk_new(&loop->pool, size);
    texts->used = 0;
    texts->failed = !texts->chunk;
}

void nb_texts_finish(struct nb_texts *texts)
{
    nb_chunk_unref(texts->chunk);
    texts->chunk = NULL;
}

void nb_reply_texts(struct nb_loop *loop, struct nb_reply_to *reply, const void *result,
                    struct nb_texts *texts)
{
    if (!texts->failed) {
        nb_reply_result(loop, reply, result, texts->chunk);
    } else if (!is_silent(reply)) {
        nb_stop(loop, reply->session);
        nb_reply_forget(reply);
    }
    nb_texts_finish(texts);
}

struct nb_slice nb_texts_add(struct nb_texts *texts, struct nb_slice text)
{
    if (!texts->chunk || !text.data || texts->chunk->capacity - texts->used < text.length)
        return (struct nb_slice){0};
    uint8_t *room = texts->chunk->bytes + texts->used;
    memcpy(room, text.data, text.length);
    texts->used += text.length;
    return (struct nb_slice){room, text.length};
}

static struct nb_slice add_address(struct nb_texts *texts, const struct nb_endpoint *address)
{
    char text[NB_ENDPOINT_TEXT];
    return nb_texts_add(texts, nb_slice_of(nb_endpoint_format(address, text)));
}

void nb_texts_endpoints(struct nb_texts *texts, const struct nb_endpoint *local,
                        const struct nb_endpoint *remote, nb_Endpoints *ret_endpoints)
{
    nb_Endpoints ends = {0};
    if (local->ip.family) {
        ends.local_address = add_address(texts, local);
        ends.has_local_port = true;
        ends.local_port = local->port;
        ends.local_family = nb_slice_of(nb_endpoint_family_name(local));
    }
    if (remote->ip.family) {
        ends.remote_address = add_address(texts, remote);
        ends.has_remote_port = true;
        ends.remote_port = remote->port;
        ends.remote_family = nb_slice_of(nb_endpoint_family_name(remote));
    }
    *ret_endpoints = ends;
}
