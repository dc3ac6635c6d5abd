/*
 * Any method of the protocol: packs a body, waits for the answer, finds a field in it.
 * Here: how many sockets does this session hold?
 */
#include "session.h"

enum { TIMEOUT_MS = 5000 };

static uint64_t number_at(const struct netbroker_result *result, const char *key)
{
    const unsigned char *bytes = result->bytes;
    struct netbroker_cursor map = {bytes, bytes + result->length}, found;
    struct netbroker_value value;
    bool is_number = netbroker_find(map, key, &found) == 0 && netbroker_read(&found, &value) == 0 &&
                     value.type == NETBROKER_UINT;
    return is_number ? value.uint64 : 0;
}

/* Calls and complains; the caller frees the answer. */
static bool ask(struct netbroker_session *session, const char *method, const struct netbroker_packer *body,
                struct netbroker_result *answer)
{
    int result = netbroker_call_wait(session, method, 0, body->bytes, body->length, TIMEOUT_MS, answer);
    if (result < 0)
        fprintf(stderr, "ask: %s: %s\n", method,
                result == -EREMOTEIO ? answer->error.message : strerror(-result));
    return result == 0;
}

int main(void)
{
    struct netbroker_session *session = open_session(NULL);
    if (!session)
        return EXIT_FAILURE;
    /* Target 0 lets the broker choose the id of the new socket. */
    struct netbroker_packer body = {0}, none = {0};
    netbroker_pack_map(&body, 1);
    netbroker_pack_str(&body, "allowHalfOpen");
    netbroker_pack_bool(&body, true);
    struct netbroker_result created = {0}, info = {0};
    bool good = !body.failed && ask(session, "socket.create", &body, &created) &&
                ask(session, "session.info", &none, &info);
    if (good)
        printf("socket %llu, one of %llu\n", (unsigned long long)number_at(&created, "id"),
               (unsigned long long)number_at(&info, "sockets"));
    netbroker_result_free(&created);
    netbroker_result_free(&info);
    netbroker_packer_free(&body);
    netbroker_free(session);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
