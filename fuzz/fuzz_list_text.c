/*
 * Any bytes as a block list's text or, if the first byte is odd, as its JSON. Either
 * all of it is taken or nothing, with a reason; what was taken is the same list when
 * it is written and read again, in both ways.
 */
#include "list_text.h"

#include "fuzz.h"
#include "list_json.h"

#include <errno.h>
#include <string.h>

enum {
    MAX_RULES = 64,
    WRITTEN_MAX = MAX_RULES * (NB_RULE_TEXT + 8),
    UNTOUCHED = -1,
};

struct written {
    char text[WRITTEN_MAX];
    size_t length;
};

static int write_piece(void *context, const char *text, size_t length)
{
    struct written *written = context;
    fuzz_require(length <= sizeof written->text - written->length);
    memcpy(written->text + written->length, text, length);
    written->length += length;
    return 0;
}

static void check_same(const struct nb_block_list *a, const struct nb_block_list *b)
{
    struct nb_rule_walk walk_a = {0}, walk_b = {0};
    struct nb_rule rule_a, rule_b;
    fuzz_require(nb_block_list_size(a) == nb_block_list_size(b));
    while (nb_block_list_newest(a, &walk_a, &rule_a, NULL)) {
        fuzz_require(nb_block_list_newest(b, &walk_b, &rule_b, NULL));
        fuzz_require(nb_rule_is_valid(&rule_a) && nb_rule_equals(&rule_a, &rule_b));
    }
}

static void check_written(const struct nb_block_list *list)
{
    static struct written written;
    struct nb_block_list *again = nb_block_list_new();
    struct nb_list_fault fault;
    struct nb_list_json_fault json_fault;
    written.length = 0;
    fuzz_require(nb_block_list_save_text(list, write_piece, &written) == 0);
    fuzz_require(nb_block_list_load_text(again, written.text, written.length, MAX_RULES, &fault) == 0);
    check_same(list, again);
    nb_block_list_clear(again);
    written.length = 0;
    fuzz_require(nb_block_list_save_json(list, write_piece, &written) == 0);
    fuzz_require(nb_block_list_load_json(again, written.text, written.length, MAX_RULES, &json_fault) == 0);
    check_same(list, again);
    nb_block_list_free(again);
}

/* What was refused says why; a bad text says where, and the place is in it. */
static void check_fault(int status, size_t place, const char *reason, size_t length)
{
    fuzz_require(status == -EINVAL || status == -ENOSPC);
    fuzz_require(reason && *reason);
    fuzz_require(status == -EINVAL ? place >= 1 && place <= length + 1 : place == 0);
}

static int load(struct nb_block_list *list, bool is_json, const char *text, size_t length)
{
    struct nb_list_fault fault = {.line = (size_t)UNTOUCHED};
    struct nb_list_json_fault json_fault = {.element = (size_t)UNTOUCHED};
    int status = is_json ? nb_block_list_load_json(list, text, length, MAX_RULES, &json_fault)
                         : nb_block_list_load_text(list, text, length, MAX_RULES, &fault);
    if (status == 0)
        fuzz_require(fault.line == (size_t)UNTOUCHED && json_fault.element == (size_t)UNTOUCHED);
    else if (is_json)
        check_fault(status, json_fault.element, json_fault.reason, length);
    else
        check_fault(status, fault.line, fault.reason, length);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct nb_block_list *list = nb_block_list_new();
    if (load(list, data[0] & 1, (const char *)data + 1, size - 1) == 0)
        check_written(list);
    else
        fuzz_require(nb_block_list_size(list) == 0);
    nb_block_list_free(list);
    return 0;
}
