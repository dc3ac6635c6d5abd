#include "config.h"

#include "block_list.h"
#include "chunk.h"
#include "fd_receive.h"

#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { WORKERS_MAX = 63, STOP_DEADLINE = 5000 };

/* ---- values ---- */

static bool read_number(const char *text, unsigned long most, unsigned long *ret_number)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number > most)
        return false;
    *ret_number = number;
    return true;
}

static bool set_text(char *to, const char *value)
{
    size_t length = strlen(value);
    if (!length || length >= NB_CONFIG_TEXT)
        return false;
    memcpy(to, value, length + 1);
    return true;
}

static bool set_socket(struct nb_config *config, const char *value)
{
    return set_text(config->socket, value);
}

static bool set_file(struct nb_config *config, const char *value)
{
    return set_text(config->file, value);
}

static bool set_workers(struct nb_config *config, const char *value)
{
    unsigned long number;
    if (!read_number(value, WORKERS_MAX, &number))
        return false;
    config->workers = (unsigned)number;
    return true;
}

static bool set_stop_deadline(struct nb_config *config, const char *value)
{
    unsigned long number;
    if (!read_number(value, INT_MAX, &number))
        return false;
    config->stop_deadline = (unsigned)number;
    return true;
}

static bool set_log_level(struct nb_config *config, const char *value)
{
    int level = nb_log_level_of(value);
    if (level < 0)
        return false;
    config->log_level = (enum nb_log_level)level;
    return true;
}

static const struct {
    const char *name;
    size_t offset;
    unsigned long least, most;
} limit_rows[] = {
    {"maxWrite", offsetof(struct nb_limits, max_write), 1024, 64 << 20},
    {"maxElements", offsetof(struct nb_limits, max_elements), 64, 1 << 20},
    {"maxText", offsetof(struct nb_limits, max_text), 256, 1 << 20},
    {"maxPending", offsetof(struct nb_limits, max_pending), 1, 1 << 20},
    {"maxSockets", offsetof(struct nb_limits, max_sockets), 1, 1 << 20},
    {"maxServers", offsetof(struct nb_limits, max_servers), 1, 65536},
    {"maxBlockLists", offsetof(struct nb_limits, max_block_lists), 1, 65536},
    {"maxRules", offsetof(struct nb_limits, max_rules), 1, 1 << 24},
    {"maxLookups", offsetof(struct nb_limits, max_lookups), 1, 1 << 20},
    {"maxFileRules", offsetof(struct nb_limits, max_file_rules), 1, NB_BLOCK_LIST_MAX},
    {"maxFdsPerFrame", offsetof(struct nb_limits, max_fds_per_frame), 1, NB_FDS_MAX},
    {"maxFdsUnclaimed", offsetof(struct nb_limits, max_fds_unclaimed), 1, 4096},
    {"readChunk", offsetof(struct nb_limits, read_chunk), 1, NB_CHUNK_LARGE / 2},
    {"outHigh", offsetof(struct nb_limits, out_high), 4096, 1 << 30},
    {"outLow", offsetof(struct nb_limits, out_low), 0, 1 << 30},
    {"unflushedHigh", offsetof(struct nb_limits, unflushed_high), 4096, 1 << 30},
    {"readWindow", offsetof(struct nb_limits, read_window), 0, 1 << 30},
    {"writeWindow", offsetof(struct nb_limits, write_window), 1, 1 << 30},
    {"sessionWriteWindow", offsetof(struct nb_limits, session_write_window), 1, 1 << 30},
    {"stallTimeout", offsetof(struct nb_limits, stall_timeout), 1, INT_MAX},
    {"offerTtl", offsetof(struct nb_limits, offer_ttl), 1, 3600},
    {"maxSessions", offsetof(struct nb_limits, max_sessions), 1, 65536},
    {"maxUidSessions", offsetof(struct nb_limits, max_uid_sessions), 1, 65536},
    {"maxLingering", offsetof(struct nb_limits, max_lingering), 0, 1 << 20},
    {"maxLingerBytes", offsetof(struct nb_limits, max_linger_bytes), 0, UINT32_MAX},
};

static bool set_limit(struct nb_config *config, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof limit_rows / sizeof *limit_rows; i++) {
        unsigned long number;
        if (strcmp(limit_rows[i].name, name) != 0)
            continue;
        if (!read_number(value, limit_rows[i].most, &number) || number < limit_rows[i].least)
            return false;
        *(uint32_t *)((char *)&config->limits + limit_rows[i].offset) = (uint32_t)number;
        config->limits.max_frame = config->limits.max_write + (64 << 10);
        return true;
    }
    return false;
}

/* NAME=VALUE */
static bool set_limit_pair(struct nb_config *config, const char *value)
{
    char name[64];
    const char *equals = strchr(value, '=');
    if (!equals || (size_t)(equals - value) >= sizeof name)
        return false;
    memcpy(name, value, (size_t)(equals - value));
    name[equals - value] = '\0';
    return set_limit(config, name, equals + 1);
}

