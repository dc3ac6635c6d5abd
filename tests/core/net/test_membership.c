#include "membership.h"

#include "memory.h"
#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <poll.h>
#include <unistd.h>

/* A server that takes each connection, and notes what it is told. */
struct member {
    struct nb_actor actor;
    struct nb_membership membership;
    unsigned joined, left, offers;
};

static struct nb_runtime runtime;
static struct nb_loop *loop;
static struct nb_groups groups;
static struct nb_account *accounts[2];
static struct member *members[3];

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct member *member = (struct member *)self;
    member->joined += (*message)->class == &nb_joined_class;
    member->left += (*message)->class == &nb_leave_class;
    if ((*message)->class != &nb_offer_class)
        return;
    struct nb_offer *offer = (struct nb_offer *)*message;
    *message = NULL;
    member->offers++;
    close(offer->fd);
    offer->fd = -1;
    nb_offer_answer(loop, offer, NB_VERDICT_TAKEN);
}

static const struct nb_actor_class member_class = {
    .name = "member", .size = sizeof(struct member), .receive = receive, .stop = nb_actor_finish};

/* Two sessions of a group; the first and third member are of the first. */
static void begin(void)
{
    ck_assert_int_eq(nb_runtime_init(&runtime, 0), 0);
    loop = &runtime.loops[0];
    nb_groups_init(&groups);
    for (int i = 0; i < 2; i++) {
        accounts[i] = nb_account_new(loop, NB_NOBODY);
        accounts[i]->group = nb_group_open(&groups, 1, nb_slice_of("web"));
    }
    for (int i = 0; i < 3; i++)
        members[i] = nb_actor_new(loop, &member_class);
    turn_until_quiet(loop);
}

static struct nb_account *account_of(int number)
{
    return accounts[number % 2];
}

static int join(int number, struct nb_listen_target target)
{
    struct member *member = members[number];
    return nb_membership_join(&member->membership, &member->actor, account_of(number), &target);
}

static void leave(int number)
{
    nb_membership_leave(&members[number]->membership, account_of(number));
    turn_until_quiet(loop);
    ck_assert_uint_eq(members[number]->left, 1);
    ck_assert_ptr_null(members[number]->membership.listener);
}

static void end(void)
{
    for (int i = 0; i < 3; i++) {
        if (members[i]->membership.listener)
            leave(i);
        nb_actor_stop(&members[i]->actor);
    }
    turn_until_quiet(loop);
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_null(accounts[i]->group->listeners);
        nb_account_unref(accounts[i]);
    }
    nb_groups_finish(&groups);
    nb_runtime_end(&runtime);
    nb_runtime_run(&runtime);
    nb_runtime_finish(&runtime);
}

static struct nb_listen_target on_loopback(uint16_t port)
{
    struct nb_listen_target target = {.backlog = 16};
    ck_assert(nb_endpoint_parse(nb_slice_of("127.0.0.1"), &target.address));
    target.address.port = port;
    return target;
}

static struct nb_shared_listener *listener_of(int number)
{
    return members[number]->membership.listener;
}

static uint16_t port_of(int number)
{
    return nb_membership_listening(&members[number]->membership)->address.port;
}

static void dial(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = tcp_socket();
    (void)connect(fd, (struct sockaddr *)&address, sizeof address);
    turn_until_ready(loop, fd, POLLIN);
    close(fd);
}

START_TEST(two_sessions_share_a_listener_and_get_connections_in_turn)
{
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    ck_assert_int_eq(join(1, on_loopback(0)), 0);
    turn_until_quiet(loop);
    ck_assert_ptr_eq(listener_of(0), listener_of(1));
    ck_assert_uint_ne(members[0]->membership.serial, members[1]->membership.serial);
    ck_assert_uint_eq(members[0]->joined, 1);
    ck_assert_uint_eq(members[1]->joined, 1);
    for (int i = 0; i < 4; i++)
        dial(port_of(0));
    ck_assert_uint_eq(members[0]->offers, 2);
    ck_assert_uint_eq(members[1]->offers, 2);
    end();
}
END_TEST

START_TEST(a_session_is_a_member_of_each_listener_once)
{
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    ck_assert_int_eq(join(2, on_loopback(0)), 0);
    ck_assert_ptr_ne(listener_of(0), listener_of(2));
    ck_assert_uint_ne(port_of(0), port_of(2));
    ck_assert_int_eq(join(1, on_loopback(0)), 0);
    ck_assert(listener_of(1) == listener_of(0) || listener_of(1) == listener_of(2));
    turn_until_quiet(loop);
    end();
}
END_TEST

