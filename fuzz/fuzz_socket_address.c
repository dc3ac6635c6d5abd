/*
 * Options of net.SocketAddress: a byte that says what is given, port and flow label as the eight bytes of a
 * double each, the family up to a '/', and the address. The answer must be what the options say, checked in
 * Node's order, and hold what was asked for.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "grammar.h"
#include "socket_address.h"

enum { FAMILY_GIVEN = 1, ADDRESS_GIVEN = 2, PORT_GIVEN = 4, FLOWLABEL_GIVEN = 8, NUMBERS_SMALL = 16 };

struct input {
    const uint8_t *at, *end;
};

/* The next eight bytes; zero where there are fewer. Small ones are integers around the limits. */
static double take_double(struct input *input, bool is_small)
{
    uint64_t bits = 0;
    double value;
    if (input->end - input->at >= 8) {
        memcpy(&bits, input->at, 8);
        input->at += 8;
    }
    memcpy(&value, &bits, 8);
    return is_small ? (double)(int32_t)(bits % 0x400000) - 0x1000 : value;
}

static struct nb_socket_address_text take_family(struct input *input)
{
    const char *start = (const char *)input->at;
    size_t left = (size_t)(input->end - input->at);
    const char *slash = left ? memchr(start, '/', left) : NULL;
    size_t length = slash ? (size_t)(slash - start) : left;
    input->at += slash ? length + 1 : left;
    return (struct nb_socket_address_text){start, length};
}

static struct nb_socket_address_options options_of(const uint8_t *data, size_t size)
{
    struct input input = {data + 1, data + size};
    uint8_t given = data[0];
    struct nb_socket_address_options options = {0};
    options.port.given = given & PORT_GIVEN;
    options.port.value = take_double(&input, given & NUMBERS_SMALL);
    options.flowlabel.given = given & FLOWLABEL_GIVEN;
    options.flowlabel.value = take_double(&input, given & NUMBERS_SMALL);
    if (given & FAMILY_GIVEN)
        options.family = take_family(&input);
    if (given & ADDRESS_GIVEN)
        options.address =
            (struct nb_socket_address_text){(const char *)input.at, (size_t)(input.end - input.at)};
    return options;
}

static bool is_word(const struct nb_socket_address_text *text, const char *word)
{
    return text->length == strlen(word) && strncasecmp(text->data, word, text->length) == 0;
}

static int family_of(const struct nb_socket_address_options *options)
{
    const struct nb_socket_address_text *family = &options->family;
    return !family->data || is_word(family, "ipv4") ? 4 : is_word(family, "ipv6") ? 6 : 0;
}

static bool is_integer(double value)
{
    return isfinite(value) && trunc(value) == value;
}

static bool address_of(const struct nb_socket_address_options *options, int family, struct nb_ip *ret_ip)
{
    const struct nb_socket_address_text *address = &options->address;
    bool is_plain = !options->family.data || memcmp(options->family.data, "ipv4", 4) == 0;
    if (address->data)
        return grammar_parse_as(address->data, address->length, family, ret_ip);
    return is_plain ? grammar_parse_as("127.0.0.1", 9, family, ret_ip)
                    : grammar_parse_as("::", 2, family, ret_ip);
}

static enum nb_socket_address_fault expect(const struct nb_socket_address_options *options,
                                           struct nb_ip *ret_ip)
{
    double port = options->port.given ? options->port.value : 0;
    double flowlabel = options->flowlabel.given ? options->flowlabel.value : 0;
    int family = family_of(options);
    if (!family)
        return NB_SOCKET_ADDRESS_FAMILY;
    if (!is_integer(port) || port < 0 || port > 65535)
        return NB_SOCKET_ADDRESS_PORT;
    if (!is_integer(flowlabel))
        return NB_SOCKET_ADDRESS_FLOWLABEL_FRACTION;
    if (flowlabel < 0 || flowlabel > 4294967295)
        return NB_SOCKET_ADDRESS_FLOWLABEL_RANGE;
    if (family == 6 && flowlabel >= 1 << 20)
        return NB_SOCKET_ADDRESS_FLOWLABEL_BITS;
    return address_of(options, family, ret_ip) ? NB_SOCKET_ADDRESS_OK : NB_SOCKET_ADDRESS_ADDRESS;
}

static void check_made(const struct nb_socket_address_options *options, const struct nb_ip *ip,
                       const struct nb_socket_address *made)
{
    bool is_v6 = ip->family == 6;
    fuzz_require(memcmp(&made->ip, ip, sizeof *ip) == 0);
    fuzz_require(made->port == (options->port.given ? options->port.value : 0));
    fuzz_require(made->flowlabel == (is_v6 && options->flowlabel.given ? options->flowlabel.value : 0));
    fuzz_require(strcmp(nb_socket_address_family(made), is_v6 ? "ipv6" : "ipv4") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct nb_socket_address_options options = options_of(data, size);
    struct nb_socket_address made = {.port = 0x5555, .flowlabel = UINT32_MAX};
    struct nb_ip ip;
    enum nb_socket_address_fault want = expect(&options, &ip);
    fuzz_require(nb_socket_address_make(&options, &made) == want);
    if (want == NB_SOCKET_ADDRESS_OK)
        check_made(&options, &ip, &made);
    else
        fuzz_require(made.port == 0x5555 && made.flowlabel == UINT32_MAX && made.ip.family == 0);
    return 0;
}
