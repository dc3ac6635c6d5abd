/* The texts are what Node prints for the same errors. */
#include "failure.h"
#include "memory.h"
#include "msgpack_decode.h"
#include "rpc.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

static struct nb_failure *failure;

static void assert_text(struct nb_slice slice, const char *text)
{
    ck_assert_msg(slice.data ? nb_slice_is(slice, text) : !*text, "got \"%.*s\", wanted \"%s\"",
                  (int)slice.length, (const char *)slice.data, text);
}

static void assert_failure(struct nb_failure *made, const char *code, const char *message)
{
    failure = made;
    assert_text(failure->fault.map.code, code);
    assert_text(failure->fault.map.message, message);
}

static void assert_system(int number, const char *syscall)
{
    ck_assert(failure->fault.map.has_error_number);
    ck_assert_int_eq(failure->fault.map.error_number, number);
    assert_text(failure->fault.map.syscall, syscall);
}

static void assert_place(const char *address, int port)
{
    assert_text(failure->fault.map.address, address);
    ck_assert_int_eq(failure->fault.map.has_port, port != 0);
    ck_assert_int_eq(failure->fault.map.port, port);
}

static void done(void)
{
    nb_failure_unref(failure);
    failure = NULL;
}

static struct nb_endpoint address_of(const char *text, uint16_t port)
{
    struct nb_endpoint address;
    ck_assert(nb_endpoint_parse(nb_slice_of(text), &address));
    address.port = port;
    return address;
}

START_TEST(system_errors)
{
    assert_failure(nb_failure_system(UV_ECONNRESET, "read"), "ECONNRESET", "read ECONNRESET");
    assert_system(UV_ECONNRESET, "read");
    assert_place("", 0);
    done();
    assert_failure(nb_failure_system(UV_EPIPE, "write"), "EPIPE", "write EPIPE");
    done();
}
END_TEST

START_TEST(connect_errors_over_tcp)
{
    struct nb_endpoint remote = address_of("127.0.0.1", 1), remote6 = address_of("::1", 1);
    assert_failure(nb_failure_connect(UV_ECONNREFUSED, &remote, (struct nb_slice){0}, NULL), "ECONNREFUSED",
                   "connect ECONNREFUSED 127.0.0.1:1");
    assert_system(UV_ECONNREFUSED, "connect");
    assert_place("127.0.0.1", 1);
    done();
    assert_failure(nb_failure_connect(UV_ETIMEDOUT, &remote6, (struct nb_slice){0}, NULL), "ETIMEDOUT",
                   "connect ETIMEDOUT ::1:1");
    assert_place("::1", 1);
    done();
}
END_TEST

START_TEST(connect_errors_from_a_chosen_address)
{
    struct nb_endpoint remote = address_of("127.0.0.1", 1), local = address_of("127.0.0.1", 7778), none = {0};
    assert_failure(nb_failure_connect(UV_ECONNREFUSED, &remote, (struct nb_slice){0}, &local), "ECONNREFUSED",
                   "connect ECONNREFUSED 127.0.0.1:1 - Local (127.0.0.1:7778)");
    ck_assert_ptr_null(failure->fault.map.local_address.data);
    ck_assert(!failure->fault.map.has_local_port);
    ck_assert_ptr_eq(nb_failure_local(failure, &local), failure);
    assert_text(failure->fault.map.local_address, "127.0.0.1");
    ck_assert(failure->fault.map.has_local_port);
    ck_assert_int_eq(failure->fault.map.local_port, 7778);
    done();
    assert_failure(nb_failure_connect(UV_ECONNREFUSED, &remote, (struct nb_slice){0}, &none), "ECONNREFUSED",
                   "connect ECONNREFUSED 127.0.0.1:1");
    done();
}
END_TEST

START_TEST(connect_errors_on_a_path)
{
    assert_failure(nb_failure_connect(UV_ENOENT, NULL, nb_slice_of("/nonexistent/s"), NULL), "ENOENT",
                   "connect ENOENT /nonexistent/s");
    assert_system(UV_ENOENT, "connect");
    assert_place("/nonexistent/s", 0);
    done();
}
END_TEST

START_TEST(listen_errors)
{
    assert_failure(nb_failure_listen(UV_EADDRINUSE, "listen", nb_slice_of("127.0.0.1"), 7779), "EADDRINUSE",
                   "listen EADDRINUSE: address already in use 127.0.0.1:7779");
    assert_system(UV_EADDRINUSE, "listen");
    assert_place("127.0.0.1", 7779);
    done();
    assert_failure(nb_failure_listen(UV_EADDRNOTAVAIL, "listen", nb_slice_of("192.0.2.1"), 0),
                   "EADDRNOTAVAIL", "listen EADDRNOTAVAIL: address not available 192.0.2.1");
    assert_place("192.0.2.1", 0);
    done();
    assert_failure(nb_failure_listen(UV_EADDRNOTAVAIL, "listen", nb_slice_of("2001:db8::1"), 80),
                   "EADDRNOTAVAIL", "listen EADDRNOTAVAIL: address not available 2001:db8::1:80");
    done();
    assert_failure(nb_failure_listen(UV_EACCES, "listen", nb_slice_of("/nonexistent/s"), -1), "EACCES",
                   "listen EACCES: permission denied /nonexistent/s");
    assert_place("/nonexistent/s", -1);
    done();
}
END_TEST

