#include "shared_listener.h"

#include "acceptor.h"
#include "group.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { OFFERS = 64 }; /* on their way to one member at most: further connections wait in the kernel */

/* A member's place in the ring; comes as the message that it joins. */
struct member {
    struct nb_message message;
    struct member *next;
    struct nb_actor_id server;
    uint64_t serial;
    struct nb_joined *joined; /* owned; NULL once it was sent */
    unsigned offers; /* not answered yet */
    enum nb_verdict last; /* TAKEN: it takes connections; BUSY or FULL: since it said so */
};

struct ready {
    struct nb_message message;
    uint64_t serial;
};

struct nb_shared_listener {
    struct nb_actor actor;
    struct nb_group *group; /* a share */

    /* Guarded by the group's lock. */
    struct nb_shared_listener *next;
    unsigned members; /* those on their way to it or from it included */
    uint64_t joins;
    bool is_listed;

    /* Not changed once others can see it. */
    struct nb_endpoint wanted;
    bool is_default_host;
    struct nb_listening listening;

    struct nb_acceptor *acceptor; /* owned; NULL once it is of no use */
    bool is_paused;
    struct member *turn; /* owned; whose turn it is, in a ring; NULL: nobody is there */
    struct nb_offer *returned, **last_returned; /* owned; connections that were not taken */
};

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class listener_class = {
    .name = "shared listener", .size = sizeof(struct nb_shared_listener), .receive = receive, .stop = stop};

