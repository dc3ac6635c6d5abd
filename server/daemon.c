#include "daemon.h"

#include "acceptor.h"
#include "configured_lists.h"
#include "control_socket.h"
#include "fd_reserve.h"
#include "hash.h"
#include "host.h"
#include "inherited.h"
#include "lingering.h"
#include "list_keeper.h"
#include "log.h"
#include "memory.h"
#include "offering.h"
#include "resolver.h"
#include "server.h"
#include "session.h"
#include "systemd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SIGNALS = 3,
    LAST_LIMIT = NB_SESSION_GOODBYE + 500, /* ms behind the deadline for whoever may not read */
};

/* Of the end. */
struct deadline {
    struct nb_timer timer;
    struct daemon *daemon; /* borrowed */
};

/*
 *   RUNNING --signal--> CLOSING (clients are told, and have until the deadline)
 *           --last host gone--> gone
 *
 * A second signal, or the deadline, ends the sessions that are left; what they
 * leave behind has another moment.
 */
struct daemon {
    struct nb_actor actor;
    const struct nb_config *config; /* borrowed */
    struct nb_runtime *runtime; /* borrowed */
    struct nb_control_socket *control; /* borrowed */
    struct nb_acceptor *acceptor;
    struct deadline *deadline; /* borrowed: goes on when the daemon is gone and its loops still have actors */
    uint64_t ends_at; /* loop time; once closing: the last limit */
    struct nb_lists *lists; /* borrowed */
    struct nb_actor_id keepers[NB_CONFIG_LISTS]; /* of the configuration's lists, in its order */
    uv_signal_t signals[SIGNALS];
    unsigned open_signals;
    struct nb_actor_id hosts[NB_LOOPS_MAX]; /* by loop */
    unsigned live_hosts;
    uint64_t serial;
    bool is_closing;
};

/* Sessions by loop, until their last socket is gone too: that may be after the daemon actor's end. */
static atomic_uint load[NB_LOOPS_MAX];

static atomic_uint uid_load[NB_UIDS_MAX]; /* the same sessions by uid: nb_policy_number */

static struct nb_groups groups; /* of all sessions */

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class daemon_class = {
    .name = "daemon", .size = sizeof(struct daemon), .receive = receive, .stop = stop};

/* ---- letting clients in ---- */

