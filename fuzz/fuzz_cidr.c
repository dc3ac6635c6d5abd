/*
 * Any bytes as the text of a block. It is read as its parts are, it is the same
 * when written and read again, and its bounds are what its bits say.
 */
#include <string.h>

#include "cidr.h"
#include "fuzz.h"
#include "grammar.h"

/* "0" / %x31-39 *2DIGIT; 999 for all others. */
static unsigned prefix_of(const char *text, size_t length)
{
    unsigned value = 0;
    if (length < 1 || length > 3 || (length > 1 && text[0] == '0'))
        return 999;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 999;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    return value;
}

/* Read literally: an address, the only '/', a prefix. */
static bool read_literally(const char *text, size_t length, struct nb_cidr *ret_cidr)
{
    const char *slash = length ? memchr(text, '/', length) : NULL;
    if (!slash)
        return false;
    size_t address = (size_t)(slash - text);
    unsigned prefix = prefix_of(slash + 1, length - address - 1);
    if (!grammar_v4(text, address, &ret_cidr->network) && !grammar_v6(text, address, &ret_cidr->network))
        return false;
    ret_cidr->prefix = (uint8_t)prefix;
    return prefix <= (ret_cidr->network.family == 4 ? 32 : 128);
}

static bool equals(const struct nb_cidr *a, const struct nb_cidr *b)
{
    return memcmp(&a->network, &b->network, sizeof a->network) == 0 && a->prefix == b->prefix;
}

static void check_format(const struct nb_cidr *cidr)
{
    char text[NB_CIDR_TEXT];
    struct nb_cidr again;
    size_t length = nb_cidr_format(cidr, text);
    fuzz_require(length == strlen(text) && length < NB_CIDR_TEXT);
    fuzz_require(nb_cidr_parse(text, length, &again) && equals(cidr, &again));
}

static int bit_of(const struct nb_ip *ip, int bit)
{
    return ip->bytes[bit / 8] >> (7 - bit % 8) & 1;
}

static void check_bounds(const struct nb_cidr *cidr)
{
    struct nb_ip first, last;
    int bits = cidr->network.family == 4 ? 32 : 128;
    nb_cidr_bounds(cidr, &first, &last);
    fuzz_require(first.family == cidr->network.family && last.family == first.family);
    for (int bit = 0; bit < 128; bit++) {
        bool is_host = bit >= cidr->prefix && bit < bits;
        int network = bit_of(&cidr->network, bit);
        fuzz_require(bit_of(&first, bit) == (is_host ? 0 : network));
        fuzz_require(bit_of(&last, bit) == (is_host ? 1 : network));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct nb_cidr want, got = {.prefix = 255};
    bool is_block = read_literally(text, size, &want);
    fuzz_require(nb_cidr_parse(text, size, &got) == is_block);
    fuzz_require(is_block ? equals(&got, &want) : got.prefix == 255);
    if (is_block) {
        check_format(&got);
        check_bounds(&got);
    }
    return 0;
}
