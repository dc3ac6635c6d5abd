#include "control_socket.h"
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static char directory[64], path[128], lock[140];
static const char *reason;

static void begin(void)
{
    strcpy(directory, "/tmp/nb-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(lock, sizeof lock, "%s.lock", path);
    reason = "";
}

static int entries_in(const char *name)
{
    int count = 0;
    DIR *listing = opendir(name);
    ck_assert_ptr_nonnull(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(listing);
    return count;
}

/* Nothing may be left in the directory. */
static void end(void)
{
    ck_assert_int_eq(entries_in(directory), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static mode_t mode_of(const char *name)
{
    struct stat file;
    ck_assert_int_eq(lstat(name, &file), 0);
    return file.st_mode & 07777;
}

static bool is_there(const char *name)
{
    return access(name, F_OK) == 0;
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    close(fd);
    return status;
}

/* A socket that listens on the path without a lock, as another program's would. */
static int foreign_listener(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

START_TEST(it_opens_and_leaves_nothing)
{
    struct nb_control_socket control;
    begin();
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
    ck_assert_int_eq(connect_to(path), 0);
    ck_assert(is_there(lock));
    ck_assert_uint_eq(mode_of(lock), 0600);
    ck_assert_int_ne(fcntl(control.fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_ne(fcntl(control.lock, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_ne(fcntl(control.fd, F_GETFL) & O_NONBLOCK, 0);
    nb_control_socket_close(&control);
    end();
}
END_TEST

/* The daemon has umask 0; another umask only takes bits away, never in a later step. */
START_TEST(the_file_has_the_mode_that_was_asked_for)
{
    static const mode_t modes[] = {0600, 0666};
    mode_t umask_before = umask(0);
    begin();
    for (unsigned i = 0; i < 2; i++) {
        struct nb_control_socket control;
        ck_assert_int_eq(nb_control_socket_open(&control, path, modes[i], &reason), 0);
        ck_assert_uint_eq(mode_of(path), modes[i]);
        nb_control_socket_close(&control);
    }
    umask(umask_before);
    end();
}
END_TEST

/* A second process looks for a wrong mode at every moment in which the file exists. */
START_TEST(the_mode_is_never_wider)
{
    enum { ROUNDS = 300 };
    mode_t umask_before = umask(0);
    begin();
    int to_watcher[2];
    ck_assert_int_eq(pipe2(to_watcher, O_NONBLOCK), 0);
    pid_t watcher = fork();
    if (watcher == 0) {
        struct stat file;
        bool is_wide = false;
        close(to_watcher[1]);
        while (read(to_watcher[0], &(char){0}, 1) < 0)
            is_wide |= lstat(path, &file) == 0 && (file.st_mode & 077);
        _exit(is_wide);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct nb_control_socket control;
        ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
        nb_control_socket_close(&control);
    }
    close(to_watcher[0]);
    close(to_watcher[1]);
    int status;
    ck_assert_int_eq(waitpid(watcher, &status, 0), watcher);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    umask(umask_before);
    end();
}
END_TEST

START_TEST(a_missing_directory_is_made_for_the_owner_only)
{
    struct nb_control_socket control;
    char inner[96], deep[128];
    begin();
    snprintf(inner, sizeof inner, "%s/run", directory);
    snprintf(deep, sizeof deep, "%s/s", inner);
    mode_t umask_before = umask(0);
    ck_assert_int_eq(nb_control_socket_open(&control, deep, 0600, &reason), 0);
    umask(umask_before);
    ck_assert_uint_eq(mode_of(inner), 0700);
    nb_control_socket_close(&control);
    ck_assert_int_eq(entries_in(inner), 0);
    ck_assert_int_eq(rmdir(inner), 0);
    snprintf(deep, sizeof deep, "%s/a/b/s", directory);
    ck_assert_int_eq(nb_control_socket_open(&control, deep, 0600, &reason), UV_ENOENT);
    ck_assert_str_eq(reason, "cannot make the directory");
    end();
}
END_TEST

START_TEST(an_existing_directory_stays_as_it_is)
{
    struct nb_control_socket control;
    begin();
    ck_assert_int_eq(chmod(directory, 0755), 0);
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
    ck_assert_uint_eq(mode_of(directory), 0755);
    nb_control_socket_close(&control);
    end();
}
END_TEST

START_TEST(one_daemon_a_path)
{
    struct nb_control_socket first, second;
    begin();
    ck_assert_int_eq(nb_control_socket_open(&first, path, 0600, &reason), 0);
    ck_assert_int_eq(nb_control_socket_open(&second, path, 0600, &reason), UV_EADDRINUSE);
    ck_assert_str_eq(reason, "another broker holds the lock file beside it");
    nb_control_socket_close(&second); /* does nothing to the first */
    ck_assert_int_eq(connect_to(path), 0);
    ck_assert(is_there(lock));
    nb_control_socket_close(&first);
    ck_assert_int_eq(nb_control_socket_open(&second, path, 0600, &reason), 0);
    nb_control_socket_close(&second);
    end();
}
END_TEST

/* Both its socket and its lock file are there, and nobody holds either. */
START_TEST(what_a_dead_daemon_left_is_taken_over)
{
    struct nb_control_socket control;
    begin();
    pid_t daemon = fork();
    if (daemon == 0)
        _exit(nb_control_socket_open(&control, path, 0600, &reason) == 0 ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert(is_there(path) && is_there(lock));
    ck_assert_int_eq(connect_to(path), UV_ECONNREFUSED);
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
    ck_assert_int_eq(connect_to(path), 0);
    nb_control_socket_close(&control);
    end();
}
END_TEST

START_TEST(a_living_program_without_the_lock_is_left_alone)
{
    struct nb_control_socket control;
    begin();
    int other = foreign_listener();
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), UV_EADDRINUSE);
    ck_assert_str_eq(reason, "something else is there");
    ck_assert_int_eq(connect_to(path), 0);
    ck_assert(!is_there(lock));
    close(other);
    unlink(path);
    end();
}
END_TEST

/* Its backlog is full: the probe is not refused, so somebody is there. */
START_TEST(a_busy_program_is_left_alone)
{
    struct nb_control_socket control;
    int waiting[8], count = 0;
    begin();
    int other = foreign_listener();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    while (count < 8) {
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(waiting[count++], (struct sockaddr *)&address, sizeof address) < 0)
            break;
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), UV_EADDRINUSE);
    ck_assert(is_there(path));
    while (count)
        close(waiting[--count]);
    close(other);
    unlink(path);
    end();
}
END_TEST

static void expect_file_is_kept(void)
{
    struct nb_control_socket control;
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), UV_EADDRINUSE);
    ck_assert_str_eq(reason, "something else is there");
    ck_assert(!is_there(lock));
}

START_TEST(other_kinds_of_file_are_left_alone)
{
    begin();
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, "mine", 4), 4);
    close(fd);
    expect_file_is_kept();
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_int_eq(file.st_size, 4);
    unlink(path);
    ck_assert_int_eq(symlink("/nowhere", path), 0);
    expect_file_is_kept();
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_file_is_kept();
    rmdir(path);
    end();
}
END_TEST

START_TEST(a_lock_file_that_is_a_link_is_not_followed)
{
    struct nb_control_socket control;
    char victim[128];
    begin();
    snprintf(victim, sizeof victim, "%s/victim", directory);
    ck_assert_int_eq(symlink(victim, lock), 0);
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), UV_ELOOP);
    ck_assert_str_eq(reason, "cannot make the lock file beside it");
    ck_assert(!is_there(victim) && !is_there(path));
    unlink(lock);
    end();
}
END_TEST

