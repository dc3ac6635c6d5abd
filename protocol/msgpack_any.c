#include "msgpack_any.h"

#include "utf8.h"

static bool is_utf8(struct nb_slice text)
{
    return nb_utf8_valid(text.data, text.length) == text.length;
}

static enum nb_any_status take_key(struct nb_cursor *cursor, struct nb_value *ret_wrong)
{
    struct nb_value key = nb_cursor_take(cursor);
    if (nb_value_is_text(&key) && is_utf8(key.bytes))
        return NB_ANY;
    *ret_wrong = key;
    return nb_value_is_text(&key) ? NB_ANY_NOT_UTF8 : NB_ANY_KEY_NOT_TEXT;
}

static enum nb_any_status take_leaf(const struct nb_value *value, struct nb_value *ret_wrong)
{
    enum nb_any_status status = NB_ANY;
    if (value->kind == NB_KIND_EXT && !nb_value_is_absent(value))
        status = NB_ANY_EXTENSION;
    else if (value->kind == NB_KIND_STR && !is_utf8(value->bytes))
        status = NB_ANY_NOT_UTF8;
    if (status != NB_ANY)
        *ret_wrong = *value;
    return status;
}

enum nb_any_status nb_any_take(struct nb_cursor *cursor, struct nb_value *ret_wrong)
{
    struct nb_value value = nb_cursor_take(cursor);
    enum nb_any_status status = NB_ANY;
    if (value.kind != NB_KIND_ARRAY && value.kind != NB_KIND_MAP)
        return take_leaf(&value, ret_wrong);
    for (uint32_t i = 0; i < value.count && status == NB_ANY; i++) {
        if (value.kind == NB_KIND_MAP)
            status = take_key(cursor, ret_wrong);
        if (status == NB_ANY)
            status = nb_any_take(cursor, ret_wrong);
    }
    return status;
}

/* Peeks: the cursor is a copy. */
static bool next_is_absent(struct nb_cursor cursor)
{
    struct nb_value value = nb_cursor_take(&cursor);
    return nb_value_is_absent(&value);
}

static uint32_t count_entries(struct nb_cursor cursor, uint32_t pairs)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        nb_cursor_skip(&cursor);
        present += !next_is_absent(cursor);
        nb_cursor_skip(&cursor);
    }
    return present;
}

static void pack_next(msgpack_packer *packer, struct nb_cursor *cursor);

static void pack_map(msgpack_packer *packer, struct nb_cursor *cursor, uint32_t pairs)
{
    msgpack_pack_map(packer, count_entries(*cursor, pairs));
    for (uint32_t i = 0; i < pairs; i++) {
        struct nb_value key = nb_cursor_take(cursor);
        if (next_is_absent(*cursor)) {
            nb_cursor_skip(cursor);
            continue;
        }
        msgpack_pack_str_with_body(packer, key.bytes.data, key.bytes.length);
        pack_next(packer, cursor);
    }
}

static void pack_array(msgpack_packer *packer, struct nb_cursor *cursor, uint32_t count)
{
    msgpack_pack_array(packer, count);
    for (uint32_t i = 0; i < count; i++)
        pack_next(packer, cursor);
}

static void pack_next(msgpack_packer *packer, struct nb_cursor *cursor)
{
    struct nb_value value = nb_cursor_take(cursor);
    switch (value.kind) {
    case NB_KIND_BOOL:
        value.boolean ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        break;
    case NB_KIND_UINT:
        msgpack_pack_uint64(packer, value.uint);
        break;
    case NB_KIND_INT:
        msgpack_pack_int64(packer, value.sint);
        break;
    case NB_KIND_FLOAT:
        msgpack_pack_double(packer, value.number);
        break;
    case NB_KIND_STR:
        msgpack_pack_str_with_body(packer, value.bytes.data, value.bytes.length);
        break;
    case NB_KIND_BIN:
        msgpack_pack_bin_with_body(packer, value.bytes.data, value.bytes.length);
        break;
    case NB_KIND_ARRAY:
        pack_array(packer, cursor, value.count);
        break;
    case NB_KIND_MAP:
        pack_map(packer, cursor, value.count);
        break;
    default:
        msgpack_pack_nil(packer);
        break;
    }
}

void nb_any_pack(msgpack_packer *packer, struct nb_slice value)
{
    struct nb_cursor cursor = {value.data, value.data + value.length};
    pack_next(packer, &cursor);
}
