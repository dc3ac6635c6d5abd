#include "loop.h"

#include "netbroker/glib.h"

#include <check.h>

struct loop {
    GMainContext *context;
    GSource *source;
    bool has_passed;
    int end; /* of the session */
};

static void on_end(struct netbroker_session *session, int result, void *context)
{
    ck_assert_int_eq(((struct loop *)context)->end, 0);
    ck_assert((session == NULL) == (result == -ECANCELED));
    ((struct loop *)context)->end = result;
}

static void warm_up(void)
{
}

static void *open_loop(struct netbroker_session *session)
{
    struct loop *loop = g_new0(struct loop, 1);
    loop->context = g_main_context_new();
    loop->source = netbroker_glib_source_new(session);
    g_source_set_callback(loop->source, G_SOURCE_FUNC(on_end), loop, NULL);
    g_source_attach(loop->source, loop->context);
    return loop;
}

static gboolean on_limit(gpointer context)
{
    ((struct loop *)context)->has_passed = true;
    return G_SOURCE_CONTINUE;
}

static int turn(void *opened, int timeout)
{
    struct loop *loop = opened;
    int before = loop->end;
    loop->has_passed = false;
    GSource *limit = g_timeout_source_new(timeout < 0 ? G_MAXUINT : (guint)timeout);
    g_source_set_callback(limit, on_limit, loop, NULL);
    g_source_attach(limit, loop->context);
    g_main_context_iteration(loop->context, TRUE);
    g_source_destroy(limit);
    g_source_unref(limit);
    return loop->end != before ? loop->end : loop->has_passed ? -ETIMEDOUT : 0;
}

static void close_loop(void *opened)
{
    struct loop *loop = opened;
    g_source_destroy(loop->source);
    g_source_unref(loop->source);
    g_main_context_unref(loop->context);
    g_free(loop);
}

const struct loop_kind loop_of_glib = {"glib", warm_up, open_loop, turn, close_loop};
