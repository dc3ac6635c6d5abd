#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 511 };

static int make_directory(const char *path)
{
    char copy[4096];
    memcpy(copy, path, strlen(path) + 1);
    return mkdir(dirname(copy), 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static void lock_path(const struct nb_control_socket *control, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s.lock", control->path);
}

/* The file may have been removed by its last holder between open and flock: then it locks nothing. */
static bool is_still_there(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

static int take_lock(struct nb_control_socket *control)
{
    char path[4200];
    lock_path(control, path, sizeof path);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            int status = errno == EWOULDBLOCK ? UV_EADDRINUSE : -errno;
            close(fd);
            return status;
        }
        if (is_still_there(fd, path)) {
            control->lock = fd;
            return 0;
        }
        close(fd);
    }
}

/* 0: somebody answers; negative errno otherwise. */
static int probe(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int status = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
    close(fd);
    return status;
}

/* Only a socket of ours that nobody listens on any more. */
static void remove_stale(const char *path)
{
    struct sockaddr_un address;
    struct stat file;
    if (nb_path_to_sockaddr(nb_slice_of(path), &address) < 0 || lstat(path, &file) < 0)
        return;
    if (S_ISSOCK(file.st_mode) && file.st_uid == geteuid() && probe(&address) == UV_ECONNREFUSED)
        unlink(path);
}

static void drop_lock(struct nb_control_socket *control)
{
    char path[4200];
    if (control->lock < 0)
        return;
    lock_path(control, path, sizeof path);
    unlink(path);
    close(control->lock);
    control->lock = -1;
}

/* Sessions that agree on the feature fds let them in; to others they are not even sent, where the kernel can. */
static void keep_descriptors_out(int fd)
{
    int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
}

int nb_control_socket_open(struct nb_control_socket *control, const char *path, mode_t mode,
                           const char **ret_reason)
{
    *control = (struct nb_control_socket){.fd = -1, .lock = -1};
    *ret_reason = "the path is too long for a Unix socket (107 bytes)";
    if (strlen(path) > NB_PATH_MAX)
        return UV_ENAMETOOLONG;
    memcpy(control->path, path, strlen(path) + 1);
    *ret_reason = "cannot make the directory";
    int status = make_directory(path);
    if (status < 0)
        return status;
    *ret_reason = "another broker holds the lock file beside it";
    if ((status = take_lock(control)) < 0) {
        if (status != UV_EADDRINUSE)
            *ret_reason = "cannot make the lock file beside it";
        return status;
    }
    remove_stale(path);
    control->fd = nb_listen_unix(nb_slice_of(path), BACKLOG, mode, &control->identity);
    if (control->fd >= 0) {
        keep_descriptors_out(control->fd);
        return 0;
    }
    status = control->fd;
    *ret_reason = status == UV_EADDRINUSE ? "something else is there" : "cannot listen";
    drop_lock(control);
    return status;
}

void nb_control_socket_inherit(struct nb_control_socket *control, int fd)
{
    *control = (struct nb_control_socket){.fd = fd, .lock = -1};
    keep_descriptors_out(fd);
}

void nb_control_socket_close(struct nb_control_socket *control)
{
    if (control->lock >= 0)
        nb_unlink_socket(nb_slice_of(control->path), &control->identity);
    drop_lock(control);
    if (control->fd >= 0)
        close(control->fd);
    control->fd = -1;
}