START_TEST(bind_errors)
{
    struct nb_endpoint local = address_of("192.0.2.1", 0);
    assert_failure(nb_failure_bind(UV_EADDRNOTAVAIL, &local), "EADDRNOTAVAIL",
                   "bind EADDRNOTAVAIL 192.0.2.1");
    assert_system(UV_EADDRNOTAVAIL, "bind");
    assert_place("192.0.2.1", 0);
    done();
    local.port = 7777;
    assert_failure(nb_failure_bind(UV_EADDRNOTAVAIL, &local), "EADDRNOTAVAIL",
                   "bind EADDRNOTAVAIL 192.0.2.1:7777");
    assert_place("192.0.2.1", 7777);
    done();
}
END_TEST

START_TEST(lookup_errors)
{
    assert_failure(nb_failure_lookup(UV_EAI_NONAME, nb_slice_of("no.invalid")), "ENOTFOUND",
                   "getaddrinfo ENOTFOUND no.invalid");
    assert_system(UV_EAI_NONAME, "getaddrinfo");
    assert_text(failure->fault.map.hostname, "no.invalid");
    done();
    assert_failure(nb_failure_lookup(UV_EAI_NODATA, nb_slice_of("x")), "ENOTFOUND",
                   "getaddrinfo ENOTFOUND x");
    done();
    assert_failure(nb_failure_lookup(UV_EAI_AGAIN, nb_slice_of("x")), "EAI_AGAIN", "getaddrinfo EAI_AGAIN x");
    done();
}
END_TEST

START_TEST(errors_with_codes_of_node)
{
    assert_failure(nb_failure_socket_closed(), "ERR_SOCKET_CLOSED", "Socket is closed");
    ck_assert(!failure->fault.map.has_error_number);
    done();
    assert_failure(nb_failure_destroyed("write"), "ERR_STREAM_DESTROYED",
                   "Cannot call write after a stream was destroyed");
    done();
    assert_failure(nb_failure_invalid_ip(nb_slice_of("nowhere"), "localAddress"), "ERR_INVALID_IP_ADDRESS",
                   "Invalid IP address: nowhere");
    assert_text(failure->fault.map.name, "TypeError");
    assert_text(failure->fault.map.argument, "localAddress");
    done();
    assert_failure(nb_failure_unknown_encoding(nb_slice_of("utf9")), "ERR_UNKNOWN_ENCODING",
                   "Unknown encoding: utf9");
    assert_text(failure->fault.map.name, "TypeError");
    done();
}
END_TEST

START_TEST(a_range_error_shows_what_came)
{
    assert_failure(
        nb_failure_timeout(-1), "ERR_OUT_OF_RANGE",
        "The value of \"msecs\" is out of range. It must be a non-negative finite number. Received -1");
    assert_text(failure->fault.map.name, "RangeError");
    assert_text(failure->fault.map.argument, "timeout");
    done();
}
END_TEST

START_TEST(texts_are_copied)
{
    char path[] = "/some/path";
    struct nb_failure *made = nb_failure_connect(UV_ENOENT, NULL, nb_slice_of(path), NULL);
    memset(path, 'x', sizeof path - 1);
    assert_failure(made, "ENOENT", "connect ENOENT /some/path");
    assert_place("/some/path", 0);
    done();
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char *host = calloc(1, 100001);
    memset(host, 'h', 100000);
    failure = nb_failure_lookup(UV_EAI_NONAME, nb_slice_of(host));
    ck_assert_uint_le(failure->fault.map.message.length, NB_FAULT_TEXT);
    ck_assert_uint_gt(failure->fault.map.message.length, 200);
    done();
    failure = nb_failure_listen(UV_EINVAL, "listen", nb_slice_of(host), 80);
    ck_assert_uint_le(failure->fault.map.message.length, NB_FAULT_TEXT);
    done();
    free(host);
}
END_TEST

START_TEST(a_failure_lives_until_its_last_share)
{
    failure = nb_failure_ref(nb_failure_system(UV_EPIPE, "write"));
    nb_failure_unref(failure);
    assert_text(failure->fault.map.code, "EPIPE");
    done();
    ck_assert_ptr_null(nb_failure_ref(NULL));
    nb_failure_unref(NULL);
}
END_TEST

START_TEST(a_clients_error_is_copied)
{
    char message[] = "out of tea";
    nb_Error error = {.code = nb_slice_of("ETEA"), .message = nb_slice_of(message)};
    struct nb_failure *made = nb_failure_of_client(&error);
    memset(message, 'x', sizeof message - 1);
    assert_failure(made, "ETEA", "out of tea");
    done();
    assert_failure(nb_failure_of_client(&(nb_Error){0}), "ERR_NB_CLIENT", "");
    done();
}
END_TEST

