#include "listen.h"
#include "sockets.h"
#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static char directory[64], path[128];
static struct nb_path_identity identity;

/* A directory of the test's own, a path in it, and the daemon's umask. */
static void begin(void)
{
    umask(0);
    strcpy(directory, "/tmp/netbroker-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
}

static void end(void)
{
    ck_assert_int_eq(rmdir(directory), 0);
}

static struct nb_endpoint address_of(const char *text, uint16_t port)
{
    struct nb_endpoint address;
    ck_assert(nb_endpoint_parse(nb_slice_of(text), &address));
    address.port = port;
    return address;
}

static int get_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static void assert_listens(int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

static void assert_connects(int listener, const struct nb_endpoint *to)
{
    struct sockaddr_storage storage;
    socklen_t length = nb_endpoint_to_sockaddr(to, &storage);
    int client = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)!connect(client, (struct sockaddr *)&storage, length);
    int accepted = accept_soon(listener);
    close(accepted);
    close(client);
}

static int listen_at(struct nb_endpoint address, bool ipv6_only, bool reuse_port)
{
    struct nb_listen_target target = {
        .address = address, .backlog = 8, .ipv6_only = ipv6_only, .reuse_port = reuse_port};
    return nb_listen_tcp(&target);
}

START_TEST(tcp_listens)
{
    struct nb_endpoint address = address_of("127.0.0.1", 0);
    int fd = listen_at(address, false, false);
    assert_listens(fd);
    ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    nb_endpoint_of_local(fd, &address);
    ck_assert_uint_ne(address.port, 0);
    assert_connects(fd, &address);
    close(fd);
}
END_TEST

START_TEST(ipv6_alone_or_with_ipv4)
{
    for (int only = 0; only < 2; only++) {
        struct nb_endpoint any = address_of("::", 0), six = address_of("::1", 0),
                           four = address_of("127.0.0.1", 0);
        int fd = listen_at(any, only, false);
        assert_listens(fd);
        ck_assert_int_eq(get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY), only);
        nb_endpoint_of_local(fd, &any);
        six.port = four.port = any.port;
        assert_connects(fd, &six);
        if (!only)
            assert_connects(fd, &four);
        close(fd);
    }
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
    struct nb_endpoint address = address_of("127.0.0.1", 0);
    int fd = listen_at(address, false, false);
    nb_endpoint_of_local(fd, &address);
    ck_assert_int_eq(listen_at(address, false, false), UV_EADDRINUSE);
    close(fd);
    fd = listen_at(address, false, false);
    assert_listens(fd);
    close(fd);
}
END_TEST

START_TEST(a_port_is_reused_by_those_who_say_so)
{
    struct nb_endpoint address = address_of("127.0.0.1", 0);
    int one = listen_at(address, false, true);
    assert_listens(one);
    nb_endpoint_of_local(one, &address);
    ck_assert_int_eq(listen_at(address, false, false), UV_EADDRINUSE);
    int two = listen_at(address, false, true);
    assert_listens(two);
    close(one);
    close(two);
}
END_TEST

/* What a default host tried last is told, and what listens is described as the system has it. */
START_TEST(a_target_is_a_port_or_a_path)
{
    struct nb_listening listening;
    struct nb_listen_target port = {.address = address_of("::", 0), .is_default_host = true, .backlog = 8};
    ck_assert_int_eq(nb_listen(&port, &listening), 0);
    ck_assert_uint_ne(listening.address.port, 0);
    ck_assert_uint_eq(listening.path_length, 0);
    nb_listening_unlink(&listening);
    close(listening.fd);
    begin();
    struct nb_listen_target file = {.path = nb_slice_of(path), .backlog = 8, .mode = 0600};
    ck_assert_int_eq(nb_listen(&file, &listening), 0);
    ck_assert_str_eq(listening.path, path);
    ck_assert_uint_eq(listening.address.ip.family, 0);
    nb_listening_unlink(&listening);
    ck_assert_int_eq(access(path, F_OK), -1);
    close(listening.fd);
    end();
}
END_TEST

