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

static void check_parse(const char *text, size_t length)
{
    struct nb_ip want;
    size_t zone_at;
    bool is_address = grammar_parse(text, length, &want, &zone_at);
    for (int i = 0; i < READERS; i++) {
        struct nb_ip got = {.family = 9};
        size_t got_zone_at = 0;
        fuzz_require(readers[i].version(text, length) == (is_address ? want.family : 0));
        fuzz_require(readers[i].parse(text, length, &got, &got_zone_at) == is_address);
        if (is_address)
            fuzz_require(equals(&got, &want) && got_zone_at == zone_at);
        else
            fuzz_require(got.family == 9 && got_zone_at == 0);
    }
}

static void check_parse_as(const char *text, size_t length, int family)
{
    struct nb_ip want;
    bool is_address = grammar_parse_as(text, length, family, &want);
    for (int i = 0; i < READERS; i++) {
        struct nb_ip got = {.family = 9};
        fuzz_require(readers[i].parse_as(text, length, family, &got) == is_address);
        fuzz_require(is_address ? equals(&got, &want) : got.family == 9);
    }
}

/* The system wants a NUL at the end, and knows nothing of zones. */
static void check_against_system(const char *data, size_t length)
{
    char text[64];
    struct nb_ip want = {0}, got = {0};
    if (length >= sizeof text || (length && (memchr(data, 0, length) || memchr(data, '%', length))))
        return;
    memcpy(text, data, length);
    text[length] = '\0';
    if (inet_pton(AF_INET, text, want.bytes) == 1)
        want.family = 4;
    else if (inet_pton(AF_INET6, text, want.bytes) == 1)
        want.family = 6;
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

/* The first bytes as an address, whatever they say. */
static void check_bytes(const uint8_t *data, size_t length)
{
    struct nb_ip ip = {.family = length < 16 ? 4 : 6};
    memcpy(ip.bytes, data, length < 4 ? length : length < 16 ? 4 : 16);
    check_format(&ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct nb_ip ip;
    check_parse(text, size);
    check_parse_as(text, size, 4);
    check_parse_as(text, size, 6);
    check_against_system(text, size);
    if (nb_ip_parse(text, size, &ip, NULL))
        check_format(&ip);
    check_bytes(data, size);
    return 0;
}
