#include "inherited.h"
#include "suite.h"
#include "systemd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

/* ---- LISTEN_FDS: descriptors from 3 on, so each case runs in a process of its own ---- */

enum kind { LISTENING, CONNECTED, DATAGRAM, TCP, ORDINARY_FILE, CLOSED };

static int open_kind(enum kind kind)
{
    int fd = -1, pair[2];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    switch (kind) {
    case LISTENING:
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(fd, (struct sockaddr *)&address, sizeof address.sun_family); /* a name of the kernel's choice */
        listen(fd, 1);
        break;
    case CONNECTED:
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        fd = pair[0];
        break;
    case DATAGRAM:
        fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        break;
    case TCP:
        fd = socket(AF_INET, SOCK_STREAM, 0);
        listen(fd, 1);
        break;
    case ORDINARY_FILE:
        fd = open("/dev/null", O_RDONLY);
        break;
    case CLOSED:
        break;
    }
    return fd;
}

static void put_at(int number, enum kind kind)
{
    int fd = open_kind(kind);
    if (fd >= 0 && fd != number) {
        dup2(fd, number);
        close(fd);
    }
}

static bool is_as_needed(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* What the child found, above the range of descriptors: a wrong state of the process. */
enum { UNPREPARED = 100, LEFT_VARIABLES = 101, NOTHING = 102, REFUSED = 103 };

static int choose_in_child(const enum kind *kinds, unsigned count, const char *pid, const char *names)
{
    char text[16];
    for (int fd = 3; fd < 20; fd++)
        close(fd);
    for (unsigned i = count;
         i-- > 0;) /* from above, so that no temporary one lands on a place already taken */
        put_at(3 + (int)i, kinds[i]);
    snprintf(text, sizeof text, "%d", getpid());
    setenv("LISTEN_PID", pid ? pid : text, 1);
    snprintf(text, sizeof text, "%u", count);
    setenv("LISTEN_FDS", text, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
    int fd = nb_systemd_control_socket();
    if (fd == -1)
        return NOTHING;
    if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
        return LEFT_VARIABLES;
    if (fd < 0)
        return REFUSED;
    return is_as_needed(fd) ? fd : UNPREPARED;
}

static int choose_of(const enum kind *kinds, unsigned count, const char *pid, const char *names)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(choose_in_child(kinds, count, pid, names));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define CHOOSE(pid, names, ...)                                                                              \
    choose_of((const enum kind[]){__VA_ARGS__},                                                              \
              sizeof((const enum kind[]){__VA_ARGS__}) / sizeof(enum kind), pid, names)

START_TEST(the_first_that_is_one_is_taken)
{
    ck_assert_int_eq(CHOOSE(NULL, NULL, LISTENING), 3);
    ck_assert_int_eq(CHOOSE(NULL, NULL, LISTENING, LISTENING), 3);
    ck_assert_int_eq(CHOOSE(NULL, NULL, ORDINARY_FILE, TCP, DATAGRAM, CONNECTED, LISTENING), 7);
    ck_assert_int_eq(CHOOSE(NULL, NULL, CLOSED, LISTENING), 4);
}
END_TEST

START_TEST(the_one_of_that_name_is_taken)
{
    ck_assert_int_eq(CHOOSE(NULL, "a:control", LISTENING, LISTENING), 4);
    ck_assert_int_eq(CHOOSE(NULL, "a:control:control", LISTENING, LISTENING, LISTENING), 4);
    ck_assert_int_eq(CHOOSE(NULL, "control:b", LISTENING, LISTENING), 3);
    ck_assert_int_eq(CHOOSE(NULL, "a:controls", LISTENING, LISTENING), 3);
    ck_assert_int_eq(CHOOSE(NULL, "a", LISTENING, LISTENING), 3); /* fewer names than descriptors */
    ck_assert_int_eq(CHOOSE(NULL, "", LISTENING), 3);
    ck_assert_int_eq(CHOOSE(NULL, "::control", LISTENING, LISTENING, LISTENING), 5);
    ck_assert_int_eq(CHOOSE(NULL, "a:control", LISTENING, TCP), 3); /* a name does not make it one */
}
END_TEST

START_TEST(other_kinds_are_refused)
{
    ck_assert_int_eq(CHOOSE(NULL, NULL, ORDINARY_FILE), REFUSED);
    ck_assert_int_eq(CHOOSE(NULL, NULL, CONNECTED), REFUSED);
    ck_assert_int_eq(CHOOSE(NULL, NULL, DATAGRAM), REFUSED);
    ck_assert_int_eq(CHOOSE(NULL, NULL, TCP), REFUSED);
    ck_assert_int_eq(CHOOSE(NULL, NULL, CLOSED), REFUSED);
    ck_assert_int_eq(CHOOSE(NULL, "control", TCP), REFUSED);
}
END_TEST

/* Those that nobody meant for it are there under their names. */
static int open_named(const enum kind *kinds, unsigned count, const char *names, const char *name)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        (void)choose_in_child(kinds, count, NULL, names);
        int fd = nb_inherited_open(nb_slice_of(name));
        int type = -1;
        socklen_t length = sizeof type;
        bool is_socket = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &length) == 0;
        _exit(fd < 0 ? NOTHING : is_socket ? type : 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(others_are_there_by_their_names)
{
    const enum kind kinds[] = {TCP, LISTENING, ORDINARY_FILE, LISTENING};
    ck_assert_int_eq(open_named(kinds, 4, "web:control:file:more", "web"), AF_INET);
    ck_assert_int_eq(open_named(kinds, 4, "web:control:file:more", "more"), AF_UNIX);
    ck_assert_int_eq(open_named(kinds, 4, "web:control:file:more", "file"), 0);
    ck_assert_int_eq(open_named(kinds, 4, "web:control:file:more", "control"), NOTHING);
    ck_assert_int_eq(open_named(kinds, 4, "web:control:file:more", "we"), NOTHING);
    ck_assert_int_eq(open_named(kinds, 4, "web:control:file:more", ""), NOTHING);
    ck_assert_int_eq(open_named(kinds, 4, "web::", ""), NOTHING);
}
END_TEST

START_TEST(without_one_for_control_the_daemon_makes_its_own)
{
    ck_assert_int_eq(CHOOSE(NULL, "web", TCP), NOTHING);
    ck_assert_int_eq(CHOOSE(NULL, "web:file", TCP, ORDINARY_FILE), NOTHING);
    ck_assert_int_eq(CHOOSE(NULL, "web:control", TCP, TCP), REFUSED);
    ck_assert_int_eq(CHOOSE(NULL, "web", TCP, TCP), REFUSED);
    const enum kind kinds[] = {TCP};
    ck_assert_int_eq(open_named(kinds, 1, "web", "web"), AF_INET);
}
END_TEST

START_TEST(what_is_for_another_process_is_not_ours)
{
    ck_assert_int_eq(CHOOSE("1", NULL, LISTENING), NOTHING);
    ck_assert_int_eq(CHOOSE("", NULL, LISTENING), NOTHING);
    ck_assert_int_eq(choose_of(NULL, 0, NULL, NULL), NOTHING);
}
END_TEST

START_TEST(without_the_variables_there_is_nothing)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    ck_assert_int_eq(nb_systemd_control_socket(), -1);
    setenv("LISTEN_FDS", "1", 1);
    ck_assert_int_eq(nb_systemd_control_socket(), -1);
    unsetenv("LISTEN_FDS");
}
END_TEST

/* ---- NOTIFY_SOCKET ---- */

static int manager(const char *name, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(address.sun_path, name, length);
    ck_assert_int_eq(
        bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
        0);
    return fd;
}

static void expect_state(int fd, const char *state)
{
    char text[64] = "";
    ssize_t length = recv(fd, text, sizeof text - 1, 0);
    ck_assert_int_eq(length, (ssize_t)strlen(state));
    ck_assert_str_eq(text, state);
}

START_TEST(a_manager_at_a_path_is_told)
{
    char path[] = "/tmp/nb-notify-XXXXXX";
    int file = mkstemp(path);
    close(file);
    unlink(path);
    int fd = manager(path, strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    nb_systemd_notify("READY=1");
    nb_systemd_notify("STOPPING=1");
    expect_state(fd, "READY=1");
    expect_state(fd, "STOPPING=1");
    close(fd);
    nb_systemd_notify("READY=1"); /* nobody is there any more */
    unlink(path);
    nb_systemd_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
}
END_TEST

START_TEST(a_manager_with_an_abstract_name_is_told)
{
    char name[64], abstract[64];
    int length = snprintf(name, sizeof name, "@nb-notify-%d", getpid());
    memcpy(abstract, name, (size_t)length);
    abstract[0] = '\0';
    int fd = manager(abstract, (size_t)length);
    setenv("NOTIFY_SOCKET", name, 1);
    nb_systemd_notify("READY=1");
    expect_state(fd, "READY=1");
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}
END_TEST

START_TEST(nobody_to_tell)
{
    char text[256];
    unsetenv("NOTIFY_SOCKET");
    nb_systemd_notify("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    nb_systemd_notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    nb_systemd_notify("READY=1");
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[sizeof text - 1] = '\0';
    setenv("NOTIFY_SOCKET", text, 1);
    nb_systemd_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_first_that_is_one_is_taken,
        the_one_of_that_name_is_taken,
        other_kinds_are_refused,
        others_are_there_by_their_names,
        without_one_for_control_the_daemon_makes_its_own,
        what_is_for_another_process_is_not_ours,
        without_the_variables_there_is_nothing,
        a_manager_at_a_path_is_told,
        a_manager_with_an_abstract_name_is_told,
        nobody_to_tell,
        NULL,
    };
    return run_suite("systemd", tests);
}
