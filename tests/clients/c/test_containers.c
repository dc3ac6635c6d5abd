/* frame_scan.c, table.c, requests.c and outbox.c, each alone. */
#include "frame_scan.h"
#include "memory.h"
#include "outbox.h"
#include "pack.h"
#include "requests.h"
#include "support.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FRAME = 1 << 16 };

/* ---- frame_scan ---- */

START_TEST(a_frame_ends_at_the_same_byte_however_it_is_cut)
{
    struct netbroker_packer frame = pack_text("[2, \"socket.data\", [1, {\"a\": [1, [], {}, \"text\"], "
                                              "\"b\": {\"$binary\": \"AAECAwQF\"}}, 70000]]");
    for (size_t first = 0; first <= frame.length; first++) {
        struct nbc_frame_scan scan = {0};
        int result = nbc_frame_scan(&scan, frame.bytes, first, MAX_FRAME);
        ck_assert_int_eq(result, first == frame.length);
        if (result == 0)
            result = nbc_frame_scan(&scan, frame.bytes, frame.length, MAX_FRAME);
        ck_assert_int_eq(result, 1);
        ck_assert_uint_eq(scan.at, frame.length);
    }
    netbroker_packer_free(&frame);
}
END_TEST

static int scan_bytes(const char *bytes, size_t length)
{
    struct nbc_frame_scan scan = {0};
    return nbc_frame_scan(&scan, (const unsigned char *)bytes, length, MAX_FRAME);
}

START_TEST(what_is_no_frame_is_refused)
{
    for (int first = 0; first < 256; first++) {
        bool is_array = (first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd;
        char bytes[16] = {(char)first};
        int result = scan_bytes(bytes, sizeof bytes);
        ck_assert_msg(is_array ? result >= 0 : result == -EBADMSG, "%02x gives %d", first, result);
    }
    ck_assert_int_eq(scan_bytes("\x91\xc1", 2), -EBADMSG);
    ck_assert_int_eq(scan_bytes("\x91\xc7\x00\x00", 4), -EBADMSG);
}
END_TEST

START_TEST(announced_sizes_above_the_limit_are_refused_at_once)
{
    ck_assert_int_eq(scan_bytes("\xdd\xff\xff\xff\xff", 5), -EMSGSIZE);
    ck_assert_int_eq(scan_bytes("\x91\xdf\xff\xff\xff\xff", 6), -EMSGSIZE);
    ck_assert_int_eq(scan_bytes("\x91\xc6\xff\xff\xff\xff", 6), -EMSGSIZE);
    ck_assert_int_eq(scan_bytes("\x91\xdb\x00\x01\x00\x00", 6), -EMSGSIZE);
    ck_assert_int_eq(scan_bytes("\x91\xc6\x00\x00\x80\x00", 6), 0);
}
END_TEST

START_TEST(depth_is_bounded)
{
    char bytes[NBC_MAX_DEPTH + 2];
    memset(bytes, 0x91, sizeof bytes);
    bytes[NBC_MAX_DEPTH] = 0;
    ck_assert_int_eq(scan_bytes(bytes, NBC_MAX_DEPTH + 1), 1);
    bytes[NBC_MAX_DEPTH] = (char)0x91;
    ck_assert_int_eq(scan_bytes(bytes, NBC_MAX_DEPTH + 2), -EBADMSG);
}
END_TEST

/* ---- table ---- */

START_TEST(the_table_agrees_with_an_array)
{
    enum { KEYS = 600, ROUNDS = 50000 };
    static char values[KEYS + 1];
    static bool present[KEYS + 1];
    struct counted_memory memory;
    counted_memory_init(&memory);
    struct nbc_table table = {.allocator = &memory.allocator};
    unsigned seed = 7;
    size_t count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t key = 1 + (uint64_t)rand_r(&seed) % KEYS;
        ck_assert_ptr_eq(nbc_table_get(&table, key), present[key] ? &values[key] : NULL);
        if (present[key])
            nbc_table_remove(&table, key);
        else
            ck_assert_int_eq(nbc_table_add(&table, key, &values[key]), 0);
        present[key] = !present[key];
        count += present[key] ? 1 : (size_t)-1;
        ck_assert_uint_eq(table.count, count);
    }
    for (uint64_t key = 1; key <= KEYS; key++)
        ck_assert_ptr_eq(nbc_table_get(&table, key), present[key] ? &values[key] : NULL);
    nbc_table_finish(&table);
    ck_assert_int_eq(memory.live, 0);
}
END_TEST

START_TEST(the_table_knows_nothing_else)
{
    struct nbc_table table = {0};
    ck_assert_ptr_null(nbc_table_get(&table, 1));
    ck_assert_int_eq(nbc_table_add(&table, 1, &table), 0);
    ck_assert_ptr_null(nbc_table_get(&table, 0));
    ck_assert_ptr_null(nbc_table_get(&table, UINT64_MAX));
    nbc_table_remove(&table, 2);
    ck_assert_ptr_eq(nbc_table_get(&table, 1), &table);
    nbc_table_finish(&table);
}
END_TEST

/* ---- requests ---- */

static void ignore(struct netbroker_session *session, const struct nbc_request *request,
                   const struct netbroker_reply *reply)
{
}

