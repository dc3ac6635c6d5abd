/*
 * Loaded before the system's library into a daemon under test: host names of the
 * test's own, and names that take as long as it wants. In the folder
 * NETBROKER_TEST_NAMES a file called as the name holds its addresses, one a line; a
 * fifo holds a lookup until somebody has opened it for writing and closed it, and the
 * addresses are what was written. A name without a file is not found, so no query leaves the
 * machine; addresses and localhost are the system's.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result);

static int ask_system(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **result)
{
    resolve *system = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");
    return system(node, service, hints, result);
}

static FILE *open_name(const char *node)
{
    char path[512];
    const char *folder = getenv("NETBROKER_TEST_NAMES");
    if (!folder || strchr(node, '/'))
        return NULL;
    snprintf(path, sizeof path, "%s/%s", folder, node);
    return fopen(path, "re");
}

/* A chain of the system's own links, so that its freeaddrinfo can take it apart. */
static int resolve_list(FILE *list, const struct addrinfo *hints, struct addrinfo **result)
{
    char line[128];
    struct addrinfo **last = result;
    struct addrinfo wanted = {
        .ai_family = hints->ai_family, .ai_socktype = hints->ai_socktype, .ai_flags = AI_NUMERICHOST};
    *result = NULL;
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        if (ask_system(line, NULL, &wanted, last) == 0)
            last = &(*last)->ai_next;
    }
    return *result ? 0 : EAI_NONAME;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    struct addrinfo numeric = *hints;
    numeric.ai_flags = AI_NUMERICHOST;
    if (strcmp(node, "localhost") == 0)
        return ask_system(node, service, hints, result);
    if (ask_system(node, service, &numeric, result) == 0)
        return 0;
    FILE *list = open_name(node);
    if (!list)
        return EAI_NONAME;
    int status = resolve_list(list, hints, result);
    fclose(list);
    return status;
}
