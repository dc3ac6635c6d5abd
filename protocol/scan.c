#include "scan.h"

#include "msgpack_head.h"

static bool is_container(enum nb_kind kind)
{
    return kind == NB_KIND_ARRAY || kind == NB_KIND_MAP;
}

/* True at params[1], the one place where str and bin may be longer than limits.text. */
static bool at_payload(const struct nb_scan *scan)
{
    return scan->depth == 2 && scan->levels[0].left == 0 && scan->levels[1].seen == 1 &&
           !scan->levels[1].is_map;
}

static void count_value(struct nb_scan *scan)
{
    if (scan->depth == 0)
        return;
    scan->levels[scan->depth - 1].left--;
    scan->levels[scan->depth - 1].seen++;
}

static void close_levels(struct nb_scan *scan)
{
    while (scan->depth > 0 && scan->levels[scan->depth - 1].left == 0)
        scan->depth--;
}

/* An empty container is as deep as a full one. */
static enum nb_scan_status open_level(struct nb_scan *scan, const struct nb_scan_limits *limits,
                                      struct nb_head head)
{
    uint64_t values = head.kind == NB_KIND_MAP ? 2 * head.count : head.count;
    if (scan->depth >= limits->depth || scan->depth >= NB_SCAN_DEPTH_MAX)
        return NB_SCAN_TOO_DEEP;
    if (values > limits->elements - scan->elements)
        return NB_SCAN_TOO_MANY_ELEMENTS;
    count_value(scan);
    scan->elements += (uint32_t)values;
    scan->levels[scan->depth].left = (uint32_t)values;
    scan->levels[scan->depth].seen = 0;
    scan->levels[scan->depth].is_map = head.kind == NB_KIND_MAP;
    scan->depth++;
    return NB_SCAN_FRAME;
}

static enum nb_scan_status skip_bytes(struct nb_scan *scan, const struct nb_scan_limits *limits,
                                      struct nb_head head)
{
    bool is_text = head.kind == NB_KIND_STR || head.kind == NB_KIND_BIN;
    uint64_t length = head.count - (head.kind == NB_KIND_EXT);
    if (head.count > limits->frame - scan->position - head.size)
        return NB_SCAN_FRAME_TOO_BIG;
    if (length > limits->text && !(is_text && at_payload(scan)))
        return NB_SCAN_TEXT_TOO_LONG;
    count_value(scan);
    scan->position += (size_t)head.count;
    return NB_SCAN_FRAME;
}

/* Goes over one value, or over the head of a container; NB_SCAN_FRAME means done. */
static enum nb_scan_status take_value(struct nb_scan *scan, const struct nb_scan_limits *limits,
                                      const uint8_t *data, size_t available)
{
    uint32_t size = nb_head_size(*data);
    enum nb_kind kind = (enum nb_kind)nb_head_rows[*data].kind;
    if (kind == NB_KIND_NEVER || (scan->position == 0 && kind != NB_KIND_ARRAY))
        return NB_SCAN_MALFORMED;
    if (size > limits->frame - scan->position)
        return NB_SCAN_FRAME_TOO_BIG;
    if (size > available)
        return NB_SCAN_MORE;
    struct nb_head head = nb_head_read(data);
    enum nb_scan_status status =
        is_container(kind) ? open_level(scan, limits, head) : skip_bytes(scan, limits, head);
    if (status == NB_SCAN_FRAME) {
        scan->position += size;
        close_levels(scan);
    }
    return status;
}

enum nb_scan_status nb_scan(struct nb_scan *scan, const struct nb_scan_limits *limits, const uint8_t *data,
                            size_t length)
{
    for (;;) {
        if (scan->position > length)
            return NB_SCAN_MORE;
        if (scan->position > 0 && scan->depth == 0)
            return NB_SCAN_FRAME;
        if (scan->position == length)
            return NB_SCAN_MORE;
        enum nb_scan_status status = take_value(scan, limits, data + scan->position, length - scan->position);
        if (status != NB_SCAN_FRAME)
            return status;
    }
}
