/* The socket actor's windows: how far writing may go ahead of socket.flushed, and data ahead of socket.credit. */
#include "socket_internal.h"

#include <stddef.h>

static void tell_later(struct nb_flush *flush);

static void set_first_limit(struct nb_socket *socket)
{
    bool is_limited = socket->account->has_flow && socket->flow.window;
    socket->flow.limit = is_limited ? socket->flow.window : UINT64_MAX;
}

void nb_flow_init(struct nb_socket *socket)
{
    socket->flow.tell_later.run = tell_later;
    nb_flow_set_window(socket, socket->account->read_window);
}

void nb_flow_set_window(struct nb_socket *socket, uint64_t window)
{
    socket->flow.window = window;
    set_first_limit(socket);
}

void nb_flow_set_buffer(struct nb_socket *socket, uint32_t size)
{
    uint64_t window = socket->flow.window;
    socket->flow.is_by_buffer = socket->account->has_flow;
    nb_flow_set_window(socket, window && window < size ? window : size);
}

void nb_flow_begin_life(struct nb_socket *socket)
{
    socket->flow.told = 0;
    socket->flow.awaits_buffer = false;
    set_first_limit(socket);
}

void nb_flow_go_on(struct nb_socket *socket)
{
    struct nb_account *account = socket->account;
    socket->flow.told = socket->bytes_sent;
    if (account->has_flow)
        account->untold += socket->bytes_written - socket->bytes_sent;
    if (account->has_flow && socket->flow.window)
        socket->flow.limit = socket->bytes_read + socket->flow.window;
}

/* ---- reading ---- */

/* The start of a character is kept back and not counted yet: else a window of one byte would never see its end. */
size_t nb_flow_room(const struct nb_socket *socket)
{
    uint64_t used = socket->bytes_read - socket->decoder.kept_length;
    if (socket->flow.awaits_buffer || used >= socket->flow.limit)
        return 0;
    uint64_t left = socket->flow.limit - used;
    return left < socket->read_chunk ? (size_t)left : socket->read_chunk;
}

void nb_flow_sent_data(struct nb_socket *socket)
{
    socket->flow.awaits_buffer = socket->flow.is_by_buffer;
}

nb_handler nb_on_socket_credit;

void nb_on_socket_credit(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    const nb_Credit *params = &(*command)->params.credit;
    if (!params->has_limit) {
        nb_reply_throw(self->loop, &(*command)->reply,
                       nb_failure_type("limit", "of type number", "undefined"));
        return;
    }
    if (params->limit > socket->flow.limit) {
        socket->flow.limit = params->limit;
        socket->flow.awaits_buffer = false;
        nb_socket_update_reading(socket);
    }
    nb_reply_done(self->loop, &(*command)->reply);
}

/* ---- writing ---- */

static struct nb_failure *too_much(const char *limit, uint64_t value)
{
    struct nb_fault fault = {0};
    nb_fault_limit(&fault, limit, value);
    fault.map.code = nb_slice_of("ERR_NB_FLOW");
    return nb_failure_of_fault(&fault);
}

/* Whatever its size, a write may go when nothing is ahead of it. */
static bool fits(uint64_t used, size_t length, uint64_t window)
{
    return !used || used + length <= window;
}

struct nb_failure *nb_flow_objection(const struct nb_socket *socket, size_t length)
{
    const struct nb_account *account = socket->account;
    if (!account->has_flow || !length)
        return NULL;
    if (!fits(socket->bytes_written - socket->flow.told, length, account->write_window))
        return too_much("writeWindow", account->write_window);
    if (!fits(account->untold, length, account->session_write_window))
        return too_much("sessionWriteWindow", account->session_write_window);
    return NULL;
}

void nb_flow_wrote(struct nb_socket *socket, size_t length)
{
    if (socket->account->has_flow)
        socket->account->untold += length;
}

static bool is_time_to_tell(const struct nb_socket *socket)
{
    uint64_t untold = socket->bytes_sent - socket->flow.told;
    bool is_empty = socket->bytes_sent == socket->bytes_written;
    return untold && (is_empty || untold >= socket->account->write_window / 4);
}

void nb_flow_tell(struct nb_socket *socket)
{
    struct nb_account *account = socket->account;
    struct nb_flow *flow = &socket->flow;
    if (!account->has_flow || !is_time_to_tell(socket))
        return;
    if (flow->told_turn == account->loop->turn) {
        nb_loop_flush_later(account->loop, &flow->tell_later);
        return;
    }
    struct nb_event_message *event = nb_event_new(account, NB_EVENT_SOCKET_FLUSHED, socket->name);
    if (!event)
        return;
    event->body.flushed = (nb_Flushed){.has_bytes = true, .bytes = socket->bytes_sent};
    nb_event_send(account, event);
    account->untold -= socket->bytes_sent - flow->told;
    flow->told = socket->bytes_sent;
    flow->told_turn = account->loop->turn;
}

static void tell_later(struct nb_flush *flush)
{
    nb_flow_tell((struct nb_socket *)((char *)flush - offsetof(struct nb_socket, flow.tell_later)));
}

void nb_flow_close(struct nb_socket *socket)
{
    nb_loop_cancel_flush(socket->account->loop, &socket->flow.tell_later);
    if (socket->account->has_flow)
        socket->account->untold -= socket->bytes_written - socket->flow.told;
    socket->flow.told = socket->bytes_written;
}
