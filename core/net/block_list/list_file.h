/* Block lists from files: text, or JSON where the name ends in ".json". Any thread; waits for the file system. */
#ifndef NB_LIST_FILE_H
#define NB_LIST_FILE_H

#include "block_list.h"

#include <sys/stat.h>

/* What tells one content of a file from another; all zero: there is no file. */
struct nb_file_identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed; /* its content, or who may read it */
};

/* Of the file that is there now. */
struct nb_file_identity nb_file_identity_of(const char *path);
bool nb_file_identity_equal(const struct nb_file_identity *a, const struct nb_file_identity *b);

enum { NB_LIST_COMPLAINT = 256 };

struct nb_list_report {
    struct nb_file_identity identity; /* of what was read */
    size_t rules;
    size_t line; /* of a text that is wrong; else 0 */
    char complaint[NB_LIST_COMPLAINT]; /* what is wrong, for the end of a sentence */
};

/*
 * Adds the rules of the file, all or none. Refuses what is no regular file, and
 * more than max_rules rules (-ENOSPC). Negative errno, with a complaint.
 */
int nb_list_file_read(const char *path, uint32_t max_rules, struct nb_block_list *list,
                      struct nb_list_report *ret_report);

#endif
