#include "listen.h"

#include "fd_reserve.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static int close_with(int fd, int status)
{
    close(fd);
    return status;
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int set_options(int fd, const struct nb_listen_target *target)
{
    int status = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (status == 0 && target->reuse_port)
        status = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (status == 0 && target->address.ip.family == 6)
        status = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, target->ipv6_only);
    return status;
}

int nb_bind_tcp(const struct nb_listen_target *target)
{
    struct sockaddr_storage storage;
    socklen_t length = nb_endpoint_to_sockaddr(&target->address, &storage);
    int fd = nb_fd_reserve_socket(storage.ss_family);
    if (fd < 0)
        return fd;
    int status = set_options(fd, target);
    if (status == 0 && bind(fd, (struct sockaddr *)&storage, length) < 0)
        status = -errno;
    return status < 0 ? close_with(fd, status) : fd;
}

int nb_listen_tcp(const struct nb_listen_target *target)
{
    int fd = nb_bind_tcp(target);
    if (fd >= 0 && listen(fd, target->backlog) < 0)
        return close_with(fd, -errno);
    return fd;
}

int nb_path_to_sockaddr(struct nb_slice path, struct sockaddr_un *ret_address)
{
    if (!path.length)
        return UV_EINVAL;
    if (path.length > NB_PATH_MAX)
        return UV_ENAMETOOLONG;
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->sun_family = AF_UNIX;
    memcpy(ret_address->sun_path, path.data, path.length);
    return 0;
}

/* fchmod before bind gives the file its mode with no moment in between; the umask is 0 in the daemon. */
static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
    if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        return -errno;
    return 0;
}

int nb_listen_unix(struct nb_slice path, int backlog, mode_t mode, struct nb_path_identity *ret_identity)
{
    struct sockaddr_un address;
    struct stat file;
    int status = nb_path_to_sockaddr(path, &address);
    if (status < 0)
        return status;
    int fd = nb_fd_reserve_socket(AF_UNIX);
    if (fd < 0)
        return fd;
    if ((status = bind_with_mode(fd, &address, mode)) < 0)
        return close_with(fd, status);
    if (listen(fd, backlog) < 0 || lstat(address.sun_path, &file) < 0) {
        status = -errno;
        unlink(address.sun_path);
        return close_with(fd, status);
    }
    *ret_identity = (struct nb_path_identity){file.st_dev, file.st_ino};
    return fd;
}

void nb_unlink_socket(struct nb_slice path, const struct nb_path_identity *identity)
{
    struct sockaddr_un address;
    struct stat file;
    if (nb_path_to_sockaddr(path, &address) < 0 || lstat(address.sun_path, &file) < 0)
        return;
    if (file.st_dev == identity->device && file.st_ino == identity->inode)
        unlink(address.sun_path);
}

/* ---- either ---- */

static bool has_no_ipv6(int status)
{
    return status == UV_EAFNOSUPPORT || status == UV_EADDRNOTAVAIL || status == UV_EINVAL;
}

static int listen_on_address(struct nb_listen_target *target, struct nb_listening *ret_listening)
{
    int fd = nb_listen_tcp(target);
    if (target->is_default_host && target->address.ip.family == 6 && has_no_ipv6(fd)) {
        target->address.ip = (struct nb_ip){.family = 4};
        fd = nb_listen_tcp(target);
    }
    if (fd < 0)
        return fd;
    *ret_listening = (struct nb_listening){.fd = fd};
    nb_endpoint_of_local(fd, &ret_listening->address);
    return 0;
}

static int listen_on_path(const struct nb_listen_target *target, struct nb_listening *ret_listening)
{
    struct nb_path_identity identity;
    int fd = nb_listen_unix(target->path, target->backlog, target->mode, &identity);
    if (fd < 0)
        return fd == UV_ENOENT ? UV_EACCES : fd; /* as libuv, and so Node, tells it on every system */
    *ret_listening =
        (struct nb_listening){.fd = fd, .identity = identity, .path_length = (uint8_t)target->path.length};
    memcpy(ret_listening->path, target->path.data, target->path.length);
    return 0;
}

int nb_listen(struct nb_listen_target *target, struct nb_listening *ret_listening)
{
    return target->path.data ? listen_on_path(target, ret_listening)
                             : listen_on_address(target, ret_listening);
}

void nb_listening_unlink(const struct nb_listening *listening)
{
    if (listening->path_length)
        nb_unlink_socket((struct nb_slice){(const uint8_t *)listening->path, listening->path_length},
                         &listening->identity);
}
