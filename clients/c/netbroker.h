/*
 * libnetbroker: TCP and Unix sockets and servers that a netbroker daemon owns,
 * driven over one Unix connection, the session.
 *
 * The library fits any event loop. Poll netbroker_fd() for netbroker_events()
 * (level-triggered) and call netbroker_dispatch() when it is ready: it reads,
 * calls back, writes, and never blocks. Callbacks run only inside
 * netbroker_dispatch() and the functions that wait (netbroker_wait(), ..._wait(),
 * netbroker_stream_*), and may call anything here but those. Only the release
 * of a borrowed write may come from any function.
 *
 * Threads: a session and all that belongs to it are one thread's at a time.
 * Two sessions share nothing. The library starts no thread, installs no signal
 * handler and raises no SIGPIPE.
 *
 * Results: 0 or a negative errno; a `ret_` argument is untouched on failure.
 * What the broker refuses comes later, as a struct netbroker_error.
 *
 * Ownership, in four words: takes, borrows (during the call only, unless said),
 * shares, copies. Strings and option structs given to a function are borrowed.
 * Option structs: set all to zero, then what differs from the defaults.
 */
#ifndef NETBROKER_CLIENT_H
#define NETBROKER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct netbroker_session;
struct netbroker_socket;
struct netbroker_server;
struct netbroker_stream;
struct netbroker_listener;

/* ---- values ---- */

/* An error of the broker or of a peer. A value: copy it at will. Texts that are
 * absent are empty; longer ones are cut. */
struct netbroker_error {
    char code[48]; /* Node's or libuv's name: "ECONNREFUSED", "ERR_SOCKET_BAD_PORT"; or "ERR_NB_..." */
    char message[256];
    char name[24]; /* "TypeError", "RangeError", ...; empty: "Error" */
    char syscall[24];
    char address[112]; /* an IP address or a Unix path */
    char hostname[256];
    char argument[64]; /* the offending option */
    char limit[32]; /* the limit that was passed */
    char method[64]; /* the failed command's, where no reply says so */
    int32_t error_number; /* negative; of the broker's platform: match on code instead */
    int32_t port;
    uint64_t target; /* 0, or the actor that a session error is about */
    bool fatal; /* the session ends */
};

/* One end of a TCP connection. All empty for a Unix socket. */
struct netbroker_endpoint {
    char address[64];
    uint16_t port;
    uint8_t family; /* 4 or 6 */
};

struct netbroker_endpoints {
    struct netbroker_endpoint local;
    struct netbroker_endpoint remote;
};

/* Where a server listens: at a path, or an address and port. */
struct netbroker_address {
    char path[112];
    char address[64];
    uint16_t port;
    uint8_t family; /* 4 or 6; 0 for a path */
};

/* Who connected to a Unix server, from the kernel. */
struct netbroker_peer {
    uint32_t uid, gid, pid;
};

/* How a socket ended. */
struct netbroker_closed {
    bool had_error; /* also true when it never connected */
    uint64_t bytes_read, bytes_written;
};

/* An event as it came, for what has no callback of its own. Borrowed. */
struct netbroker_event {
    const char *name; /* not terminated */
    size_t name_length;
    uint64_t target;
    const void *body; /* one MessagePack value; NULL when there is none */
    size_t body_length;
};

/* The answer to a request: an error, or else one MessagePack value. Borrowed. */
struct netbroker_reply {
    const struct netbroker_error *error; /* NULL on success */
    const void *result;
    size_t result_length;
};

typedef void netbroker_reply_fn(struct netbroker_session *session, void *context,
                                const struct netbroker_reply *reply);

/* ---- session ---- */

/* All memory of a session comes from here: resize(context, NULL, n) allocates,
 * resize(context, block, 0) frees and returns NULL; NULL otherwise means failure. */
struct netbroker_allocator {
    void *(*resize)(void *context, void *block, size_t size);
    void *context;
};

