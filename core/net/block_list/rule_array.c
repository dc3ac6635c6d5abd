#include "rule_array.h"

#include "memory.h"

#include <errno.h>

enum { FIRST_CAPACITY = 256 };

void nb_rule_array_finish(struct nb_rule_array *array)
{
    nb_free(array->rules);
    *array = (struct nb_rule_array){0};
}

static int grow(struct nb_rule_array *array)
{
    size_t capacity = array->capacity ? array->capacity + array->capacity / 2 : FIRST_CAPACITY;
    struct nb_rule *grown = nb_realloc(array->rules, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    array->rules = grown;
    array->capacity = capacity;
    return 0;
}

int nb_rule_array_read(struct nb_rule_array *array, const char *text, size_t length, const char **ret_reason)
{
    if (array->count == array->max)
        return -ENOSPC;
    if (array->count == array->capacity && grow(array) < 0)
        return -ENOMEM;
    const char *reason = nb_rule_parse(text, length, &array->rules[array->count]);
    if (reason) {
        *ret_reason = reason;
        return -EINVAL;
    }
    array->count++;
    return 0;
}
