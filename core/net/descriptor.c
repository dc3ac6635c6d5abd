#include "memory.h"

#include <stddef.h>
#include <stdint.h>

/* uthash would end the program when memory runs out; it tells us instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(ownership) ((ownership)->shares = 0)
#define uthash_malloc(size) nb_malloc(size)
#define uthash_free(memory, size) nb_free(memory)

#include "descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <uthash.h>
#include <uv.h>

/* ---- what it is ---- */

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

static bool is_internet(int domain)
{
    return domain == AF_INET || domain == AF_INET6;
}

/* A listener of Multipath TCP, as some runtimes make theirs, is used like one of TCP. */
static bool is_tcp(int fd)
{
    int protocol = option_of(fd, SO_PROTOCOL);
    return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

enum nb_descriptor_kind nb_descriptor_kind(int fd)
{
    int type = option_of(fd, SO_TYPE), domain = option_of(fd, SO_DOMAIN);
    if (type < 0)
        return NB_DESCRIPTOR_FILE;
    if (type == SOCK_DGRAM && is_internet(domain))
        return NB_DESCRIPTOR_UDP;
    if (type == SOCK_STREAM && is_internet(domain) && is_tcp(fd))
        return NB_DESCRIPTOR_TCP;
    return type == SOCK_STREAM && domain == AF_UNIX ? NB_DESCRIPTOR_UNIX : NB_DESCRIPTOR_UNKNOWN;
}

bool nb_descriptor_is_listening(int fd)
{
    return option_of(fd, SO_ACCEPTCONN) == 1;
}

const char *nb_descriptor_kind_name(enum nb_descriptor_kind kind)
{
    static const char *const names[] = {"FILE", "UDP", "UNKNOWN", "TCP", "PIPE"};
    return names[kind];
}

/* ---- whose it is ---- */

struct nb_ownership {
    uint64_t cookie; /* the kernel's, of the socket itself: all its descriptors have the same */
    unsigned shares;
    UT_hash_handle hh;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct nb_ownership *owned; /* by cookie; under the mutex, as all shares */

static int read_cookie(int fd, uint64_t *ret_cookie)
{
    socklen_t length = sizeof *ret_cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_cookie, &length) < 0 ? -errno : 0;
}

/* Under the mutex. */
static int add(struct nb_ownership *new)
{
    struct nb_ownership *other;
    HASH_FIND(hh, owned, &new->cookie, sizeof new->cookie, other);
    if (other)
        return UV_EEXIST;
    HASH_ADD(hh, owned, cookie, sizeof new->cookie, new);
    return new->shares ? 0 : UV_ENOMEM;
}

int nb_ownership_claim(int fd, struct nb_ownership **ret_ownership)
{
    struct nb_ownership *new = nb_calloc(1, sizeof *new);
    if (!new)
        return UV_ENOMEM;
    new->shares = 1;
    int status = read_cookie(fd, &new->cookie);
    if (status == 0) {
        pthread_mutex_lock(&mutex);
        status = add(new);
        pthread_mutex_unlock(&mutex);
    }
    if (status < 0)
        nb_free(new);
    else
        *ret_ownership = new;
    return status;
}

struct nb_ownership *nb_ownership_ref(struct nb_ownership *ownership)
{
    if (!ownership)
        return NULL;
    pthread_mutex_lock(&mutex);
    ownership->shares++;
    pthread_mutex_unlock(&mutex);
    return ownership;
}

void nb_ownership_unref(struct nb_ownership *ownership)
{
    if (!ownership)
        return;
    pthread_mutex_lock(&mutex);
    bool is_last = --ownership->shares == 0;
    if (is_last)
        HASH_DEL(owned, ownership);
    pthread_mutex_unlock(&mutex);
    if (is_last)
        nb_free(ownership);
}