static bool set_rights_of(struct nb_config *config, const char *uid, const char *rights)
{
    unsigned long number;
    struct nb_uid_rule *rule =
        read_number(uid, UINT_MAX - 1, &number) ? nb_policy_rule(&config->policy, (uid_t)number) : NULL;
    return rule && nb_rights_parse(rights, &rule->rights);
}

/* UID or UID:RIGHT,RIGHT */
static bool set_allow_uid(struct nb_config *config, const char *value)
{
    char uid[16];
    size_t length = strcspn(value, ":");
    if (length >= sizeof uid)
        return false;
    memcpy(uid, value, length);
    uid[length] = '\0';
    return set_rights_of(config, uid, value[length] ? value + length + 1 : "");
}

/* ---- block lists ---- */

static struct nb_list_setting *find_list(struct nb_config *config, const char *name)
{
    for (unsigned i = 0; i < config->list_count; i++)
        if (strcmp(config->lists[i].name, name) == 0)
            return &config->lists[i];
    return NULL;
}

static bool set_list_name(char *to, const char *name)
{
    size_t length = strlen(name);
    if (!length || length >= NB_CONFIG_NAME)
        return false;
    memcpy(to, name, length + 1);
    return true;
}

/* The same list again takes the place of the one before, as every setting does. */
static bool set_list_file(struct nb_config *config, const char *name, const char *file)
{
    struct nb_list_setting *list = find_list(config, name);
    if (list)
        return set_text(list->file, file);
    if (config->list_count == NB_CONFIG_LISTS)
        return false;
    list = &config->lists[config->list_count];
    if (!set_list_name(list->name, name) || !set_text(list->file, file))
        return false;
    config->list_count++;
    return true;
}

/* NAME=FILE */
static bool set_block_list(struct nb_config *config, const char *value)
{
    char name[NB_CONFIG_NAME];
    size_t length = strcspn(value, "=");
    if (!value[length] || length >= sizeof name)
        return false;
    memcpy(name, value, length);
    name[length] = '\0';
    return set_list_file(config, name, value + length + 1);
}

static bool set_deny_connect(struct nb_config *config, const char *value)
{
    return set_list_name(config->deny_connect, value);
}

static bool set_deny_accept(struct nb_config *config, const char *value)
{
    return set_list_name(config->deny_accept, value);
}

static int check_lists(struct nb_config *config, FILE *complaints)
{
    const char *const names[] = {config->deny_connect, config->deny_accept};
    for (unsigned i = 0; i < 2; i++) {
        if (!*names[i] || find_list(config, names[i]))
            continue;
        fprintf(complaints, "netbroker: %s: there is no block list %s\n", i ? "deny-accept" : "deny-connect",
                names[i]);
        return UV_EINVAL;
    }
    return 0;
}

/* ---- the one table ---- */

static const struct setting {
    const char *name; /* --name, and the key in the file */
    const char *variable; /* NULL: not in the environment */
    bool in_file;
    bool (*set)(struct nb_config *config, const char *value);
    const char *value_name, *help;
} settings[] = {
    {"socket", "NETBROKER_SOCKET", true, set_socket, "PATH",
     "where clients connect (default: netbroker.sock in $XDG_RUNTIME_DIR)"},
    {"config", "NETBROKER_CONFIG", false, set_file, "FILE", "an INI file with these settings"},
    {"workers", "NETBROKER_WORKERS", true, set_workers, "N",
     "loops that sessions are spread over (default: cores)"},
    {"log-level", "NETBROKER_LOG_LEVEL", true, set_log_level, "LEVEL", "error, warning, info or debug"},
    {"stop-deadline", "NETBROKER_STOP_DEADLINE", true, set_stop_deadline, "MS",
     "time that clients get to finish at SIGTERM (default 5000)"},
    {"limit", NULL, false, set_limit_pair, "NAME=VALUE", "a limit of the protocol, such as maxSockets=1000"},
    {"allow-uid", NULL, false, set_allow_uid, "UID[:RIGHTS]",
     "let another uid in; rights: unix, low-ports, bind, fd=NAME"},
    {"block-list", NULL, false, set_block_list, "NAME=FILE", "a block list that every session can use"},
    {"deny-connect", NULL, true, set_deny_connect, "NAME", "no session connects to addresses on that list"},
    {"deny-accept", NULL, true, set_deny_accept, "NAME", "no server accepts from addresses on that list"},
};

enum { SETTING_COUNT = sizeof settings / sizeof *settings };

void nb_config_print_help(FILE *out)
{
    fprintf(out, "usage: netbroker serve [options]\n\nRuns the broker in the foreground.\n\n");
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(out, "  --%-14s %-13s %s\n", settings[i].name, settings[i].value_name, settings[i].help);
    fprintf(out, "  --%-14s %-13s %s\n", "help", "", "this text");
    fprintf(out,
            "\nEach is also read from NETBROKER_... variables and from the file: see netbroker-serve(1).\n");
}

/* ---- sources ---- */

