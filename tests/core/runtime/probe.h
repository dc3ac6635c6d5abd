/*
 * An actor to test with, which notes what happens to it, and a message for it.
 * A probe's trace is written on its loop only: read it there, or when all
 * threads are gone.
 */
#ifndef NB_TEST_PROBE_H
#define NB_TEST_PROBE_H

#include "actor.h"
#include "loop.h"

#include <stdatomic.h>

struct probe;

enum { TRACE_VALUES = 64 };

struct trace {
    int values[TRACE_VALUES]; /* of the first notes */
    unsigned notes, downs, stops;
    struct nb_actor_id down_of; /* the last one's */
    bool stopped_inside_handler;
};

struct note {
    struct nb_message message;
    struct nb_actor_id from;
    int value;
    atomic_uint *disposals; /* borrowed, may be NULL; counted up when the note is disposed of */
};

struct probe {
    struct nb_actor actor;
    struct trace *trace; /* borrowed; outlives the probe */
    void (*on_note)(struct probe *self, struct note *note);
    void *context;
    bool is_handling;
    bool keeps_notes; /* takes each note, and frees it */
    bool stays_stopping; /* finishes only by probe_finish */
};

struct probe *probe_new(struct nb_loop *loop, struct trace *trace);

/* The end of a probe that stays stopping. */
void probe_finish(struct probe *probe);

/* Sends a note from loop; from and disposals may be nobody and NULL. */
void note_send(struct nb_loop *loop, struct nb_actor_id to, int value, struct nb_actor_id from,
               atomic_uint *disposals);

/* Turns of one loop on this thread until nothing is left to do right now. */
void run_turns(struct nb_loop *loop);

/* Ends a runtime all of whose actors are gone or about to be: runs what is left and frees it. */
void end_runtime(struct nb_runtime *runtime);

#endif
