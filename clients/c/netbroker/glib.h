/*
 * A session as a GSource. Header only; include it where it is used, with GLib
 * 2.36 or later in the program.
 *
 *     GSource *source = netbroker_glib_source_new(session);
 *     g_source_set_callback(source, G_SOURCE_FUNC(on_end), context, NULL);
 *     g_source_attach(source, NULL);
 *     g_source_unref(source);
 *     g_main_loop_run(loop);
 *
 * The source shares the session, and is of the thread that runs its context.
 * g_source_destroy() it before the session is freed, unless a callback of the
 * session frees that.
 */
#ifndef NETBROKER_GLIB_H
#define NETBROKER_GLIB_H

#include <netbroker.h>

#include <errno.h>
#include <glib.h>
#include <poll.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The callback of the source: the session is over, `result` is what
 * netbroker_dispatch() gave. `session` is NULL after -ECANCELED, when it is
 * freed. Called once; the source is removed when it returns.
 */
typedef void netbroker_glib_end_fn(struct netbroker_session *session, int result, void *context);

/* Internal. The GSource is its first member. */
struct netbroker_glib_source {
    GSource source;
    struct netbroker_session *session;
    GPollFD poll;
};

/* Internal. */
static inline gboolean netbroker_glib_prepare(GSource *source, gint *timeout)
{
    struct netbroker_glib_source *watch = (struct netbroker_glib_source *)source;
    netbroker_flush(watch->session);
    short events = netbroker_events(watch->session);
    watch->poll.events = (gushort)((events & POLLIN ? G_IO_IN : 0) | (events & POLLOUT ? G_IO_OUT : 0));
    watch->poll.revents = 0;
    *timeout = netbroker_timeout(watch->session);
    return *timeout == 0;
}

/* Internal. */
static inline gboolean netbroker_glib_check(GSource *source)
{
    struct netbroker_glib_source *watch = (struct netbroker_glib_source *)source;
    return watch->poll.revents != 0 || netbroker_timeout(watch->session) == 0;
}

/* Internal. */
static inline gboolean netbroker_glib_dispatch(GSource *source, GSourceFunc callback, gpointer context)
{
    struct netbroker_glib_source *watch = (struct netbroker_glib_source *)source;
    int result = netbroker_dispatch(watch->session);
    if (result == 0 || result == -EBUSY)
        return G_SOURCE_CONTINUE;
    netbroker_glib_end_fn *on_end = (netbroker_glib_end_fn *)(void (*)(void))callback;
    if (on_end)
        on_end(result == -ECANCELED ? NULL : watch->session, result, context);
    return G_SOURCE_REMOVE;
}

/* The caller gets the source, to be attached and unref'd. Aborts without memory, as GLib does. */
static inline GSource *netbroker_glib_source_new(struct netbroker_session *session)
{
    static GSourceFuncs functions = {
        netbroker_glib_prepare, netbroker_glib_check, netbroker_glib_dispatch, NULL, NULL, NULL};
    GSource *source = g_source_new(&functions, sizeof(struct netbroker_glib_source));
    struct netbroker_glib_source *watch = (struct netbroker_glib_source *)source;
    watch->session = session;
    watch->poll.fd = netbroker_fd(session);
    /* Not g_source_modify_unix_fd(), which wakes its own loop up for another turn. */
    g_source_add_poll(source, &watch->poll);
    g_source_set_name(source, "netbroker");
    return source;
}

#ifdef __cplusplus
}
#endif

#endif
