/*
 * The codec as a filter, for test_wire.py. One command a line:
 *   request HEX                 a frame of a client
 *   event NAME TARGET HEX       an event, from the map of its body
 *   response METHOD MSGID HEX   a result, from its map; HEX - for none
 *   error MSGID HEX             an error response, from its map
 * One answer a line: the frame in hex, or what became of the request.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "msgpack_decode.h"
#include "rpc.h"
#include "scan.h"

enum { LINE_SIZE = 1 << 20, MAX_WRITE = 1024 };

static const struct nb_scan_limits limits = {
    .frame = MAX_WRITE + 4096, .depth = 16, .elements = 4096, .text = 4096};

union message {
    union nb_params params;
    union nb_result result;
    union nb_event_body body;
};

static struct nb_slice from_hex(const char *digits)
{
    size_t length = strspn(digits, "0123456789abcdef") / 2;
    uint8_t *bytes = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        sscanf(digits + 2 * i, "%2" SCNx8, &bytes[i]);
    return (struct nb_slice){bytes, length};
}

static void print_hex(const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        printf("%02x", data[i]);
    putchar('\n');
}

static void print_shape(const struct nb_shape *shape, const void *message, bool payload_as_text)
{
    struct nb_encoder encoder = {.payload_as_text = payload_as_text};
    nb_encode_shape(&encoder, shape, message);
    print_hex(encoder.data, encoder.length);
    nb_encoder_finish(&encoder);
}

static void print_origin(const struct nb_request *request)
{
    if (request->is_notification)
        printf("- ");
    else
        printf("%" PRIu32 " ", request->msgid);
    if (request->has_target)
        printf("%" PRIu64 " ", request->target);
    else
        printf("- ");
}

static const char *name_of(enum nb_scan_status status)
{
    static const char *const names[] = {
        "MORE", "FRAME", "MALFORMED", "FRAME_TOO_BIG", "TOO_DEEP", "TOO_MANY_ELEMENTS", "TEXT_TOO_LONG"};
    return names[status];
}

static void run_request(const char *line)
{
    struct nb_slice frame = from_hex(line);
    struct nb_scan scan = {0};
    struct nb_request request;
    struct nb_fault fault;
    enum nb_scan_status whole = nb_scan(&scan, &limits, frame.data, frame.length);
    if (whole != NB_SCAN_FRAME || scan.position != frame.length) {
        printf("scan %s\n", name_of(whole));
        free((void *)frame.data);
        return;
    }
    switch (nb_rpc_decode(frame.data, frame.length, MAX_WRITE, &request, &fault)) {
    case NB_RPC_REQUEST:
        printf("request ");
        print_origin(&request);
        printf("%s ", request.method->name);
        print_shape(request.method->params, &request.params, request.payload_is_text);
        break;
    case NB_RPC_REFUSED:
        printf("refused ");
        print_origin(&request);
        print_shape(&nb_shape_Error, &fault.map, false);
        break;
    case NB_RPC_BROKEN:
        printf("broken ");
        print_shape(&nb_shape_Error, &fault.map, false);
        break;
    }
    free((void *)frame.data);
}

/* The struct of a body given as a map; the vectors hold no wrong ones. */
static struct nb_slice decode(const struct nb_shape *shape, const char *digits, union message *ret_message)
{
    struct nb_fault fault = {0};
    struct nb_slice bytes = from_hex(digits);
    struct nb_cursor cursor = {bytes.data, bytes.data + bytes.length};
    nb_message_clear(shape, ret_message);
    if (!nb_decode_message(&cursor, shape, "body", ret_message, &fault)) {
        fprintf(stderr, "%.*s\n", (int)fault.map.message.length, (const char *)fault.map.message.data);
        exit(EXIT_FAILURE);
    }
    return bytes;
}

static void print_frame(struct nb_encoder *encoder)
{
    print_hex(encoder->data, encoder->length);
    nb_encoder_finish(encoder);
}

static void run_event(const char *line)
{
    char name[64];
    uint64_t target;
    int at = 0;
    union message message;
    struct nb_encoder encoder = {0};
    sscanf(line, "%63s %" SCNu64 " %n", name, &target, &at);
    for (int i = 0; i < NB_EVENT_COUNT; i++) {
        if (strcmp(nb_events[i].name, name) != 0)
            continue;
        struct nb_slice bytes = decode(nb_events[i].body, line + at, &message);
        nb_encode_event(&encoder, &nb_events[i], target, &message);
        free((void *)bytes.data);
    }
    print_frame(&encoder);
}

static void run_response(const char *line)
{
    char name[64];
    uint32_t msgid;
    int at = 0;
    union message message;
    struct nb_encoder encoder = {0};
    sscanf(line, "%63s %" SCNu32 " %n", name, &msgid, &at);
    const struct nb_method *method = nb_method_find(nb_slice_of(name));
    bool has_result = line[at] != '-';
    struct nb_slice bytes = has_result ? decode(method->result, line + at, &message) : (struct nb_slice){0};
    nb_encode_response(&encoder, msgid, method, has_result ? &message : NULL);
    free((void *)bytes.data);
    print_frame(&encoder);
}

static void run_error(const char *line)
{
    uint32_t msgid;
    int at = 0;
    union message message;
    struct nb_encoder encoder = {0};
    sscanf(line, "%" SCNu32 " %n", &msgid, &at);
    struct nb_slice bytes = decode(&nb_shape_Error, line + at, &message);
    nb_encode_error(&encoder, msgid, &message.body.error);
    free((void *)bytes.data);
    print_frame(&encoder);
}

int main(void)
{
    static const struct {
        const char *word;
        void (*run)(const char *line);
    } commands[] = {
        {"request ", run_request}, {"event ", run_event}, {"response ", run_response}, {"error ", run_error}};
    static char line[LINE_SIZE];
    while (fgets(line, sizeof line, stdin)) {
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
            if (strncmp(line, commands[i].word, strlen(commands[i].word)) == 0)
                commands[i].run(line + strlen(commands[i].word));
        }
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
