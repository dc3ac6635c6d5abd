#include "list_file.h"

#include "list_json.h"
#include "list_text.h"
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 64 << 10 };

struct text {
    char *bytes; /* owned */
    size_t length, room;
};

/* ---- identity ---- */

static struct nb_file_identity identity_of(const struct stat *status)
{
    return (struct nb_file_identity){.device = status->st_dev,
                                     .inode = status->st_ino,
                                     .size = status->st_size,
                                     .changed = status->st_ctim};
}

struct nb_file_identity nb_file_identity_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? identity_of(&status) : (struct nb_file_identity){0};
}

bool nb_file_identity_equal(const struct nb_file_identity *a, const struct nb_file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* ---- reading ---- */

static int complain(struct nb_list_report *report, int status)
{
    snprintf(report->complaint, sizeof report->complaint, "%s", strerror(-status));
    return status;
}

static int complain_of_number(struct nb_list_report *report, uint32_t max_rules)
{
    snprintf(report->complaint, sizeof report->complaint, "more than %u rules", max_rules);
    return -ENOSPC;
}

/* So much text has as many rules, but for comments; a file that grows on and on is not followed further. */
static size_t most_text(uint32_t max_rules)
{
    return FIRST_ROOM + (size_t)max_rules * NB_RULE_TEXT;
}

static bool make_room(struct text *text)
{
    if (text->length < text->room)
        return true;
    size_t room = text->room ? text->room * 2 : FIRST_ROOM;
    char *bytes = nb_realloc(text->bytes, room);
    if (!bytes)
        return false;
    text->bytes = bytes;
    text->room = room;
    return true;
}

static int complain_of_text(struct nb_list_report *report, uint32_t max_rules)
{
    snprintf(report->complaint, sizeof report->complaint, "more text than %u rules can have", max_rules);
    return -ENOSPC;
}

static int read_all(int fd, uint32_t max_rules, struct text *text, struct nb_list_report *report)
{
    for (;;) {
        if (!make_room(text))
            return complain(report, -ENOMEM);
        ssize_t count = read(fd, text->bytes + text->length, text->room - text->length);
        if (count == 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return complain(report, -errno);
        text->length += count > 0 ? (size_t)count : 0;
        if (text->length > most_text(max_rules))
            return complain_of_text(report, max_rules);
    }
}

static int read_regular(int fd, uint32_t max_rules, struct text *text, struct nb_list_report *report)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return complain(report, -errno);
    report->identity = identity_of(&status);
    if (S_ISREG(status.st_mode))
        return read_all(fd, max_rules, text, report);
    snprintf(report->complaint, sizeof report->complaint, "not a regular file");
    return -EINVAL;
}

/* O_NONBLOCK: opening a FIFO would wait for its other end. */
static int read_file(const char *path, uint32_t max_rules, struct text *text, struct nb_list_report *report)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int status = -errno;
        report->identity = nb_file_identity_of(path);
        return complain(report, status);
    }
    int status = read_regular(fd, max_rules, text, report);
    close(fd);
    return status;
}

/* ---- rules ---- */

static bool is_json(const char *path)
{
    size_t length = strlen(path);
    return length >= 5 && strcmp(path + length - 5, ".json") == 0;
}

static int parse_text(struct nb_block_list *list, const struct text *text, uint32_t max_rules,
                      struct nb_list_report *report)
{
    struct nb_list_fault fault;
    int status = nb_block_list_load_text(list, text->bytes, text->length, max_rules, &fault);
    if (status < 0) {
        report->line = fault.line;
        snprintf(report->complaint, sizeof report->complaint, "%s", fault.reason);
    }
    return status;
}

static int parse_json(struct nb_block_list *list, const struct text *text, uint32_t max_rules,
                      struct nb_list_report *report)
{
    struct nb_list_json_fault fault;
    int status = nb_block_list_load_json(list, text->bytes, text->length, max_rules, &fault);
    if (status < 0 && fault.element)
        snprintf(report->complaint, sizeof report->complaint, "element %zu: %s", fault.element, fault.reason);
    else if (status < 0)
        snprintf(report->complaint, sizeof report->complaint, "%s", fault.reason);
    return status;
}

static int parse(const char *path, const struct text *text, uint32_t max_rules, struct nb_block_list *list,
                 struct nb_list_report *report)
{
    int status = (is_json(path) ? parse_json : parse_text)(list, text, max_rules, report);
    return status == -ENOSPC ? complain_of_number(report, max_rules) : status;
}

int nb_list_file_read(const char *path, uint32_t max_rules, struct nb_block_list *list,
                      struct nb_list_report *ret_report)
{
    struct text text = {0};
    *ret_report = (struct nb_list_report){0};
    int status = read_file(path, max_rules, &text, ret_report);
    if (status == 0)
        status = parse(path, &text, max_rules, list, ret_report);
    if (status == 0)
        ret_report->rules = nb_block_list_size(list);
    nb_free(text.bytes);
    return status;
}
