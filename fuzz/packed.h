/* What every MessagePack value that the broker sends has to be. */
#ifndef NB_FUZZ_PACKED_H
#define NB_FUZZ_PACKED_H

#include "rpc.h"

/* One whole value, free of extensions, its keys and texts UTF-8, in the shortest form. */
void fuzz_require_value(const uint8_t *data, size_t length);

/* Nothing failed, and the bytes are one frame: an array that is such a value. */
void fuzz_require_frame(const struct nb_encoder *encoder);

#endif