/* The last word to a connection that becomes no session. Best effort: the client may not even read. */
static void turn_away(int fd, const char *code, const char *limit, const char *message)
{
    struct nb_encoder encoder = {0};
    nb_Error error = {.code = nb_slice_of(code),
                      .message = nb_slice_of(message),
                      .limit = limit ? nb_slice_of(limit) : (struct nb_slice){0},
                      .has_fatal = true,
                      .fatal = true};
    nb_encode_event(&encoder, &nb_events[NB_EVENT_SESSION_ERROR], 0, &error);
    if (!encoder.failed)
        (void)send(fd, encoder.data, encoder.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    nb_encoder_finish(&encoder);
    close(fd);
}

static unsigned total_load(const struct daemon *daemon)
{
    unsigned total = 0;
    for (unsigned i = 0; i < daemon->runtime->count; i++)
        total += atomic_load(&load[i]);
    return total;
}

static unsigned least_loaded(const struct daemon *daemon)
{
    unsigned best = 1;
    for (unsigned i = 2; i < daemon->runtime->count; i++)
        if (atomic_load(&load[i]) < atomic_load(&load[best]))
            best = i;
    return best;
}

/* Others must not lock the daemon's own uid out; that one could end the daemon anyway. */
static bool uid_has_room(const struct daemon *daemon, unsigned uid)
{
    return uid == 0 || atomic_load(&uid_load[uid]) < daemon->config->limits.max_uid_sessions;
}

static void hand_over(struct daemon *daemon, int fd, const struct ucred *peer, struct nb_rights rights)
{
    struct nb_newcomer *newcomer = nb_message_new(daemon->actor.loop, &nb_newcomer_class);
    unsigned loop = least_loaded(daemon), uid = nb_policy_number(&daemon->config->policy, peer->uid);
    if (!newcomer) {
        close(fd);
        return;
    }
    newcomer->fd = fd;
    newcomer->peer = *peer;
    newcomer->rights = rights;
    newcomer->serial = ++daemon->serial;
    newcomer->places = (struct nb_places){&load[loop], &uid_load[uid]};
    nb_places_take(&newcomer->places);
    nb_send(daemon->actor.loop, daemon->hosts[loop], &newcomer->message);
}

static void on_accept(void *owner, int fd, const struct sockaddr_storage *address)
{
    struct daemon *daemon = owner;
    struct ucred peer;
    struct nb_rights rights;
    socklen_t length = sizeof peer;
    (void)address;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        close(fd);
    } else if (peer.pid == getpid()) { /* dialled by a client of ours: it would act with our identity */
        turn_away(fd, "ERR_NB_POLICY", NULL, "The broker does not connect to itself");
    } else if (!nb_policy_admits(&daemon->config->policy, peer.uid, &rights)) {
        nb_log(NB_LOG_WARNING, "client refused", "uid=%u pid=%d", peer.uid, peer.pid);
        turn_away(fd, "ERR_NB_POLICY", NULL, "This uid is not allowed to use the broker");
    } else if (total_load(daemon) >= daemon->config->limits.max_sessions) {
        turn_away(fd, "ERR_NB_LIMIT", "maxSessions", "The broker has no room for another session");
    } else if (!uid_has_room(daemon, nb_policy_number(&daemon->config->policy, peer.uid))) {
        turn_away(fd, "ERR_NB_LIMIT", "maxUidSessions",
                  "The broker has no room for another session of this uid");
    } else if (nb_fd_reserve_is_last(fd)) {
        turn_away(fd, "EMFILE", NULL, "The broker has no descriptor for another session");
    } else {
        hand_over(daemon, fd, &peer, rights);
    }
}

static void begin_closing(struct daemon *daemon, const char *reason);

static void on_failure(void *owner, int status)
{
    nb_log(NB_LOG_ERROR, "the control socket failed", "error=%s", uv_err_name(status));
    begin_closing(owner, "failure");
}

static const struct nb_acceptor_ops acceptor_ops = {
    .on_accept = on_accept, .on_failure = on_failure, .uses_reserve = true};

/* ---- the end ---- */

/* Whoever still does not read would hold up the end of the process; everything else is done. */
static void on_last_limit(struct nb_timer *timer)
{
    (void)timer;
    nb_log(NB_LOG_WARNING, "ended with bytes unsent", "reason=deadline");
    _exit(EXIT_SUCCESS);
}

static void limit_the_end(struct daemon *daemon)
{
    struct nb_loop *loop = daemon->actor.loop;
    uint64_t now = nb_loop_now(loop);
    nb_timer_start(&daemon->deadline->timer, loop, daemon->ends_at > now ? daemon->ends_at - now : 0,
                   on_last_limit);
}

static void stop_hosts(struct daemon *daemon)
{
    daemon->ends_at = nb_loop_now(daemon->actor.loop) + LAST_LIMIT;
    limit_the_end(daemon);
    for (unsigned i = 1; i < daemon->runtime->count; i++)
        nb_stop(daemon->actor.loop, daemon->hosts[i]);
}

static void on_deadline(struct nb_timer *timer)
{
    struct deadline *deadline = (struct deadline *)timer;
    stop_hosts(deadline->daemon);
}

