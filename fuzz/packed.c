#include "packed.h"

#include "fuzz.h"
#include "msgpack_any.h"
#include "msgpack_encode.h"
#include "scan.h"

#include <string.h>

/* More than any harness sends. */
static const struct nb_scan_limits limits = {
    .frame = 1 << 20, .depth = 24, .elements = 1 << 16, .text = 1 << 20};

void fuzz_require_value(const uint8_t *data, size_t length)
{
    static struct nb_encoder again;
    struct nb_value wrong;
    struct nb_cursor cursor = {data, data + length};
    msgpack_packer packer = nb_encoder_packer(&again);
    fuzz_require(nb_any_take(&cursor, &wrong) == NB_ANY && cursor.at == cursor.end);
    nb_encoder_clear(&again);
    nb_any_pack(&packer, (struct nb_slice){data, length});
    fuzz_require(!again.failed && again.length == length && memcmp(again.data, data, length) == 0);
}

void fuzz_require_frame(const struct nb_encoder *encoder)
{
    struct nb_scan scan = {0};
    fuzz_require(!encoder->failed);
    fuzz_require(nb_scan(&scan, &limits, encoder->data, encoder->length) == NB_SCAN_FRAME);
    fuzz_require(scan.position == encoder->length);
    fuzz_require_value(encoder->data, encoder->length);
}
