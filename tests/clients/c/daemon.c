#include "daemon.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void spawn(struct daemon *daemon)
{
    const char *binary = getenv("NETBROKER_BINARY");
    int log[2];
    ck_assert_msg(binary != NULL, "NETBROKER_BINARY names no program");
    ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
    daemon->pid = fork();
    if (daemon->pid == 0) {
        dup2(log[1], STDERR_FILENO);
        execl(binary, binary, "serve", "--socket", daemon->path, (char *)NULL);
        _exit(127);
    }
    close(log[1]);
    daemon->log = log[0];
}

static void wait_ready(struct daemon *daemon)
{
    char text[4096] = "";
    size_t length = 0;
    struct pollfd ready = {.fd = daemon->log, .events = POLLIN};
    while (!strstr(text, "ready")) {
        ck_assert_msg(poll(&ready, 1, DEADLINE_MS) == 1, "the daemon does not get ready: %s", text);
        ssize_t more = read(daemon->log, text + length, sizeof text - 1 - length);
        ck_assert_msg(more > 0, "the daemon ended: %s", text);
        length += (size_t)more;
        text[length] = '\0';
    }
    /* From here on nobody reads it: a full pipe must not hold the daemon up. */
    fcntl(daemon->log, F_SETPIPE_SZ, 1 << 20);
}

static void open_session(struct daemon *daemon)
{
    counted_memory_init(&daemon->memory);
    daemon->options.allocator = &daemon->memory.allocator;
    daemon->options.events = &recorded_session;
    daemon->options.context = &daemon->record;
    ck_assert_int_eq(netbroker_connect(daemon->path, &daemon->options, &daemon->session), 0);
    daemon->loop = daemon->kind->open(daemon->session);
    ping(daemon);
}

void daemon_start(struct daemon *daemon, const struct netbroker_options *options)
{
    memset(daemon, 0, sizeof *daemon);
    daemon->options = options ? *options : (struct netbroker_options){0};
    daemon->kind = loop_kind_chosen();
    daemon->kind->warm_up();
    daemon->descriptors = count_descriptors();
    strcpy(daemon->directory, "/tmp/netbroker-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(daemon->directory));
    snprintf(daemon->path, sizeof daemon->path, "%s/nb.sock", daemon->directory);
    spawn(daemon);
    wait_ready(daemon);
    open_session(daemon);
}

int daemon_turn(struct daemon *daemon, int timeout)
{
    return daemon->kind->turn(daemon->loop, timeout);
}

static void free_session(struct daemon *daemon)
{
    daemon->kind->close(daemon->loop);
    netbroker_free(daemon->session);
    ck_assert_int_eq(daemon->memory.live, 0);
}

static void clean_up(struct daemon *daemon)
{
    close(daemon->log);
    ck_assert_int_eq(rmdir(daemon->directory), 0);
    ck_assert_int_eq(count_descriptors(), daemon->descriptors);
}

void daemon_stop(struct daemon *daemon)
{
    int status;
    free_session(daemon);
    kill(daemon->pid, SIGTERM);
    ck_assert_int_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the daemon ended with %x",
                  (unsigned)status);
    clean_up(daemon);
}

void daemon_kill(struct daemon *daemon)
{
    int status;
    kill(daemon->pid, SIGKILL);
    ck_assert_int_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
}

void daemon_restart(struct daemon *daemon)
{
    free_session(daemon);
    close(daemon->log);
    spawn(daemon);
    wait_ready(daemon);
    open_session(daemon);
}

void daemon_bury(struct daemon *daemon)
{
    free_session(daemon);
    char lock[sizeof daemon->path + 8];
    snprintf(lock, sizeof lock, "%s.lock", daemon->path);
    unlink(daemon->path);
    unlink(lock);
    clean_up(daemon);
}

void wait_for(struct daemon *daemon, const char *text)
{
    int64_t deadline = now() + DEADLINE_MS;
    while (!strstr(daemon->record.text, text)) {
        int left = (int)(deadline - now());
        int result = left > 0 ? daemon_turn(daemon, left) : -ETIMEDOUT;
        ck_assert_msg(result == 0, "waiting for %s: %s, after %s", text, strerror(-result),
                      daemon->record.text);
    }
}

void wait_flushed(struct daemon *daemon, const struct netbroker_socket *socket)
{
    int64_t deadline = now() + DEADLINE_MS;
    while (netbroker_socket_unflushed(socket) > 0) {
        int left = (int)(deadline - now());
        ck_assert_int_eq(left > 0 ? daemon_turn(daemon, left) : -ETIMEDOUT, 0);
    }
}

static void on_answer(struct netbroker_session *session, void *context, const struct netbroker_reply *reply)
{
    ck_assert_msg(!reply->error, "%s", reply->error ? reply->error->message : "");
    *(bool *)context = true;
}

void call(struct daemon *daemon, const char *method, uint64_t target, const void *body, size_t length)
{
    bool is_answered = false;
    int64_t deadline = now() + DEADLINE_MS;
    ck_assert_int_eq(netbroker_call(daemon->session, method, target, body, length, on_answer, &is_answered),
                     0);
    while (!is_answered) {
        int left = (int)(deadline - now());
        ck_assert_int_eq(left > 0 ? daemon_turn(daemon, left) : -ETIMEDOUT, 0);
    }
}

void ping(struct daemon *daemon)
{
    call(daemon, "session.ping", 0, NULL, 0);
}

int daemon_descriptors(const struct daemon *daemon)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)daemon->pid);
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* ---- peers ---- */

static struct sockaddr_in local(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int with_deadline(int fd)
{
    struct timeval limit = {DEADLINE_MS / 1000, 0};
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

int peer_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    int fd = with_deadline(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 128), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int peer_accept(int listener)
{
    return with_deadline(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

int peer_connect(uint16_t port)
{
    struct sockaddr_in address = local(port);
    int fd = with_deadline(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void peer_send(int fd, const void *bytes, size_t length)
{
    ck_assert_int_eq(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

void peer_receive(int fd, void *bytes, size_t length)
{
    ck_assert_int_eq(recv(fd, bytes, length, MSG_WAITALL), length);
}

void peer_expect_end(int fd)
{
    char byte;
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
}

struct netbroker_server *listen_here(struct daemon *daemon, const struct netbroker_server_options *options,
                                     uint16_t *ret_port)
{
    struct netbroker_server *server;
    ck_assert_int_eq(
        netbroker_create_server(daemon->session, options, &recorded_server, &daemon->record, &server), 0);
    ck_assert_int_eq(netbroker_server_listen(server, &(struct netbroker_listen_options){.host = "127.0.0.1"}),
                     0);
    wait_for(daemon, "listening 127.0.0.1");
    daemon->record.text[0] = '\0';
    *ret_port = netbroker_server_address(server)->port;
    return server;
}