/* Any may be NULL. */
struct netbroker_session_events {
    /* Every event, before its own callback. */
    void (*on_event)(struct netbroker_session *session, void *context, const struct netbroker_event *event);
    /* A command without a reply failed (see target and method), or the session ends (fatal). */
    void (*on_error)(struct netbroker_session *session, void *context, const struct netbroker_error *error);
    /* The last open handle that was not unref'd is gone. */
    void (*on_idle)(struct netbroker_session *session, void *context);
    /* The broker shuts down: finish within so many milliseconds. */
    void (*on_closing)(struct netbroker_session *session, void *context, uint32_t deadline);
};

struct netbroker_options {
    const struct netbroker_session_events *events; /* borrowed until the session is freed */
    void *context; /* for the events */
    const struct netbroker_allocator *allocator; /* borrowed until the session is freed; default realloc() */
    const char *name, *version; /* of the program, for the broker's log */
    const char *
        group; /* 1 to 64 bytes: shares what it listens on with this user's sessions of that group; NULL: none */
    bool
        without_flow; /* for tools that drive sockets by netbroker_call() alone: none can be made by a function here */
    uint32_t read_window; /* bytes of data that a socket gets ahead of what was consumed; default 256 KiB */
    size_t high_water_mark; /* bytes unflushed of one socket at which a write asks to wait; default 192 KiB */
    size_t max_unflushed; /* bytes unflushed of one socket that are never passed; default 4 MiB */
    bool with_channels; /* sockets may have one: netbroker_socket_channel() */
    size_t max_frame; /* bytes of one frame from the broker; default 2 MiB */
    uint32_t connect_timeout; /* milliseconds until the broker must have answered; default 30000 */
};

/*
 * Where netbroker_connect(path) would look: writes the path and its NUL to `out`,
 * also to tell a user. 0, -EDESTADDRREQ, or -ENAMETOOLONG.
 */
int netbroker_find_path(const char *path, char *out, size_t size);

/*
 * Connects to the broker at `path`; NULL means $NETBROKER_SOCKET, else
 * $XDG_RUNTIME_DIR/netbroker.sock. `options` may be NULL.
 * Errors: -ENOENT, -ECONNREFUSED (nobody listens), -EAGAIN (backlog stayed full),
 * -EDESTADDRREQ (no path given, none in the environment), -ENAMETOOLONG, -ENOMEM, -EACCES.
 */
int netbroker_connect(const char *path, const struct netbroker_options *options,
                      struct netbroker_session **ret_session);

/* The same over a stream socket that is connected already. Takes `fd` on success. */
int netbroker_open(int fd, const struct netbroker_options *options, struct netbroker_session **ret_session);

/*
 * For people: why netbroker_connect(path) failed with `error`, where it looked, and
 * what to start. Writes at most `size` bytes with the NUL, cut if need be.
 */
void netbroker_explain(const char *path, int error, char *out, size_t size);

/*
 * Ends the session and frees it with all its sockets and servers. Calls nothing
 * back but the release functions of borrowed writes, which find everything refused.
 * Bytes not yet flushed are lost; see netbroker_flush(). In a callback it takes
 * effect when the dispatch returns (-ECANCELED then); in a release function outside
 * of one, with the next dispatch, which is due at once. NULL is allowed.
 */
void netbroker_free(struct netbroker_session *session);

/* What to poll. The session's: it is closed with it. */
int netbroker_fd(const struct netbroker_session *session);

/* POLLIN, and POLLOUT while bytes wait to be written. */
short netbroker_events(const struct netbroker_session *session);

/* Milliseconds after which to dispatch even if the descriptor is not ready; -1: never. */
int netbroker_timeout(const struct netbroker_session *session);

