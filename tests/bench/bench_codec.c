/* Nanoseconds per frame of the codec: scan and decode of a write, encode of a data event. */
#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "rpc.h"
#include "scan.h"

enum { ROUNDS = 1000000, REPEATS = 7, PAYLOAD = 64 };

static const struct nb_scan_limits limits = {1114112, 16, 4096, 65536};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The best of some repeats: on a shared machine the others measure the neighbours. */
static void report(const char *what, void (*work)(const void *), const void *argument)
{
    double best = 0;
    for (int i = 0; i < REPEATS; i++) {
        double start = now();
        work(argument);
        double time = (now() - start) / ROUNDS;
        best = i == 0 || time < best ? time : best;
    }
    printf("%-28s %6.1f ns\n", what, best);
}

/* [0, msgid, "socket.write", [1, 64 bytes]] */
static struct nb_slice write_frame(uint8_t *frame)
{
    static const uint8_t head[] = "\x94\x00\xcd\x12\x34\xacsocket.write\x92\x01\xc4\x40";
    memcpy(frame, head, sizeof head - 1);
    memset(frame + sizeof head - 1, 'x', PAYLOAD);
    return (struct nb_slice){frame, sizeof head - 1 + PAYLOAD};
}

static struct nb_slice connect_frame(void)
{
    static const uint8_t text[] =
        "\x94\x00\x03\xb4net.createConnection\x92\x01\x84\xa4port\xcd\x1f\xbc\xa4host\xa9"
        "localhost\xa7noDelay\xc3\xadhighWaterMark\xcd\x40\x00";
    return (struct nb_slice){text, sizeof text - 1};
}

static void scan_only(const void *argument)
{
    const struct nb_slice *frame = argument;
    struct nb_scan scan = {0};
    size_t bytes = 0;
    for (int i = 0; i < ROUNDS; i++) {
        nb_scan_restart(&scan);
        nb_scan(&scan, &limits, frame->data, frame->length);
        bytes += scan.position;
    }
    assert(bytes == ROUNDS * frame->length);
}

static void scan_and_decode(const void *argument)
{
    const struct nb_slice *frame = argument;
    struct nb_scan scan = {0};
    struct nb_request request;
    struct nb_fault fault;
    uint64_t targets = 0;
    for (int i = 0; i < ROUNDS; i++) {
        nb_scan_restart(&scan);
        nb_scan(&scan, &limits, frame->data, frame->length);
        nb_rpc_decode(frame->data, scan.position, 1 << 20, &request, &fault);
        targets += request.target;
    }
    assert(targets == ROUNDS);
}

static void encode_data(const void *argument)
{
    const nb_Data *data = argument;
    struct nb_encoder encoder = {0};
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 64 == 0)
            nb_encoder_clear(&encoder);
        nb_encode_event(&encoder, &nb_events[NB_EVENT_SOCKET_DATA], 70000, data);
    }
    nb_encoder_finish(&encoder);
}

static void encode_response(const void *argument)
{
    const nb_Written *written = argument;
    struct nb_encoder encoder = {0};
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 64 == 0)
            nb_encoder_clear(&encoder);
        nb_encode_response(&encoder, (uint32_t)i, &nb_methods[NB_METHOD_SOCKET_WRITE], written);
    }
    nb_encoder_finish(&encoder);
}

int main(void)
{
    uint8_t room[128];
    const struct nb_slice write = write_frame(room), create = connect_frame();
    report("scan socket.write", scan_only, &write);
    report("scan, decode socket.write", scan_and_decode, &write);
    report("scan, decode createConnection", scan_and_decode, &create);
    report("encode socket.data", encode_data, &(nb_Data){{room, PAYLOAD}});
    report("encode response to a write", encode_response, &(nb_Written){true, 123456});
    return 0;
}