START_TEST(requests_are_numbered_by_slots_and_bounded)
{
    struct nbc_requests requests = {0};
    struct nbc_request request, wanted = {.on_reply = ignore};
    for (uint32_t i = 0; i < NBC_MAX_REQUESTS; i++) {
        wanted.target = i;
        ck_assert_int_eq(nbc_requests_reserve(&requests, 1), 0);
        ck_assert_uint_eq(nbc_requests_open(&requests, &wanted), i);
    }
    ck_assert_int_eq(nbc_requests_reserve(&requests, 1), -ENOBUFS);
    ck_assert_int_eq(nbc_requests_close(&requests, 4711, &request), 0);
    ck_assert_uint_eq(request.target, 4711);
    ck_assert_int_eq(nbc_requests_close(&requests, 4711, &request), -ENOENT);
    ck_assert_int_eq(nbc_requests_reserve(&requests, 1), 0);
    ck_assert_uint_eq(nbc_requests_open(&requests, &wanted), 4711);
    ck_assert_int_eq(nbc_requests_close(&requests, NBC_MAX_REQUESTS, &request), -ENOENT);
    ck_assert_int_eq(nbc_requests_close(&requests, UINT64_MAX, &request), -ENOENT);
    nbc_requests_finish(&requests);
}
END_TEST

START_TEST(growing_keeps_the_free_list_whole)
{
    struct nbc_requests requests = {0};
    struct nbc_request request, wanted = {.on_reply = ignore};
    bool open[1000] = {false};
    unsigned seed = 3;
    for (int round = 0; round < 20000; round++) {
        uint32_t msgid = (uint32_t)(rand_r(&seed) % 1000);
        bool closes = nbc_requests_close(&requests, msgid, &request) == 0;
        ck_assert_int_eq(closes, open[msgid]);
        open[msgid] = false;
        for (int i = rand_r(&seed) % 3; i > 0 && requests.open < 900; i--) {
            ck_assert_int_eq(nbc_requests_reserve(&requests, 1), 0);
            msgid = nbc_requests_open(&requests, &wanted);
            ck_assert(msgid < 1000 && !open[msgid]);
            open[msgid] = true;
        }
    }
    nbc_requests_finish(&requests);
}
END_TEST

/* ---- outbox ---- */

static void count_release(void *context)
{
    ++*(int *)context;
}

/* Adds a frame and, for some, a borrowed payload, and the same bytes to `expected`. */
static void add_random(struct nbc_outbox *outbox, unsigned *seed, char *payload, int *released,
                       struct netbroker_packer *expected)
{
    size_t copied = (size_t)rand_r(seed) % 300, borrowed = (size_t)(1 + rand_r(seed) % 5000);
    size_t begin = nbc_outbox_begin(outbox);
    nbc_pack_raw(&outbox->frames, payload + 100, copied);
    ck_assert_int_eq(nbc_outbox_end(outbox, begin), 0);
    nbc_pack_raw(expected, payload + 100, copied);
    if (rand_r(seed) % 2)
        return;
    ck_assert_int_eq(nbc_outbox_reserve(outbox, 0, 1), 0);
    nbc_outbox_borrow(outbox, payload, borrowed, count_release, released);
    nbc_pack_raw(expected, payload, borrowed);
    --*released;
}

static size_t drain(int fd, struct netbroker_packer *got)
{
    unsigned char buffer[3000];
    ssize_t length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (length > 0)
        nbc_pack_raw(got, buffer, (size_t)length);
    return length > 0 ? (size_t)length : 0;
}

START_TEST(bytes_leave_in_order_through_a_narrow_socket)
{
    int pair[2], small = 4096, released = 0;
    char payload[8192];
    struct nbc_outbox outbox;
    struct netbroker_packer expected = {0}, got = {0};
    unsigned seed = 5;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (char)rand_r(&seed);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    nbc_outbox_init(&outbox, NULL);
    for (int round = 0; round < 3000; round++) {
        add_random(&outbox, &seed, payload, &released, &expected);
        ck_assert_int_ge(nbc_outbox_write(&outbox, pair[0]), 0);
        drain(pair[1], &got);
    }
    while (nbc_outbox_write(&outbox, pair[0]) > 0)
        drain(pair[1], &got);
    while (drain(pair[1], &got) > 0)
        ;
    ck_assert(nbc_outbox_is_empty(&outbox));
    ck_assert_int_eq(released, 0);
    ck_assert_uint_eq(got.length, expected.length);
    ck_assert_int_eq(memcmp(got.bytes, expected.bytes, got.length), 0);
    nbc_outbox_finish(&outbox);
    netbroker_packer_free(&expected);
    netbroker_packer_free(&got);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(what_is_never_written_is_released)
{
    int released = 0;
    struct nbc_outbox outbox;
    nbc_outbox_init(&outbox, NULL);
    for (int i = 0; i < 40; i++) {
        ck_assert_int_eq(nbc_outbox_reserve(&outbox, 10, 1), 0);
        nbc_outbox_borrow(&outbox, "bytes", 5, count_release, &released);
    }
    nbc_outbox_finish(&outbox);
    ck_assert_int_eq(released, 40);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_frame_ends_at_the_same_byte_however_it_is_cut,
                                  what_is_no_frame_is_refused,
                                  announced_sizes_above_the_limit_are_refused_at_once,
                                  depth_is_bounded,
                                  the_table_agrees_with_an_array,
                                  the_table_knows_nothing_else,
                                  requests_are_numbered_by_slots_and_bounded,
                                  growing_keeps_the_free_list_whole,
                                  bytes_leave_in_order_through_a_narrow_socket,
                                  what_is_never_written_is_released,
                                  NULL};
    return run_suite("client/containers", tests);
}
