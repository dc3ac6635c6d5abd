/* The features that a client may ask for in session.hello, as a set of bits. */
#ifndef NB_SESSION_FEATURES_H
#define NB_SESSION_FEATURES_H

#include "netbroker.pb.h"

#include <stdbool.h>

enum nb_feature {
    NB_FEATURE_FLOW = 1 << 0, /* windows for the bytes of sockets, both ways */
    NB_FEATURE_GROUP = 1 << 1, /* listeners shared with others */
    NB_FEATURE_FDS = 1 << 2, /* descriptors from the client, and to it */
    NB_FEATURE_CHANNEL = 1 << 3, /* sockets whose bytes go through a stream of their own */
};

/* Those that are asked for and known. */
unsigned nb_features_asked(const nb_Hello *hello);

/* Writes the names of a set into the answer. */
void nb_features_list(unsigned features, nb_Welcome *welcome);

/* Whether a set has the one of that name. NULL: yes. */
bool nb_features_have(unsigned features, const char *name);

#endif