START_TEST(an_address_is_shared_as_it_was_asked_for)
{
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    ck_assert_int_eq(join(1, on_loopback(port_of(0))), UV_EADDRINUSE); /* it was asked for without a number */
    ck_assert_ptr_null(listener_of(1));
    ck_assert_ptr_null(account_of(1)->memberships);
    turn_until_quiet(loop);
    end();
}
END_TEST

START_TEST(the_last_to_leave_closes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    ck_assert_int_eq(join(1, on_loopback(0)), 0);
    turn_until_quiet(loop);
    address.sin_port = htons(port_of(1));
    leave(0);
    ck_assert_ptr_null(account_of(0)->memberships);
    dial(port_of(1));
    ck_assert_uint_eq(members[1]->offers, 1);
    leave(1);
    int on = 1, fd = tcp_socket(); /* of what is closed only ended connections are left */
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    end();
}
END_TEST

/* As when a session closes and listens again in one burst. */
START_TEST(who_leaves_and_joins_again_is_another_member)
{
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    uint64_t serial = members[0]->membership.serial;
    struct nb_shared_listener *listener = listener_of(0);
    nb_membership_leave(&members[0]->membership, account_of(0));
    ck_assert(!nb_membership_is_current(&members[0]->membership, serial));
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    ck_assert_ptr_eq(listener_of(0), listener);
    ck_assert(!nb_membership_is_current(&members[0]->membership, serial));
    ck_assert(nb_membership_is_current(&members[0]->membership, members[0]->membership.serial));
    turn_until_quiet(loop);
    ck_assert_uint_eq(members[0]->left, 1);
    members[0]->left = 0;
    dial(port_of(0));
    ck_assert_uint_eq(members[0]->offers, 1);
    end();
}
END_TEST

START_TEST(a_duplicate_is_of_the_same_socket)
{
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    int fd = nb_membership_duplicate(&members[0]->membership);
    ck_assert_int_ge(fd, 0);
    ck_assert(is_same_socket(fd, nb_membership_listening(&members[0]->membership)->fd));
    close(fd);
    turn_until_quiet(loop);
    end();
}
END_TEST

START_TEST(ready_is_said_once_if_it_was_promised)
{
    begin();
    ck_assert_int_eq(join(0, on_loopback(0)), 0);
    struct nb_membership *membership = &members[0]->membership;
    nb_membership_say_ready(membership, loop); /* nothing was promised */
    ck_assert_int_eq(nb_membership_promise_ready(membership, loop), 0);
    struct nb_message *promise = membership->ready;
    ck_assert_int_eq(nb_membership_promise_ready(membership, loop), 0);
    ck_assert_ptr_eq(membership->ready, promise);
    nb_membership_say_ready(membership, loop);
    ck_assert_ptr_null(membership->ready);
    ck_assert_int_eq(nb_membership_promise_ready(membership, loop),
                     0); /* not kept: it goes when the member leaves */
    turn_until_quiet(loop);
    end();
}
END_TEST

START_TEST(without_memory_nobody_has_joined)
{
    begin();
    int64_t live = nb_memory_live();
    unsigned failures = 0;
    for (uint64_t failing = 1;; failing++) {
        nb_memory_fail_after(failing);
        int status = join(0, on_loopback(0));
        nb_memory_fail_after(0);
        turn_until_quiet(loop);
        if (status == 0)
            break;
        failures++;
        ck_assert_int_eq(status, UV_ENOMEM);
        ck_assert_ptr_null(listener_of(0));
        ck_assert_ptr_null(account_of(0)->group->listeners);
        ck_assert_ptr_null(account_of(0)->memberships);
    }
    ck_assert_uint_ge(failures, 2);
    ck_assert_int_ge(nb_memory_live(), live);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        two_sessions_share_a_listener_and_get_connections_in_turn,
        a_session_is_a_member_of_each_listener_once,
        an_address_is_shared_as_it_was_asked_for,
        the_last_to_leave_closes,
        who_leaves_and_joins_again_is_another_member,
        a_duplicate_is_of_the_same_socket,
        ready_is_said_once_if_it_was_promised,
        without_memory_nobody_has_joined,
        NULL,
    };
    return run_suite("membership", tests);
}
