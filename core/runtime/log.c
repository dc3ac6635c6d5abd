#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static atomic_int threshold = NB_LOG_INFO;

void nb_log_set_level(enum nb_log_level level)
{
    atomic_store(&threshold, (int)level);
}

int nb_log_level_of(const char *name)
{
    for (int level = NB_LOG_ERROR; level <= NB_LOG_DEBUG; level++)
        if (strcmp(name, level_names[level]) == 0)
            return level;
    return -1;
}

/* A peer's text must not be able to start a line of its own. */
static void blank_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            *text = ' ';
}

void nb_log(enum nb_log_level level, const char *event, const char *fields, ...)
{
    char line[LINE_SIZE];
    struct timespec now;
    struct tm utc;
    if ((int)level > atomic_load(&threshold))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, sizeof line, "time=%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ level=%s event=\"%s\" ",
                             now.tv_nsec / 1000000, level_names[level], event);
    va_list arguments;
    va_start(arguments, fields);
    int length = vsnprintf(line + used, sizeof line - used - 1, fields, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    blank_controls(line);
    used = strlen(line);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* nowhere left to complain to */
}
