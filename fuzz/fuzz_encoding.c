/*
 * The first byte says which encoding, the second how the rest is cut. Decoded in
 * pieces it is the same text as in one, and UTF-8; encoded and decoded again it
 * is still the same. As a text of its own, valid or not, it can be encoded. Nothing
 * is read beyond a piece, and no output is longer than was said before.
 */
#include "encoding.h"

#include "fuzz.h"
#include "utf8.h"
#include "window.h"

#include <stdlib.h>

enum { INPUT_MAX = 512, TEXT_MAX = 10 * INPUT_MAX };

struct text {
    char bytes[TEXT_MAX];
    size_t length;
};

/* One piece, or the end where data is NULL; what it may write is no more than the bound. */
static void add_piece(struct nb_decoder *decoder, const uint8_t *data, size_t length, struct text *text)
{
    static struct fuzz_window in, out;
    size_t bound = nb_decode_bound(decoder, length);
    fuzz_require(bound <= sizeof text->bytes - text->length);
    char *room = (char *)fuzz_window_show(&out, bound);
    size_t used = data ? nb_decode(decoder, fuzz_window_fill(&in, data, length), length, room)
                       : nb_decode_end(decoder, room);
    fuzz_require(used <= bound);
    memcpy(text->bytes + text->length, room, used);
    text->length += used;
}

/* In steps of so many bytes; every other one is a byte alone. */
static void decode(enum nb_encoding encoding, const uint8_t *data, size_t length, size_t step,
                   struct text *text)
{
    struct nb_decoder decoder = {.encoding = encoding};
    text->length = 0;
    for (size_t at = 0, count = 0; at < length; count++) {
        size_t size = count % 2 ? 1 : step;
        size = size < length - at ? size : length - at;
        add_piece(&decoder, data + at, size, text);
        at += size;
    }
    add_piece(&decoder, NULL, 0, text);
    fuzz_require(decoder.kept_length == 0);
}

static size_t encode(enum nb_encoding encoding, const void *text, size_t length, uint8_t *bytes)
{
    static struct fuzz_window in, out;
    size_t bound = nb_encode_bound(encoding, length);
    fuzz_require(bound <= FUZZ_WINDOW && length <= FUZZ_WINDOW);
    uint8_t *room = (uint8_t *)(uintptr_t)fuzz_window_show(&out, bound);
    struct nb_slice slice = {fuzz_window_fill(&in, text, length), length};
    size_t used = nb_encode_text(encoding, slice, room);
    fuzz_require(used <= bound);
    memcpy(bytes, room, used);
    return used;
}

static bool is_same(const struct text *a, const struct text *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text whole, pieces, again;
    static uint8_t bytes[FUZZ_WINDOW];
    if (size < 2 || size - 2 > INPUT_MAX)
        return 0;
    enum nb_encoding encoding = NB_UTF8 + data[0] % (NB_HEX - NB_UTF8 + 1);
    size_t step = 1 + data[1], length = size - 2;
    data += 2;
    decode(encoding, data, length, INPUT_MAX, &whole);
    decode(encoding, data, length, step, &pieces);
    fuzz_require(is_same(&whole, &pieces));
    fuzz_require(nb_utf8_valid((const uint8_t *)whole.bytes, whole.length) == whole.length);
    size_t encoded = encode(encoding, whole.bytes, whole.length, bytes);
    fuzz_require(encoded <= INPUT_MAX * 3);
    decode(encoding, bytes, encoded, INPUT_MAX * 3, &again);
    fuzz_require(is_same(&whole, &again));
    encode(encoding, data, length, bytes);
    return 0;
}