/*
 * Reads what there is (at most one buffer), calls back, writes. Never blocks.
 * Once it fails the session is over: every open request has been answered with
 * the error, every socket and server had its on_error and on_close, and only
 * netbroker_free() is left to do.
 * Errors: -ECONNRESET (the broker is gone, or ended the session: on_error said
 * why), -EBADMSG (bytes that are no protocol), -EMSGSIZE (a frame above
 * max_frame), -ECONNABORTED (no answer within connect_timeout),
 * -EPROTONOSUPPORT (an older broker), -ENOMEM, -EBUSY
 * (called from a callback), -ECANCELED (freed).
 */
int netbroker_dispatch(struct netbroker_session *session);

/*
 * Writes as much as the kernel takes now; calls back nothing but release functions. 0: all of it; 1: some is left (as in a
 * release function, whose flush goes on by itself). -EPIPE: the broker takes no more, and the next dispatch tells why.
 */
int netbroker_flush(struct netbroker_session *session);

/* Flushes, polls for at most `timeout` milliseconds (-1: no limit), dispatches.
 * -ETIMEDOUT when nothing came, -EINTR after a signal, -EBUSY in a callback, else as netbroker_dispatch(). */
int netbroker_wait(struct netbroker_session *session, int timeout);

/*
 * Any method of the protocol. `body` is one encoded MessagePack value, copied;
 * NULL for none. `on_reply` is called once, whatever happens, unless the session is freed first.
 * Errors: -ENOMEM, -ENOTCONN (the session is over), -ENOBUFS (too many open requests, or 16 MiB wait for a broker that does
 * not read).
 */
int netbroker_call(struct netbroker_session *session, const char *method, uint64_t target, const void *body,
                   size_t body_length, netbroker_reply_fn *on_reply, void *context);

/* The same without an answer; a failure at the broker comes as the session's on_error. */
int netbroker_notify(struct netbroker_session *session, const char *method, uint64_t target, const void *body,
                     size_t body_length);

/* Bytes of all sockets that no kernel has taken yet, as far as is known here. */
uint64_t netbroker_unflushed(const struct netbroker_session *session);

/* ---- sockets ---- */

/*
 * on_close comes exactly once and last; the socket is freed when it returns.
 * on_error comes at most once, before on_close. Any may be NULL.
 */
struct netbroker_socket_events {
    void (*on_connect)(struct netbroker_socket *socket, void *context);
    /* Borrows the bytes. */
    void (*on_data)(struct netbroker_socket *socket, void *context, const void *bytes, size_t length);
    /* After a write had returned 1: unflushed has fallen to half of the mark. */
    void (*on_drain)(struct netbroker_socket *socket, void *context);
    /* The peer will send no more. Without allow_half_open this side has been ended too, after all that was written. */
    void (*on_end)(struct netbroker_socket *socket, void *context);
    /* Idle for the time of netbroker_socket_set_timeout(). Nothing has been closed. */
    void (*on_timeout)(struct netbroker_socket *socket, void *context);
    void (*on_error)(struct netbroker_socket *socket, void *context, const struct netbroker_error *error);
    void (*on_close)(struct netbroker_socket *socket, void *context, const struct netbroker_closed *closed);
};

struct netbroker_connect_options {
    const char *path; /* a Unix socket; the TCP options are then ignored */
    const char *host; /* default "localhost" */
    uint16_t port;
    int family; /* 0 (default), 4 or 6 */
    const char *local_address;
    uint16_t local_port;
    bool allow_half_open; /* keep this side open after on_end */
    bool no_delay;
    bool keep_alive;
    uint32_t keep_alive_initial_delay; /* milliseconds; 0: the system's */
    uint32_t timeout; /* milliseconds, as netbroker_socket_set_timeout() */
    uint32_t read_chunk; /* bytes of one on_data at most; default 64 KiB */
    uint32_t read_window; /* bytes of data ahead of what was consumed; default the session's */
    bool consume_by_hand; /* data is consumed by netbroker_socket_consumed(), not when on_data returns */
    uint64_t
        block_list; /* id of a list from blockList.create, whose addresses are not connected to; 0: none */
};

