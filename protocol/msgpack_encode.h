/* Structs of the schema into MessagePack values, through msgpack-c's packer. */
#ifndef NB_MSGPACK_ENCODE_H
#define NB_MSGPACK_ENCODE_H

#include <msgpack/pack.h>

#include "rpc.h"

/* Bytes that are MessagePack already. */
void nb_encode_raw(struct nb_encoder *encoder, const void *data, size_t length);

/* The map of a message, or the value of a bare one; an absent bare value is nil. */
void nb_encode_message(struct nb_encoder *encoder, const struct nb_shape *shape, const void *message);

/* The bare first field of a hot message; of a payload only the head. */
void nb_encode_hot(struct nb_encoder *encoder, const struct nb_shape *shape, const void *message);

/* A packer that writes to the encoder. */
msgpack_packer nb_encoder_packer(struct nb_encoder *encoder);

#endif