START_TEST(an_address_of_others_is_refused)
{
    struct nb_endpoint address = address_of("192.0.2.1", 0);
    ck_assert_int_eq(listen_at(address, false, false), UV_EADDRNOTAVAIL);
}
END_TEST

START_TEST(a_path_listens_with_exactly_its_mode)
{
    static const mode_t modes[] = {0600, 0660, 0777, 0};
    begin();
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct stat file;
        int fd = nb_listen_unix(nb_slice_of(path), 8, modes[i], &identity);
        assert_listens(fd);
        ck_assert_int_eq(stat(path, &file), 0);
        ck_assert_uint_eq(file.st_mode, S_IFSOCK | modes[i]);
        ck_assert(file.st_ino == identity.inode && file.st_dev == identity.device);
        nb_unlink_socket(nb_slice_of(path), &identity);
        ck_assert_int_eq(access(path, F_OK), -1);
        close(fd);
    }
    end();
}
END_TEST

START_TEST(what_is_there_already_stays)
{
    struct nb_path_identity none = {0};
    begin();
    int fd = nb_listen_unix(nb_slice_of(path), 8, 0600, &identity);
    ck_assert_int_eq(nb_listen_unix(nb_slice_of(path), 8, 0600, &none), UV_EADDRINUSE);
    ck_assert_uint_eq(none.inode, 0);
    close(fd);
    ck_assert_int_eq(nb_listen_unix(nb_slice_of(path), 8, 0600, &none), UV_EADDRINUSE);
    nb_unlink_socket(nb_slice_of(path), &identity);
    end();
}
END_TEST

START_TEST(only_ones_own_file_is_removed)
{
    struct nb_path_identity other;
    begin();
    int first = nb_listen_unix(nb_slice_of(path), 8, 0600, &identity);
    ck_assert_int_eq(unlink(path), 0);
    int second = nb_listen_unix(nb_slice_of(path), 8, 0600, &other);
    nb_unlink_socket(nb_slice_of(path), &identity);
    ck_assert_int_eq(access(path, F_OK), 0);
    nb_unlink_socket(nb_slice_of(path), &other);
    ck_assert_int_eq(access(path, F_OK), -1);
    nb_unlink_socket(nb_slice_of(path), &other);
    close(first);
    close(second);
    end();
}
END_TEST

START_TEST(a_missing_directory_is_told)
{
    ck_assert_int_eq(nb_listen_unix(nb_slice_of("/nonexistent/socket"), 8, 0600, &identity), UV_ENOENT);
}
END_TEST

START_TEST(a_path_has_a_length)
{
    char longest[NB_PATH_MAX + 2];
    struct sockaddr_un address;
    memset(longest, 'x', sizeof longest);
    struct nb_slice fits = {(const uint8_t *)longest, NB_PATH_MAX}, too_long = {fits.data, NB_PATH_MAX + 1};
    ck_assert_int_eq(nb_path_to_sockaddr(fits, &address), 0);
    ck_assert_uint_eq(strlen(address.sun_path), NB_PATH_MAX);
    ck_assert_int_eq(nb_path_to_sockaddr(too_long, &address), UV_ENAMETOOLONG);
    ck_assert_int_eq(nb_listen_unix(too_long, 8, 0600, &identity), UV_ENAMETOOLONG);
    ck_assert_int_eq(nb_path_to_sockaddr(nb_slice_of(""), &address), UV_EINVAL);
    ck_assert_int_eq(nb_listen_unix(nb_slice_of(""), 8, 0600, &identity), UV_EINVAL);
    nb_unlink_socket(too_long, &identity);
}
END_TEST

int main(void)
{
    return run_suite("listen",
                     (const TTest *[]){tcp_listens, ipv6_alone_or_with_ipv4, a_port_in_use_is_refused,
                                       a_port_is_reused_by_those_who_say_so, a_target_is_a_port_or_a_path,
                                       an_address_of_others_is_refused, a_path_listens_with_exactly_its_mode,
                                       what_is_there_already_stays, only_ones_own_file_is_removed,
                                       a_missing_directory_is_told, a_path_has_a_length, NULL});
}
