#include "text_list.h"

#include "inspect.h"

#include <stdio.h>

struct nb_failure *nb_text_list_open(struct nb_slice list, const char *name, struct nb_text_list *ret_texts)
{
    char received[NB_INSPECT_SIZE] = "undefined";
    struct nb_cursor cursor = {NULL, NULL};
    struct nb_value value = {.kind = NB_KIND_NIL};
    if (list.data) {
        cursor = (struct nb_cursor){list.data, list.data + list.length};
        value = nb_cursor_take(&cursor);
        nb_inspect_type(&value, received);
    }
    if (value.kind != NB_KIND_ARRAY)
        return nb_failure_type(name, "an instance of Array", received);
    *ret_texts = (struct nb_text_list){.name = name, .cursor = cursor, .count = value.count};
    return NULL;
}

struct nb_failure *nb_text_list_next(struct nb_text_list *texts, struct nb_slice *ret_text)
{
    char label[NB_TEXT_LABEL], received[NB_INSPECT_SIZE];
    struct nb_value value = nb_cursor_take(&texts->cursor);
    texts->at++;
    *ret_text = value.bytes;
    if (nb_value_is_text(&value))
        return NULL;
    nb_text_list_label(texts, label);
    nb_inspect_type(&value, received);
    return nb_failure_type(label, "of type string", received);
}

void nb_text_list_label(const struct nb_text_list *texts, char ret_label[NB_TEXT_LABEL])
{
    snprintf(ret_label, NB_TEXT_LABEL, "%s[%u]", texts->name, texts->at - 1);
}
