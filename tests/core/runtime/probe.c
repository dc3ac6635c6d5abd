#include "probe.h"

#include <check.h>

static void dispose_note(struct nb_loop *loop, struct nb_message *message)
{
    struct note *note = (struct note *)message;
    if (note->disposals)
        atomic_fetch_add(note->disposals, 1);
    nb_message_free(loop, message);
}

static const struct nb_message_class note_class = {
    .name = "note", .size = sizeof(struct note), .dispose = dispose_note};

static void receive_note(struct probe *self, struct note *note)
{
    if (self->trace->notes < TRACE_VALUES)
        self->trace->values[self->trace->notes] = note->value;
    self->trace->notes++;
    if (self->on_note)
        self->on_note(self, note);
}

static void receive(struct nb_actor *actor, struct nb_message **message)
{
    struct probe *self = (struct probe *)actor;
    self->is_handling = true;
    if ((*message)->class == &nb_down_class) {
        self->trace->downs++;
        self->trace->down_of = ((struct nb_down *)*message)->who;
    } else {
        ck_assert_ptr_eq((*message)->class, &note_class);
        receive_note(self, (struct note *)*message);
        if (self->keeps_notes) {
            nb_message_free(actor->loop, *message);
            *message = NULL;
        }
    }
    self->is_handling = false;
}

static void stop(struct nb_actor *actor)
{
    struct probe *self = (struct probe *)actor;
    self->trace->stops++;
    self->trace->stopped_inside_handler |= self->is_handling;
    if (!self->stays_stopping)
        nb_actor_finish(actor);
}

static const struct nb_actor_class probe_class = {
    .name = "probe", .size = sizeof(struct probe), .receive = receive, .stop = stop};

struct probe *probe_new(struct nb_loop *loop, struct trace *trace)
{
    struct probe *probe = nb_actor_new(loop, &probe_class);
    if (probe)
        probe->trace = trace;
    return probe;
}

void probe_finish(struct probe *probe)
{
    nb_actor_finish(&probe->actor);
}

void note_send(struct nb_loop *loop, struct nb_actor_id to, int value, struct nb_actor_id from,
               atomic_uint *disposals)
{
    struct note *note = nb_message_new(loop, &note_class);
    ck_assert_ptr_nonnull(note);
    note->value = value;
    note->from = from;
    note->disposals = disposals;
    nb_send(loop, to, &note->message);
}

void run_turns(struct nb_loop *loop)
{
    do
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    while (loop->oldest || loop->stopping || loop->flushes);
}

void end_runtime(struct nb_runtime *runtime)
{
    nb_runtime_end(runtime);
    nb_runtime_run(runtime);
    nb_runtime_finish(runtime);
}
