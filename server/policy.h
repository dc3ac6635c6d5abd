/* Who may do what: section 1.5 of the protocol. Plain values, made at the start and then only read. */
#ifndef NB_POLICY_H
#define NB_POLICY_H

#include "rpc.h"

#include <stdbool.h>
#include <sys/types.h>

enum { NB_RIGHTS_FDS = 256 };

/* What a uid other than the broker's own needs a rule for. */
struct nb_rights {
    bool unix_paths; /* connect to and listen on Unix sockets */
    bool low_ports; /* connect to ports below 1024 */
    bool bind; /* listen, and choose a local address or port */
    bool all_fds; /* any inherited descriptor */
    char fds[NB_RIGHTS_FDS]; /* names of inherited descriptors, each with a blank behind it */
};

struct nb_uid_rule {
    uid_t uid;
    struct nb_rights rights;
};

enum { NB_UID_RULES_MAX = 64, NB_UIDS_MAX = NB_UID_RULES_MAX + 1 };

struct nb_policy {
    struct nb_uid_rule rules[NB_UID_RULES_MAX]; /* the uids that are let in besides the broker's own */
    unsigned count;
};

/* Whether that uid may open sessions, and with which rights. */
bool nb_policy_admits(const struct nb_policy *policy, uid_t uid, struct nb_rights *ret_rights);

/* The number of a uid that is let in, below NB_UIDS_MAX; 0 is the broker's own. */
unsigned nb_policy_number(const struct nb_policy *policy, uid_t uid);

/* Adds a uid, or finds the one that is there; NULL: too many. Borrowed. */
struct nb_uid_rule *nb_policy_rule(struct nb_policy *policy, uid_t uid);

/* Sets the rights named in a list such as "unix, bind, fd=web"; false: a name is unknown, or too much for the room. */
bool nb_rights_parse(const char *names, struct nb_rights *ret_rights);

/* What the request must not do, or NULL: static text for the ERR_NB_POLICY message. */
const char *nb_policy_objection(const struct nb_rights *rights, const struct nb_request *request);

#endif