/* The name was taken by somebody else meanwhile: closing does not take it away from them. */
START_TEST(a_name_that_changed_hands_is_left)
{
    struct nb_control_socket control;
    begin();
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
    ck_assert_int_eq(unlink(path), 0);
    int other = foreign_listener();
    nb_control_socket_close(&control);
    ck_assert_int_eq(connect_to(path), 0);
    ck_assert(!is_there(lock));
    close(other);
    unlink(path);
    end();
}
END_TEST

/* In a process of its own: tries when the gate opens, says so, and holds what it got until told to let go. */
static void compete(int gate, int tried, int done)
{
    struct nb_control_socket control;
    char byte = 0;
    (void)!read(gate, &byte, 1);
    int status = nb_control_socket_open(&control, path, 0600, &reason);
    (void)!write(tried, &byte, 1);
    (void)!read(done, &byte, 1);
    if (status == 0)
        nb_control_socket_close(&control);
    _exit(status == 0 ? 1 : status == UV_EADDRINUSE ? 0 : 2);
}

/* Several that start at once, again and again: one and only one of them gets the path each time. */
START_TEST(of_many_at_once_one_wins)
{
    enum { PROCESSES = 8, ROUNDS = 20 };
    begin();
    for (unsigned round = 0; round < ROUNDS; round++) {
        int gate[2], tried[2], done[2], winners = 0;
        ck_assert(pipe(gate) == 0 && pipe(tried) == 0 && pipe(done) == 0);
        for (unsigned i = 0; i < PROCESSES; i++) {
            if (fork() == 0) {
                close(gate[1]);
                close(done[1]);
                compete(gate[0], tried[1], done[0]);
            }
        }
        close(gate[1]); /* go */
        for (unsigned i = 0; i < PROCESSES; i++)
            ck_assert_int_eq(read(tried[0], &(char){0}, 1), 1);
        close(done[1]); /* let go */
        for (unsigned i = 0; i < PROCESSES; i++) {
            int status;
            wait(&status);
            ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
            winners += WEXITSTATUS(status);
        }
        ck_assert_int_eq(winners, 1);
        close(gate[0]);
        close(tried[0]);
        close(tried[1]);
        close(done[0]);
    }
    end();
}
END_TEST

