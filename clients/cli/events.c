/*
 * netbroker events: requests from stdin, one a line, and everything that comes
 * back. After the end of stdin it goes on, like a Node program, while a handle is open.
 */
#include "command.h"
#include "json.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LINE = 1 << 20 };

/* A request that has no answer yet. */
struct pending {
    struct pending *next, **previous;
    struct viewer *viewer;
    uint64_t target;
    char method[];
};

struct viewer {
    const struct nb_cli_options *options;
    struct netbroker_session *session;
    struct pending *pending;
    char *line; /* MAX_LINE bytes */
    size_t length;
    bool input_ended;
    bool asked_if_idle;
    bool is_idle;
    int status;
};

/* ---- printing ---- */

static void check_output(struct viewer *viewer, bool printed)
{
    if (printed)
        return;
    nb_cli_complain("stdout", -errno);
    viewer->status = NB_CLI_LOCAL;
}

/* Takes `body`. `mark` starts a line for people; `key` names the first member of the object for programs. */
static void print(struct viewer *viewer, char mark, const char *key, const char *name, uint64_t target,
                  const char *body_key, json_t *body)
{
    if (!viewer->options->json) {
        printf("%c %s %llu ", mark, name, (unsigned long long)target);
        check_output(viewer, nb_cli_print_json(stdout, body, false));
        json_decref(body);
        return;
    }
    json_t *object = json_pack("{s:s, s:I, s:o}", key, name, "target", (json_int_t)target, body_key, body);
    check_output(viewer, nb_cli_print_json(stdout, object, false));
    json_decref(object);
}

static void on_event(struct netbroker_session *session, void *context, const struct netbroker_event *event)
{
    char *name = strndup(event->name, event->name_length);
    if (name)
        print(context, '<', "event", name, event->target, "body",
              nb_cli_unpack_bytes(event->body, event->body_length));
    free(name);
}

static void on_idle(struct netbroker_session *session, void *context)
{
    ((struct viewer *)context)->is_idle = true;
}

/* The others are among the events. */
static void on_error(struct netbroker_session *session, void *context, const struct netbroker_error *error)
{
    if (error->fatal)
        nb_cli_report(((struct viewer *)context)->options, error);
}

static const struct netbroker_session_events session_events = {
    .on_event = on_event, .on_idle = on_idle, .on_error = on_error};

/* ---- requests ---- */

static void unlink_pending(struct pending *pending)
{
    *pending->previous = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
    free(pending);
}

static void on_reply(struct netbroker_session *session, void *context, const struct netbroker_reply *reply)
{
    struct pending *pending = context;
    struct viewer *viewer = pending->viewer;
    if (reply->error) {
        print(viewer, '!', "reply", pending->method, pending->target, "error",
              nb_cli_error_object(reply->error));
        viewer->status = NB_CLI_REFUSED;
    } else {
        print(viewer, '=', "reply", pending->method, pending->target, "result",
              nb_cli_unpack_bytes(reply->result, reply->result_length));
    }
    unlink_pending(pending);
}

static struct pending *add_pending(struct viewer *viewer, const struct nb_cli_request *request)
{
    struct pending *pending = calloc(1, sizeof *pending + strlen(request->method) + 1);
    if (!pending)
        return NULL;
    pending->viewer = viewer;
    pending->target = request->target;
    strcpy(pending->method, request->method);
    pending->next = viewer->pending;
    pending->previous = &viewer->pending;
    if (pending->next)
        pending->next->previous = &pending->next;
    viewer->pending = pending;
    return pending;
}

static void send_request(struct viewer *viewer, const struct nb_cli_request *request)
{
    struct netbroker_packer body = {0};
    if (request->body && !nb_cli_pack_json(&body, request->body)) {
        fprintf(stderr, "netbroker: a $binary is no base64\n");
        viewer->status = NB_CLI_USAGE;
        netbroker_packer_free(&body);
        return;
    }
    struct pending *pending = add_pending(viewer, request);
    int result = pending ? netbroker_call(viewer->session, request->method, request->target, body.bytes,
                                          body.length, on_reply, pending)
                         : -ENOMEM;
    if (result < 0) {
        nb_cli_complain(request->method, result);
        viewer->status = NB_CLI_LOCAL;
    }
    if (result < 0 && pending)
        unlink_pending(pending);
    netbroker_packer_free(&body);
}

static void run_words(struct viewer *viewer, char **words)
{
    struct nb_cli_request request;
    int status = nb_cli_parse_request(words, &request);
    if (status != NB_CLI_OK) {
        viewer->status = status;
        return;
    }
    send_request(viewer, &request);
    json_decref(request.body);
}

