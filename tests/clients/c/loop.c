#include "loop.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void wait_warm_up(void)
{
}

static void *wait_open(struct netbroker_session *session)
{
    return session;
}

static int wait_turn(void *loop, int timeout)
{
    return netbroker_wait(loop, timeout);
}

static void wait_close(void *loop)
{
}

const struct loop_kind loop_of_wait = {"wait", wait_warm_up, wait_open, wait_turn, wait_close};

const struct loop_kind *loop_kind_chosen(void)
{
    static const struct loop_kind *const kinds[] = {&loop_of_wait, &loop_of_epoll, &loop_of_uv,
                                                    &loop_of_glib};
    const char *name = getenv("NETBROKER_TEST_LOOP");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!name || strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    ck_abort_msg("no loop %s", name);
}
