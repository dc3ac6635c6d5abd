#include "memory.h"

#include <stdbool.h>
#include <stddef.h>

/* uthash would end the program when memory runs out; it tells us instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->is_lost = true)
#define uthash_malloc(size) nb_malloc(size)
#define uthash_free(memory, size) nb_free(memory)

#include "loop.h"
#include "offering.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>

enum { RANDOM_BYTES = (NB_TOKEN_TEXT - 1) / 2, TOKEN_LENGTH = NB_TOKEN_TEXT - 1 };

struct entry {
    struct nb_offering offering;
    bool is_lost; /* there was no memory to enter it */
    UT_hash_handle hh;
};

const struct nb_message_class nb_offer_over_class = {.name = "offer over", .size = sizeof(struct nb_message)};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries; /* owned, by token; under the mutex */

static int draw_token(char ret_token[NB_TOKEN_TEXT])
{
    uint8_t bytes[RANDOM_BYTES];
    ssize_t length;
    do
        length = getrandom(bytes, sizeof bytes, 0);
    while (length < 0 && errno == EINTR);
    if (length != (ssize_t)sizeof bytes)
        return length < 0 ? -errno : UV_EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(ret_token + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int nb_offering_enter(struct nb_offering *offering)
{
    int status = draw_token(offering->token);
    if (status < 0)
        return status;
    struct entry *entry = nb_calloc(1, sizeof *entry);
    if (!entry)
        return UV_ENOMEM;
    entry->offering = *offering;
    pthread_mutex_lock(&mutex);
    HASH_ADD(hh, entries, offering.token, TOKEN_LENGTH, entry);
    pthread_mutex_unlock(&mutex);
    if (!entry->is_lost)
        return 0;
    nb_free(entry);
    return UV_ENOMEM;
}

/* Under the mutex. */
static struct entry *find(const char *token)
{
    struct entry *entry;
    HASH_FIND(hh, entries, token, TOKEN_LENGTH, entry);
    return entry;
}

void nb_offering_withdraw(const struct nb_offering *offering)
{
    pthread_mutex_lock(&mutex);
    struct entry *entry = find(offering->token);
    HASH_DEL(entries, entry);
    pthread_mutex_unlock(&mutex);
    nb_free(entry);
}

bool nb_offering_find(struct nb_slice token, uid_t uid, enum nb_offering_kind kind,
                      struct nb_offering *ret_offering)
{
    if (token.length != TOKEN_LENGTH)
        return false;
    pthread_mutex_lock(&mutex);
    const struct entry *entry = find((const char *)token.data);
    bool is_there = entry && entry->offering.uid == uid && entry->offering.kind == kind;
    if (is_there)
        *ret_offering = entry->offering;
    pthread_mutex_unlock(&mutex);
    return is_there;
}

void nb_offerings_end(struct nb_loop *loop)
{
    struct entry *entry, *next;
    pthread_mutex_lock(&mutex);
    HASH_ITER(hh, entries, entry, next)
    {
        struct nb_message *message = nb_message_new(loop, &nb_offer_over_class);
        if (message) /* without, its time passes */
            nb_send(loop, entry->offering.socket, message);
    }
    pthread_mutex_unlock(&mutex);
}
