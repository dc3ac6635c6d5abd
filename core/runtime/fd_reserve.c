#include "fd_reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { PART = 8, OWN_MAX = 64 };

static int clients_end = INT_MAX, control_end = INT_MAX;
static atomic_bool was_reached; /* by the last that asked */

static int part_of(int limit, unsigned most)
{
    return (unsigned)(limit / PART) < most ? limit / PART : (int)most;
}

void nb_fd_reserve_init(unsigned long limit, unsigned control_connections)
{
    int end = limit < INT_MAX ? (int)limit : INT_MAX;
    control_end = end - part_of(end, OWN_MAX);
    clients_end = control_end - part_of(end, control_connections);
    atomic_store(&was_reached, false);
}

bool nb_fd_reserve_is_reached(int fd)
{
    return fd >= clients_end;
}

bool nb_fd_reserve_is_last(int fd)
{
    return fd >= control_end;
}

int nb_fd_reserve_socket(int domain)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (fd < clients_end)
        return fd;
    close(fd);
    return UV_EMFILE;
}

/* The number that the next descriptor would have. */
static bool is_next_free(int listener)
{
    int next = fcntl(listener, F_DUPFD_CLOEXEC, 0);
    if (next >= 0)
        close(next);
    return next >= 0 && next < clients_end;
}

bool nb_fd_reserve_has_room(int listener)
{
    if (!atomic_load(&was_reached))
        return true;
    bool has_room = is_next_free(listener);
    if (has_room)
        atomic_store(&was_reached, false);
    return has_room;
}

void nb_fd_reserve_note(int fd)
{
    if (fd >= clients_end - 1)
        atomic_store(&was_reached, true);
}
