/*
 * Fetches a page over HTTP/1.0, reading and writing like a file.
 *
 *   fetch HOST PORT PATH
 */
#include "session.h"

enum { TIMEOUT_MS = 10000 };

static int fail(const char *what, int result, const struct netbroker_error *error)
{
    fprintf(stderr, "fetch: %s: %s\n", what, result == -EREMOTEIO ? error->message : strerror(-result));
    return EXIT_FAILURE;
}

static int fetch(struct netbroker_stream *stream, const char *host, const char *path)
{
    char buffer[4096];
    int length = snprintf(buffer, sizeof buffer, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
    int result = netbroker_stream_write(stream, buffer, (size_t)length, TIMEOUT_MS);
    if (result < 0)
        return fail("cannot ask", result, netbroker_stream_error(stream));
    long got;
    while ((got = netbroker_stream_read(stream, buffer, sizeof buffer, TIMEOUT_MS)) > 0)
        fwrite(buffer, 1, (size_t)got, stdout);
    return got < 0 ? fail("cannot read", (int)got, netbroker_stream_error(stream)) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct netbroker_session *session;
    struct netbroker_stream *stream;
    struct netbroker_error error;
    if (argc != 4) {
        fprintf(stderr, "usage: fetch HOST PORT PATH\n");
        return EXIT_FAILURE;
    }
    if (!(session = open_session(NULL)))
        return EXIT_FAILURE;
    struct netbroker_connect_options options = {.host = argv[1], .port = (uint16_t)atoi(argv[2])};
    int result = netbroker_stream_connect(session, &options, TIMEOUT_MS, &stream, &error);
    int status = EXIT_FAILURE;
    if (result < 0)
        fail(argv[1], result, &error);
    else
        status = fetch(stream, argv[1], argv[3]);
    if (result == 0)
        netbroker_stream_free(stream);
    netbroker_free(session);
    return status;
}
