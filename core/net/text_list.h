/*
 * The texts of a field that is any array of them (kind ANY of string[]), one after
 * the other. Borrows from the command's params. The failures are worded as Node
 * words those of its own arrays, and name the field or the item: "rules[3]".
 */
#ifndef NB_TEXT_LIST_H
#define NB_TEXT_LIST_H

#include "failure.h"
#include "msgpack_cursor.h"

enum { NB_TEXT_LABEL = 64 };

struct nb_text_list {
    const char *name; /* the field's; static */
    struct nb_cursor cursor;
    uint32_t count, at; /* of all; taken so far */
};

/* NULL, or what is to be thrown. */
struct nb_failure *nb_text_list_open(struct nb_slice value, const char *name, struct nb_text_list *ret_texts);

/* There must be one. */
struct nb_failure *nb_text_list_next(struct nb_text_list *texts, struct nb_slice *ret_text);

/* What the text that was taken last is called. */
void nb_text_list_label(const struct nb_text_list *texts, char ret_label[NB_TEXT_LABEL]);

#endif
