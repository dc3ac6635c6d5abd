/* The limits of a session: section 6 of the protocol. */
#ifndef NB_SESSION_LIMITS_H
#define NB_SESSION_LIMITS_H

#include "scan.h"

#include <stdint.h>

/* Bytes and counts; times in milliseconds. */
struct nb_limits {
    uint32_t max_write;
    uint32_t max_frame;
    uint32_t max_depth;
    uint32_t max_elements;
    uint32_t max_text;
    uint32_t max_pending;
    uint32_t max_sockets;
    uint32_t max_servers;
    uint32_t max_block_lists;
    uint32_t max_rules;
    uint32_t max_fds_per_frame;
    uint32_t max_fds_unclaimed;
    uint32_t max_lookups;
    uint32_t read_chunk;
    uint32_t out_high, out_low;
    uint32_t unflushed_high; /* of a session without feature flow: it is not read above this */
    uint32_t read_window, write_window, session_write_window; /* of one with it */
    uint32_t stall_timeout;
    uint32_t offer_ttl; /* seconds */
    uint32_t max_sessions; /* of the daemon */
    uint32_t max_uid_sessions; /* of each uid but the daemon's own */
    uint32_t max_lingering,
        max_linger_bytes; /* likewise: sockets whose session is gone, and what they have to send */
    uint32_t max_file_rules; /* of one list of the configuration */
};

#define NB_LIMITS_DEFAULT                                                                                    \
    {                                                                                                        \
        .max_write = 1 << 20, .max_frame = (1 << 20) + (64 << 10), .max_depth = 16, .max_elements = 4096,    \
        .max_text = 64 << 10, .max_pending = 65536, .max_sockets = 16384, .max_servers = 1024,               \
        .max_block_lists = 256, .max_rules = 65536, .max_lookups = 4096, .max_file_rules = 10000000,         \
        .read_chunk = 64 << 10, .out_high = 1 << 20, .out_low = 256 << 10, .unflushed_high = 2 << 20,        \
        .stall_timeout = 60000, .offer_ttl = 30, .read_window = 256 << 10, .write_window = 256 << 10,        \
        .session_write_window = 16 << 20, .max_sessions = 1024, .max_uid_sessions = 256,                     \
        .max_lingering = 4096, .max_linger_bytes = 64 << 20, .max_fds_per_frame = 16,                        \
        .max_fds_unclaimed = 64,                                                                             \
    }

static inline struct nb_scan_limits nb_limits_for_scan(const struct nb_limits *limits)
{
    return (struct nb_scan_limits){.frame = limits->max_frame,
                                   .depth = limits->max_depth,
                                   .elements = limits->max_elements,
                                   .text = limits->max_text};
}

#endif
