/*
 * The options of sockets in the kernel, one row of a table each: what the schema
 * calls them, what the kernel does, what they may be. Plain values; any thread.
 */
#ifndef NB_OPTIONS_H
#define NB_OPTIONS_H

#include "failure.h"

#include <stdbool.h>
#include <stdint.h>

enum nb_option {
    NB_OPTION_NO_DELAY,
    NB_OPTION_KEEP_ALIVE,
    NB_OPTION_KEEP_ALIVE_DELAY,
    NB_OPTION_KEEP_ALIVE_INTERVAL,
    NB_OPTION_KEEP_ALIVE_COUNT,
    NB_OPTION_TYPE_OF_SERVICE,
    NB_OPTION_TIME_TO_LIVE,
    NB_OPTION_PRIORITY,
    NB_OPTION_RECEIVE_BUFFER,
    NB_OPTION_SEND_BUFFER,
    NB_OPTION_USER_TIMEOUT,
    NB_OPTION_NOT_SENT_LOW_WATER,
    NB_OPTION_MAX_SEGMENT,
    NB_OPTION_COUNT,
};

/* What a socket is to have, before there is a descriptor too. All zero: nothing but the system's defaults. */
struct nb_options {
    uint32_t wanted; /* bits by option */
    int32_t values[NB_OPTION_COUNT]; /* in the kernel's units */
};

/* In the kernel's units. */
void nb_options_want(struct nb_options *options, enum nb_option option, int value);

static inline bool nb_options_has(const struct nb_options *options, enum nb_option option)
{
    return options->wanted >> option & 1;
}

/* Milliseconds as Node takes them for keep-alive, to whole seconds that the system takes; 0: less than one. */
int nb_keep_alive_seconds(double milliseconds);

/* Keep-alive as Node turns it on or off; delay in seconds, 0: as it is. Probes as they are wanted already, else 10, a second apart. */
void nb_options_want_keep_alive(struct nb_options *options, bool enable, int delay);

/* One of the client's values is none that the option may have: to be thrown. prefix: Node's name for the map, with a dot. */
struct nb_failure *nb_options_check(const nb_SocketOptions *given, const char *prefix);

/* Wants all that the client gave, which was checked. */
void nb_options_take(struct nb_options *options, const nb_SocketOptions *given);

/* Sets one on a descriptor; negative errno. */
int nb_option_set(int fd, enum nb_option option, int value);

/* Sets all that are wanted. What the system does not take is passed over, as in Node. */
void nb_options_apply(const struct nb_options *options, int fd);

/* Sets all that the client gave, up to the first that the system does not take: negative errno, and its name. */
int nb_options_set_given(int fd, const nb_SocketOptions *given, const char **ret_field);

/* What holds for a descriptor, or what is wanted; what the socket does not have is absent. */
void nb_options_read(int fd, nb_SocketOptions *ret_options);
void nb_options_show(const struct nb_options *options, nb_SocketOptions *ret_options);

#endif