/*
 * Starts a connection. It can be written to at once; the broker keeps the bytes
 * until it is connected. `events` are borrowed until on_close, and may be NULL.
 * Errors: -ENOMEM, -ENOTCONN, -ENOBUFS, -EOPNOTSUPP (without_flow).
 */
int netbroker_create_connection(struct netbroker_session *session,
                                const struct netbroker_connect_options *options,
                                const struct netbroker_socket_events *events, void *context,
                                struct netbroker_socket **ret_socket);

/* Whom to tell; for a new connection of a server, call it in on_connection. */
void netbroker_socket_set_events(struct netbroker_socket *socket,
                                 const struct netbroker_socket_events *events, void *context);

/*
 * Writes all of it or nothing. The first copies; the second borrows the bytes
 * until it calls `release` (perhaps before it returns; never when it fails), which may
 * call anything but what waits or dispatches.
 * What is more than the broker's window (256 KiB of a socket that its kernel has
 * not taken) waits in the library, up to max_unflushed.
 * 0: taken. 1: taken, and now wait for on_drain before writing more.
 * Errors: -EPIPE (ended, destroyed or failed), -EBUSY (has a channel), -ENOBUFS
 * (would pass max_unflushed, which a lone write may), -ENOMEM, -ENOTCONN.
 */
int netbroker_socket_write(struct netbroker_socket *socket, const void *bytes, size_t length);
int netbroker_socket_write_borrowed(struct netbroker_socket *socket, const void *bytes, size_t length,
                                    void (*release)(void *context), void *context);

/* Bytes written that the broker has not yet given to the kernel ("given", not "received by the peer"). */
uint64_t netbroker_socket_unflushed(const struct netbroker_socket *socket);

/* Ends this side after what was written; the peer reads the end. Again: no effect. -EBUSY (has a channel), -ENOTCONN, -ENOMEM. */
int netbroker_socket_end(struct netbroker_socket *socket);

/* Closes now; what is unflushed may be lost. on_close follows, on_error does not. Again: no effect. -ENOTCONN, -ENOMEM. */
int netbroker_socket_destroy(struct netbroker_socket *socket);

/* The same with a TCP reset. -EOPNOTSUPP for a Unix socket. */
int netbroker_socket_reset_and_destroy(struct netbroker_socket *socket);

/*
 * With consume_by_hand: the program is done with so many bytes of what on_data
 * gave, and as many more may come. What has come and is not consumed is never
 * more than the read window. -EINVAL: not by hand, or more than has come; -ENOMEM:
 * call again, with 0 if need be.
 */
int netbroker_socket_consumed(struct netbroker_socket *socket, size_t length);

/*
 * Gives the connection's bytes a stream of their own, a channel, once the answer is there. `fd` is the program's: a
 * non-blocking stream socket with close-on-exec, to poll, to read and write, to pass to a TLS library or a child. -1
 * when `error` says why there is none: then all is as it was.
 */
typedef void netbroker_channel_fn(struct netbroker_socket *socket, void *context, int fd,
                                  const struct netbroker_error *error);

/*
 * Asks for a channel of a socket that is connected. What comes before the answer is still told by on_data, what was
 * written goes out first, and from now on bytes go by the channel only: the functions that write, end, pause and resume
 * give -EBUSY. shutdown() of the descriptor ends this side, close() lets go of the connection; both sides end by
 * themselves, whatever allow_half_open says. on_end, on_error and on_close come as ever, each when the bytes before it
 * are in the channel. on_channel is called once, before on_close, unless the socket is destroyed or freed with its session.
 * Errors: -EOPNOTSUPP (the session is without channels), -EPIPE (destroyed or failed), -EBUSY (has one, or what was
 * written waits in the library), -ENOTCONN, -ENOMEM, -ENOBUFS.
 */
int netbroker_socket_channel(struct netbroker_socket *socket, netbroker_channel_fn *on_channel,
                             void *context);

