/* The nanopb callback of all strings and bytes: slices into the message, never copies. */
#include <pb_decode.h>
#include <pb_encode.h>

#include "netbroker.pb.h"

/* Only for streams made by pb_istream_from_buffer: their state is the place in the buffer. */
static bool decode(pb_istream_t *stream, struct nb_slice *slice)
{
    *slice = (struct nb_slice){stream->state, stream->bytes_left};
    return pb_read(stream, NULL, stream->bytes_left);
}

static bool encode(pb_ostream_t *stream, const pb_field_t *field, const struct nb_slice *slice)
{
    if (!slice->data)
        return true;
    return pb_encode_tag_for_field(stream, field) && pb_encode_string(stream, slice->data, slice->length);
}

bool nb_slice_field(pb_istream_t *istream, pb_ostream_t *ostream, const pb_field_t *field)
{
    if (istream)
        return decode(istream, field->pData);
    return encode(ostream, field, field->pData);
}
