#include "timer.h"

#include "loop.h"
#include "memory.h"

static void on_fire(uv_timer_t *handle)
{
    struct nb_timer *timer = handle->data;
    timer->fire(timer);
}

static void on_closed(uv_handle_t *handle)
{
    nb_free(handle);
}

int nb_timer_start(struct nb_timer *timer, struct nb_loop *loop, uint64_t milliseconds,
                   void (*fire)(struct nb_timer *timer))
{
    if (!timer->handle) {
        if (!(timer->handle = nb_malloc(sizeof *timer->handle)))
            return UV_ENOMEM;
        uv_timer_init(&loop->uv, timer->handle);
        timer->handle->data = timer;
    }
    timer->fire = fire;
    return uv_timer_start(timer->handle, on_fire, milliseconds, 0);
}

void nb_timer_stop(struct nb_timer *timer)
{
    if (timer->handle)
        uv_timer_stop(timer->handle);
}

bool nb_timer_is_running(const struct nb_timer *timer)
{
    return timer->handle && uv_is_active((const uv_handle_t *)timer->handle);
}

void nb_timer_finish(struct nb_timer *timer)
{
    if (timer->handle)
        uv_close((uv_handle_t *)timer->handle, on_closed);
    timer->handle = NULL;
}
