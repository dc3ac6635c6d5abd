/*
 * A host of sessions on the test's own thread, and clients that talk to it over
 * socket pairs in raw MessagePack. Frames are written and shown in the notation
 * of tests/protocol/notation.h; long bins are shown as x(LENGTH).
 */
#ifndef NB_TEST_CLIENT_H
#define NB_TEST_CLIENT_H

#include "host.h"
#include "pattern.h"
#include "session_limits.h"

#include <stdint.h>

/* The one broker of a test process. */
extern struct nb_lists broker_lists;
extern struct nb_limits broker_limits; /* change them before broker_start */
extern struct nb_loop *broker_loop;

void broker_start(void);

/*
 * Makes libuv's table of watchers large enough for all descriptors of a test:
 * when it cannot grow, libuv ends the process, which is no failure to test.
 */
void broker_grow_watchers(void);

/* Ends the host and runs the loop until every actor is gone. */
void broker_end(void);

/* The session that was opened last, to look into. */
struct nb_session *broker_session(void);

/* Sessions there are, and those that the daemon would count. */
unsigned broker_session_count(void);
unsigned broker_load(void);

/* As at SIGTERM: the host tells its sessions, and ends with the last of them. */
void broker_announce_closing(const char *reason, uint32_t deadline);
void broker_wait_for_its_end(void);

enum { FRAME_TEXT = 16384 };

struct client {
    int fd; /* -1: closed */
    uint8_t *data; /* owned: what was received and is not yet taken */
    size_t length, capacity;
    char text[FRAME_TEXT]; /* of the last frame */
};

/* A new session. */
void client_open(struct client *client);
void client_open_as(struct client *client, struct nb_rights rights);
void client_close(struct client *client);

/* Sends one frame; the broker's turns go on while it can't be taken. Dropped when the broker has closed. */
void client_send(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
void client_send_bytes(struct client *client, const void *data, size_t length);

/* The same with descriptors, of which the caller keeps its own: they go with the first byte. */
void client_send_fds(struct client *client, const int *fds, unsigned count, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A session that has agreed on the feature fds. */
void client_open_for_fds(struct client *client);

/* A socket.write notification of that many bytes. */
void client_send_write(struct client *client, uint64_t socket, const void *data, size_t length);

/* The next frame's text, or "end" when the broker has closed; in client->text too. */
const char *client_receive(struct client *client);

/* The next frame must match; * stands for anything. */
void client_expect(struct client *client, const char *pattern);

/* The payload of the next socket.data notification; its length, at most size, is returned. Others are passed over. */
size_t client_receive_data(struct client *client, void *ret_payload, size_t size);

/* Takes frames until one matches. */
void client_expect_soon(struct client *client, const char *pattern);

/* A request and its answer, which is the next frame. */
void client_ask(struct client *client, const char *request, const char *answer);

/* True when no frame is there once the broker has nothing left to do. */
bool client_hears_nothing(struct client *client);

/* The number behind 'name' in the last frame. */
uint64_t client_number(const struct client *client, const char *name);

#endif