static int read_environment(struct nb_config *config, FILE *complaints)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = settings[i].variable ? getenv(settings[i].variable) : NULL;
        if (value && *value && !settings[i].set(config, value)) {
            fprintf(complaints, "netbroker: %s: not a valid %s: %s\n", settings[i].variable, settings[i].name,
                    value);
            return UV_EINVAL;
        }
    }
    return 0;
}

static bool take_entry(struct nb_config *config, const char *section, const char *name, const char *value)
{
    if (strcmp(section, "limits") == 0)
        return set_limit(config, name, value);
    if (strncmp(section, "uid ", 4) == 0)
        return strcmp(name, "allow") == 0 && set_rights_of(config, section + 4, value);
    if (strncmp(section, "block-list ", 11) == 0)
        return strcmp(name, "file") == 0 && set_list_file(config, section + 11, value);
    if (strcmp(section, "netbroker") != 0)
        return false;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (settings[i].in_file && strcmp(settings[i].name, name) == 0)
            return settings[i].set(config, value);
    return false;
}

static int on_entry(void *user, const char *section, const char *name, const char *value)
{
    return take_entry(user, section, name, value);
}

/* As ini_parse: 0, the number of the first line that is wrong, or -1 with errno; that of reading, too. */
static int parse_file(struct nb_config *config)
{
    FILE *file = fopen(config->file, "re");
    if (!file)
        return -1;
    int line = ini_parse_file(file, on_entry, config);
    int error = errno;
    if (line == 0 && ferror(file))
        line = -1;
    fclose(file);
    errno = error;
    return line;
}

static int read_file(struct nb_config *config, FILE *complaints)
{
    int line = parse_file(config);
    if (line == 0)
        return 0;
    if (line < 0)
        fprintf(complaints, "netbroker: cannot read %s: %s\n", config->file, strerror(errno));
    else
        fprintf(complaints, "netbroker: %s:%d: not a known setting, or not a valid value\n", config->file,
                line);
    return UV_EINVAL;
}

static int read_options(struct nb_config *config, int argc, char **argv, FILE *complaints)
{
    struct option options[SETTING_COUNT + 2] = {{0}};
    int chosen;
    for (int i = 0; i < SETTING_COUNT; i++)
        options[i] = (struct option){settings[i].name, required_argument, NULL, i};
    options[SETTING_COUNT] = (struct option){"help", no_argument, NULL, SETTING_COUNT};
    optind = 0; /* the command line may be read twice */
    opterr = 0;
    for (int at = 1; (chosen = getopt_long(argc, argv, "+:", options, NULL)) != -1; at = optind) {
        if (chosen == SETTING_COUNT) {
            config->shows_help = true;
        } else if (chosen == ':' || chosen == '?') {
            fprintf(complaints, "netbroker: %s: %s\n", argv[at],
                    chosen == ':' ? "needs a value" : "not a known option");
            return UV_EINVAL;
        } else if (!settings[chosen].set(config, optarg)) {
            fprintf(complaints, "netbroker: --%s: not a valid value: %s\n", settings[chosen].name, optarg);
            return UV_EINVAL;
        }
    }
    if (optind == argc)
        return 0;
    fprintf(complaints, "netbroker: %s: not expected\n", argv[optind]);
    return UV_EINVAL;
}

/* Without any, the socket must be inherited. */
static void find_socket(struct nb_config *config)
{
    const char *directory = getenv("XDG_RUNTIME_DIR");
    if (*config->socket || !directory || !*directory)
        return;
    if (snprintf(config->socket, sizeof config->socket, "%s/netbroker.sock", directory) >=
        (int)sizeof config->socket)
        *config->socket = '\0';
}

static int check_limits(const struct nb_limits *limits, FILE *complaints)
{
    if (limits->out_low < limits->out_high)
        return 0;
    fprintf(complaints, "netbroker: limit outLow must be below outHigh\n");
    return UV_EINVAL;
}

/* The file's name may stand in the environment or on the command line, which both go over its content. */
int nb_config_load(struct nb_config *ret_config, int argc, char **argv, FILE *complaints)
{
    struct nb_config config = {
        .log_level = NB_LOG_INFO, .stop_deadline = STOP_DEADLINE, .limits = NB_LIMITS_DEFAULT};
    struct nb_config names = config;
    int status = read_environment(&names, complaints);
    if (status == 0)
        status = read_options(&names, argc, argv, complaints);
    if (status == 0 && *names.file) {
        set_file(&config, names.file);
        status = read_file(&config, complaints);
    }
    if (status == 0)
        status = read_environment(&config, complaints);
    if (status == 0)
        status = read_options(&config, argc, argv, complaints);
    if (status == 0)
        status = check_limits(&config.limits, complaints);
    if (status == 0)
        status = check_lists(&config, complaints);
    if (status < 0)
        return status;
    find_socket(&config);
    if (!config.workers)
        config.workers = uv_available_parallelism() < WORKERS_MAX ? uv_available_parallelism() : WORKERS_MAX;
    *ret_config = config;
    return 0;
}
