#include "msgpack_head.h"

#define ROW(kind_, length_, mask_, base_)                                                                    \
    {                                                                                                        \
        .kind = NB_KIND_##kind_, .length_size = (length_), .mask = (mask_), .base = (base_)                  \
    }

const struct nb_head_row nb_head_rows[256] = {
    [0x00 ... 0x7f] = ROW(UINT, 0, 0, 0),
    [0x80 ... 0x8f] = ROW(MAP, 0, 0x0f, 0),
    [0x90 ... 0x9f] = ROW(ARRAY, 0, 0x0f, 0),
    [0xa0 ... 0xbf] = ROW(STR, 0, 0x1f, 0),
    [0xc0] = ROW(NIL, 0, 0, 0),
    [0xc1] = ROW(NEVER, 0, 0, 0),
    [0xc2 ... 0xc3] = ROW(BOOL, 0, 0, 0),
    [0xc4] = ROW(BIN, 1, 0, 0),
    [0xc5] = ROW(BIN, 2, 0, 0),
    [0xc6] = ROW(BIN, 4, 0, 0),
    [0xc7] = ROW(EXT, 1, 0, 0),
    [0xc8] = ROW(EXT, 2, 0, 0),
    [0xc9] = ROW(EXT, 4, 0, 0),
    [0xca] = ROW(FLOAT, 0, 0, 4),
    [0xcb] = ROW(FLOAT, 0, 0, 8),
    [0xcc] = ROW(UINT, 0, 0, 1),
    [0xcd] = ROW(UINT, 0, 0, 2),
    [0xce] = ROW(UINT, 0, 0, 4),
    [0xcf] = ROW(UINT, 0, 0, 8),
    [0xd0] = ROW(INT, 0, 0, 1),
    [0xd1] = ROW(INT, 0, 0, 2),
    [0xd2] = ROW(INT, 0, 0, 4),
    [0xd3] = ROW(INT, 0, 0, 8),
    [0xd4] = ROW(EXT, 0, 0, 2),
    [0xd5] = ROW(EXT, 0, 0, 3),
    [0xd6] = ROW(EXT, 0, 0, 5),
    [0xd7] = ROW(EXT, 0, 0, 9),
    [0xd8] = ROW(EXT, 0, 0, 17),
    [0xd9] = ROW(STR, 1, 0, 0),
    [0xda] = ROW(STR, 2, 0, 0),
    [0xdb] = ROW(STR, 4, 0, 0),
    [0xdc] = ROW(ARRAY, 2, 0, 0),
    [0xdd] = ROW(ARRAY, 4, 0, 0),
    [0xde] = ROW(MAP, 2, 0, 0),
    [0xdf] = ROW(MAP, 4, 0, 0),
    [0xe0 ... 0xff] = ROW(INT, 0, 0, 0),
};
