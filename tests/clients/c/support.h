/*
 * For the tests of libnetbroker: an allocator that counts and can fail, a
 * broker that is played by the test over a socket pair, and a log of callbacks.
 */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include "netbroker.h"

#include <check.h>
#include <jansson.h>

/* ---- running ---- */

/* Runs all tests of a NULL-terminated list, each in its own process; the result is main's. */
int run_suite(const char *name, const TTest *const *tests);

int count_descriptors(void);

/* ---- memory ---- */

struct counted_memory {
    struct netbroker_allocator allocator;
    long live; /* blocks */
    long allocations; /* so far, growing included */
    long fail_at; /* this allocation and all later ones fail; 0: none */
};

void counted_memory_init(struct counted_memory *memory);

/* ---- callbacks ---- */

/* What was called back, a word and what matters each, separated by "; ". */
struct record {
    char text[4096];
    struct netbroker_socket *accepted; /* by the last on_connection */
};

void note(struct record *record, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Compares and clears. */
void expect_record(struct record *record, const char *text);

/* Each callback writes to the record that is its context. */
extern const struct netbroker_session_events recorded_session;
extern const struct netbroker_socket_events recorded_socket;
extern const struct netbroker_server_events recorded_server;
void recorded_reply(struct netbroker_session *session, void *context, const struct netbroker_reply *reply);

/* ---- a broker played by the test ---- */

struct fake_broker {
    int fd;
    int descriptors; /* before it was opened */
    struct netbroker_session *session;
    struct counted_memory memory;
    struct record record; /* of the session */
    unsigned char heard[1 << 20]; /* from the client, not yet looked at */
    size_t head, length;
};

/* Opens a session to it and answers its hello with `welcome` (JSON). `options` may be NULL. */
void fake_broker_open(struct fake_broker *broker, const struct netbroker_options *options,
                      const char *welcome);

/* Frees the session and checks that nothing is left of it. */
void fake_broker_close(struct fake_broker *broker);

/* Sends raw bytes, or one frame in JSON, and lets the session dispatch it; its result. */
int fake_broker_send(struct fake_broker *broker, const void *bytes, size_t length);
int fake_broker_say(struct fake_broker *broker, const char *frame);

/* The next frame of the client must be this; "*" stands for any value. */
void fake_broker_expect(struct fake_broker *broker, const char *frame);
void fake_broker_expect_nothing(struct fake_broker *broker);
/* The next frame of the client. The caller owns it; NULL when there is none. */
json_t *fake_broker_hear(struct fake_broker *broker);

/* JSON text as MessagePack, to be freed with netbroker_packer_free(). */
struct netbroker_packer pack_text(const char *text);

#endif
