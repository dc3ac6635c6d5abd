#include "policy.h"
#include "suite.h"

#include <stdlib.h>
#include <unistd.h>

static const struct nb_rights all = {.unix_paths = true, .low_ports = true, .bind = true, .all_fds = true};
static const struct nb_rights none;

START_TEST(the_brokers_own_uid_may_do_everything)
{
    struct nb_policy policy = {0};
    struct nb_rights rights = none;
    ck_assert(nb_policy_admits(&policy, geteuid(), &rights));
    ck_assert(rights.unix_paths && rights.low_ports && rights.bind);
}
END_TEST

/* Even where a rule for it says less: it could do all by itself. */
START_TEST(a_rule_takes_nothing_from_the_brokers_own_uid)
{
    struct nb_policy policy = {0};
    struct nb_rights rights = none;
    nb_policy_rule(&policy, geteuid());
    ck_assert(nb_policy_admits(&policy, geteuid(), &rights));
    ck_assert(rights.unix_paths && rights.low_ports && rights.bind);
}
END_TEST

START_TEST(others_need_a_rule)
{
    struct nb_policy policy = {0};
    struct nb_rights rights = all;
    uid_t other = geteuid() + 1, third = geteuid() + 2;
    ck_assert(!nb_policy_admits(&policy, other, &rights));
    ck_assert(rights.unix_paths); /* untouched */
    nb_policy_rule(&policy, other)->rights.bind = true;
    ck_assert(nb_policy_admits(&policy, other, &rights));
    ck_assert(rights.bind && !rights.unix_paths && !rights.low_ports);
    ck_assert(!nb_policy_admits(&policy, third, &rights));
    ck_assert_ptr_eq(nb_policy_rule(&policy, other), &policy.rules[0]);
    ck_assert_uint_eq(policy.count, 1);
}
END_TEST

START_TEST(each_uid_has_a_number)
{
    struct nb_policy policy = {0};
    for (uid_t i = 1; i <= NB_UID_RULES_MAX; i++)
        ck_assert_ptr_nonnull(nb_policy_rule(&policy, geteuid() + i));
    ck_assert_uint_eq(nb_policy_number(&policy, geteuid()), 0);
    for (uid_t i = 1; i <= NB_UID_RULES_MAX; i++)
        ck_assert_uint_eq(nb_policy_number(&policy, geteuid() + i), i);
    ck_assert_int_lt(NB_UID_RULES_MAX, NB_UIDS_MAX);
}
END_TEST

START_TEST(rights_are_a_list_of_names)
{
    struct nb_rights rights = all;
    ck_assert(nb_rights_parse("", &rights));
    ck_assert(!rights.unix_paths && !rights.low_ports && !rights.bind);
    ck_assert(nb_rights_parse(" unix,\tlow-ports ,,bind", &rights));
    ck_assert(rights.unix_paths && rights.low_ports && rights.bind);
    rights = none;
    ck_assert(!nb_rights_parse("bind, unixx", &rights));
    ck_assert(!nb_rights_parse("uni", &rights));
    ck_assert(!nb_rights_parse("Bind", &rights));
    ck_assert(!rights.bind); /* untouched */
}
END_TEST

START_TEST(inherited_descriptors_are_named_one_by_one)
{
    struct nb_rights rights = none;
    char long_name[NB_RIGHTS_FDS + 8] = "fd=";
    ck_assert(nb_rights_parse("fd=web, bind fd=a-b.socket", &rights));
    ck_assert(rights.bind && !rights.all_fds);
    ck_assert_str_eq(rights.fds, "web a-b.socket ");
    memset(long_name + 3, 'x', NB_RIGHTS_FDS - 2);
    ck_assert(nb_rights_parse(long_name, &rights));
    memset(long_name + 3, 'x', NB_RIGHTS_FDS - 1);
    ck_assert(!nb_rights_parse(long_name, &rights)); /* no room */
    ck_assert(!nb_rights_parse("fd=", &rights));
    ck_assert(!nb_rights_parse("fd", &rights));
}
END_TEST

/* ---- objections ---- */

static struct nb_request request;

static void ask(enum nb_method_index index)
{
    memset(&request, 0, sizeof request);
    request.method = &nb_methods[index];
}

static void expect_objection(struct nb_rights rights, const char *word)
{
    const char *objection = nb_policy_objection(&rights, &request);
    if (!word)
        ck_assert_msg(objection == NULL, "%s", objection);
    else
        ck_assert_msg(objection && strstr(objection, word), "%s", objection ? objection : "none");
    ck_assert_ptr_null(nb_policy_objection(&all, &request));
}

/* socket.connect and net.createConnection alike. */
static void expect_of_connects(const nb_SocketConnect *options, struct nb_rights rights, const char *word)
{
    ask(NB_METHOD_SOCKET_CONNECT);
    request.params.socket_connect = *options;
    expect_objection(rights, word);
    ask(NB_METHOD_NET_CREATE_CONNECTION);
    request.params.create_connection.connect = *options;
    expect_objection(rights, word);
}

