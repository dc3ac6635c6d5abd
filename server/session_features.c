#include "session_features.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned bit;
} rows[] = {
    {"flow", NB_FEATURE_FLOW},
    {"group", NB_FEATURE_GROUP},
    {"fds", NB_FEATURE_FDS},
    {"channel", NB_FEATURE_CHANNEL},
};

enum { COUNT = sizeof rows / sizeof *rows };

static unsigned bit_of(const char *name)
{
    for (unsigned i = 0; i < COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].bit;
    return 0;
}

unsigned nb_features_asked(const nb_Hello *hello)
{
    unsigned features = 0;
    for (pb_size_t i = 0; i < hello->features_count; i++)
        features |= bit_of(hello->features[i]);
    return features;
}

void nb_features_list(unsigned features, nb_Welcome *welcome)
{
    for (unsigned i = 0; i < COUNT; i++)
        if (features & rows[i].bit)
            snprintf(welcome->features[welcome->features_count++], sizeof *welcome->features, "%s",
                     rows[i].name);
}

bool nb_features_have(unsigned features, const char *name)
{
    return !name || (features & bit_of(name));
}
