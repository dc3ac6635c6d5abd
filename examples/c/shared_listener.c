/*
 * A listener shared with programs in other languages: the broker deals the connections to all of one group in turn.
 *
 *   shared_listener GROUP [PORT]     (beside examples/python and examples/node's, of the same group and port, even 0)
 */
#include "session.h"

enum { TIMEOUT_MS = 5000 };

static int fail(int result, const struct netbroker_error *error)
{
    fprintf(stderr, "%s\n", result == -EREMOTEIO ? error->message : strerror(-result));
    return EXIT_FAILURE;
}

/* Until it listens no more. */
static int answer_all(struct netbroker_listener *listener)
{
    struct netbroker_stream *stream;
    int result;
    while ((result = netbroker_listener_accept(listener, -1, &stream)) == 0) {
        netbroker_stream_write(stream, "C\n", 2, TIMEOUT_MS);
        netbroker_stream_end(stream);
        netbroker_stream_free(stream);
    }
    return fail(result, netbroker_listener_error(listener));
}

int main(int argc, char **argv)
{
    struct netbroker_session *session;
    struct netbroker_listener *listener;
    struct netbroker_error error;
    if (argc < 2) {
        fprintf(stderr, "usage: shared_listener GROUP [PORT]\n");
        return EXIT_FAILURE;
    }
    if (!(session = open_session(&(struct netbroker_options){.group = argv[1]})))
        return EXIT_FAILURE;
    struct netbroker_listen_options where = {.host = "127.0.0.1",
                                             .port = argc > 2 ? (uint16_t)atoi(argv[2]) : 0};
    int result = netbroker_listener_open(session, NULL, &where, TIMEOUT_MS, &listener, &error);
    int status = EXIT_FAILURE;
    if (result == 0) {
        print_address(NULL, NULL, netbroker_listener_address(listener));
        status = answer_all(listener);
        netbroker_listener_free(listener);
    } else {
        fail(result, &error);
    }
    netbroker_free(session);
    return status;
}