static const struct nb_message_class join_class = {.name = "join", .size = sizeof(struct member)};
static const struct nb_message_class ready_class = {.name = "ready", .size = sizeof(struct ready)};
const struct nb_message_class nb_joined_class = {.name = "joined", .size = sizeof(struct nb_joined)};
const struct nb_message_class nb_leave_class = {.name = "leave", .size = sizeof(struct nb_leave)};
const struct nb_message_class nb_listener_failure_class = {.name = "listener failure",
                                                           .size = sizeof(struct nb_listener_failure)};

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
static struct member *choose(const struct nb_shared_listener *listener)
{
    struct member *member = listener->turn;
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

static void send_offer(struct nb_shared_listener *listener, struct member *member, struct nb_offer *offer)
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
    struct member *member = choose(listener);
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

static void send_failure(struct nb_shared_listener *listener, const struct member *member, int status)
{
    struct nb_listener_failure *failure = nb_message_new(listener->actor.loop, &nb_listener_failure_class);
    if (!failure)
        return;
    failure->serial = member->serial;
    failure->status = status;
    nb_send(listener->actor.loop, member->server, &failure->message);
}

static void on_acceptor_failure(void *owner, int status)
{
    struct nb_shared_listener *listener = owner;
    const struct member *member = listener->turn;
    nb_group_lock(listener->group);
    unlist(listener);
    close_socket(listener);
    nb_group_unlock(listener->group);
    for (bool is_first = true; member && (is_first || member != listener->turn); member = member->next) {
        send_failure(listener, member, status);
        is_first = false;
    }
}

static const struct nb_acceptor_ops acceptor_ops = {
    .may_accept = may_accept, .on_accept = on_accept, .on_failure = on_acceptor_failure};

/* ---- members ---- */

static struct member *find_member(const struct nb_shared_listener *listener, uint64_t serial)
{
    struct member *member = listener->turn;
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
static void add_member(struct nb_shared_listener *listener, struct member *member)
{
    struct member *last = listener->turn;
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
    struct member *member = (struct member *)*message;
    *message = NULL;
    add_member(listener, member);
    nb_send(listener->actor.loop, member->server, &member->joined->message);
    member->joined = NULL;
    deal(listener);
}

static void remove_member(struct nb_shared_listener *listener, uint64_t serial)
{
    struct member *member = find_member(listener, serial), *before = member;
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
    struct member *member = find_member(listener, offer->serial);
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

static void note_ready(struct nb_shared_listener *listener, const struct ready *ready)
{
    struct member *member = find_member(listener, ready->serial);
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
    } else if (class == &ready_class) {
        note_ready(listener, (const struct ready *)*message);
    } else if (class == &join_class) {
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

/* ---- the members' side ---- */

/* The descriptor is the acceptor's then. NULL: no memory. */
static struct nb_shared_listener *new_listener(struct nb_loop *loop, const struct nb_listening *listening)
{
    struct nb_shared_listener *listener = nb_actor_new(loop, &listener_class);
    if (!listener)
        return NULL;
    listener->last_returned = &listener->returned;
    listener->listening = *listening;
    if (nb_acceptor_open(loop, &acceptor_ops, listener, listening->fd, &listener->acceptor) == 0)
        return listener;
    nb_actor_stop(&listener->actor);
    return NULL;
}

/* Under the group's lock, as whoever makes it must be the first. */
static int open_listener(struct nb_group *group, struct nb_loop *loop, struct nb_listen_target *target,
                         struct nb_shared_listener **ret_listener)
{
    struct nb_listening listening;
    const struct nb_listen_target wanted = *target;
    int status = nb_listen(target, &listening);
    if (status < 0)
        return status;
    struct nb_shared_listener *listener = new_listener(loop, &listening);
    if (!listener) {
        nb_listening_unlink(&listening);
        close(listening.fd);
        return UV_ENOMEM;
    }
    listener->wanted = wanted.address;
    listener->is_default_host = wanted.is_default_host;
    listener->group = group;
    group->shares++;
    listener->next = group->listeners;
    group->listeners = listener;
    listener->is_listed = true;
    *ret_listener = listener;
    return 0;
}

static bool is_for(const struct nb_shared_listener *listener, const struct nb_listen_target *target)
{
    const struct nb_listening *listening = &listener->listening;
    if (target->path.data)
        return listening->path_length == target->path.length &&
               memcmp(listening->path, target->path.data, target->path.length) == 0;
    return !listening->path_length && listener->is_default_host == target->is_default_host &&
           nb_endpoint_equal(&listener->wanted, &target->address);
}

static bool is_member(const struct nb_account *account, const struct nb_shared_listener *listener)
{
    const struct nb_membership *membership = account->memberships;
    while (membership && membership->listener != listener)
        membership = membership->next;
    return membership != NULL;
}

static struct nb_shared_listener *find_listener(const struct nb_account *account,
                                                const struct nb_listen_target *target)
{
    struct nb_shared_listener *listener = account->group->listeners;
    while (listener && (!is_for(listener, target) || is_member(account, listener)))
        listener = listener->next;
    return listener;
}

static int find_or_open(const struct nb_account *account, struct nb_listen_target *target,
                        struct nb_membership *membership)
{
    struct nb_group *group = account->group;
    nb_group_lock(group);
    struct nb_shared_listener *listener = find_listener(account, target), *opened = listener;
    int status = listener ? 0 : open_listener(group, account->loop, target, &opened);
    if (status == 0) {
        opened->members++;
        membership->listener = opened;
        membership->serial = ++opened->joins;
    }
    nb_group_unlock(group);
    return status;
}

/* What a member needs: nothing of it may fail later. */
struct papers {
    struct member *join;
    struct nb_joined *joined;
    struct nb_leave *leave;
};

static void drop_papers(struct nb_loop *loop, const struct papers *papers)
{
    if (papers->join)
        nb_message_free(loop, &papers->join->message);
    if (papers->joined)
        nb_message_free(loop, &papers->joined->message);
    if (papers->leave)
        nb_message_free(loop, &papers->leave->message);
}

static int make_papers(struct nb_loop *loop, struct papers *ret_papers)
{
    struct papers papers = {.join = nb_message_new(loop, &join_class),
                            .joined = nb_message_new(loop, &nb_joined_class),
                            .leave = nb_message_new(loop, &nb_leave_class)};
    if (!papers.join || !papers.joined || !papers.leave) {
        drop_papers(loop, &papers);
        return UV_ENOMEM;
    }
    *ret_papers = papers;
    return 0;
}

static void send_join(struct nb_membership *membership, const struct nb_actor *member,
                      const struct papers *papers)
{
    struct member *join = papers->join;
    papers->joined->serial = papers->leave->serial = join->serial = membership->serial;
    papers->leave->member = join->server = member->id;
    membership->leave = &papers->leave->message;
    join->joined = papers->joined;
    join->offers = 0;
    join->last = NB_VERDICT_TAKEN;
    nb_send(member->loop, membership->listener->actor.id, &join->message);
}

int nb_membership_join(struct nb_membership *membership, struct nb_actor *member, struct nb_account *account,
                       struct nb_listen_target *target)
{
    struct papers papers;
    int status = make_papers(member->loop, &papers);
    if (status < 0)
        return status;
    if ((status = find_or_open(account, target, membership)) < 0) {
        drop_papers(member->loop, &papers);
        return status;
    }
    membership->next = account->memberships;
    account->memberships = membership;
    send_join(membership, member, &papers);
    return 0;
}

const struct nb_listening *nb_membership_listening(const struct nb_membership *membership)
{
    return &membership->listener->listening;
}

/* The socket is closed under the lock, be it by whom it may. */
int nb_membership_duplicate(const struct nb_membership *membership)
{
    const struct nb_shared_listener *listener = membership->listener;
    int fd = UV_EBADF;
    nb_group_lock(listener->group);
    if (listener->acceptor && (fd = fcntl(listener->listening.fd, F_DUPFD_CLOEXEC, 0)) < 0)
        fd = -errno;
    nb_group_unlock(listener->group);
    return fd;
}

void nb_membership_leave(struct nb_membership *membership, struct nb_account *account)
{
    struct nb_membership **link = &account->memberships;
    while (*link != membership)
        link = &(*link)->next;
    *link = membership->next;
    if (membership->ready)
        nb_message_free(account->loop, membership->ready);
    nb_send(account->loop, membership->listener->actor.id, membership->leave);
    *membership = (struct nb_membership){0};
}

void nb_offer_answer(struct nb_loop *loop, struct nb_offer *offer, enum nb_verdict verdict)
{
    offer->verdict = verdict;
    nb_send(loop, offer->listener, &offer->message);
}

int nb_membership_promise_ready(struct nb_membership *membership, struct nb_loop *loop)
{
    struct ready *ready = (struct ready *)membership->ready;
    if (!ready && !(ready = nb_message_new(loop, &ready_class)))
        return UV_ENOMEM;
    ready->serial = membership->serial;
    membership->ready = &ready->message;
    return 0;
}

void nb_membership_say_ready(struct nb_membership *membership, struct nb_loop *loop)
{
    struct nb_message *ready = membership->ready;
    membership->ready = NULL;
    if (ready)
        nb_send(loop, membership->listener->actor.id, ready);
}
