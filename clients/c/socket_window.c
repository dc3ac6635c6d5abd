#include "socket_window.h"
#include "schema.h"
#include "socket.h"

#include <errno.h>

/* Frames of fewer bytes are not worth their header, while an answer is to come that makes room for more. */
enum { SLIVER = 8 << 10, SHARE = 8 };

static uint64_t minus(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

static uint64_t least(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t most(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

/* ---- writing ---- */

uint64_t nbc_window_ahead(const struct netbroker_socket *socket)
{
    return socket->writing.sent - socket->writing.flushed;
}

/*
 * Whatever its size, the broker takes a frame that nothing is ahead of. Of the
 * session's window a socket may have an eighth of what it leaves free: however
 * many peers are stuck, some is left for the others.
 */
size_t nbc_window_room(const struct netbroker_socket *socket)
{
    const struct netbroker_session *session = socket->actor.session;
    const struct nbc_write_window *window = &session->window;
    uint64_t ahead = nbc_window_ahead(socket), left = minus(window->session, window->ahead);
    if (window->ahead == 0)
        return (size_t)most(session->write_chunk, least(window->socket, window->session));
    uint64_t own = ahead > 0 ? minus(window->socket, ahead) : most(window->socket, session->write_chunk);
    uint64_t share = (minus(left, SHARE * ahead) + SHARE) / (SHARE + 1);
    uint64_t room = least(own, least(share, left));
    return ahead > 0 && room < SLIVER ? 0 : (size_t)room;
}

void nbc_window_sent(struct netbroker_socket *socket, size_t length)
{
    socket->writing.sent += length;
    socket->actor.session->window.ahead += length;
}

int nbc_window_flushed(struct netbroker_socket *socket, uint64_t offset, uint64_t *ret_more)
{
    if (offset > socket->writing.sent)
        return -EBADMSG;
    uint64_t more = minus(offset, socket->writing.flushed);
    socket->writing.flushed += more;
    socket->actor.session->window.ahead -= more;
    *ret_more = more;
    return 0;
}

/* ---- the line ---- */

void nbc_window_line_up(struct netbroker_socket *socket)
{
    struct nbc_write_window *window = &socket->actor.session->window;
    if (socket->writing.is_in_line)
        return;
    socket->writing.is_in_line = true;
    socket->writing.next = NULL;
    socket->writing.before = window->last;
    if (window->last)
        window->last->writing.next = socket;
    else
        window->first = socket;
    window->last = socket;
}

static void leave_line(struct netbroker_socket *socket)
{
    struct nbc_write_window *window = &socket->actor.session->window;
    struct nbc_writing *place = &socket->writing;
    if (!place->is_in_line)
        return;
    place->is_in_line = false;
    if (place->before)
        place->before->writing.next = place->next;
    else
        window->first = place->next;
    if (place->next)
        place->next->writing.before = place->before;
    else
        window->last = place->before;
}

void nbc_window_leave(struct netbroker_socket *socket)
{
    leave_line(socket);
    socket->actor.session->window.ahead -= nbc_window_ahead(socket);
    socket->writing.flushed = socket->writing.sent;
}

/* Each that is served has something under way then, and does not line up again. */
void nbc_window_serve_line(struct netbroker_session *session)
{
    struct netbroker_socket *socket;
    while ((socket = session->window.first) && nbc_window_room(socket) > 0) {
        leave_line(socket);
        nbc_socket_pump(socket);
    }
}

/* ---- reading ---- */

void nbc_window_start_reading(struct netbroker_socket *socket, uint32_t window, bool is_by_hand)
{
    socket->reading = (struct nbc_reading){.limit = window, .window = window, .is_by_hand = is_by_hand};
}

static int give_credit(struct netbroker_socket *socket, uint64_t limit)
{
    struct nbc_frame frame;
    int result = nbc_frame_begin(&frame, socket->actor.session, NETBROKER_METHOD_SOCKET_CREDIT,
                                 socket->actor.id, 2, NULL);
    if (result < 0)
        return result;
    netbroker_pack_uint(frame.packer, limit);
    result = nbc_frame_end(&frame);
    if (result == 0)
        socket->reading.limit = limit;
    return result;
}

/* Once half of the window is used, so that data need not stop and credits are few. */
int nbc_window_consume(struct netbroker_socket *socket, size_t length)
{
    struct nbc_reading *reading = &socket->reading;
    reading->consumed += length;
    if (socket->destroyed || socket->peer_ended || reading->limit > reading->consumed + reading->window / 2)
        return 0;
    int result = give_credit(socket, reading->consumed + reading->window);
    return result == -ENOTCONN ? 0 : result;
}

int netbroker_socket_consumed(struct netbroker_socket *socket, size_t length)
{
    const struct nbc_reading *reading = &socket->reading;
    if (!reading->is_by_hand || length > reading->received - reading->consumed)
        return -EINVAL;
    return nbc_window_consume(socket, length);
}
