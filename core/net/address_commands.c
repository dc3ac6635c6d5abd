/* net.isIP and its kin, net.socketAddress: questions to the session that are about texts only. */
#include "command.h"
#include "ip.h"
#include "socket_address.h"

nb_handler nb_on_net_is_ip, nb_on_net_is_ipv4, nb_on_net_is_ipv6, nb_on_net_socket_address;

static int version_of_input(const struct nb_command *command)
{
    struct nb_slice input = command->params.ip_text.input;
    return nb_ip_version((const char *)input.data, input.length);
}

void nb_on_net_is_ip(struct nb_actor *self, struct nb_command **command)
{
    nb_IpVersion result = {.has_version = true, .version = (uint32_t)version_of_input(*command)};
    nb_reply_result(self->loop, &(*command)->reply, &result, NULL);
}

static void answer_version(struct nb_actor *self, struct nb_command *command, int version)
{
    nb_Boolean result = {.has_value = true, .value = version_of_input(command) == version};
    nb_reply_result(self->loop, &command->reply, &result, NULL);
}

void nb_on_net_is_ipv4(struct nb_actor *self, struct nb_command **command)
{
    answer_version(self, *command, 4);
}

void nb_on_net_is_ipv6(struct nb_actor *self, struct nb_command **command)
{
    answer_version(self, *command, 6);
}

/* ---- net.socketAddress ---- */

static struct nb_socket_address_text text_of(struct nb_slice slice)
{
    return (struct nb_socket_address_text){(const char *)slice.data, slice.length};
}

static enum nb_socket_address_fault make(const nb_SocketAddress *params,
                                         struct nb_socket_address *ret_address)
{
    const struct nb_socket_address_options options = {
        .family = text_of(params->family),
        .address = text_of(params->address),
        .port = {params->has_port, params->port},
        .flowlabel = {params->has_flowlabel, params->flowlabel},
    };
    return nb_socket_address_make(&options, ret_address);
}

static struct nb_failure *failure_of(enum nb_socket_address_fault fault, const nb_SocketAddress *params)
{
    switch (fault) {
    case NB_SOCKET_ADDRESS_OK:
        break;
    case NB_SOCKET_ADDRESS_FAMILY:
        return nb_failure_family(params->family, "family");
    case NB_SOCKET_ADDRESS_PORT:
        return nb_failure_range("options.port", ">= 0 && < 65536", params->port);
    case NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION:
        return nb_failure_range("options.flowlabel", "an integer", params->flowlabel);
    case NB_SOCKET_ADDRESS_FLOWLABEL_RANGE:
        return nb_failure_range("options.flowlabel", ">= 0 && <= 4294967295", params->flowlabel);
    case NB_SOCKET_ADDRESS_FLOWLABEL_BITS:
        return nb_failure_range("options.flowlabel", ">= 0 && <= 1048575", params->flowlabel);
    case NB_SOCKET_ADDRESS_ADDRESS:
        return nb_failure_invalid_address("address");
    }
    return NULL;
}

void nb_on_net_socket_address(struct nb_actor *self, struct nb_command **command)
{
    const nb_SocketAddress *params = &(*command)->params.socket_address;
    struct nb_socket_address address;
    struct nb_texts texts;
    char text[NB_IP_TEXT];
    struct nb_failure *failure = failure_of(make(params, &address), params);
    if (failure) {
        nb_reply_throw(self->loop, &(*command)->reply, failure);
        return;
    }
    size_t length = nb_ip_format(&address.ip, text);
    nb_texts_init(&texts, self->loop, length);
    nb_SocketAddress result = {
        .address = nb_texts_add(&texts, (struct nb_slice){(const uint8_t *)text, length}),
        .family = nb_slice_of(nb_socket_address_family(&address)),
        .has_port = true,
        .port = address.port,
        .has_flowlabel = true,
        .flowlabel = address.flowlabel,
    };
    nb_reply_texts(self->loop, &(*command)->reply, &result, &texts);
}
