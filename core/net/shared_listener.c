#include "shared_listener.h"

#include "acceptor.h"
#include "log.h"

#include <assert.h>
#include <unistd.h>

enum { OFFERS = 64 }; /* on their way to one member at most: further connections wait in the kernel */

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class listener_class = {
    .name = "shared listener", .size = sizeof(struct nb_shared_listener), .receive = receive, .stop = stop};

const struct nb_message_class nb_join_class = {.name = "join", .size = sizeof(struct nb_member)};
const struct nb_message_class nb_ready_class = {.name = "ready", .size = sizeof(struct nb_ready)};
const struct nb_message_class nb_joined_class = {.name = "joined", .size = sizeof(struct nb_joined)};
const struct nb_message_class nb_leave_class = {.name = "leave", .size = sizeof(struct nb_leave)};
const struct nb_message_class nb_listener_failure_class = {.name = "listener failure",
                                                           .size = sizeof(struct nb_listener_failure)};

void nb_offer_answer(struct nb_loop *loop, struct nb_offer *offer, enum nb_verdict verdict)
{
    offer->verdict = verdict;
    nb_send(loop, offer->listener, &offer->message);
}

static void dispose_offer(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_offer *offer = (struct nb_offer *)message;
    if (offer->verdict == NB_VERDICT_NONE) {
        nb_offer_answer(loop, offer, NB_VERDICT_GONE);
        return;
    }
    if (offer->fd >= 0)
        close(offer->fd);
    nb_message_free(loop, message);
}

const struct nb_message_class nb_offer_class = {
    .name = "offer", .size = sizeof(struct nb_offer), .dispose = dispose_offer};

/* ---- dealing ---- */

/* Who gets the next connection. Those that are full get one only when all are: to drop it. NULL: nobody now. */
static struct nb_member *choose(const struct nb_shared_listener *listener)
{
    struct nb_member *member = listener->turn;
    bool all_are_full = true;
    if (!member)
        return NULL;
    do {
        if (member->last == NB_VERDICT_TAKEN && member->offers < OFFERS)
            return member;
        all_are_full = all_are_full && member->last == NB_VERDICT_FULL;
        member = member->next;
    } while (member != listener->turn);
    return all_are_full && member->offers < OFFERS ? member : NULL;
}

static void send_offer(struct nb_shared_listener *listener, struct nb_member *member, struct nb_offer *offer)
{
    offer->serial = member->serial;
    offer->verdict = NB_VERDICT_NONE;
    offer->is_last_resort = member->last == NB_VERDICT_FULL;
    member->offers++;
    listener->turn = member->next;
    nb_send(listener->actor.loop, member->server, &offer->message);
}

static struct nb_offer *take_returned(struct nb_shared_listener *listener)
{
    struct nb_offer *offer = listener->returned;
    listener->returned = offer->next;
    if (!listener->returned)
        listener->last_returned = &listener->returned;
    return offer;
}

static void deal(struct nb_shared_listener *listener)
{
    struct nb_member *member = choose(listener);
    while (listener->returned && member) {
        send_offer(listener, member, take_returned(listener));
        member = choose(listener);
    }
    if (!member || !listener->is_paused || !listener->acceptor)
        return;
    listener->is_paused = false;
    nb_acceptor_resume(listener->acceptor);
}

static bool may_accept(void *owner)
{
    struct nb_shared_listener *listener = owner;
    if (choose(listener))
        return true;
    listener->is_paused = true;
    nb_acceptor_pause(listener->acceptor);
    return false;
}

static void on_accept(void *owner, int fd, const struct sockaddr_storage *peer)
{
    struct nb_shared_listener *listener = owner;
    struct nb_offer *offer = nb_message_new(listener->actor.loop, &nb_offer_class);
    if (!offer) {
        nb_log(NB_LOG_ERROR, "cannot take a connection", "error=ENOMEM");
        close(fd);
        return;
    }
    offer->listener = listener->actor.id;
    offer->remote = nb_endpoint_from_sockaddr(peer);
    offer->fd = fd;
    send_offer(listener, choose(listener), offer);
}

/* ---- the listening socket ---- */

/* Under the group's lock. */
static void unlist(struct nb_shared_listener *listener)
{
    struct nb_shared_listener **link = &listener->group->listeners;
    if (!listener->is_listed)
        return;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    listener->is_listed = false;
}

static void close_socket(struct nb_shared_listener *listener)
{
    if (!listener->acceptor)
        return;
    nb_listening_unlink(&listener->listening);
    nb_acceptor_close(listener->acceptor);
    listener->acceptor = NULL;
}

static void send_failure(struct nb_shared_listener *listener, const struct nb_member *member)
{
    struct nb_listener_failure *failure = nb_message_new(listener->actor.loop, &nb_listener_failure_class);
    if (!failure)
        return;
    failure->serial = member->serial;
    failure->status = listener->failure;
    nb_send(listener->actor.loop, member->server, &failure->message);
}