/* ENOMEM itself needs no memory, and no number of shares frees it. */
static void assert_constant(struct nb_failure *made)
{
    assert_failure(made, "ENOMEM", "not enough memory");
    for (int i = 0; i < 3; i++)
        nb_failure_unref(failure);
    nb_failure_ref(failure);
}

#define WITHOUT_MEMORY(maker) (nb_memory_fail_after(1), assert_constant(maker))

START_TEST(without_memory_there_is_still_an_error)
{
    struct nb_endpoint remote = address_of("127.0.0.1", 1);
    struct nb_fault fault = {0};
    WITHOUT_MEMORY(nb_failure_system(UV_EPIPE, "write"));
    WITHOUT_MEMORY(nb_failure_connect(UV_ENOENT, &remote, (struct nb_slice){0}, NULL));
    WITHOUT_MEMORY(nb_failure_listen(UV_EINVAL, "listen", nb_slice_of("x"), 1));
    WITHOUT_MEMORY(nb_failure_lookup(UV_EAI_NONAME, nb_slice_of("x")));
    WITHOUT_MEMORY(nb_failure_bind(UV_EINVAL, &remote));
    WITHOUT_MEMORY(nb_failure_timeout(-1));
    WITHOUT_MEMORY(nb_failure_unknown_encoding(nb_slice_of("x")));
    WITHOUT_MEMORY(nb_failure_of_client(&(nb_Error){0}));
    WITHOUT_MEMORY(nb_failure_of_fault(&fault));
}
END_TEST

static struct nb_failure *two_refusals(void)
{
    struct nb_endpoint ends[2] = {address_of("::1", 1), address_of("127.0.0.1", 1)};
    struct nb_failure *failures[2];
    for (unsigned i = 0; i < 2; i++)
        failures[i] =
            nb_failure_connect(i ? UV_ETIMEDOUT : UV_ECONNREFUSED, &ends[i], (struct nb_slice){0}, NULL);
    struct nb_failure *all = nb_failure_aggregate(failures, 2);
    for (unsigned i = 0; i < 2; i++)
        nb_failure_unref(failures[i]);
    return all;
}

/* The errors outlive what they were made of. */
START_TEST(several_errors_in_one)
{
    struct nb_failure *all = two_refusals();
    struct nb_slice errors = all->fault.map.errors;
    struct nb_cursor cursor = {errors.data, errors.data + errors.length};
    ck_assert(nb_slice_is(all->fault.map.code, "ECONNREFUSED"));
    ck_assert(nb_slice_is(all->fault.map.name, "AggregateError"));
    ck_assert(nb_slice_is(all->fault.map.message, "") && all->fault.map.message.data);
    ck_assert_uint_eq(nb_cursor_take(&cursor).count, 2);
    for (unsigned i = 0; i < 2; i++) {
        nb_Error one;
        struct nb_fault fault = {0};
        nb_message_clear(&nb_shape_Error, &one);
        ck_assert(nb_decode_message(&cursor, &nb_shape_Error, "errors", &one, &fault));
        ck_assert(
            nb_slice_is(one.message, i ? "connect ETIMEDOUT 127.0.0.1:1" : "connect ECONNREFUSED ::1:1"));
        ck_assert_int_eq(one.error_number, i ? UV_ETIMEDOUT : UV_ECONNREFUSED);
    }
    ck_assert_ptr_eq(cursor.at, cursor.end);
    nb_failure_unref(all);
}
END_TEST

START_TEST(several_errors_without_memory)
{
    for (uint64_t failing = 3; failing <= 4; failing++) {
        nb_memory_fail_after(failing);
        struct nb_failure *all = two_refusals();
        ck_assert(nb_slice_is(all->fault.map.code, "ENOMEM"));
        nb_failure_unref(all);
    }
}
END_TEST

START_TEST(the_errors_of_a_clients_error_are_copied)
{
    static uint8_t list[] = {0x90};
    struct nb_failure *made = nb_failure_of_client(&(nb_Error){.errors = {list, sizeof list}});
    list[0] = 0xc0;
    ck_assert_uint_eq(made->fault.map.errors.length, 1);
    ck_assert_uint_eq(made->fault.map.errors.data[0], 0x90);
    nb_failure_unref(made);
}
END_TEST

int main(void)
{
    return run_suite(
        "failure",
        (const TTest *[]){system_errors, connect_errors_over_tcp, connect_errors_from_a_chosen_address,
                          connect_errors_on_a_path, listen_errors, bind_errors, lookup_errors,
                          errors_with_codes_of_node, a_range_error_shows_what_came, texts_are_copied,
                          long_texts_are_cut, a_failure_lives_until_its_last_share, a_clients_error_is_copied,
                          without_memory_there_is_still_an_error, several_errors_in_one,
                          several_errors_without_memory, the_errors_of_a_clients_error_are_copied, NULL});
}
