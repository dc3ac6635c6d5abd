/*
 * Any bytes as the text of an address. Each form of the readers, the literal grammar and, where there
 * is no zone, the C library must agree; what was read must survive being written and read again.
 */
#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"
#include "grammar.h"

/* core/net/address/ip.c in plain C. */
int nb_ip_version_portable(const char *text, size_t length);
bool nb_ip_parse_portable(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_zone_at);
bool nb_ip_parse_as_portable(const char *text, size_t length, int family, struct nb_ip *ret_ip);

static const struct reader {
    int (*version)(const char *text, size_t length);
    bool (*parse)(const char *text, size_t length, struct nb_ip *ret_ip, size_t *ret_zone_at);
    bool (*parse_as)(const char *text, size_t length, int family, struct nb_ip *ret_ip);
} readers[] = {
    {nb_ip_version, nb_ip_parse, nb_ip_parse_as},
    {nb_ip_version_portable, nb_ip_parse_portable, nb_ip_parse_as_portable},
};

enum { READERS = sizeof readers / sizeof *readers };

static bool equals(const struct nb_ip *a, const struct nb_ip *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* What the grammar says of a text. */
struct reading {
    bool is_v4, is_v6; /* the latter with any zone */
    struct nb_ip v4, v6;
    size_t zone_at;
    bool has_zone_of_node; /* or none */
};

static struct reading read_literally(const char *text, size_t length)
{
    struct reading reading = {0};
    const char *percent = grammar_find_percent(text, length), *end = text + length;
    reading.is_v4 = grammar_parse_as(text, length, 4, &reading.v4);
    reading.is_v6 = grammar_parse_as(text, length, 6, &reading.v6);
    reading.has_zone_of_node = grammar_is_zone(percent, (size_t)(end - percent));
    reading.zone_at = percent == end ? length : (size_t)(percent + 1 - text);
    return reading;
}

/* The address that net.isIP sees; NULL: none. */
static const struct nb_ip *address_of(const struct reading *reading)
{
    return reading->is_v4 ? &reading->v4 : reading->is_v6 && reading->has_zone_of_node ? &reading->v6 : NULL;
}

static void check_parse(const struct reader *reader, const char *text, size_t length,
                        const struct reading *reading)
{
    const struct nb_ip *want = address_of(reading);
    struct nb_ip got = {.family = 9};
    size_t zone_at = SIZE_MAX;
    fuzz_require(reader->version(text, length) == (want ? want->family : 0));
    fuzz_require(reader->parse(text, length, &got, &zone_at) == (want != NULL));
    fuzz_require(want ? equals(&got, want) : got.family == 9);
    fuzz_require(zone_at == (want ? reading->zone_at : SIZE_MAX));
}

static void check_parse_as(const struct reader *reader, const char *text, size_t length, int family,
                           const struct nb_ip *want)
{
    struct nb_ip got = {.family = 9};
    fuzz_require(reader->parse_as(text, length, family, &got) == (want != NULL));
    fuzz_require(want ? equals(&got, want) : got.family == 9);
}

/* The system wants a NUL at the end, and knows nothing of zones. */
static void check_against_system(const char *data, size_t length)
{
    char text[64];
    struct nb_ip want = {0}, got = {0};
    if (length == 0 || length >= sizeof text || memchr(data, 0, length) || memchr(data, '%', length))
        return;
    memcpy(text, data, length);
    text[length] = '\0';
    uint8_t family = memchr(data, ':', length) ? 6 : 4;
    if (inet_pton(family == 4 ? AF_INET : AF_INET6, text, want.bytes) == 1)
        want.family = family;
    nb_ip_parse(data, length, &got, NULL);
    fuzz_require(got.family == want.family && (!want.family || equals(&got, &want)));
}

/* One text for each address, the system's, and it is read as that address. */
static void check_format(const struct nb_ip *ip)
{
    char text[NB_IP_TEXT], system_text[INET6_ADDRSTRLEN];
    struct nb_ip again;
    size_t length = nb_ip_format(ip, text);
    fuzz_require(length < NB_IP_TEXT && text[length] == '\0');
    inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, system_text, sizeof system_text);
    fuzz_require(strcmp(text, system_text) == 0);
    for (int i = 0; i < READERS; i++)
        fuzz_require(readers[i].parse(text, length, &again, NULL) && equals(&again, ip));
}

/* Four or sixteen bytes are an address as well. */
static void check_bytes(const uint8_t *data, size_t length)
{
    struct nb_ip ip = {.family = length == 4 ? 4 : 6};
    if (length != 4 && length != 16)
        return;
    memcpy(ip.bytes, data, length);
    check_format(&ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct reading reading = read_literally(text, size);
    const struct nb_ip *address = address_of(&reading);
    for (int i = 0; i < READERS; i++) {
        check_parse(&readers[i], text, size, &reading);
        check_parse_as(&readers[i], text, size, 4, reading.is_v4 ? &reading.v4 : NULL);
        check_parse_as(&readers[i], text, size, 6, reading.is_v6 ? &reading.v6 : NULL);
    }
    check_against_system(text, size);
    if (address)
        check_format(address);
    check_bytes(data, size);
    return 0;
}
