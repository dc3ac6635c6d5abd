/* The daemon's log: one logfmt line on stderr per event. Any thread. */
#ifndef NB_LOG_H
#define NB_LOG_H

enum nb_log_level { NB_LOG_ERROR, NB_LOG_WARNING, NB_LOG_INFO, NB_LOG_DEBUG };

/* Lines above this level are left out; NB_LOG_INFO at first. */
void nb_log_set_level(enum nb_log_level level);

/* The level of that name ("error", "warning", "info", "debug"), or -1. */
int nb_log_level_of(const char *name);

/*
 * Writes  level=info event="message" fields  in one write(2). fields is a
 * printf format of key=value pairs with a space between, or "".
 */
void nb_log(enum nb_log_level level, const char *event, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

#endif