/* No more is read from the peer. Data that was on its way still comes: at most the read window. -EBUSY (has a channel),
 * -ENOTCONN, -ENOMEM; the same for netbroker_socket_resume(). */
int netbroker_socket_pause(struct netbroker_socket *socket);
/* Reading goes on. Of a server with pause_on_connect: begins. */
int netbroker_socket_resume(struct netbroker_socket *socket);

/*
 * Options: TCP_NODELAY, and SO_KEEPALIVE with the milliseconds before the first probe (0: the system's). -ENOTCONN or
 * -ENOMEM; what the broker refuses is told by the session's on_error.
 */
int netbroker_socket_set_no_delay(struct netbroker_socket *socket, bool on);
int netbroker_socket_set_keep_alive(struct netbroker_socket *socket, bool on, uint32_t initial_delay_ms);
/* Milliseconds without traffic after which on_timeout comes; 0: never. */
int netbroker_socket_set_timeout(struct netbroker_socket *socket, uint32_t ms);
/* Whether it counts for the session's on_idle: it does, unless unref'd. -ENOTCONN, -ENOMEM. */
int netbroker_socket_ref(struct netbroker_socket *socket);
int netbroker_socket_unref(struct netbroker_socket *socket);

/* Its number in the protocol: the target of netbroker_call() and netbroker_notify(). */
uint64_t netbroker_socket_id(const struct netbroker_socket *socket);
/* Whose it is. Shared. */
struct netbroker_session *netbroker_socket_session(const struct netbroker_socket *socket);
/* Shares the socket's memory. All empty until on_connect, and for a Unix socket. */
const struct netbroker_endpoints *netbroker_socket_endpoints(const struct netbroker_socket *socket);
/* Who connected, for a connection of a Unix server; NULL otherwise. Shares the socket's memory. */
const struct netbroker_peer *netbroker_socket_peer(const struct netbroker_socket *socket);

/* ---- servers ---- */

/* on_close comes once and last; the server is freed when it returns. Any may be NULL. */
struct netbroker_server_events {
    void (*on_listening)(struct netbroker_server *server, void *context,
                         const struct netbroker_address *address);
    void (*on_connection)(struct netbroker_server *server, void *context, struct netbroker_socket *socket);
    /* Blocked, or max_connections was reached: a connection was closed at once. Borrows. */
    void (*on_drop)(struct netbroker_server *server, void *context,
                    const struct netbroker_endpoints *endpoints);
    /* E.g. EADDRINUSE. The server stays: listen again, or close it. */
    void (*on_error)(struct netbroker_server *server, void *context, const struct netbroker_error *error);
    void (*on_close)(struct netbroker_server *server, void *context);
};

/* The socket options are those of every connection. */
struct netbroker_server_options {
    bool allow_half_open;
    bool pause_on_connect; /* no data until netbroker_socket_resume() */
    bool no_delay;
    bool keep_alive;
    uint32_t keep_alive_initial_delay; /* milliseconds */
    bool limit_connections; /* use max_connections */
    uint32_t max_connections; /* 0 drops all */
    uint32_t read_chunk; /* bytes of one on_data at most; default 64 KiB */
    uint32_t read_window; /* as of a connection that is made here */
    bool consume_by_hand;
    uint64_t block_list; /* id of a list from blockList.create, whose addresses are dropped; 0: none */
};

struct netbroker_listen_options {
    const char *path; /* a Unix socket, unlinked when the server closes; else TCP: */
    const char *host; /* default "::", or "0.0.0.0" without IPv6 */
    uint16_t port; /* 0: the system chooses */
    int backlog; /* default 511 */
    bool ipv6_only;
    bool exclusive; /* not shared with the session's group */
    bool reuse_port; /* shared by the system, with any program of this user that says so too */
    bool readable_all, writable_all; /* mode of a Unix socket, for everybody */
};

/* `events` are borrowed until on_close, and may be NULL. Errors as netbroker_create_connection(). */
int netbroker_create_server(struct netbroker_session *session, const struct netbroker_server_options *options,
                            const struct netbroker_server_events *events, void *context,
                            struct netbroker_server **ret_server);

