#include "resolver.h"

#include "loop.h"
#include "memory.h"

#include <stdatomic.h>
#include <string.h>
#include <uv.h>

_Static_assert(sizeof(struct nb_lookup_answer) <= NB_MESSAGE_LARGE, "an answer must fit into a message");

const struct nb_message_class nb_lookup_answer_class = {.name = "lookup answer",
                                                        .size = sizeof(struct nb_lookup_answer)};

static atomic_uint under_way;

unsigned nb_lookups_under_way(void)
{
    return atomic_load(&under_way);
}

struct lookup {
    uv_getaddrinfo_t request;
    struct nb_loop *loop;
    struct nb_actor_id asker;
    struct nb_lookup_answer *answer; /* made beforehand, so that it can always be sent */
};

static bool is_known(const struct nb_lookup_answer *answer, const struct nb_endpoint *address)
{
    for (unsigned i = 0; i < answer->count; i++)
        if (memcmp(&answer->addresses[i], address, sizeof *address) == 0)
            return true;
    return false;
}

static void take_addresses(struct nb_lookup_answer *answer, const struct addrinfo *info)
{
    for (; info && answer->count < NB_LOOKUP_ADDRESSES; info = info->ai_next) {
        struct sockaddr_storage storage;
        memset(&storage, 0, sizeof storage);
        if (info->ai_addrlen > sizeof storage)
            continue;
        memcpy(&storage, info->ai_addr, info->ai_addrlen);
        struct nb_endpoint address;
        memset(&address, 0, sizeof address);
        address = nb_endpoint_from_sockaddr(&storage);
        if (address.ip.family && !is_known(answer, &address))
            answer->addresses[answer->count++] = address;
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
    struct lookup *lookup = request->data;
    lookup->answer->status = status;
    if (status == 0)
        take_addresses(lookup->answer, info);
    if (status == 0 && !lookup->answer->count)
        lookup->answer->status = UV_EAI_NODATA;
    uv_freeaddrinfo(info);
    nb_send(lookup->loop, lookup->asker, &lookup->answer->message);
    nb_free(lookup);
    atomic_fetch_sub(&under_way, 1);
}

static int start(struct lookup *lookup, const char *host, int family, int hints)
{
    struct addrinfo wanted = {.ai_family = family == 4   ? AF_INET
                                           : family == 6 ? AF_INET6
                                                         : AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = hints};
    int status = uv_getaddrinfo(&lookup->loop->uv, &lookup->request, on_resolved, host, NULL, &wanted);
    if (status == 0)
        atomic_fetch_add(&under_way, 1);
    return status;
}

/* uv_getaddrinfo maps what it cannot look up (an over-long or non-IDNA name) to errors of its own. */
static int refusal(int status)
{
    return status == UV_ENOMEM ? status : UV_EAI_NONAME;
}

int nb_lookup(struct nb_actor *asker, uint64_t ticket, struct nb_slice host, int family, int hints)
{
    char name[NB_HOST_MAX + 1];
    struct lookup *lookup = nb_calloc(1, sizeof *lookup);
    struct nb_lookup_answer *answer = nb_message_new(asker->loop, &nb_lookup_answer_class);
    if (!lookup || !answer) {
        nb_free(lookup);
        if (answer)
            nb_message_free(asker->loop, &answer->message);
        return UV_ENOMEM;
    }
    answer->ticket = ticket;
    answer->count = 0;
    lookup->request.data = lookup;
    lookup->loop = asker->loop;
    lookup->asker = asker->id;
    lookup->answer = answer;
    int status = UV_EAI_NONAME;
    if (host.length && host.length <= NB_HOST_MAX) {
        memcpy(name, host.data, host.length);
        name[host.length] = '\0';
        status = start(lookup, name, family, hints);
    }
    if (status < 0) {
        answer->status = refusal(status);
        nb_free(lookup);
        nb_send(asker->loop, asker->id, &answer->message);
    }
    return 0;
}