static void begin_closing(struct daemon *daemon, const char *reason)
{
    struct nb_loop *loop = daemon->actor.loop;
    daemon->is_closing = true;
    daemon->ends_at = nb_loop_now(loop) + daemon->config->stop_deadline + LAST_LIMIT;
    nb_log(NB_LOG_INFO, "closing", "reason=%s sessions=%u deadline_ms=%u", reason, total_load(daemon),
           daemon->config->stop_deadline);
    nb_systemd_notify("STOPPING=1");
    nb_acceptor_close(daemon->acceptor);
    daemon->acceptor = NULL;
    nb_control_socket_close(daemon->control);
    for (unsigned i = 1; i < daemon->runtime->count; i++) {
        struct nb_closing_notice *notice = nb_message_new(loop, &nb_closing_class);
        if (!notice) {
            stop_hosts(daemon);
            return;
        }
        notice->reason = reason;
        notice->deadline = daemon->config->stop_deadline;
        nb_send(loop, daemon->hosts[i], &notice->message);
    }
    if (nb_timer_start(&daemon->deadline->timer, loop, daemon->config->stop_deadline, on_deadline) < 0)
        stop_hosts(daemon);
}

static void reload(struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->config->list_count; i++) {
        struct nb_message *message = nb_message_new(daemon->actor.loop, &nb_reload_class);
        if (message)
            nb_send(daemon->actor.loop, daemon->keepers[i], message);
        else
            nb_log(NB_LOG_WARNING, "block list not loaded", "reason=ENOMEM");
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    if (number == SIGHUP)
        reload(daemon);
    else if (daemon->is_closing)
        stop_hosts(daemon);
    else
        begin_closing(daemon, "shutdown");
}

static void on_signal_closed(uv_handle_t *handle)
{
    struct daemon *daemon = handle->data;
    if (--daemon->open_signals)
        return;
    nb_runtime_end(daemon->runtime);
    nb_actor_finish(&daemon->actor);
}

static void stop(struct nb_actor *self)
{
    struct daemon *daemon = (struct daemon *)self;
    limit_the_end(daemon);
    nb_offerings_end(self->loop);
    for (unsigned i = 0; i < daemon->config->list_count; i++)
        nb_stop(self->loop, daemon->keepers[i]);
    for (unsigned i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&daemon->signals[i], on_signal_closed);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct daemon *daemon = (struct daemon *)self;
    if ((*message)->class == &nb_down_class && --daemon->live_hosts == 0)
        nb_actor_stop(self);
}

/* ---- the beginning ---- */

static int start_hosts(struct daemon *daemon)
{
    for (unsigned i = 1; i < daemon->runtime->count; i++) {
        struct nb_loop *loop = &daemon->runtime->loops[i];
        struct nb_host *host = nb_host_new(loop, &daemon->config->limits, daemon->lists, &groups);
        if (!host)
            return UV_ENOMEM;
        daemon->hosts[i] = host->actor.id;
        daemon->live_hosts++;
        int status = nb_watch(&daemon->actor, host->actor.id);
        if (status < 0)
            return status;
    }
    return 0;
}

static int watch_signals(struct daemon *daemon)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (unsigned i = 0; i < SIGNALS; i++) {
        int status = uv_signal_init(&daemon->actor.loop->uv, &daemon->signals[i]);
        if (status < 0)
            return status;
        daemon->open_signals++;
        daemon->signals[i].data = daemon;
        if ((status = uv_signal_start(&daemon->signals[i], on_signal, numbers[i])) < 0)
            return status;
    }
    return 0;
}

static int start_daemon(struct nb_runtime *runtime, const struct nb_config *config, struct nb_lists *lists,
                        const struct nb_file_identity *loaded, struct nb_control_socket *control,
                        struct deadline *deadline)
{
    struct daemon *daemon = nb_actor_new(&runtime->loops[0], &daemon_class);
    if (!daemon)
        return UV_ENOMEM;
    daemon->config = config;
    daemon->runtime = runtime;
    daemon->lists = lists;
    daemon->control = control;
    daemon->deadline = deadline;
    deadline->daemon = daemon;
    int status = watch_signals(daemon);
    if (status == 0)
        status = nb_configured_lists_watch(daemon->actor.loop, config, lists, loaded, daemon->keepers);
    if (status == 0)
        status = start_hosts(daemon);
    if (status == 0)
        status = nb_acceptor_open(daemon->actor.loop, &acceptor_ops, daemon, control->fd, &daemon->acceptor);
    if (status == 0)
        control->fd = -1;
    return status;
}

