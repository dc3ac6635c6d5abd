#include "config.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static struct nb_config config;
static char *complaints; /* of the last load */
static char file_path[64];

/* Each test is a process of its own, but not under CK_FORK=no. */
static void clear_environment(void)
{
    static const char *const variables[] = {"NETBROKER_SOCKET",        "NETBROKER_CONFIG",
                                            "NETBROKER_WORKERS",       "NETBROKER_LOG_LEVEL",
                                            "NETBROKER_STOP_DEADLINE", "XDG_RUNTIME_DIR"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

static void begin(void)
{
    clear_environment();
    memset(&config, 0x5a, sizeof config);
}

static void end(void)
{
    free(complaints);
    complaints = NULL;
    if (*file_path)
        unlink(file_path);
    *file_path = '\0';
    clear_environment();
}

/* Loads with up to four words on the command line. */
static int load(const char *a, const char *b, const char *c, const char *d)
{
    const char *words[] = {"serve", a, b, c, d, NULL};
    char *argv[6] = {0};
    size_t size;
    int argc = 0;
    while (words[argc]) {
        argv[argc] = (char *)words[argc];
        argc++;
    }
    free(complaints);
    FILE *out = open_memstream(&complaints, &size);
    int status = nb_config_load(&config, argc, argv, out);
    fclose(out);
    return status;
}

static void write_file(const char *text)
{
    strcpy(file_path, "/tmp/nb-config-XXXXXX");
    int fd = mkstemp(file_path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int load_file(const char *text)
{
    write_file(text);
    return load("--config", file_path, NULL, NULL);
}

static void expect_complaint(int status, const char *part)
{
    ck_assert_int_eq(status, UV_EINVAL);
    ck_assert_msg(strstr(complaints, part) != NULL, "%s does not say %s", complaints, part);
    ck_assert_int_eq(complaints[strlen(complaints) - 1], '\n');
}

START_TEST(nothing_is_needed)
{
    begin();
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_str_eq(config.socket, "");
    ck_assert_str_eq(config.file, "");
    ck_assert_uint_ge(config.workers, 1);
    ck_assert_uint_eq(config.stop_deadline, 5000);
    ck_assert_int_eq(config.log_level, NB_LOG_INFO);
    ck_assert_uint_eq(config.limits.max_write, 1 << 20);
    ck_assert_uint_eq(config.limits.max_sockets, 16384);
    ck_assert_uint_eq(config.policy.count, 0);
    ck_assert(!config.shows_help);
    ck_assert_str_eq(complaints, "");
    end();
}
END_TEST

START_TEST(the_socket_is_in_the_runtime_directory)
{
    begin();
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_str_eq(config.socket, "/run/user/7/netbroker.sock");
    ck_assert_int_eq(load("--socket", "/s", NULL, NULL), 0);
    ck_assert_str_eq(config.socket, "/s");
    setenv("XDG_RUNTIME_DIR", "", 1);
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_str_eq(config.socket, "");
    end();
}
END_TEST

START_TEST(every_setting_from_the_file)
{
    begin();
    ck_assert_int_eq(
        load_file(
            "[netbroker]\nsocket = /run/a\nworkers = 3\nlog-level = debug\n"
            "stop-deadline = 70\n[limits]\nmaxFdsPerFrame = 3\nmaxFdsUnclaimed = 4\nmaxWrite = "
            "2048\nmaxElements = 70\nmaxText = 300\n"
            "maxPending = 5\nmaxSockets = 6\nmaxServers = 7\nreadChunk = 8\noutHigh = 9000\n"
            "outLow = 10\nunflushedHigh = 9001\nstallTimeout = 12\nmaxSessions = 13\nmaxUidSessions = 11\n"
            "maxLingering = 0\nmaxLingerBytes = 4294967295\n"
            "readWindow = 0\nwriteWindow = 14\nsessionWriteWindow = 15\n"
            "[uid 1000]\nallow = unix, bind\n[uid 1001]\nallow =\n"),
        0);
    ck_assert_str_eq(complaints, "");
    ck_assert_str_eq(config.socket, "/run/a");
    ck_assert_str_eq(config.file, file_path);
    ck_assert_uint_eq(config.workers, 3);
    ck_assert_int_eq(config.log_level, NB_LOG_DEBUG);
    ck_assert_uint_eq(config.stop_deadline, 70);
    const struct nb_limits *limits = &config.limits;
    ck_assert_uint_eq(limits->max_fds_per_frame, 3);
    ck_assert_uint_eq(limits->max_fds_unclaimed, 4);
    ck_assert_uint_eq(limits->max_write, 2048);
    ck_assert_uint_eq(limits->max_frame, 2048 + 65536);
    ck_assert_uint_eq(limits->max_elements, 70);
    ck_assert_uint_eq(limits->max_text, 300);
    ck_assert_uint_eq(limits->max_pending, 5);
    ck_assert_uint_eq(limits->max_sockets, 6);
    ck_assert_uint_eq(limits->max_servers, 7);
    ck_assert_uint_eq(limits->read_chunk, 8);
    ck_assert_uint_eq(limits->out_high, 9000);
    ck_assert_uint_eq(limits->out_low, 10);
    ck_assert_uint_eq(limits->unflushed_high, 9001);
    ck_assert_uint_eq(limits->read_window, 0);
    ck_assert_uint_eq(limits->write_window, 14);
    ck_assert_uint_eq(limits->session_write_window, 15);
    ck_assert_uint_eq(limits->stall_timeout, 12);
    ck_assert_uint_eq(limits->max_sessions, 13);
    ck_assert_uint_eq(limits->max_uid_sessions, 11);
    ck_assert_uint_eq(limits->max_lingering, 0);
    ck_assert_uint_eq(limits->max_linger_bytes, UINT32_MAX);
    ck_assert_uint_eq(config.policy.count, 2);
    ck_assert_uint_eq(config.policy.rules[0].uid, 1000);
    ck_assert(config.policy.rules[0].rights.unix_paths && config.policy.rules[0].rights.bind);
    ck_assert(!config.policy.rules[0].rights.low_ports);
    ck_assert(!config.policy.rules[1].rights.unix_paths && !config.policy.rules[1].rights.bind);
    end();
}
END_TEST

START_TEST(every_setting_from_the_environment)
{
    begin();
    write_file("[netbroker]\nworkers = 9\n");
    setenv("NETBROKER_SOCKET", "/run/b", 1);
    setenv("NETBROKER_CONFIG", file_path, 1);
    setenv("NETBROKER_LOG_LEVEL", "warning", 1);
    setenv("NETBROKER_STOP_DEADLINE", "0", 1);
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_str_eq(config.socket, "/run/b");
    ck_assert_str_eq(config.file, file_path);
    ck_assert_uint_eq(config.workers, 9);
    ck_assert_int_eq(config.log_level, NB_LOG_WARNING);
    ck_assert_uint_eq(config.stop_deadline, 0);
    setenv("NETBROKER_WORKERS", "4", 1);
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(config.workers, 4);
    setenv("NETBROKER_WORKERS", "", 1); /* as if it were not there */
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(config.workers, 9);
    end();
}
END_TEST

START_TEST(every_setting_on_the_command_line)
{
    begin();
    ck_assert_int_eq(load("--socket=/run/c", "--workers=63", "--log-level=error", "--stop-deadline=1"), 0);
    ck_assert_str_eq(config.socket, "/run/c");
    ck_assert_uint_eq(config.workers, 63);
    ck_assert_int_eq(config.log_level, NB_LOG_ERROR);
    ck_assert_uint_eq(config.stop_deadline, 1);
    ck_assert_int_eq(load("--limit", "maxSockets=10", "--limit", "readChunk=131072"), 0);
    ck_assert_uint_eq(config.limits.max_sockets, 10);
    ck_assert_uint_eq(config.limits.read_chunk, 131072);
    ck_assert_int_eq(load("--allow-uid", "5", "--allow-uid", "6:low-ports,unix"), 0);
    ck_assert_uint_eq(config.policy.count, 2);
    ck_assert_uint_eq(config.policy.rules[0].uid, 5);
    ck_assert_uint_eq(config.policy.rules[1].uid, 6);
    ck_assert(config.policy.rules[1].rights.low_ports && config.policy.rules[1].rights.unix_paths);
    ck_assert(!config.policy.rules[1].rights.bind);
    end();
}
END_TEST

START_TEST(the_command_line_goes_over_the_environment_over_the_file)
{
    begin();
    write_file("[netbroker]\nsocket = /file\nworkers = 1\nlog-level = error\n[limits]\nmaxSockets = "
               "1\nmaxServers = 2\n"
               "[uid 9]\nallow = bind\n");
    setenv("NETBROKER_SOCKET", "/environment", 1);
    setenv("NETBROKER_WORKERS", "2", 1);
    setenv("NETBROKER_CONFIG", "/nowhere/to/be/found", 1);
    ck_assert_int_eq(load("--config", file_path, "--socket=/line", "--limit=maxSockets=3"), 0);
    ck_assert_str_eq(config.socket, "/line");
    ck_assert_uint_eq(config.workers, 2);
    ck_assert_int_eq(config.log_level, NB_LOG_ERROR);
    ck_assert_uint_eq(config.limits.max_sockets, 3);
    ck_assert_uint_eq(config.limits.max_servers, 2);
    ck_assert_int_eq(load("--config", file_path, "--allow-uid=9:unix", NULL), 0);
    ck_assert_uint_eq(config.policy.count, 1);
    ck_assert(config.policy.rules[0].rights.unix_paths && !config.policy.rules[0].rights.bind);
    end();
}
END_TEST

START_TEST(a_bad_value_on_the_command_line_is_named)
{
    static const char *const bad[][2] = {
        {"--socket", ""},
        {"--workers", "64"},
        {"--workers", "-1"},
        {"--workers", " 1"},
        {"--workers", "1x"},
        {"--workers", "+1"},
        {"--log-level", "loud"},
        {"--stop-deadline", "2147483648"},
        {"--limit", "maxSockets"},
        {"--limit", "maxSockets="},
        {"--limit", "maxSockets=0"},
        {"--limit", "maxFish=1"},
        {"--limit", "readChunk=131073"},
        {"--limit", "stallTimeout=99999999999999999999"},
        {"--limit", "=1"},
        {"--allow-uid", "nobody"},
        {"--allow-uid", "1:fly"},
        {"--allow-uid", ""},
        {"--allow-uid", "4294967295"},
        {"--allow-uid", "12345678901234567890:bind"},
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "netbroker: %s: not a valid value: %s\n", bad[i][0], bad[i][1]);
        expect_complaint(load(bad[i][0], bad[i][1], NULL, NULL), expected);
        ck_assert_int_eq(config.socket[0], 0x5a); /* untouched */
    }
    end();
}
END_TEST

START_TEST(the_command_line_itself_may_be_wrong)
{
    begin();
    expect_complaint(load("--workers", NULL, NULL, NULL), "netbroker: --workers: needs a value\n");
    expect_complaint(load("--sokcet", "/a", NULL, NULL), "netbroker: --sokcet: not a known option\n");
    expect_complaint(load("--help=now", NULL, NULL, NULL), "netbroker: --help=now: not a known option\n");
    expect_complaint(load("-w", NULL, NULL, NULL), "netbroker: -w: not a known option\n");
    expect_complaint(load("-wx", "--workers=1", NULL, NULL), "netbroker: -wx: not a known option\n");
    expect_complaint(load("now", NULL, NULL, NULL), "netbroker: now: not expected\n");
    expect_complaint(load("--", "--workers=1", NULL, NULL), "netbroker: --workers=1: not expected\n");
    end();
}
END_TEST

START_TEST(a_bad_value_in_the_environment_is_named)
{
    begin();
    setenv("NETBROKER_WORKERS", "many", 1);
    expect_complaint(load(NULL, NULL, NULL, NULL),
                     "netbroker: NETBROKER_WORKERS: not a valid workers: many\n");
    unsetenv("NETBROKER_WORKERS");
    setenv("NETBROKER_LOG_LEVEL", "INFO", 1);
    expect_complaint(load(NULL, NULL, NULL, NULL), "netbroker: NETBROKER_LOG_LEVEL: ");
    end();
}
END_TEST

START_TEST(a_path_has_an_end)
{
    static char path[NB_CONFIG_TEXT + 1];
    begin();
    memset(path, 'a', NB_CONFIG_TEXT - 1);
    ck_assert_int_eq(load("--socket", path, NULL, NULL), 0);
    ck_assert_str_eq(config.socket, path);
    path[NB_CONFIG_TEXT - 1] = 'a';
    expect_complaint(load("--socket", path, NULL, NULL), "netbroker: --socket: not a valid value");
    path[NB_CONFIG_TEXT - 5] = '\0';
    setenv("XDG_RUNTIME_DIR", path, 1);
    ck_assert_int_eq(load(NULL, NULL, NULL, NULL), 0);
    ck_assert_str_eq(config.socket, ""); /* cut short it would be another one */
    end();
}
END_TEST

static void expect_bad_line(const char *text, int line)
{
    char expected[128];
    int status = load_file(text);
    snprintf(expected, sizeof expected, "netbroker: %s:%d: ", file_path, line);
    expect_complaint(status, expected);
    unlink(file_path);
}

START_TEST(a_bad_line_in_the_file_is_named)
{
    begin();
    expect_bad_line("[netbroker]\nworkers = 1\nworkers = x\n", 3);
    expect_bad_line("[netbroker]\nfish = 1\n", 2);
    expect_bad_line("workers = 1\n", 1);
    expect_bad_line("[fish]\n\n; a remark\nworkers = 1\n", 4);
    expect_bad_line("[netbroker]\nconfig = /a\n", 2); /* a file does not name a file */
    expect_bad_line("[netbroker]\nlimit = maxSockets=1\n", 2);
    expect_bad_line("[netbroker]\nthis is no setting\n", 2);
    expect_bad_line("[limits]\nmaxFrame = 100000\n", 2);
    expect_bad_line("[limits]\nmaxSockets = 0\n", 2);
    expect_bad_line("[uid x]\nallow = bind\n", 2);
    expect_bad_line("[uid 1]\nallow = binds\n", 2);
    expect_bad_line("[uid 1]\ndeny = bind\n", 2);
    end();
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
    begin();
    expect_complaint(load("--config", "/nowhere/nb.ini", NULL, NULL),
                     "netbroker: cannot read /nowhere/nb.ini: No such file or directory\n");
    expect_complaint(load("--config", "/tmp", NULL, NULL), "netbroker: cannot read /tmp: Is a directory\n");
    end();
}
END_TEST

START_TEST(limits_must_fit_together)
{
    begin();
    expect_complaint(load("--limit=outLow=5000", "--limit=outHigh=5000", NULL, NULL),
                     "outLow must be below outHigh");
    ck_assert_int_eq(load("--limit=outLow=4999", "--limit=outHigh=5000", NULL, NULL), 0);
    end();
}
END_TEST

START_TEST(rules_have_a_number)
{
    static char text[NB_UID_RULES_MAX * 32 + 64];
    char *at = text;
    begin();
    for (unsigned i = 0; i < NB_UID_RULES_MAX; i++)
        at += sprintf(at, "[uid %u]\nallow = bind\n", 10 + i);
    ck_assert_int_eq(load_file(text), 0);
    ck_assert_uint_eq(config.policy.count, NB_UID_RULES_MAX);
    unlink(file_path);
    sprintf(at, "[uid 5]\nallow = bind\n");
    expect_bad_line(text, 2 * NB_UID_RULES_MAX + 2);
    end();
}
END_TEST

START_TEST(block_lists_have_a_name_and_a_file)
{
    begin();
    ck_assert_int_eq(load_file("[netbroker]\ndeny-connect = inside\n[block-list inside]\nfile = /a/b.txt\n"
                               "[block-list out side]\nfile = c.json\n"),
                     0);
    ck_assert_uint_eq(config.list_count, 2);
    ck_assert_str_eq(config.lists[0].name, "inside");
    ck_assert_str_eq(config.lists[0].file, "/a/b.txt");
    ck_assert_str_eq(config.lists[1].name, "out side");
    ck_assert_str_eq(config.deny_connect, "inside");
    ck_assert_str_eq(config.deny_accept, "");
    end();
}
END_TEST

START_TEST(a_list_that_is_denied_must_be_there)
{
    begin();
    expect_complaint(load("--block-list=a=/x", "--deny-accept=b", NULL, NULL),
                     "netbroker: deny-accept: there is no block list b");
    ck_assert_int_eq(load("--block-list=a=/x", "--deny-accept=a", NULL, NULL), 0);
    ck_assert_int_eq(load("--block-list=a=/x", "--block-list=a=/y=z", NULL, NULL), 0);
    ck_assert_uint_eq(config.list_count, 1);
    ck_assert_str_eq(config.lists[0].file, "/y=z"); /* the later one wins */
    expect_complaint(load("--block-list=a", NULL, NULL, NULL), "--block-list: not a valid value: a");
    expect_complaint(load("--block-list==/x", NULL, NULL, NULL), "not a valid value");
    expect_complaint(load("--block-list=a=", NULL, NULL, NULL), "not a valid value");
    end();
}
END_TEST

START_TEST(help_names_every_setting)
{
    static const char *const names[] = {"--socket",        "--config", "--workers",   "--log-level",
                                        "--stop-deadline", "--limit",  "--allow-uid", "--help"};
    char *text;
    size_t size;
    begin();
    ck_assert_int_eq(load("--help", NULL, NULL, NULL), 0);
    ck_assert(config.shows_help);
    FILE *out = open_memstream(&text, &size);
    nb_config_print_help(out);
    fclose(out);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(strstr(text, names[i]) != NULL, "no %s", names[i]);
    ck_assert_ptr_eq(strstr(text, "usage: "), text);
    free(text);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing_is_needed,
        the_socket_is_in_the_runtime_directory,
        every_setting_from_the_file,
        every_setting_from_the_environment,
        every_setting_on_the_command_line,
        the_command_line_goes_over_the_environment_over_the_file,
        a_bad_value_on_the_command_line_is_named,
        the_command_line_itself_may_be_wrong,
        a_bad_value_in_the_environment_is_named,
        a_path_has_an_end,
        a_bad_line_in_the_file_is_named,
        a_file_that_is_not_there_is_named,
        limits_must_fit_together,
        rules_have_a_number,
        block_lists_have_a_name_and_a_file,
        a_list_that_is_denied_must_be_there,
        help_names_every_setting,
        NULL,
    };
    return run_suite("config", tests);
}