/*
 * Listens. on_listening or on_error follows; also when it listens already (ERR_SERVER_ALREADY_LISTEN, and it goes on).
 * The options are borrowed for the call. Errors: -ENOMEM, -ENOTCONN, -ENOBUFS.
 */
int netbroker_server_listen(struct netbroker_server *server, const struct netbroker_listen_options *options);

/* As netbroker_socket_set_events(). */
void netbroker_server_set_events(struct netbroker_server *server,
                                 const struct netbroker_server_events *events, void *context);

/* Stops accepting. on_close follows once all its connections have ended. Again: no effect. */
int netbroker_server_close(struct netbroker_server *server);

/* Shares the server's memory; NULL while it does not listen. */
const struct netbroker_address *netbroker_server_address(const struct netbroker_server *server);
/* Its number in the protocol, and whose it is. */
uint64_t netbroker_server_id(const struct netbroker_server *server);
struct netbroker_session *netbroker_server_session(const struct netbroker_server *server);

/* ---- blocking convenience ---- */

/* Timeouts are of the whole call, in milliseconds; -1: none. All give -ETIMEDOUT,
 * -EBUSY (in a callback) and the errors of netbroker_dispatch(); a signal does not
 * end them. The other callbacks of the session go on meanwhile. */

struct netbroker_result {
    void *bytes; /* one MessagePack value; free it with netbroker_result_free() */
    size_t length;
    struct netbroker_error error; /* filled in when the result is -EREMOTEIO */
    struct netbroker_session *session; /* whose allocator made bytes */
};

/* Calls and waits. -EREMOTEIO: the broker answered an error. An answer that
 * comes after a timeout is dropped. `ret_result` is always filled in; the caller frees it, before the session. */
int netbroker_call_wait(struct netbroker_session *session, const char *method, uint64_t target,
                        const void *body, size_t body_length, int timeout,
                        struct netbroker_result *ret_result);
void netbroker_result_free(struct netbroker_result *result);

/* A connection to read and write like a file. It is the caller's until
 * netbroker_stream_free(), which destroys it unless both sides have ended. */
int netbroker_stream_connect(struct netbroker_session *session,
                             const struct netbroker_connect_options *options, int timeout,
                             struct netbroker_stream **ret_stream, struct netbroker_error *ret_error);
/* Waits for a byte. Gives how many were read (0 also if `size` is), 0 at the end of the peer's side, -EREMOTEIO when the
 * connection failed or was cut short (netbroker_stream_error()), -ECANCELED when the session was freed. */
long netbroker_stream_read(struct netbroker_stream *stream, void *buffer, size_t size, int timeout);
/* Waits until the kernel has all of it; copies. -EREMOTEIO and -ECANCELED as above, -EPIPE when ended. After -ETIMEDOUT
 * an unknown part of it is on its way: what else is to be told the peer cannot be built upon that. */
int netbroker_stream_write(struct netbroker_stream *stream, const void *bytes, size_t length, int timeout);
/* Ends this side after what was written, without waiting. Again: no effect. -ENOTCONN, -ENOMEM. */
int netbroker_stream_end(struct netbroker_stream *stream);
/* Why it failed; an empty code when it did not. Shares the stream's memory. */
const struct netbroker_error *netbroker_stream_error(const struct netbroker_stream *stream);
/* For options; NULL once the connection is closed. */
struct netbroker_socket *netbroker_stream_socket(const struct netbroker_stream *stream);
/* Also after its session has ended, but before that is freed. NULL is allowed. */
void netbroker_stream_free(struct netbroker_stream *stream);

/*
 * Listens, and waits until it does. Connections wait, unread, until they are
 * accepted: as many as `backlog`, others are destroyed; with max_connections no
 * more of them than that. `options` may be NULL.
 * -EREMOTEIO: `ret_error` (may be NULL) says why, e.g. EADDRINUSE.
 */