START_TEST(connecting)
{
    const struct nb_rights unix_paths = {.unix_paths = true}, low = {.low_ports = true},
                           bind = {.bind = true};
    nb_SocketConnect low_port = {.has_port = true, .port = 1023},
                     high_port = {.has_port = true, .port = 1024};
    nb_SocketConnect path = {.path = nb_slice_of("/a")},
                     both = {.path = nb_slice_of("/a"), .has_port = true, .port = 5000};
    nb_SocketConnect from = {.has_port = true, .port = 5000, .local_address = nb_slice_of("127.0.0.1")};
    nb_SocketConnect from_port = {.has_port = true, .port = 5000, .has_local_port = true, .local_port = 5001};
    nb_SocketConnect zero = {.has_port = true, .port = 0};
    expect_of_connects(&low_port, none, "1024");
    expect_of_connects(&zero, none, "1024");
    expect_of_connects(&low_port, low, NULL);
    expect_of_connects(&high_port, none, NULL);
    expect_of_connects(&path, none, "Unix");
    expect_of_connects(&path, unix_paths, NULL);
    expect_of_connects(&both, none, "Unix"); /* connect: the path counts */
    expect_of_connects(&from, none, "Binding");
    expect_of_connects(&from_port, none, "Binding");
    expect_of_connects(&from, bind, NULL);
}
END_TEST

static void expect_of_listen(nb_ServerListen options, struct nb_rights rights, const char *word)
{
    ask(NB_METHOD_SERVER_LISTEN);
    request.params.server_listen = options;
    expect_objection(rights, word);
}

START_TEST(binding)
{
    const struct nb_rights bind = {.bind = true}, low_bind = {.bind = true, .low_ports = true};
    ask(NB_METHOD_SOCKET_BIND);
    expect_objection(none, "Binding");
    expect_objection(bind, NULL);
    request.params.socket_bind = (nb_SocketBind){.has_port = true, .port = 1023};
    expect_objection(bind, "1024");
    expect_objection(low_bind, NULL);
}
END_TEST

START_TEST(listening)
{
    const struct nb_rights bind = {.bind = true}, unix_bind = {.bind = true, .unix_paths = true};
    const struct nb_rights low_bind = {.bind = true, .low_ports = true};
    const nb_ServerListen nothing = {0}, high = {.has_port = true, .port = 1024},
                          low = {.has_port = true, .port = 80};
    const nb_ServerListen any = {.has_port = true}, path = {.path = nb_slice_of("/a")};
    const nb_ServerListen both = {.path = nb_slice_of("/a"), .has_port = true, .port = 5000};
    expect_of_listen(nothing, none, "Binding");
    expect_of_listen(nothing, bind, NULL);
    expect_of_listen(any, bind, NULL);
    expect_of_listen(high, bind, NULL);
    expect_of_listen(low, bind, "1024");
    expect_of_listen(low, low_bind, NULL);
    expect_of_listen(path, bind, "Unix");
    expect_of_listen(path, unix_bind, NULL);
    expect_of_listen(both, bind, NULL); /* listen: the port counts */
}
END_TEST

START_TEST(sockets_that_are_there)
{
    const nb_ServerListen fd = {.has_fd = true}, handle = {.has_handle = true};
    struct nb_rights web = none, others = none;
    nb_rights_parse("fd=other fd=web", &web);
    nb_rights_parse("unix, low-ports, bind, fd=we, fd=webb", &others);
    expect_of_listen(fd, none, NULL); /* whoever sends it might bind it */
    expect_of_listen(handle, none, NULL);
    expect_of_listen((nb_ServerListen){.fd_name = nb_slice_of("web")}, web, NULL);
    expect_of_listen((nb_ServerListen){.fd_name = nb_slice_of("web")}, others, "inherited");
    expect_of_listen((nb_ServerListen){.fd_name = nb_slice_of("")}, none, "inherited");
    ask(NB_METHOD_SOCKET_CREATE);
    request.params.socket_create.fd_name = nb_slice_of("web");
    expect_objection(none, "inherited");
    expect_objection(web, NULL);
}
END_TEST

START_TEST(the_rest_needs_no_right)
{
    for (int index = 0; index < NB_METHOD_COUNT; index++) {
        if (index == NB_METHOD_SERVER_LISTEN || index == NB_METHOD_SOCKET_BIND)
            continue;
        ask((enum nb_method_index)index);
        expect_objection(none, NULL);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_brokers_own_uid_may_do_everything,
        a_rule_takes_nothing_from_the_brokers_own_uid,
        others_need_a_rule,
        each_uid_has_a_number,
        rights_are_a_list_of_names,
        inherited_descriptors_are_named_one_by_one,
        connecting,
        binding,
        listening,
        sockets_that_are_there,
        the_rest_needs_no_right,
        NULL,
    };
    return run_suite("policy", tests);
}
