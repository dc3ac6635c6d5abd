/*
 * A TCP proxy that turns away who is on a block list; the broker does so before this program hears of them.
 *
 *   proxy PORT HOST TARGETPORT [BLOCKED...]
 *
 * BLOCKED: an address, a subnet as 10.0.0.0/8, a range as 10.0.0.1-10.0.0.9.
 */
#include "session.h"

enum { TIMEOUT_MS = 5000 };

/* Both ends of what goes through know each other. */
struct end {
    struct end *other;
    struct netbroker_socket *socket; /* NULL once it is closed */
};

static struct netbroker_connect_options target = {.allow_half_open = true};

static void on_data(struct netbroker_socket *socket, void *context, const void *bytes, size_t length)
{
    struct end *end = context;
    if (end->other->socket && netbroker_socket_write(end->other->socket, bytes, length) == 1)
        netbroker_socket_pause(socket);
}

static void on_drain(struct netbroker_socket *socket, void *context)
{
    struct end *end = context;
    (void)socket;
    if (end->other->socket)
        netbroker_socket_resume(end->other->socket);
}

static void on_end(struct netbroker_socket *socket, void *context)
{
    struct end *end = context;
    (void)socket;
    if (end->other->socket)
        netbroker_socket_end(end->other->socket);
}

static void on_error(struct netbroker_socket *socket, void *context, const struct netbroker_error *error)
{
    (void)socket;
    (void)context;
    fprintf(stderr, "%s\n", error->message);
}

static void on_close(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed)
{
    struct end *end = context;
    (void)socket;
    end->socket = NULL;
    if (!end->other->socket) {
        free(end < end->other ? end : end->other); /* they were allocated together */
        return;
    }
    if (closed->had_error)
        netbroker_socket_destroy(end->other->socket);
}

static const struct netbroker_socket_events events = {
    .on_data = on_data, .on_drain = on_drain, .on_end = on_end, .on_error = on_error, .on_close = on_close};

static void on_connection(struct netbroker_server *server, void *context, struct netbroker_socket *client)
{
    struct end *ends = calloc(2, sizeof *ends);
    (void)context;
    if (!ends || netbroker_create_connection(netbroker_server_session(server), &target, &events, &ends[1],
                                             &ends[1].socket) < 0) {
        free(ends);
        netbroker_socket_destroy(client);
        return;
    }
    ends[0] = (struct end){&ends[1], client};
    ends[1].other = &ends[0];
    netbroker_socket_set_events(client, &events, &ends[0]);
}

static void on_drop(struct netbroker_server *server, void *context,
                    const struct netbroker_endpoints *endpoints)
{
    (void)server;
    (void)context;
    printf("turned away: %s\n", endpoints->remote.address);
    fflush(stdout);
}

static const struct netbroker_server_events server_events = {.on_connection = on_connection,
                                                             .on_drop = on_drop,
                                                             .on_listening = print_address,
                                                             .on_error = print_error};

static int call(struct netbroker_session *session, const char *method, uint64_t id,
                const struct netbroker_packer *body, struct netbroker_result *answer)
{
    int result = netbroker_call_wait(session, method, id, body->bytes, body->length, TIMEOUT_MS, answer);
    if (result < 0)
        fprintf(stderr, "%s: %s\n", method, result == -EREMOTEIO ? answer->error.message : strerror(-result));
    return result;
}

/* The id of a new list; target 0 lets the broker choose it. 0: it has said why not. */
static uint64_t new_list(struct netbroker_session *session)
{
    struct netbroker_packer none = {0};
    struct netbroker_result answer = {0};
    struct netbroker_value id = {0};
    if (call(session, "blockList.create", 0, &none, &answer) == 0) {
        const unsigned char *bytes = answer.bytes;
        struct netbroker_cursor found;
        if (netbroker_find((struct netbroker_cursor){bytes, bytes + answer.length}, "id", &found) == 0)
            netbroker_read(&found, &id);
    }
    netbroker_result_free(&answer);
    return id.uint64;
}

/* The id of a list with those rules. 0: it has said why not. */
static uint64_t block(struct netbroker_session *session, int count, char **rules)
{
    uint64_t list = new_list(session);
    struct netbroker_packer body = {0};
    struct netbroker_result answer = {0};
    netbroker_pack_map(&body, 1);
    netbroker_pack_str(&body, "rules");
    netbroker_pack_array(&body, (uint32_t)count);
    for (int i = 0; i < count; i++)
        netbroker_pack_str(&body, rules[i]);
    if (list && (body.failed || call(session, "blockList.addRules", list, &body, &answer) < 0))
        list = 0;
    netbroker_result_free(&answer);
    netbroker_packer_free(&body);
    return list;
}

static int serve(struct netbroker_session *session, uint16_t port, uint64_t list)
{
    struct netbroker_server_options options = {.allow_half_open = true, .block_list = list};
    struct netbroker_listen_options where = {.host = "127.0.0.1", .port = port};
    struct netbroker_server *server;
    int status = EXIT_SUCCESS;
    if (netbroker_create_server(session, &options, &server_events, &status, &server) < 0 ||
        netbroker_server_listen(server, &where) < 0)
        return EXIT_FAILURE;
    return run_session(session, &status);
}

int main(int argc, char **argv)
{
    struct netbroker_session *session;
    if (argc < 4) {
        fprintf(stderr, "usage: proxy PORT HOST TARGETPORT [BLOCKED...]\n");
        return EXIT_FAILURE;
    }
    if (!(session = open_session(NULL)))
        return EXIT_FAILURE;
    target.host = argv[2];
    target.port = (uint16_t)atoi(argv[3]);
    uint64_t list = argc > 4 ? block(session, argc - 4, argv + 4) : 0;
    int status = EXIT_FAILURE;
    if (list || argc == 4)
        status = serve(session, (uint16_t)atoi(argv[1]), list);
    netbroker_free(session);
    return status;
}
