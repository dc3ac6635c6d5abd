#include "list_keeper.h"

#include "log.h"
#include "loop.h"
#include "timer.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* A file that is being written is left alone until it has been quiet for a while, but not for ever. */
enum { QUIET = 100, PATIENCE = 2000 }; /* ms */

struct keeper {
    struct nb_actor actor;
    const char *name, *path; /* borrowed */
    struct nb_filter *filter; /* borrowed */
    uint32_t max_rules;
    struct nb_file_identity loaded; /* or refused: what is not to be read again */

    uv_fs_event_t watch; /* of the file's directory: editors put new files in the place of old ones */
    bool watch_is_open;
    struct nb_timer quiet;
    uint64_t since; /* the first change of those that are waited out; 0: none */

    uv_work_t work;
    struct nb_list_report report; /* the work's, while it runs */
    int status;
    bool is_working, is_wanted_again, stop_has_begun;
};

const struct nb_message_class nb_reload_class = {.name = "reload", .size = sizeof(struct nb_message)};

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class keeper_class = {
    .name = "list keeper", .size = sizeof(struct keeper), .receive = receive, .stop = stop};

/* ---- the end ---- */

static void finish_if_idle(struct keeper *keeper)
{
    if (!keeper->stop_has_begun || keeper->is_working || keeper->watch_is_open)
        return;
    nb_timer_finish(&keeper->quiet);
    nb_actor_finish(&keeper->actor);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct keeper *keeper = handle->data;
    keeper->watch_is_open = false;
    finish_if_idle(keeper);
}

static void stop(struct nb_actor *self)
{
    struct keeper *keeper = (struct keeper *)self;
    keeper->stop_has_begun = true;
    nb_timer_stop(&keeper->quiet);
    if (keeper->watch_is_open)
        uv_close((uv_handle_t *)&keeper->watch, on_watch_closed);
    finish_if_idle(keeper);
}

/* ---- loading ---- */

static int read_and_replace(const char *path, uint32_t max_rules, struct nb_filter *filter,
                            struct nb_block_list *list, struct nb_list_report *report)
{
    int status = nb_list_file_read(path, max_rules, list, report);
    if (status == UV_ENOSPC)
        strncat(report->complaint, ": the limit maxFileRules",
                sizeof report->complaint - strlen(report->complaint) - 1);
    if (status < 0)
        return status;
    status = nb_filter_replace(filter, list);
    if (status < 0)
        snprintf(report->complaint, sizeof report->complaint, "%s", uv_strerror(status));
    return status;
}

int nb_list_load(const char *path, uint32_t max_rules, struct nb_filter *filter,
                 struct nb_list_report *ret_report)
{
    struct nb_block_list *list = nb_block_list_new();
    if (!list) {
        *ret_report = (struct nb_list_report){.complaint = "not enough memory"};
        return UV_ENOMEM;
    }
    int status = read_and_replace(path, max_rules, filter, list, ret_report);
    if (status < 0)
        nb_block_list_free(list);
    return status;
}

static void load(uv_work_t *work)
{
    struct keeper *keeper = work->data;
    keeper->status = nb_list_load(keeper->path, keeper->max_rules, keeper->filter, &keeper->report);
}

static void tell(const struct keeper *keeper)
{
    const struct nb_list_report *report = &keeper->report;
    if (keeper->status == 0)
        nb_log(NB_LOG_INFO, "block list loaded", "list=%s rules=%zu", keeper->name, report->rules);
    else if (report->line)
        nb_log(NB_LOG_WARNING, "block list not loaded", "list=%s place=%s:%zu reason=\"%s\"", keeper->name,
               keeper->path, report->line, report->complaint);
    else
        nb_log(NB_LOG_WARNING, "block list not loaded", "list=%s place=%s reason=\"%s\"", keeper->name,
               keeper->path, report->complaint);
}

static void begin_to_load(struct keeper *keeper);
static void look(struct keeper *keeper);