int netbroker_listener_open(struct netbroker_session *session, const struct netbroker_server_options *options,
                            const struct netbroker_listen_options *where, int timeout,
                            struct netbroker_listener **ret_listener, struct netbroker_error *ret_error);
/* Waits for a connection; the caller owns it. -EREMOTEIO: it listens no more (netbroker_listener_error()). */
int netbroker_listener_accept(struct netbroker_listener *listener, int timeout,
                              struct netbroker_stream **ret_stream);
/* Shares the listener's memory; NULL when it listens no more. */
const struct netbroker_address *netbroker_listener_address(const struct netbroker_listener *listener);
const struct netbroker_error *netbroker_listener_error(const struct netbroker_listener *listener);
/* Connections that were not accepted are destroyed; those that were go on. As netbroker_stream_free(). */
void netbroker_listener_free(struct netbroker_listener *listener);

/* ---- MessagePack, enough for bodies and results ---- */

enum netbroker_type {
    NETBROKER_NIL,
    NETBROKER_BOOL,
    NETBROKER_UINT, /* an integer of 0 and above */
    NETBROKER_INT, /* a negative one */
    NETBROKER_DOUBLE,
    NETBROKER_STR,
    NETBROKER_BIN,
    NETBROKER_ARRAY,
    NETBROKER_MAP,
};

struct netbroker_slice {
    const char *bytes; /* not terminated */
    size_t length;
};

struct netbroker_value {
    enum netbroker_type type;
    union {
        bool boolean;
        uint64_t uint64;
        int64_t int64;
        double real;
        struct netbroker_slice slice; /* STR, BIN: borrows from what is read */
        uint32_t count; /* elements of the array, pairs of the map, that follow */
    };
};

/* What is left to read. Set both ends; nothing is owned. */
struct netbroker_cursor {
    const unsigned char *at, *end;
};

/* Reads a scalar, or the header of an array or map whose members follow.
 * -EBADMSG when it is cut, malformed, or counts more members than there are bytes. */
int netbroker_read(struct netbroker_cursor *cursor, struct netbroker_value *ret_value);
/* Reads over one value with all its members. */
int netbroker_skip(struct netbroker_cursor *cursor);
/* Finds `key` in the map at the cursor; ret_value reads its value. -ENOENT; -EBADMSG when it is no map. */
int netbroker_find(struct netbroker_cursor map, const char *key, struct netbroker_cursor *ret_value);

/* Appends values, each with its shortest encoding. A failed allocation sticks in `failed`; later calls then do nothing. All zero is
 * an empty one; `bytes` are its own until netbroker_packer_free(). */
struct netbroker_packer {
    unsigned char *bytes;
    size_t length, capacity;
    const struct netbroker_allocator *allocator; /* NULL: realloc() */
    bool failed;
};

void netbroker_pack_nil(struct netbroker_packer *packer);
void netbroker_pack_bool(struct netbroker_packer *packer, bool value);
void netbroker_pack_uint(struct netbroker_packer *packer, uint64_t value);
void netbroker_pack_int(struct netbroker_packer *packer, int64_t value);
void netbroker_pack_double(struct netbroker_packer *packer, double value);
/* Texts and bytes are copied. */
void netbroker_pack_str(struct netbroker_packer *packer, const char *text);
void netbroker_pack_str_n(struct netbroker_packer *packer, const char *bytes, size_t length);
void netbroker_pack_bin(struct netbroker_packer *packer, const void *bytes, size_t length);
/* The members follow: `count` values, or `count` pairs of key and value. */
void netbroker_pack_array(struct netbroker_packer *packer, uint32_t count);
void netbroker_pack_map(struct netbroker_packer *packer, uint32_t count);
/* Empty afterwards, and good for more. */
void netbroker_packer_free(struct netbroker_packer *packer);

#ifdef __cplusplus
}
#endif

#endif
