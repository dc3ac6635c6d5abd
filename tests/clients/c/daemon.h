/* The real daemon, a session to it in the chosen loop, and plain sockets as peers. */
#ifndef TEST_DAEMON_H
#define TEST_DAEMON_H

#include "loop.h"
#include "support.h"

#include <netinet/in.h>
#include <sys/types.h>

enum { DEADLINE_MS = 10000 };

struct daemon {
    pid_t pid;
    int log; /* its stderr */
    int descriptors; /* of this process, before */
    char directory[64];
    char path[80]; /* of its socket */
    struct netbroker_session *session;
    struct netbroker_options options; /* of the session */
    const struct loop_kind *kind;
    void *loop;
    struct counted_memory memory; /* of the session */
    struct record record; /* of the session and whatever gets it as context */
};

/* Starts $NETBROKER_BINARY and waits until it is ready; opens a session. `options` may be NULL. */
void daemon_start(struct daemon *daemon, const struct netbroker_options *options);

/* Frees the session, ends the daemon and checks that nothing is left on either side. */
void daemon_stop(struct daemon *daemon);

/* One turn of the loop, as struct loop_kind says. */
int daemon_turn(struct daemon *daemon, int timeout);
/* Kills the daemon; later, what daemon_stop() would do for its session and the rest. */
void daemon_kill(struct daemon *daemon);
/* Starts it again, and a new session in a new loop in place of the old ones. */
void daemon_restart(struct daemon *daemon);
void daemon_bury(struct daemon *daemon);

/* Turns until the record holds `text`. */
void wait_for(struct daemon *daemon, const char *text);
/* Turns until the socket has no unflushed byte. */
void wait_flushed(struct daemon *daemon, const struct netbroker_socket *socket);
/* Calls and turns until it is answered, without an error. */
void call(struct daemon *daemon, const char *method, uint64_t target, const void *body, size_t length);
/* A round trip: everything that was sent before has been started. */
void ping(struct daemon *daemon);

/* Descriptors of the daemon. */
int daemon_descriptors(const struct daemon *daemon);

/* Peers: blocking sockets on 127.0.0.1 with a receive timeout of the deadline. */
int peer_listen(uint16_t *ret_port);
int peer_accept(int listener);
int peer_connect(uint16_t port);
void peer_send(int fd, const void *bytes, size_t length);
/* Reads exactly so many bytes. */
void peer_receive(int fd, void *bytes, size_t length);
void peer_expect_end(int fd);

/* A server of the session, listening on 127.0.0.1; its port. */
struct netbroker_server *listen_here(struct daemon *daemon, const struct netbroker_server_options *options,
                                     uint16_t *ret_port);

#endif
