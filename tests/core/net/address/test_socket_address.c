/* Against answers recorded from Node; what Node aborts on has answers of our own. */
#include "fence.h"
#include "socket_address.h"
#include "suite.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *load_vectors(void)
{
    json_error_t error;
    const char *path = getenv("NB_SOCKET_ADDRESS_VECTORS");
    ck_assert_msg(path != NULL, "NB_SOCKET_ADDRESS_VECTORS is not set");
    json_t *vectors = json_load_file(path, JSON_ALLOW_NUL, &error);
    ck_assert_msg(vectors != NULL, "%s: %s", path, error.text);
    return vectors;
}

/* False: the value is of a kind that this library is never given. */
static bool take_text(json_t *value, struct nb_socket_address_text *ret_text)
{
    if (!json_is_string(value))
        return !value;
    ret_text->data = json_string_value(value);
    ret_text->length = json_string_length(value);
    return true;
}

static double special_number(const char *name)
{
    return strcmp(name, "NaN") == 0 ? NAN : strcmp(name, "Infinity") == 0 ? INFINITY : -0.0;
}

static bool take_number(json_t *value, struct nb_socket_address_number *ret_number)
{
    const char *special = json_string_value(json_object_get(value, "$"));
    if (!json_is_number(value) && !special)
        return !value;
    ret_number->given = true;
    ret_number->value = special ? special_number(special) : json_number_value(value);
    return true;
}

static json_t *option(json_t *options, const char *key)
{
    json_t *value = json_object_get(options, key);
    const char *special = json_string_value(json_object_get(value, "$"));
    return special && strcmp(special, "undefined") == 0 ? NULL : value;
}

static bool take_options(json_t *given, struct nb_socket_address_options *ret_options)
{
    *ret_options = (struct nb_socket_address_options){0};
    return (!given || json_is_object(given)) && take_text(option(given, "family"), &ret_options->family) &&
           take_text(option(given, "address"), &ret_options->address) &&
           take_number(option(given, "port"), &ret_options->port) &&
           take_number(option(given, "flowlabel"), &ret_options->flowlabel);
}

static enum nb_socket_address_fault fault_of(json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    if (!code)
        return NB_SOCKET_ADDRESS_OK;
    if (strcmp(code, "ERR_INVALID_ARG_VALUE") == 0)
        return NB_SOCKET_ADDRESS_FAMILY;
    if (strcmp(code, "ERR_SOCKET_BAD_PORT") == 0)
        return NB_SOCKET_ADDRESS_PORT;
    if (strcmp(code, "ERR_INVALID_ADDRESS") == 0)
        return NB_SOCKET_ADDRESS_ADDRESS;
    ck_assert_str_eq(code, "ERR_OUT_OF_RANGE");
    bool is_fraction = strstr(json_string_value(json_object_get(error, "message")), "must be an integer");
    return is_fraction ? NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION : NB_SOCKET_ADDRESS_FLOWLABEL_RANGE;
}

static void check_fields(json_t *fields, const struct nb_socket_address *address)
{
    char text[NB_IP_TEXT];
    nb_ip_format(&address->ip, text);
    ck_assert_str_eq(text, json_string_value(json_object_get(fields, "address")));
    ck_assert_str_eq(nb_socket_address_family(address), json_string_value(json_object_get(fields, "family")));
    ck_assert_uint_eq(address->port, json_integer_value(json_object_get(fields, "port")));
    ck_assert_uint_eq(address->flowlabel, json_integer_value(json_object_get(fields, "flowlabel")));
}

/* 1 where this library is asked such things. */
static int check_vector(json_t *vector)
{
    struct nb_socket_address_options options;
    struct nb_socket_address address = {.port = 9};
    if (json_object_get(vector, "quirk") || !take_options(json_object_get(vector, "options"), &options))
        return 0;
    if (options.address.data)
        options.address.data = fence_behind(options.address.data, options.address.length);
    enum nb_socket_address_fault want = fault_of(json_object_get(vector, "error"));
    enum nb_socket_address_fault got = nb_socket_address_make(&options, &address);
    char *shown = json_dumps(vector, JSON_COMPACT);
    ck_assert_msg(got == want, "%s gave %d", shown, got);
    free(shown);
    if (got)
        ck_assert_uint_eq(address.port, 9);
    else
        check_fields(json_object_get(vector, "fields"), &address);
    return 1;
}

