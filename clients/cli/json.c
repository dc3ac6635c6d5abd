#include "json.h"

#include "base64.h"

#include <stdlib.h>
#include <string.h>

static const char binary_key[] = "$binary";

/* ---- JSON -> MessagePack ---- */

static bool pack_binary(struct netbroker_packer *packer, const json_t *text)
{
    unsigned char *bytes = malloc(json_string_length(text) + 1);
    size_t length;
    bool valid =
        bytes && nb_cli_base64_decode(json_string_value(text), json_string_length(text), bytes, &length);
    if (valid)
        netbroker_pack_bin(packer, bytes, length);
    free(bytes);
    return valid;
}

static bool pack_object(struct netbroker_packer *packer, const json_t *object)
{
    const json_t *binary = json_object_get(object, binary_key);
    if (json_is_string(binary) && json_object_size(object) == 1)
        return pack_binary(packer, binary);
    netbroker_pack_map(packer, (uint32_t)json_object_size(object));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        netbroker_pack_str(packer, key);
        if (!nb_cli_pack_json(packer, value))
            return false;
    }
    return true;
}

static bool pack_list(struct netbroker_packer *packer, const json_t *list)
{
    netbroker_pack_array(packer, (uint32_t)json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!nb_cli_pack_json(packer, json_array_get(list, i)))
            return false;
    return true;
}

bool nb_cli_pack_json(struct netbroker_packer *packer, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return pack_object(packer, value);
    case JSON_ARRAY:
        return pack_list(packer, value);
    case JSON_STRING:
        netbroker_pack_str_n(packer, json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
        netbroker_pack_int(packer, json_integer_value(value));
        return true;
    case JSON_REAL:
        netbroker_pack_double(packer, json_real_value(value));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        netbroker_pack_bool(packer, json_is_true(value));
        return true;
    case JSON_NULL:
        netbroker_pack_nil(packer);
        return true;
    }
    return false;
}

/* ---- MessagePack -> JSON ---- */

static json_t *binary(const struct netbroker_slice *slice)
{
    char *text = malloc(nb_cli_base64_size(slice->length));
    if (!text)
        return NULL;
    nb_cli_base64_encode((const unsigned char *)slice->bytes, slice->length, text);
    json_t *object = json_pack("{s:s}", binary_key, text);
    free(text);
    return object;
}

static json_t *string(const struct netbroker_slice *slice)
{
    json_t *text = json_stringn(slice->bytes, slice->length);
    return text ? text : binary(slice);
}

static json_t *unpack_list(struct netbroker_cursor *cursor, uint32_t count)
{
    json_t *list = json_array();
    while (list && count-- > 0) {
        if (json_array_append_new(list, nb_cli_unpack_json(cursor)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool unpack_pair(struct netbroker_cursor *cursor, json_t *object)
{
    struct netbroker_value key;
    if (netbroker_read(cursor, &key) < 0 || key.type != NETBROKER_STR)
        return false;
    char *name = strndup(key.slice.bytes, key.slice.length);
    bool added = name && json_object_set_new(object, name, nb_cli_unpack_json(cursor)) == 0;
    free(name);
    return added;
}

static json_t *unpack_object(struct netbroker_cursor *cursor, uint32_t pairs)
{
    json_t *object = json_object();
    while (object && pairs-- > 0) {
        if (!unpack_pair(cursor, object)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *nb_cli_unpack_json(struct netbroker_cursor *cursor)
{
    struct netbroker_value value;
    if (netbroker_read(cursor, &value) < 0)
        return NULL;
    switch (value.type) {
    case NETBROKER_NIL:
        return json_null();
    case NETBROKER_BOOL:
        return json_boolean(value.boolean);
    case NETBROKER_UINT:
        return value.uint64 <= INT64_MAX ? json_integer((json_int_t)value.uint64)
                                         : json_real((double)value.uint64);
    case NETBROKER_INT:
        return json_integer(value.int64);
    case NETBROKER_DOUBLE:
        return json_real(value.real);
    case NETBROKER_STR:
        return string(&value.slice);
    case NETBROKER_BIN:
        return binary(&value.slice);
    case NETBROKER_ARRAY:
        return unpack_list(cursor, value.count);
    case NETBROKER_MAP:
        return unpack_object(cursor, value.count);
    }
    return NULL;
}

json_t *nb_cli_unpack_bytes(const void *bytes, size_t length)
{
    if (length == 0)
        return json_null();
    struct netbroker_cursor cursor = {bytes, (const unsigned char *)bytes + length};
    return nb_cli_unpack_json(&cursor);
}

bool nb_cli_print_json(FILE *out, const json_t *value, bool pretty)
{
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    return value && json_dumpf(value, out, flags) == 0 && fputc('\n', out) != EOF && fflush(out) == 0;
}