static void on_loaded(uv_work_t *work, int status)
{
    struct keeper *keeper = work->data;
    (void)status;
    keeper->is_working = false;
    keeper->loaded = keeper->report.identity;
    tell(keeper);
    if (keeper->stop_has_begun)
        finish_if_idle(keeper);
    else if (keeper->is_wanted_again)
        begin_to_load(keeper);
    else
        look(keeper); /* it may have changed while it was read */
}

static void begin_to_load(struct keeper *keeper)
{
    keeper->is_wanted_again = keeper->is_working;
    if (keeper->is_working)
        return;
    nb_timer_stop(&keeper->quiet);
    keeper->since = 0;
    keeper->work.data = keeper;
    int status = uv_queue_work(&keeper->actor.loop->uv, &keeper->work, load, on_loaded);
    keeper->is_working = status == 0;
    if (status < 0)
        nb_log(NB_LOG_WARNING, "block list not loaded", "list=%s place=%s reason=\"%s\"", keeper->name,
               keeper->path, uv_strerror(status));
}

/* ---- changes of the file ---- */

static void on_quiet(struct nb_timer *timer)
{
    begin_to_load((struct keeper *)((char *)timer - offsetof(struct keeper, quiet)));
}

/* Waits for quiet if there is another file than the one that was loaded. One that is gone is waited for. */
static void look(struct keeper *keeper)
{
    static const struct nb_file_identity nothing;
    struct nb_file_identity now = nb_file_identity_of(keeper->path);
    uint64_t time = nb_loop_now(keeper->actor.loop);
    if (keeper->is_working || nb_file_identity_equal(&now, &keeper->loaded) ||
        nb_file_identity_equal(&now, &nothing))
        return;
    if (!keeper->since)
        keeper->since = time;
    uint64_t until = keeper->since + PATIENCE;
    uint64_t wait = until <= time ? 0 : until - time < QUIET ? until - time : QUIET;
    if (nb_timer_start(&keeper->quiet, keeper->actor.loop, wait, on_quiet) < 0)
        begin_to_load(keeper);
}

static void tell_unwatched(const struct keeper *keeper, int status)
{
    nb_log(NB_LOG_WARNING, "block list not watched, only SIGHUP loads it anew", "list=%s error=%s",
           keeper->name, uv_err_name(status));
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    (void)name, (void)events;
    if (status < 0)
        tell_unwatched(watch->data, status);
    look(watch->data);
}

static void open_watch(struct keeper *keeper)
{
    char directory[PATH_MAX] = ".";
    const char *slash = strrchr(keeper->path, '/');
    size_t length = slash ? (size_t)(slash - keeper->path) + (slash == keeper->path) : 0;
    if (length && length < sizeof directory) {
        memcpy(directory, keeper->path, length);
        directory[length] = '\0';
    }
    int status = uv_fs_event_init(&keeper->actor.loop->uv, &keeper->watch);
    if (status == 0) {
        keeper->watch_is_open = true;
        keeper->watch.data = keeper;
        status = uv_fs_event_start(&keeper->watch, on_change, directory, 0);
    }
    if (status < 0)
        tell_unwatched(keeper, status);
}

/* ---- making ---- */

static void receive(struct nb_actor *self, struct nb_message **message)
{
    if ((*message)->class == &nb_reload_class)
        begin_to_load((struct keeper *)self);
}

struct nb_actor *nb_list_keeper_new(struct nb_loop *loop, const char *name, const char *path,
                                    uint32_t max_rules, struct nb_filter *filter,
                                    const struct nb_file_identity *loaded)
{
    struct keeper *keeper = nb_actor_new(loop, &keeper_class);
    if (!keeper)
        return NULL;
    keeper->name = name;
    keeper->path = path;
    keeper->max_rules = max_rules;
    keeper->filter = filter;
    keeper->loaded = *loaded;
    open_watch(keeper);
    look(keeper); /* it may have changed since it was loaded */
    return &keeper->actor;
}
