#include "host.h"

#include "log.h"
#include "loop.h"
#include "memory.h"

#include <unistd.h>

enum { FIRST_CAPACITY = 16 };

static void dispose_newcomer(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_newcomer *newcomer = (struct nb_newcomer *)message;
    if (newcomer->fd >= 0)
        close(newcomer->fd);
    nb_places_leave(&newcomer->places);
    nb_message_free(loop, message);
}

const struct nb_message_class nb_newcomer_class = {
    .name = "newcomer", .size = sizeof(struct nb_newcomer), .dispose = dispose_newcomer};

static void receive(struct nb_actor *self, struct nb_message **message);
static void stop(struct nb_actor *self);

static const struct nb_actor_class host_class = {
    .name = "host", .size = sizeof(struct nb_host), .receive = receive, .stop = stop};

struct nb_host *nb_host_new(struct nb_loop *loop, const struct nb_limits *limits, struct nb_lists *lists,
                            struct nb_groups *groups)
{
    struct nb_host *host = nb_actor_new(loop, &host_class);
    if (!host)
        return NULL;
    host->limits = limits;
    host->lists = lists;
    host->groups = groups;
    host->encoder.reallocate = nb_realloc;
    return host;
}

static void finish(struct nb_host *host)
{
    nb_free(host->encoder.data);
    nb_free(host->sessions);
    nb_actor_finish(&host->actor);
}

static int grow(struct nb_host *host)
{
    uint32_t capacity = host->capacity ? host->capacity * 2 : FIRST_CAPACITY;
    struct nb_actor_id *sessions = nb_realloc(host->sessions, capacity * sizeof *sessions);
    if (!sessions)
        return UV_ENOMEM;
    host->sessions = sessions;
    host->capacity = capacity;
    return 0;
}

static void welcome(struct nb_host *host, struct nb_newcomer *newcomer)
{
    struct nb_session *session = NULL;
    if (host->count < host->capacity || grow(host) == 0) {
        session = nb_session_new(host->actor.loop, newcomer->fd, &newcomer->peer, newcomer->rights,
                                 host->limits, host->lists, host->groups, &host->encoder, newcomer->serial);
        newcomer->fd = -1;
    }
    if (session) {
        session->account->places = newcomer->places;
        newcomer->places = (struct nb_places){NULL, NULL};
    }
    if (session && nb_watch(&host->actor, session->actor.id) == 0) {
        host->sessions[host->count++] = session->actor.id;
        return;
    }
    nb_log(NB_LOG_ERROR, "cannot open a session", "error=ENOMEM");
    if (session)
        nb_actor_stop(&session->actor);
}

static void forget(struct nb_host *host, struct nb_actor_id who)
{
    for (uint32_t i = 0; i < host->count; i++) {
        if (nb_actor_id_equal(host->sessions[i], who)) {
            host->sessions[i] = host->sessions[--host->count];
            break;
        }
    }
    if (host->count || !host->is_closing)
        return;
    if (host->actor.is_stopping)
        finish(host);
    else
        nb_actor_stop(&host->actor);
}

static void announce(struct nb_host *host, const struct nb_closing_notice *notice)
{
    struct nb_loop *loop = host->actor.loop;
    for (uint32_t i = 0; i < host->count; i++) {
        struct nb_closing_notice *copy = nb_message_new(loop, &nb_closing_class);
        if (!copy)
            return; /* they will be ended at the deadline */
        copy->reason = notice->reason;
        copy->deadline = notice->deadline;
        nb_send(loop, host->sessions[i], &copy->message);
    }
    host->is_closing = true;
    if (!host->count)
        nb_actor_stop(&host->actor);
}

static void receive(struct nb_actor *self, struct nb_message **message)
{
    struct nb_host *host = (struct nb_host *)self;
    const struct nb_message_class *class = (*message)->class;
    if (class == &nb_newcomer_class)
        welcome(host, (struct nb_newcomer *)*message);
    else if (class == &nb_down_class)
        forget(host, ((struct nb_down *)*message)->who);
    else if (class == &nb_closing_class)
        announce(host, (struct nb_closing_notice *)*message);
}

static void stop(struct nb_actor *self)
{
    struct nb_host *host = (struct nb_host *)self;
    host->is_closing = true;
    for (uint32_t i = 0; i < host->count; i++)
        nb_stop(self->loop, host->sessions[i]);
    if (!host->count)
        finish(host);
}