static void on_acceptor_failure(void *owner, int status)
{
    struct nb_shared_listener *listener = owner;
    const struct nb_member *member = listener->turn;
    listener->failure = status;
    nb_group_lock(listener->group);
    unlist(listener);
    close_socket(listener);
    nb_group_unlock(listener->group);
    for (bool is_first = true; member && (is_first || member != listener->turn); member = member->next) {
        send_failure(listener, member);
        is_first = false;
    }
}

static const struct nb_acceptor_ops acceptor_ops = {
    .may_accept = may_accept, .on_accept = on_accept, .on_failure = on_acceptor_failure};

/* ---- members ---- */

static struct nb_member *find_member(const struct nb_shared_listener *listener, uint64_t serial)
{
    struct nb_member *member = listener->turn;
    if (!member)
        return NULL;
    do {
        if (member->serial == serial)
            return member;
        member = member->next;
    } while (member != listener->turn);
    return NULL;
}

/* At the end of the ring: its turn comes when the others have had theirs. */
static void add_member(struct nb_shared_listener *listener, struct nb_member *member)
{
    struct nb_member *last = listener->turn;
    if (!last) {
        member->next = member;
        listener->turn = member;
        return;
    }
    while (last->next != listener->turn)
        last = last->next;
    member->next = listener->turn;
    last->next = member;
}

static void take_join(struct nb_shared_listener *listener, struct nb_message **message)
{
    struct nb_member *member = (struct nb_member *)*message;
    *message = NULL;
    add_member(listener, member);
    nb_send(listener->actor.loop, member->server, &member->joined->message);
    member->joined = NULL;
    if (listener->failure)
        send_failure(listener, member);
    deal(listener);
}

static void remove_member(struct nb_shared_listener *listener, uint64_t serial)
{
    struct nb_member *member = find_member(listener, serial), *before = member;
    assert(member);
    while (before->next != member)
        before = before->next;
    before->next = member->next;
    if (listener->turn == member)
        listener->turn = member->next == member ? NULL : member->next;
    nb_message_free(listener->actor.loop, &member->message);
}

/* Whoever finds the listener in its group meanwhile becomes a member first, and it stays. */
static bool count_down(struct nb_shared_listener *listener)
{
    nb_group_lock(listener->group);
    bool was_last = --listener->members == 0;
    if (was_last) {
        unlist(listener);
        close_socket(listener);
    }
    nb_group_unlock(listener->group);
    return was_last;
}

static void take_leave(struct nb_shared_listener *listener, struct nb_message **message)
{
    struct nb_leave *leave = (struct nb_leave *)*message;
    *message = NULL;
    remove_member(listener, leave->serial);
    if (count_down(listener))
        nb_actor_stop(&listener->actor);
    else
        deal(listener);
    nb_send(listener->actor.loop, leave->member, &leave->message);
}

static void take_back(struct nb_shared_listener *listener, struct nb_message **message)
{
    struct nb_offer *offer = (struct nb_offer *)*message;
    struct nb_member *member = find_member(listener, offer->serial);
    if (member) {
        member->offers--;
        member->last = offer->verdict;
    }
    if (offer->fd >= 0) {
        *message = NULL;
        offer->next = NULL;
        *listener->last_returned = offer;
        listener->last_returned = &offer->next;
    }
    deal(listener);
}

static void note_ready(struct nb_shared_listener *listener, const struct nb_ready *ready)
{
    struct nb_member *member = find_member(listener, ready->serial);
    if (member)
        member->last = NB_VERDICT_TAKEN;
    deal(listener);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct nb_shared_listener *listener = (struct nb_shared_listener *)self;
    const struct nb_message_class *class = (*message)->class;
    if (class == &nb_offer_class) {
        take_back(listener, message);
    } else if (class == &nb_ready_class) {
        note_ready(listener, (const struct nb_ready *)*message);
    } else if (class == &nb_join_class) {
        take_join(listener, message);
    } else if (class == &nb_leave_class) {
        take_leave(listener, message);
    }
}

static void stop(struct nb_actor *self)
{
    struct nb_shared_listener *listener = (struct nb_shared_listener *)self;
    assert(!listener->turn && !listener->acceptor);
    while (listener->returned)
        nb_message_dispose(self->loop, &take_returned(listener)->message);
    nb_group_unref(listener->group);
    nb_actor_finish(self);
}

/* ---- the beginning ---- */

struct nb_shared_listener *nb_shared_listener_new(struct nb_loop *loop, struct nb_group *group,
                                                  const struct nb_listen_target *wanted,
                                                  const struct nb_listening *listening)
{
    struct nb_shared_listener *listener = nb_actor_new(loop, &listener_class);
    if (!listener)
        return NULL;
    listener->last_returned = &listener->returned;
    listener->listening = *listening;
    listener->wanted = wanted->address;
    listener->is_default_host = wanted->is_default_host;
    if (nb_acceptor_open(loop, &acceptor_ops, listener, listening->fd, &listener->acceptor) < 0) {
        nb_actor_stop(&listener->actor);
        return NULL;
    }
    listener->group = nb_group_ref(group);
    listener->next = group->listeners;
    group->listeners = listener;
    listener->is_listed = true;
    return listener;
}
