#include "systemd.h"

#include "inherited.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { FIRST_FD = 3, NONE = -1 };

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

/* Anything else, given to epoll, might end the process. */
static bool is_control_socket(int fd)
{
    return option_of(fd, SO_DOMAIN) == AF_UNIX && option_of(fd, SO_TYPE) == SOCK_STREAM &&
           option_of(fd, SO_ACCEPTCONN) == 1;
}

/* The index-th of a list of names with colons between, which it borrows from; empty: it has none. */
static struct nb_slice name_at(const char *names, int index)
{
    while (names && index--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    return names ? (struct nb_slice){(const uint8_t *)names, strcspn(names, ":")} : nb_slice_of("");
}

static bool is_named_control(const char *names, int index)
{
    return nb_slice_is(name_at(names, index), "control");
}

/* One without a name, or of that one, can have been meant for nothing else. */
static bool is_for_control(int count, const char *names)
{
    for (int i = 0; i < count; i++)
        if (!name_at(names, i).length || is_named_control(names, i))
            return true;
    return false;
}

static int choose(int count, const char *names)
{
    int chosen = is_for_control(count, names) ? UV_EINVAL : NONE;
    for (int i = 0; i < count; i++) {
        int fd = FIRST_FD + i;
        if (!is_control_socket(fd))
            continue;
        if (chosen < 0 || is_named_control(names, i))
            chosen = fd;
        if (is_named_control(names, i))
            break;
    }
    return chosen;
}

static int prepare(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return UV_EINVAL;
    return fd;
}

static void hand_over_others(int count, const char *names, int chosen)
{
    for (int i = 0; i < count; i++) {
        int fd = FIRST_FD + i;
        if (fd != chosen && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && !nb_inherited_add(name_at(names, i), fd))
            close(fd);
    }
}

int nb_systemd_control_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) < 1)
        return NONE;
    const char *names = getenv("LISTEN_FDNAMES");
    int fd = choose((int)strtol(count, NULL, 10), names);
    hand_over_others((int)strtol(count, NULL, 10), names, fd);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return fd < 0 ? fd : prepare(fd);
}

void nb_systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (*path == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}