START_TEST(options_are_taken_as_node_takes_them)
{
    json_t *vectors = load_vectors(), *vector;
    size_t i;
    int checked = 0;
    json_array_foreach(json_object_get(vectors, "cases"), i, vector) checked += check_vector(vector);
    ck_assert_int_ge(checked, 110);
    json_decref(vectors);
}
END_TEST

static struct nb_socket_address_text text_of(const char *text)
{
    return (struct nb_socket_address_text){text, strlen(text)};
}

static enum nb_socket_address_fault make(const char *family, const char *address, double port,
                                         double flowlabel, struct nb_socket_address *ret_address)
{
    struct nb_socket_address_options options = {.family = text_of(family),
                                                .address = text_of(address),
                                                .port = {true, port},
                                                .flowlabel = {true, flowlabel}};
    return nb_socket_address_make(&options, ret_address);
}

START_TEST(what_node_aborts_on_is_answered)
{
    struct nb_socket_address made;
    ck_assert_int_eq(make("ipv4", "1.2.3.4", -0.0, -0.0, &made), NB_SOCKET_ADDRESS_OK);
    ck_assert_uint_eq(made.port, 0);
    ck_assert_uint_eq(made.flowlabel, 0);
    ck_assert_int_eq(make("ipv6", "::", 0, 1048575, &made), NB_SOCKET_ADDRESS_OK);
    ck_assert_int_eq(make("ipv6", "::", 0, 1048576, &made), NB_SOCKET_ADDRESS_FLOWLABEL_BITS);
    ck_assert_int_eq(make("ipv6", "::", 0, 4294967295, &made), NB_SOCKET_ADDRESS_FLOWLABEL_BITS);
    ck_assert_int_eq(make("ipv4", "1.2.3.4", 0, 4294967295, &made), NB_SOCKET_ADDRESS_OK);
    ck_assert_uint_eq(made.flowlabel, 0);
}
END_TEST

START_TEST(no_number_is_too_large)
{
    static const double large[] = {4294967296, 9007199254740991, 9007199254740992, 18446744073709551616.0,
                                   1e300};
    struct nb_socket_address made;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            ck_assert_int_eq(make("ipv6", "::", sign * large[i], 0, &made), NB_SOCKET_ADDRESS_PORT);
            ck_assert_int_eq(make("ipv6", "::", 0, sign * large[i], &made),
                             NB_SOCKET_ADDRESS_FLOWLABEL_RANGE);
        }
    ck_assert_int_eq(make("ipv6", "::", 0, INFINITY, &made), NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION);
    ck_assert_int_eq(make("ipv6", "::", 0, -INFINITY, &made), NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION);
}
END_TEST

START_TEST(families_are_two_words)
{
    static const char *const wrong[] = {"",     "ipv",  "1pv4",  "ipv5",       "ipx4",
                                        "iqv4", "jpv6", "ipv44", "IPV\xc2\xb2"};
    struct nb_socket_address made;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(make(wrong[i], "::", 0, 0, &made) == NB_SOCKET_ADDRESS_FAMILY, "%s", wrong[i]);
    ck_assert_int_eq(make("IpV6", "::", 0, 0, &made), NB_SOCKET_ADDRESS_OK);
}
END_TEST

START_TEST(what_node_cuts_off_is_read)
{
    struct nb_socket_address made;
    char text[NB_IP_TEXT];
    const char *mapped = "0000:0000:0000:0000:0000:ffff:1.22.33.244%x";
    ck_assert_int_eq(make("ipv6", mapped, 0, 0, &made), NB_SOCKET_ADDRESS_OK);
    nb_ip_format(&made.ip, text);
    ck_assert_str_eq(text, "::ffff:1.22.33.244");
    struct nb_socket_address_options with_nul = {.address = {"1.2.3.4\0x", 9}};
    ck_assert_int_eq(nb_socket_address_make(&with_nul, &made), NB_SOCKET_ADDRESS_ADDRESS);
}
END_TEST

int main(void)
{
    return run_suite("socket address",
                     (const TTest *[]){options_are_taken_as_node_takes_them, what_node_aborts_on_is_answered,
                                       no_number_is_too_large, families_are_two_words,
                                       what_node_cuts_off_is_read, NULL});
}