/* As many descriptors as the system allows: connections are what this process is for. But not all of them. */
static void raise_file_limit(unsigned max_sessions)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    nb_fd_reserve_init(setrlimit(RLIMIT_NOFILE, &limit) < 0 ? before : limit.rlim_max, max_sessions);
}

/* Every file gets its mode explicitly; the umask is taken over into the default and then out of the way. */
static void take_over_umask(void)
{
    nb_server_path_mode = 0777 & ~umask(0);
}

static void prepare_process(unsigned max_sessions)
{
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit(max_sessions);
    take_over_umask();
    nb_hash_draw_key();
    nb_memory_serve_libuv();
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

/* Starting the pool's threads can end the process; better now than when a file is first read. */
static void start_thread_pool(struct nb_runtime *runtime)
{
    static uv_work_t work;
    uv_queue_work(&runtime->loops[0].uv, &work, do_nothing, NULL);
}

static int open_control(struct nb_control_socket *control, const struct nb_config *config)
{
    const char *reason;
    int inherited = nb_systemd_control_socket();
    if (inherited >= 0) {
        nb_control_socket_inherit(control, inherited);
        return 0;
    }
    if (inherited != -1) {
        fprintf(stderr, "netbroker: none of the inherited descriptors is a listening Unix stream socket\n");
        return inherited;
    }
    if (!*config->socket) {
        fprintf(stderr,
                "netbroker: no socket path: give --socket, or set NETBROKER_SOCKET or XDG_RUNTIME_DIR\n");
        return UV_EINVAL;
    }
    mode_t mode = config->policy.count ? 0666 : 0600;
    int status = nb_control_socket_open(control, config->socket, mode, &reason);
    if (status < 0)
        fprintf(stderr, "netbroker: cannot use %s: %s: %s\n", config->socket, reason, uv_strerror(status));
    return status;
}

static void announce_ready(const struct nb_config *config, bool inherited)
{
    char line[NB_CONFIG_TEXT + 64];
    int length = snprintf(line, sizeof line, "ready socket=%s pid=%d workers=%u\n",
                          inherited ? "inherited" : config->socket, getpid(), config->workers);
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
    nb_systemd_notify("READY=1");
}

static int run(const struct nb_config *config, struct nb_control_socket *control)
{
    static struct nb_runtime runtime;
    static struct nb_lists lists;
    static struct deadline deadline;
    struct nb_file_identity loaded[NB_CONFIG_LISTS];
    int status = nb_configured_lists_load(config, &lists, loaded);
    if (status == 0)
        status = nb_runtime_init(&runtime, config->workers);
    if (status < 0)
        return status;
    start_thread_pool(&runtime);
    nb_groups_init(&groups);
    nb_lingering_init(config->limits.max_lingering, config->limits.max_linger_bytes, config->workers);
    if ((status = nb_resolver_start()) < 0 ||
        (status = start_daemon(&runtime, config, &lists, loaded, control, &deadline)) < 0 ||
        (status = nb_runtime_start(&runtime)) < 0)
        return status; /* the process ends: what is half made goes with it */
    announce_ready(config, control->lock < 0);
    nb_runtime_run(&runtime);
    nb_timer_finish(&deadline.timer);
    if (nb_lookups_under_way()) /* can't be called off, and may take long: nothing else is left to be done */
        _exit(EXIT_SUCCESS);
    nb_resolver_finish();
    nb_runtime_finish(&runtime);
    nb_lists_finish(&lists);
    nb_groups_finish(&groups);
    return 0;
}

int nb_daemon_run(const struct nb_config *config)
{
    struct nb_control_socket control;
    nb_log_set_level(config->log_level);
    prepare_process(config->limits.max_sessions);
    if (open_control(&control, config) < 0)
        return EXIT_FAILURE;
    int status = run(config, &control);
    nb_control_socket_close(&control);
    nb_inherited_close();
    if (status < 0)
        fprintf(stderr, "netbroker: cannot start: %s\n", uv_strerror(status));
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