/* A path of that many bytes in the directory. */
static void make_path(size_t length)
{
    size_t used = strlen(directory);
    memset(path, 'p', sizeof path);
    memcpy(path, directory, used);
    path[used] = '/';
    path[length] = '\0';
}

START_TEST(a_path_has_at_most_107_bytes)
{
    struct nb_control_socket control;
    begin();
    make_path(107);
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
    ck_assert(is_there(path));
    ck_assert_int_eq(connect_to(path), 0);
    nb_control_socket_close(&control);
    ck_assert_int_eq(entries_in(directory), 0);
    make_path(108);
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), UV_ENAMETOOLONG);
    ck_assert_str_eq(reason, "the path is too long for a Unix socket (107 bytes)");
    ck_assert_int_eq(nb_control_socket_open(&control, "", 0600, &reason), UV_EINVAL);
    end();
}
END_TEST

START_TEST(an_inherited_socket_is_closed_but_not_removed)
{
    struct nb_control_socket control;
    begin();
    int fd = foreign_listener();
    nb_control_socket_inherit(&control, fd);
    nb_control_socket_close(&control);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ck_assert(is_there(path));
    unlink(path);
    end();
}
END_TEST

START_TEST(a_given_away_socket_is_not_closed)
{
    struct nb_control_socket control;
    begin();
    ck_assert_int_eq(nb_control_socket_open(&control, path, 0600, &reason), 0);
    int fd = control.fd;
    control.fd = -1;
    nb_control_socket_close(&control);
    nb_control_socket_close(&control); /* at the end of the daemon, again */
    ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
    close(fd);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        it_opens_and_leaves_nothing,
        the_file_has_the_mode_that_was_asked_for,
        the_mode_is_never_wider,
        a_missing_directory_is_made_for_the_owner_only,
        an_existing_directory_stays_as_it_is,
        one_daemon_a_path,
        what_a_dead_daemon_left_is_taken_over,
        a_living_program_without_the_lock_is_left_alone,
        a_busy_program_is_left_alone,
        other_kinds_of_file_are_left_alone,
        a_lock_file_that_is_a_link_is_not_followed,
        a_name_that_changed_hands_is_left,
        of_many_at_once_one_wins,
        a_path_has_at_most_107_bytes,
        an_inherited_socket_is_closed_but_not_removed,
        a_given_away_socket_is_not_closed,
        NULL,
    };
    return run_suite("control socket", tests);
}
