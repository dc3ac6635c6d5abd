/* The server actor as a member of a shared listener: what it takes of the connections that it is offered. */
#include "server_internal.h"

int nb_server_join(struct nb_server *server, struct nb_listen_target *target)
{
    int status = nb_membership_join(&server->membership, &server->actor, server->account, target);
    if (status == 0)
        nb_server_note_listening(server, nb_membership_listening(&server->membership));
    return status;
}

void nb_server_leave(struct nb_server *server)
{
    nb_membership_leave(&server->membership, server->account);
    server->path_length = 0;
    server->leaving++;
}

/* Whether others are to have what would be one too many. */
static bool passes_on(const struct nb_server *server)
{
    return nb_server_is_full(server) && !server->drops_at_max;
}

void nb_server_room_changed(struct nb_server *server)
{
    if (server->membership.listener && !passes_on(server))
        nb_membership_say_ready(&server->membership, server->actor.loop);
}

static enum nb_verdict judge(struct nb_server *server, const struct nb_offer *offer)
{
    if (!nb_membership_is_current(&server->membership, offer->serial))
        return NB_VERDICT_GONE;
    if (!nb_server_has_room(server))
        return NB_VERDICT_BUSY;
    return passes_on(server) ? NB_VERDICT_FULL : NB_VERDICT_TAKEN;
}

/* One that can't promise to say when it has room again is ended: it would never be offered anything. */
static enum nb_verdict promise(struct nb_server *server, enum nb_verdict verdict)
{
    struct nb_loop *loop = server->actor.loop;
    bool owes_word = verdict == NB_VERDICT_BUSY || verdict == NB_VERDICT_FULL;
    if (owes_word && nb_membership_promise_ready(&server->membership, loop) < 0)
        nb_stop(loop, server->account->session);
    return verdict;
}

static void take_offer(struct nb_server *server, struct nb_message **message)
{
    struct nb_offer *offer = (struct nb_offer *)*message;
    struct nb_endpoint remote = offer->remote;
    int fd = -1;
    enum nb_verdict verdict = promise(server, judge(server, offer));
    if (verdict == NB_VERDICT_TAKEN || (verdict == NB_VERDICT_FULL && offer->is_last_resort)) {
        fd = offer->fd;
        offer->fd = -1;
    }
    *message = NULL;
    nb_offer_answer(server->actor.loop, offer, verdict);
    if (fd >= 0)
        nb_server_take(server, fd, &remote);
}

void nb_server_hear_listener(struct nb_server *server, struct nb_message **message)
{
    const struct nb_message_class *class = (*message)->class;
    if (class == &nb_joined_class) {
        const struct nb_joined *joined = (const struct nb_joined *)*message;
        if (nb_membership_is_current(&server->membership, joined->serial))
            nb_server_tell_listening(server);
    } else if (class == &nb_offer_class) {
        take_offer(server, message);
    } else if (class == &nb_leave_class) {
        server->leaving--;
        nb_server_emit_close_if_drained(server);
    } else if (class == &nb_listener_failure_class) {
        const struct nb_listener_failure *failure = (const struct nb_listener_failure *)*message;
        if (nb_membership_is_current(&server->membership, failure->serial))
            nb_server_fail_accept(server, failure->status);
    }
}
