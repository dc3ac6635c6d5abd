#include "attach.h"

#include "loop.h"

#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct nb_attach) <= NB_MESSAGE_LARGE, "it must fit into a message");

/* The connection is new, so there is room for a frame; a client that does not read it has only itself to blame. */
static void dispose(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_attach *attach = (struct nb_attach *)message;
    if (attach->fd >= 0) {
        (void)send(attach->fd, attach->refused.bytes, attach->refused.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(attach->fd);
    }
    if (attach->rest)
        nb_chunk_move(attach->rest, &loop->pool);
    nb_chunk_unref(attach->rest);
    nb_message_free(loop, message);
}

const struct nb_message_class nb_attach_class = {
    .name = "attach", .size = sizeof(struct nb_attach), .dispose = dispose};

struct nb_attach *nb_attach_new(struct nb_loop *loop)
{
    struct nb_attach *attach = nb_message_new(loop, &nb_attach_class);
    if (!attach)
        return NULL;
    attach->token[0] = '\0';
    attach->fd = -1;
    attach->rest = NULL;
    attach->rest_length = attach->granted.length = attach->refused.length = 0;
    return attach;
}
