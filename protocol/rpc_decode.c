#include <stdio.h>

#include "inspect.h"
#include "msgpack_decode.h"
#include "rpc.h"

enum { TYPE_REQUEST = 0, TYPE_NOTIFICATION = 2 };

static const int64_t TARGET_MAX = (INT64_C(1) << 53) - 1;

static enum nb_rpc_status broken(struct nb_fault *fault, const char *what)
{
    nb_fault_set(fault, "ERR_NB_PROTOCOL", NULL, "%s", what);
    fault->map.has_fatal = fault->map.fatal = true;
    return NB_RPC_BROKEN;
}

static bool is_integer(const struct nb_value *value, int64_t max, int64_t *ret_integer)
{
    return nb_value_integer(value, 0, max, ret_integer) == NB_INTEGER;
}

/* [0, msgid, method, params or [2, method, params: all but params. NULL, or what is wrong. */
static const char *decode_head(struct nb_cursor *cursor, struct nb_request *request)
{
    struct nb_value frame = nb_cursor_take(cursor);
    int64_t type = -1, msgid = 0;
    if (frame.count == 0)
        return "The frame is empty";
    struct nb_value value = nb_cursor_take(cursor);
    if (!is_integer(&value, TYPE_NOTIFICATION, &type) || type == 1)
        return "The type of a client's frame must be 0 or 2";
    request->is_notification = type == TYPE_NOTIFICATION;
    if (frame.count != (request->is_notification ? 3 : 4))
        return "The frame has the wrong number of elements";
    if (!request->is_notification) {
        value = nb_cursor_take(cursor);
        if (!is_integer(&value, UINT32_MAX, &msgid))
            return "The msgid must be an integer from 0 to 4294967295";
        request->msgid = (uint32_t)msgid;
    }
    value = nb_cursor_take(cursor);
    if (!nb_value_is_text(&value))
        return "The method must be a string";
    request->method_name = value.bytes;
    return NULL;
}

static enum nb_rpc_status refuse_method(const struct nb_request *request, struct nb_fault *fault)
{
    char name[NB_INSPECT_SIZE];
    nb_inspect(&(struct nb_value){.kind = NB_KIND_STR, .bytes = request->method_name}, name);
    nb_fault_set(fault, "ERR_NB_UNKNOWN_METHOD", NULL, "Unknown method %s", name);
    return NB_RPC_REFUSED;
}

static bool decode_target(struct nb_cursor *cursor, struct nb_request *request, struct nb_fault *fault)
{
    char received[NB_INSPECT_SIZE];
    int64_t target = 0;
    struct nb_value value = nb_cursor_take(cursor);
    switch (nb_value_integer(&value, 0, TARGET_MAX, &target)) {
    case NB_INTEGER:
        request->target = (uint64_t)target;
        request->has_target = true;
        return true;
    case NB_INTEGER_NOT_NUMBER:
        nb_inspect_type(&value, received);
        nb_fault_type(fault, "target", "of type number", received);
        return false;
    case NB_INTEGER_FRACTION:
        nb_inspect_range(&value, received);
        nb_fault_range(fault, "target", "an integer", received);
        return false;
    default:
        nb_inspect_range(&value, received);
        nb_fault_range(fault, "target", ">= 0 && <= 9007199254740991", received);
        return false;
    }
}

static bool next_is_absent(struct nb_cursor cursor)
{
    struct nb_value value = nb_cursor_take(&cursor);
    return nb_value_is_absent(&value);
}

static bool refuse_count(struct nb_fault *fault, const char *argument, const char *reason, uint32_t count)
{
    char received[32];
    snprintf(received, sizeof received, "%u values", count);
    nb_fault_value(fault, argument, reason, received);
    return false;
}

/* The cursor stands behind the target. */
static bool check_count(const struct nb_method *method, struct nb_cursor cursor, uint32_t count,
                        struct nb_fault *fault)
{
    if (count > 3)
        return refuse_count(fault, "params", "must be [target], [target, body] or [target, body, options]",
                            count);
    if (count < 3 || method->hot)
        return true;
    nb_cursor_skip(&cursor);
    return next_is_absent(cursor) ||
           refuse_count(fault, "options", "stand in the body of this method", count);
}

static bool decode_payload(struct nb_cursor *cursor, size_t max_write, struct nb_request *request,
                           struct nb_fault *fault)
{
    const struct nb_field *field = &request->method->params->fields[0];
    void *place = (uint8_t *)&request->params + field->offset;
    struct nb_slice *payload = place;
    if (!nb_decode_payload(cursor, field, payload, &request->payload_is_text, fault))
        return false;
    if (payload->length <= max_write)
        return true;
    nb_fault_limit(fault, "maxWrite", max_write);
    return false;
}

static bool decode_hot(struct nb_cursor *cursor, uint32_t count, size_t max_write, struct nb_request *request,
                       struct nb_fault *fault)
{
    const struct nb_shape *shape = request->method->params;
    if (nb_shape_is_payload(shape) ? !decode_payload(cursor, max_write, request, fault)
                                   : !nb_decode_first(cursor, shape, &request->params, fault))
        return false;
    return count < 3 || nb_decode_fields(cursor, shape, 1, "options", &request->params, fault);
}

/* params behind the target. */
static bool decode_body(struct nb_cursor *cursor, uint32_t count, size_t max_write,
                        struct nb_request *request, struct nb_fault *fault)
{
    const struct nb_method *method = request->method;
    nb_message_clear(method->params, &request->params);
    if (!check_count(method, *cursor, count, fault))
        return false;
    if (count < 2)
        return true;
    request->has_body = !next_is_absent(*cursor);
    if (method->hot)
        return decode_hot(cursor, count, max_write, request, fault);
    return nb_decode_message(cursor, method->params, "options", &request->params, fault);
}

static void clear(struct nb_request *request)
{
    request->method = NULL;
    request->method_name = (struct nb_slice){0};
    request->target = 0;
    request->msgid = 0;
    request->is_notification = false;
    request->has_target = false;
    request->payload_is_text = false;
    request->has_body = false;
}

enum nb_rpc_status nb_rpc_decode(const uint8_t *frame, size_t length, size_t max_write,
                                 struct nb_request *ret_request, struct nb_fault *ret_fault)
{
    struct nb_cursor cursor = {frame, frame + length};
    clear(ret_request);
    const char *wrong = decode_head(&cursor, ret_request);
    if (wrong)
        return broken(ret_fault, wrong);
    struct nb_value params = nb_cursor_take(&cursor);
    if (params.kind != NB_KIND_ARRAY || params.count == 0)
        return broken(ret_fault, "The params must be an array that starts with a target");
    ret_request->method = nb_method_find(ret_request->method_name);
    bool target_is_good = decode_target(&cursor, ret_request, ret_fault);
    if (!ret_request->method)
        return refuse_method(ret_request, ret_fault);
    if (!target_is_good || !decode_body(&cursor, params.count, max_write, ret_request, ret_fault))
        return NB_RPC_REFUSED;
    return NB_RPC_REQUEST;
}