/* METHOD, then TARGET if a digit comes next, then JSON to the end of the line. */
static void run_line(struct viewer *viewer, char *line)
{
    char *words[4] = {NULL}, *rest = line;
    size_t count = 0;
    line += strspn(line, " \t\r");
    if (!line[0] || line[0] == '#')
        return;
    words[count++] = strtok_r(line, " \t\r", &rest);
    rest += strspn(rest, " \t\r");
    if (rest[0] >= '0' && rest[0] <= '9')
        words[count++] = strtok_r(NULL, " \t\r", &rest);
    rest += strspn(rest, " \t\r");
    if (rest[0])
        words[count++] = rest;
    run_words(viewer, words);
}

/* ---- input ---- */

static void run_lines(struct viewer *viewer)
{
    char *start = viewer->line, *end;
    size_t left = viewer->length;
    while ((end = memchr(start, '\n', left))) {
        *end = '\0';
        run_line(viewer, start);
        left -= (size_t)(end + 1 - start);
        start = end + 1;
    }
    memmove(viewer->line, start, left);
    viewer->length = left;
}

static void read_input(struct viewer *viewer)
{
    ssize_t length = read(STDIN_FILENO, viewer->line + viewer->length, MAX_LINE - 1 - viewer->length);
    if (length < 0 && errno == EINTR)
        return;
    if (length > 0)
        viewer->length += (size_t)length;
    if (length <= 0) {
        /* A last line may lack its newline. */
        viewer->line[viewer->length++] = '\n';
        viewer->input_ended = true;
    }
    run_lines(viewer);
    if (viewer->length == MAX_LINE - 1) {
        fprintf(stderr, "netbroker: a line of more than %d bytes\n", MAX_LINE);
        viewer->status = NB_CLI_USAGE;
        viewer->input_ended = true;
        viewer->length = 0;
    }
}

/* ---- running ---- */

static void on_info(struct netbroker_session *session, void *context, const struct netbroker_reply *reply)
{
    struct viewer *viewer = context;
    const unsigned char *bytes = reply->result;
    struct netbroker_cursor active;
    struct netbroker_value count;
    if (reply->error)
        return;
    struct netbroker_cursor info = {bytes, bytes + reply->result_length};
    viewer->is_idle = netbroker_find(info, "active", &active) < 0 || netbroker_read(&active, &count) < 0 ||
                      count.type != NETBROKER_UINT || count.uint64 == 0;
}

/* Once there is no more input and no open request: is a handle open? If so, session.idle will tell. */
static bool is_over(struct viewer *viewer)
{
    if (!viewer->input_ended || viewer->pending)
        return false;
    if (!viewer->asked_if_idle) {
        viewer->asked_if_idle = true;
        viewer->is_idle = false;
        netbroker_call(viewer->session, "session.info", 0, NULL, 0, on_info, viewer);
    }
    return viewer->is_idle;
}

static int turn(struct viewer *viewer)
{
    struct pollfd polls[2];
    netbroker_flush(viewer->session);
    polls[0] = (struct pollfd){netbroker_fd(viewer->session), netbroker_events(viewer->session), 0};
    polls[1] = (struct pollfd){viewer->input_ended ? -1 : STDIN_FILENO, POLLIN, 0};
    if (poll(polls, 2, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (polls[1].revents)
        read_input(viewer);
    return polls[0].revents ? netbroker_dispatch(viewer->session) : 0;
}

static int view(struct viewer *viewer, char **arguments)
{
    if (arguments[0])
        run_words(viewer, arguments);
    while (!is_over(viewer) && viewer->status != NB_CLI_LOCAL) {
        int result = turn(viewer);
        if (result < 0)
            return nb_cli_lost(result);
    }
    return viewer->status;
}

static int run(const struct nb_cli_options *options, char **arguments)
{
    struct viewer viewer = {.options = options};
    viewer.line = malloc(MAX_LINE);
    if (!viewer.line) {
        nb_cli_complain("events", -ENOMEM);
        return NB_CLI_LOCAL;
    }
    int status = nb_cli_open(options, &session_events, &viewer, &viewer.session);
    if (status == NB_CLI_OK)
        status = view(&viewer, arguments);
    netbroker_free(viewer.session);
    while (viewer.pending)
        unlink_pending(viewer.pending);
    free(viewer.line);
    return status;
}

const struct nb_cli_command nb_cli_events = {
    .name = "events",
    .arguments = "[METHOD [TARGET] [JSON]]",
    .summary = "send requests, one a line of stdin, and print answers and events",
    .options = "",
    .min_arguments = 0,
    .max_arguments = 3,
    .run = run,
};
