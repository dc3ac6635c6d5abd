/* What the first byte of a MessagePack value says; shared by the scanner and the cursor. */
#ifndef NB_MSGPACK_HEAD_H
#define NB_MSGPACK_HEAD_H

#include <stdint.h>

enum nb_kind {
    NB_KIND_NEVER, /* 0xc1 */
    NB_KIND_NIL,
    NB_KIND_BOOL,
    NB_KIND_UINT,
    NB_KIND_INT,
    NB_KIND_FLOAT,
    NB_KIND_STR,
    NB_KIND_BIN,
    NB_KIND_EXT,
    NB_KIND_ARRAY,
    NB_KIND_MAP,
};

/* A value's count is (first byte & mask) + base, or stands in length_size bytes behind the first. */
struct nb_head_row {
    uint8_t kind;
    uint8_t length_size;
    uint8_t mask;
    uint8_t base;
};

extern const struct nb_head_row nb_head_rows[256];

struct nb_head {
    enum nb_kind kind;
    uint32_t size; /* of the head itself, 1 to 5 bytes */
    uint64_t count; /* items of an array, pairs of a map, else bytes behind the head (ext: with its type) */
};

static inline uint32_t nb_head_size(uint8_t first)
{
    return 1u + nb_head_rows[first].length_size;
}

/* The big-endian number of 1, 2, 4 or 8 bytes at data. */
static inline uint64_t nb_load(const uint8_t *data, uint32_t size)
{
    uint32_t half;
    switch (size) {
    case 1:
        return data[0];
    case 2:
        return (uint64_t)data[0] << 8 | data[1];
    default:
        half = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
        return size == 4 ? half : (uint64_t)half << 32 | nb_load(data + 4, 4);
    }
}

/* Needs nb_head_size(*data) bytes. */
static inline struct nb_head nb_head_read(const uint8_t *data)
{
    const struct nb_head_row *row = &nb_head_rows[*data];
    uint64_t count = row->base + (uint64_t)(*data & row->mask);
    if (row->length_size)
        count = nb_load(data + 1, row->length_size) + (row->kind == NB_KIND_EXT);
    return (struct nb_head){(enum nb_kind)row->kind, 1u + row->length_size, count};
}

#endif
