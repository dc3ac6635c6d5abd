#include "membership.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- finding a listener, or opening one ---- */

/* Under the group's lock, so that whoever opens a socket is the first. */
static int open_listener(struct nb_group *group, struct nb_loop *loop, struct nb_listen_target *target,
                         struct nb_shared_listener **ret_listener)
{
    struct nb_listening listening;
    const struct nb_listen_target wanted = *target;
    int status = nb_listen(target, &listening);
    if (status < 0)
        return status;
    *ret_listener = nb_shared_listener_new(loop, group, &wanted, &listening);
    if (*ret_listener)
        return 0;
    nb_listening_unlink(&listening);
    close(listening.fd);
    return UV_ENOMEM;
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

/* ---- joining and leaving ---- */

/* What a member needs: nothing of it may fail later. */
struct papers {
    struct nb_member *join;
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
    struct papers papers = {.join = nb_message_new(loop, &nb_join_class),
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
    struct nb_member *join = papers->join;
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

int nb_membership_promise_ready(struct nb_membership *membership, struct nb_loop *loop)
{
    struct nb_ready *ready = (struct nb_ready *)membership->ready;
    if (!ready && !(ready = nb_message_new(loop, &nb_ready_class)))
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
