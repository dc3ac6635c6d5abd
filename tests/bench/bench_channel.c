/*
 * The same bytes by frames and by a channel, through one broker.
 *
 *   bench-channel SOCKET inline|attach|fd pingpong|up|down SIZE SECONDS
 *
 * One process is the client and the peer of one TCP connection. pingpong: SIZE
 * bytes to the peer, which sends them back; up, down: a stream to the peer, or
 * from it, in pieces of SIZE bytes. Prints round trips, bytes, seconds and the
 * process's own seconds of processor time, as a line of JSON.
 */
#include <arpa/inet.h>
#include <msgpack.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 20, HEAD = 64 };

static uint8_t piece[ROOM], input[ROOM];
static size_t size;
static bool is_inline;
static int stream, peer; /* the client's end of the bytes, and the peer's; of frames the session */
static uint8_t head[HEAD]; /* of a frame that writes one piece */
static size_t head_length, frame_left; /* payload of the data event being read */
static size_t input_start, input_end;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double own_processor_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void send_all(int fd, const void *data, size_t length)
{
    const uint8_t *at = data;
    while (length) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        check(sent > 0, "send");
        at += sent;
        length -= (size_t)sent;
    }
}

/* ---- the session ---- */

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, path);
    return fd;
}

/* Sends a request with a body of one text or number; msgid and target are 1, of the session's own methods 0. */
static void request(int fd, const char *method, unsigned target, const char *key, const char *text,
                    unsigned number)
{
    msgpack_sbuffer frame;
    msgpack_packer packer;
    msgpack_sbuffer_init(&frame);
    msgpack_packer_init(&packer, &frame, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_int(&packer, 0);
    msgpack_pack_int(&packer, 1);
    msgpack_pack_str_with_body(&packer, method, strlen(method));
    msgpack_pack_array(&packer, 2);
    msgpack_pack_unsigned_int(&packer, target);
    msgpack_pack_map(&packer, number ? 2 : 1);
    msgpack_pack_str_with_body(&packer, key, strlen(key));
    msgpack_pack_str_with_body(&packer, text, strlen(text));
    if (number) {
        msgpack_pack_str_with_body(&packer, "port", 4);
        msgpack_pack_unsigned_int(&packer, number);
    }
    send_all(fd, frame.data, frame.size);
    msgpack_sbuffer_destroy(&frame);
}

/* Reads until the response's first bytes are there, and all that came with them. */
static int read_response(int fd)
{
    uint8_t control[CMSG_SPACE(sizeof(int))];
    static const uint8_t start[] = {0x94, 0x01, 0x01, 0xc0};
    int received = -1;
    input_end = 0;
    do {
        struct iovec vector = {input + input_end, sizeof input - input_end};
        struct msghdr message = {
            .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t length = recvmsg(fd, &message, 0);
        check(length > 0, "answer");
        if (message.msg_controllen)
            memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
        input_end += (size_t)length;
    } while (!memmem(input, input_end, start, sizeof start));
    return received;
}

static void say_hello(int fd)
{
    static const char hello[] = "\x94\x00\x01\xadsession.hello\x92\x00\x81\xa8"
                                "features\x92\xa3"
                                "fds\xa7"
                                "channel";
    send_all(fd, hello, sizeof hello - 1);
    read_response(fd);
}

/* ---- the connection ---- */

static void connect_through(int session)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0, "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    request(session, "net.createConnection", 1, "host", "127.0.0.1", ntohs(address.sin_port));
    read_response(session);
    peer = accept(listener, NULL, NULL);
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

static int open_channel(int session, const char *path, const char *via)
{
    char token[33] = "";
    request(session, "socket.channel", 1, "via", via, 0);
    int fd = read_response(session);
    if (fd >= 0)
        return fd;
    const uint8_t *name = memmem(input, input_end, "\xa5token\xd9\x20", 8);
    check(name != NULL, "token");
    memcpy(token, name + 8, 32);
    fd = dial(path);
    request(fd, "session.attach", 0, "token", token, 0);
    read_response(fd);
    return fd;
}

static void make_head(void)
{
    msgpack_sbuffer frame;
    msgpack_packer packer;
    msgpack_sbuffer_init(&frame);
    msgpack_packer_init(&packer, &frame, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, 3);
    msgpack_pack_int(&packer, 2);
    msgpack_pack_str_with_body(&packer, "socket.write", 12);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_int(&packer, 1);
    msgpack_pack_bin(&packer, size);
    memcpy(head, frame.data, frame.size);
    head_length = frame.size;
    msgpack_sbuffer_destroy(&frame);
}

/* ---- the bytes ---- */

static void send_piece(void)
{
    struct iovec vectors[] = {{head, is_inline ? head_length : 0}, {piece, size}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    size_t whole = vectors[0].iov_len + size;
    ssize_t sent;
    do
        sent = sendmsg(stream, &message, MSG_NOSIGNAL);
    while (sent < 0 && poll(&(struct pollfd){.fd = stream, .events = POLLOUT}, 1, -1) > 0);
    while (sent >= 0 && (size_t)sent < whole) { /* the rest: the head went with the first bytes */
        ssize_t more =
            send(stream, piece + ((size_t)sent - vectors[0].iov_len), whole - (size_t)sent, MSG_NOSIGNAL);
        if (more < 0)
            poll(&(struct pollfd){.fd = stream, .events = POLLOUT}, 1, -1);
        else
            sent += more;
    }
}

static void fill_input(void)
{
    ssize_t length;
    memmove(input, input + input_start, input_end - input_start);
    input_end -= input_start;
    input_start = 0;
    do
        length = recv(stream, input + input_end, sizeof input - input_end, 0);
    while (length < 0 && poll(&(struct pollfd){.fd = stream, .events = POLLIN}, 1, -1) > 0);
    check(length > 0, "recv");
    input_end += (size_t)length;
}

/* Payload of one data event, or what is there of it; other events are passed over. 0: more has to be read. */
static size_t take_from_frames(void)
{
    static const char data_head[] = "\x93\x02\xabsocket.data\x92\x01";
    enum { BEFORE = sizeof data_head - 1, LONGEST = BEFORE + 5 };
    while (!frame_left) {
        const uint8_t *at = input + input_start;
        if (input_end - input_start < LONGEST)
            return 0;
        if (memcmp(at, data_head, BEFORE) !=
            0) { /* a response or an empty event: none is longer than its text */
            msgpack_unpacked unpacked;
            size_t used = 0;
            msgpack_unpacked_init(&unpacked);
            bool is_whole = msgpack_unpack_next(&unpacked, (const char *)at, input_end - input_start,
                                                &used) == MSGPACK_UNPACK_SUCCESS;
            msgpack_unpacked_destroy(&unpacked);
            if (!is_whole)
                return 0;
            input_start += used;
            continue;
        }
        unsigned width = 1u << (at[BEFORE] - 0xc4);
        for (unsigned i = 0; i < width; i++)
            frame_left = frame_left << 8 | at[BEFORE + 1 + i];
        input_start += BEFORE + 1 + width;
    }
    size_t length = input_end - input_start < frame_left ? input_end - input_start : frame_left;
    input_start += length;
    frame_left -= length;
    return length;
}

static size_t receive_some(void)
{
    size_t length = 0;
    for (;;) {
        if (is_inline)
            length = take_from_frames();
        else
            input_start += length = input_end - input_start;
        if (length)
            return length;
        fill_input();
    }
}

/* ---- what is measured ---- */

static void go_round(void)
{
    send_piece();
    for (size_t got = 0; got < size;) {
        ssize_t length = recv(peer, piece + got, size - got, 0);
        check(length > 0, "the peer");
        got += (size_t)length;
    }
    send_all(peer, piece, size);
    for (size_t got = 0; got < size;)
        got += receive_some();
}

/* Up and down have a process for the other end, which costs the same whichever way the bytes go. */
static void serve_peer(bool goes_up)
{
    if (fork())
        return;
    for (int fd = STDOUT_FILENO; fd < 64; fd++)
        if (fd != peer && fd != STDERR_FILENO)
            close(fd);
    for (;;)
        if ((goes_up ? recv(peer, piece, sizeof piece, 0) : send(peer, piece, size, MSG_NOSIGNAL)) <= 0)
            _exit(EXIT_SUCCESS);
}

int main(int count, char **words)
{
    check(count == 6, "usage: bench-channel SOCKET inline|attach|fd pingpong|up|down SIZE SECONDS");
    bool is_round = strcmp(words[3], "pingpong") == 0, goes_up = strcmp(words[3], "up") == 0;
    size = strtoul(words[4], NULL, 10);
    check(size > 0 && size <= ROOM / 4, "SIZE");
    is_inline = strcmp(words[2], "inline") == 0;
    stream = dial(words[1]);
    say_hello(stream);
    connect_through(stream);
    make_head();
    if (!is_inline)
        stream = open_channel(stream, words[1], words[2]);
    input_start = input_end = 0;
    if (!is_round)
        serve_peer(goes_up);
    uint64_t rounds = 0, bytes = 0;
    double begin = now(), busy = own_processor_time(), end = begin + strtod(words[5], NULL);
    while (now() < end) {
        if (is_round)
            go_round();
        else if (goes_up)
            send_piece();
        bytes += is_round ? 2 * size : goes_up ? size : receive_some();
        rounds++;
    }
    printf("{\"rounds\": %llu, \"bytes\": %llu, \"seconds\": %.3f, \"client\": %.3f}\n",
           (unsigned long long)rounds, (unsigned long long)bytes, now() - begin, own_processor_time() - busy);
    return EXIT_SUCCESS;
}
