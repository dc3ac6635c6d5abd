/* Packing inside the library: frames and bodies of maps with optional fields. */
#ifndef NBC_PACK_H
#define NBC_PACK_H

#include "netbroker.h"

/* Makes room for `size` more bytes; NULL, and failed, when there is none. */
unsigned char *nbc_pack_reserve(struct netbroker_packer *packer, size_t size);

/* The header of a BIN whose bytes are put elsewhere. */
void nbc_pack_bin_header(struct netbroker_packer *packer, size_t length);
void nbc_pack_raw(struct netbroker_packer *packer, const void *bytes, size_t length);

/* A map whose pairs are counted as they come: at most 65535. */
struct nbc_map {
    struct netbroker_packer *packer;
    size_t start;
    uint16_t pairs;
};

struct nbc_map nbc_map_begin(struct netbroker_packer *packer);
void nbc_map_end(struct nbc_map *map);

/* Each adds one pair, or nothing when the value is the default: false, 0, NULL. */
void nbc_map_flag(struct nbc_map *map, const char *key, bool value);
void nbc_map_number(struct nbc_map *map, const char *key, int64_t value);
void nbc_map_text(struct nbc_map *map, const char *key, const char *value);
/* Always adds the key; the value is the caller's to pack. */
void nbc_map_key(struct nbc_map *map, const char *key);

#endif
