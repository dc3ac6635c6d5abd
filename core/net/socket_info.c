/* The socket actor's answers about itself. */
#include "socket_internal.h"

#include <string.h>

/* As in Node; a fresh socket counts as open. */
static const char *ready_state(const struct nb_socket *socket)
{
    bool is_readable = !socket->has_ended && !nb_socket_is_destroyed(socket);
    bool is_writable = !socket->is_ending && !nb_socket_is_destroyed(socket);
    if (nb_socket_is_connecting(socket))
        return "opening";
    if (is_readable)
        return is_writable ? "open" : "readOnly";
    return is_writable ? "writeOnly" : "closed";
}

static void describe_state(const struct nb_socket *socket, nb_SocketInfo *info)
{
    bool is_connecting = nb_socket_is_connecting(socket);
    info->ready_state = nb_slice_of(ready_state(socket));
    info->has_pending = info->has_connecting = info->has_destroyed = true;
    info->pending = socket->state != NB_SOCKET_OPEN;
    info->connecting = is_connecting;
    info->destroyed = nb_socket_is_destroyed(socket);
    info->has_paused = info->has_refed = info->has_allow_half_open = true;
    info->paused = socket->is_paused;
    info->refed = socket->is_refed;
    info->allow_half_open = socket->allow_half_open;
    info->has_timeout = socket->timeout >= 0;
    info->timeout = socket->timeout;
    if (socket->decoder.encoding != NB_ENCODING_NONE)
        info->encoding = nb_slice_of(nb_encoding_name(socket->decoder.encoding));
    if (socket->state != NB_SOCKET_FRESH)
        info->kind = nb_slice_of(socket->is_pipe ? "pipe" : "tcp");
    info->has_server = socket->server != 0;
    info->server = socket->server;
}

static void describe_counters(const struct nb_socket *socket, nb_SocketInfo *info)
{
    bool is_destroyed = nb_socket_is_destroyed(socket);
    info->has_bytes_read = info->has_bytes_written = info->has_buffer_size = true;
    info->bytes_read = socket->bytes_read;
    info->bytes_written = socket->bytes_written;
    info->buffer_size = is_destroyed ? 0 : socket->bytes_written - socket->bytes_sent;
    info->has_writable_high_water_mark = info->has_writable_need_drain = true;
    info->writable_high_water_mark = socket->high_water_mark;
    info->writable_need_drain = socket->needs_drain && !is_destroyed && !socket->is_ending;
}

void nb_socket_describe(const struct nb_socket *socket, nb_SocketInfo *ret_info, struct nb_texts *ret_texts)
{
    static const struct nb_endpoint none;
    bool is_open = socket->state == NB_SOCKET_OPEN && !socket->is_pipe;
    memset(ret_info, 0, sizeof *ret_info);
    describe_state(socket, ret_info);
    describe_counters(socket, ret_info);
    nb_texts_init(ret_texts, socket->actor.loop, NB_ENDPOINTS_TEXT);
    ret_info->has_endpoints = true;
    nb_texts_endpoints(ret_texts, is_open ? &socket->local : &none, is_open ? &socket->remote : &none,
                       &ret_info->endpoints);
}

nb_handler nb_on_socket_info, nb_on_socket_address;

void nb_on_socket_info(struct nb_actor *self, struct nb_command **command)
{
    struct nb_texts texts;
    nb_SocketInfo info;
    nb_socket_describe((struct nb_socket *)self, &info, &texts);
    nb_reply_texts(self->loop, &(*command)->reply, &info, &texts);
}

void nb_socket_answer_address(struct nb_socket *socket, struct nb_reply_to *reply,
                              const struct nb_endpoint *endpoint)
{
    struct nb_texts texts;
    nb_Address address;
    char text[NB_ENDPOINT_TEXT];
    memset(&address, 0, sizeof address);
    nb_texts_init(&texts, socket->actor.loop, NB_ENDPOINT_TEXT);
    address.address = nb_texts_add(&texts, nb_slice_of(nb_endpoint_format(endpoint, text)));
    address.family = nb_slice_of(nb_endpoint_family_name(endpoint));
    address.has_port = true;
    address.port = endpoint->port;
    nb_reply_texts(socket->actor.loop, reply, &address, &texts);
}

void nb_on_socket_address(struct nb_actor *self, struct nb_command **command)
{
    struct nb_socket *socket = (struct nb_socket *)self;
    if (socket->state == NB_SOCKET_OPEN && socket->local.ip.family)
        nb_socket_answer_address(socket, &(*command)->reply, &socket->local);
    else if (nb_socket_is_bound(socket))
        nb_socket_answer_address(socket, &(*command)->reply, &socket->bound);
    else
        nb_reply_done(self->loop, &(*command)->reply);
}
