/* One-shot timers that cost nothing until they are used. */
#ifndef NB_TIMER_H
#define NB_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct nb_loop;

/* Embedded in its owner; all zero: never used. Home thread of the loop. */
struct nb_timer {
    uv_timer_t *handle; /* owned; outlives the timer until libuv lets it go */
    void (*fire)(struct nb_timer *timer);
};

/* Fires once, in milliseconds from now; starts anew if it runs. Negative errno: no memory. */
int nb_timer_start(struct nb_timer *timer, struct nb_loop *loop, uint64_t milliseconds,
                   void (*fire)(struct nb_timer *timer));
void nb_timer_stop(struct nb_timer *timer);
bool nb_timer_is_running(const struct nb_timer *timer);

/* Lets the timer go; its owner may be freed at once. */
void nb_timer_finish(struct nb_timer *timer);

#endif
