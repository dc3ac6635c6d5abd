/* The stop of a session's actors: in slices, so that the end of a large session holds nobody else up. */
#include "session.h"

enum { STOPS_A_TURN = 32 };

static void stop_some(struct nb_session *session)
{
    struct nb_handles *leaving = &session->leaving;
    for (int i = 0; i < STOPS_A_TURN && leaving->table; i++) {
        nb_stop(session->actor.loop, leaving->table->actor);
        nb_handles_remove(leaving, leaving->table->number);
    }
}

bool nb_session_stops_actors(const struct nb_session *session)
{
    return session->leaving.table;
}

/* What was created behind session.close goes when the session ends. */
static void take_handles(struct nb_session *session)
{
    if (session->leaving.table)
        return;
    session->leaving = session->handles;
    session->handles = (struct nb_handles){0};
}

void nb_session_stop_actors(struct nb_session *session)
{
    session->account->session = NB_NOBODY;
    nb_account_close_gate(session->account);
    take_handles(session);
    stop_some(session);
    if (session->is_ending)
        take_handles(session);
    if (nb_session_stops_actors(session))
        nb_loop_flush_later(session->actor.loop, &session->stop_more);
    else
        nb_session_actors_stopped(session);
}

static void on_stop_more(struct nb_flush *flush)
{
    nb_session_stop_actors(NB_SESSION_OF(flush, stop_more));
}

void nb_session_stop_init(struct nb_session *session)
{
    session->stop_more.run = on_stop_more;
}
