/* Turns of a loop on the test's own thread, with a deadline instead of sleeps. */
#ifndef NB_TEST_TURNS_H
#define NB_TEST_TURNS_H

#include "loop.h"

/* Turns until nothing is left to do for what has happened so far. */
void turn_until_quiet(struct nb_loop *loop);

/* Turns until the descriptor has one of the poll(2) events; the test fails after ten seconds. */
void turn_until_ready(struct nb_loop *loop, int fd, short events);

/* Turns until the condition holds; the test fails after ten seconds. */
void turn_until(struct nb_loop *loop, bool (*holds)(void *context), void *context);

/* Turns for that time: for timers that must not fire. */
void turn_for(struct nb_loop *loop, uint64_t milliseconds);

#endif
