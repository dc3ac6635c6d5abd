#include "resolver.h"

#include "loop.h"
#include "memory.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <uv.h>

enum {
    THREADS_PER_LINE = NB_LOOKUP_THREADS / 4,
    THREADS_PER_UID = NB_LOOKUP_THREADS - NB_LOOKUP_THREADS / 4,
};

_Static_assert(sizeof(struct nb_lookup_answer) <= NB_MESSAGE_LARGE, "an answer must fit into a message");

const struct nb_message_class nb_lookup_answer_class = {.name = "lookup answer",
                                                        .size = sizeof(struct nb_lookup_answer)};

/* All sessions of one uid. */
struct party {
    struct party *next;
    uid_t uid;
    unsigned lines, running;
};

struct nb_lookup_line {
    struct nb_lookup_line *previous, *next; /* in the ring of lines where somebody waits */
    struct nb_lookup *first, *last; /* that wait */
    struct party *party;
    unsigned shares; /* the session's, and each lookup's that is not done */
    unsigned running; /* for nobody, too */
    uint32_t open, max;
};

enum lookup_state { WAITING, RUNNING, DONE };

struct nb_lookup {
    struct nb_lookup *previous, *next; /* in the line */
    struct nb_lookup_line *line; /* a share, until it is done */
    enum lookup_state state;
    struct nb_loop *loop; /* the asker's */
    struct nb_actor_id asker;
    struct nb_lookup_answer *answer; /* made beforehand, so that it can always be sent; NULL: nobody waits */
    int family, hints;
    char host[NB_HOST_MAX + 1];
};

/* Of the process. The lock guards all of it, the lines and the lookups that are not done. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    uv_thread_t threads[NB_LOOKUP_THREADS];
    unsigned thread_count;
    bool is_ending;
    struct nb_lookup_line *ring; /* whose turn is next */
    struct party *parties;
    unsigned under_way;
} resolver = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = PTHREAD_COND_INITIALIZER};

static void lock(void)
{
    pthread_mutex_lock(&resolver.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&resolver.lock);
}

unsigned nb_lookups_under_way(void)
{
    lock();
    unsigned count = resolver.under_way;
    unlock();
    return count;
}

/* ---- lines; all of it under the lock ---- */

static void join_ring(struct nb_lookup_line *line)
{
    struct nb_lookup_line *front = resolver.ring ? resolver.ring : line;
    line->next = front;
    line->previous = resolver.ring ? front->previous : line;
    line->previous->next = line;
    front->previous = line;
    resolver.ring = front;
}

static void leave_ring(struct nb_lookup_line *line)
{
    if (resolver.ring == line)
        resolver.ring = line->next == line ? NULL : line->next;
    line->previous->next = line->next;
    line->next->previous = line->previous;
}

static void append(struct nb_lookup_line *line, struct nb_lookup *lookup)
{
    if (!line->first)
        join_ring(line);
    lookup->previous = line->last;
    *(line->last ? &line->last->next : &line->first) = lookup;
    line->last = lookup;
}

static void take_out(struct nb_lookup_line *line, struct nb_lookup *lookup)
{
    *(lookup->previous ? &lookup->previous->next : &line->first) = lookup->next;
    *(lookup->next ? &lookup->next->previous : &line->last) = lookup->previous;
    if (!line->first)
        leave_ring(line);
}

static bool may_run(const struct nb_lookup_line *line)
{
    return line->running < THREADS_PER_LINE && line->party->running < THREADS_PER_UID;
}

/* The next one whose line may have a further thread; NULL: none. */
static struct nb_lookup *take_next(void)
{
    struct nb_lookup_line *line = resolver.ring;
    if (!line)
        return NULL;
    while (!may_run(line))
        if ((line = line->next) == resolver.ring)
            return NULL;
    struct nb_lookup *lookup = line->first;
    resolver.ring = line->next;
    take_out(line, lookup);
    line->running++;
    line->party->running++;
    lookup->state = RUNNING;
    return lookup;
}

static struct party *join_party(uid_t uid)
{
    struct party *party = resolver.parties;
    while (party && party->uid != uid)
        party = party->next;
    if (!party) {
        if (!(party = nb_calloc(1, sizeof *party)))
            return NULL;
        party->uid = uid;
        party->next = resolver.parties;
        resolver.parties = party;
    }
    party->lines++;
    return party;
}

static void leave_party(struct party *party)
{
    struct party **link = &resolver.parties;
    if (--party->lines)
        return;
    while (*link != party)
        link = &(*link)->next;
    *link = party->next;
    nb_free(party);
}

static void unref_line(struct nb_lookup_line *line)
{
    if (--line->shares)
        return;
    leave_party(line->party);
    nb_free(line);
}

struct nb_lookup_line *nb_lookup_line_new(uid_t uid, uint32_t max)
{
    struct nb_lookup_line *line = nb_calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->shares = 1;
    line->max = max;
    lock();
    line->party = join_party(uid);
    unlock();
    if (line->party)
        return line;
    nb_free(line);
    return NULL;
}

void nb_lookup_line_unref(struct nb_lookup_line *line)
{
    lock();
    if (line)
        unref_line(line);
    unlock();
}

uint32_t nb_lookup_line_open(struct nb_lookup_line *line)
{
    lock();
    uint32_t open = line->open;
    unlock();
    return open;
}

uint32_t nb_lookup_line_max(const struct nb_lookup_line *line)
{
    return line->max;
}

/* ---- the threads ---- */

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

/* libuv maps what it cannot look up (an over-long or non-IDNA name) to errors of its own. */
static int refusal(int status)
{
    return status == UV_EINVAL || status == UV_ENAMETOOLONG ? UV_EAI_NONAME : status;
}

static void fill_answer(struct nb_lookup_answer *answer, int status, const struct addrinfo *info)
{
    answer->status = refusal(status);
    if (status == 0)
        take_addresses(answer, info);
    if (status == 0 && !answer->count)
        answer->status = UV_EAI_NODATA;
}

/* Under the lock: who ends the lookup, and then perhaps its loop, waits until nothing of that is touched any more. */
static void finish_lookup(struct nb_lookup *lookup, int status, const struct addrinfo *info)
{
    struct nb_lookup_line *line = lookup->line;
    line->running--;
    line->party->running--;
    resolver.under_way--;
    lookup->state = DONE;
    if (lookup->answer) {
        line->open--;
        fill_answer(lookup->answer, status, info);
        nb_send_from_outside(lookup->loop, lookup->asker, &lookup->answer->message);
    } else {
        nb_free(lookup);
    }
    unref_line(line);
}

/*
 * Without a callback libuv does it on this thread, so errors and international
 * names are as Node has them. It counts the request on a loop and does nothing else
 * with that: a real one would cost each thread descriptors.
 */
static void resolve(struct nb_lookup *lookup)
{
    uv_loop_t counter = {.active_reqs.count = 0};
    uv_getaddrinfo_t request = {.addrinfo = NULL};
    struct addrinfo wanted = {.ai_family = lookup->family == 4   ? AF_INET
                                           : lookup->family == 6 ? AF_INET6
                                                                 : AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = lookup->hints};
    int status = uv_getaddrinfo(&counter, &request, NULL, lookup->host, NULL, &wanted);
    lock();
    finish_lookup(lookup, status, status == 0 ? request.addrinfo : NULL);
    unlock();
    if (status == 0)
        uv_freeaddrinfo(request.addrinfo);
}

/* NULL: the end. */
static struct nb_lookup *await_lookup(void)
{
    struct nb_lookup *lookup;
    lock();
    while (!(lookup = take_next()) && !resolver.is_ending)
        pthread_cond_wait(&resolver.wanted, &resolver.lock);
    unlock();
    return lookup;
}

static void run_thread(void *argument)
{
    struct nb_lookup *lookup;
    (void)argument;
    while ((lookup = await_lookup()))
        resolve(lookup);
}

int nb_resolver_start(void)
{
    int status = 0;
    resolver.is_ending = false;
    while (status == 0 && resolver.thread_count < NB_LOOKUP_THREADS)
        if ((status = uv_thread_create(&resolver.threads[resolver.thread_count], run_thread, NULL)) == 0)
            resolver.thread_count++;
    return resolver.thread_count ? 0 : status;
}

void nb_resolver_finish(void)
{
    lock();
    assert(!resolver.ring);
    resolver.is_ending = true;
    pthread_cond_broadcast(&resolver.wanted);
    unlock();
    while (resolver.thread_count)
        uv_thread_join(&resolver.threads[--resolver.thread_count]);
}

/* ---- asking ---- */

static bool take_place(struct nb_lookup_line *line)
{
    lock();
    bool has_room = line->open < line->max;
    if (has_room) {
        line->open++;
        line->shares++;
        resolver.under_way++;
    }
    unlock();
    return has_room;
}

static struct nb_lookup *new_lookup(struct nb_actor *asker, struct nb_slice host)
{
    struct nb_lookup *lookup = nb_calloc(1, sizeof *lookup);
    struct nb_lookup_answer *answer = nb_message_new(asker->loop, &nb_lookup_answer_class);
    if (!lookup || !answer) {
        nb_free(lookup);
        if (answer)
            nb_message_free(asker->loop, &answer->message);
        return NULL;
    }
    answer->count = 0;
    lookup->loop = asker->loop;
    lookup->asker = asker->id;
    lookup->answer = answer;
    memcpy(lookup->host, host.data, host.length);
    return lookup;
}

static void discard(struct nb_lookup *lookup)
{
    nb_message_free(lookup->loop, &lookup->answer->message);
    nb_free(lookup);
}

static bool is_name(struct nb_slice host)
{
    return host.length && host.length <= NB_HOST_MAX && !memchr(host.data, '\0', host.length);
}

static void enqueue(struct nb_lookup *lookup, struct nb_lookup_line *line)
{
    lookup->line = line;
    lock();
    append(line, lookup);
    pthread_cond_signal(&resolver.wanted);
    unlock();
}

/* What is no name needs no thread. */
static void answer_unknown(struct nb_lookup *lookup)
{
    lookup->state = DONE;
    lookup->answer->status = UV_EAI_NONAME;
    nb_send(lookup->loop, lookup->asker, &lookup->answer->message);
}

int nb_lookup_start(struct nb_actor *asker, struct nb_lookup_line *line, uint64_t ticket,
                    struct nb_slice host, int family, int hints, struct nb_lookup **ret_lookup)
{
    bool is_asked = is_name(host);
    struct nb_lookup *lookup = new_lookup(asker, is_asked ? host : nb_slice_of(""));
    if (!lookup)
        return UV_ENOMEM;
    if (is_asked && !take_place(line)) {
        discard(lookup);
        return UV_ENOSPC;
    }
    assert(resolver.thread_count);
    lookup->answer->ticket = ticket;
    lookup->family = family;
    lookup->hints = hints;
    *ret_lookup = lookup;
    if (is_asked)
        enqueue(lookup, line);
    else
        answer_unknown(lookup);
    return 0;
}

/* Under the lock. True: nobody else knows it any more. */
static bool give_up(struct nb_lookup *lookup)
{
    struct nb_lookup_line *line = lookup->line;
    if (lookup->state == DONE)
        return true;
    line->open--;
    if (lookup->state == RUNNING)
        return false;
    take_out(line, lookup);
    resolver.under_way--;
    unref_line(line);
    return true;
}

void nb_lookup_end(struct nb_loop *loop, struct nb_lookup *lookup)
{
    if (!lookup)
        return;
    lock();
    struct nb_lookup_answer *answer = lookup->state == DONE ? NULL : lookup->answer;
    lookup->answer = NULL;
    bool is_free = give_up(lookup);
    unlock();
    if (answer)
        nb_message_free(loop, &answer->message);
    if (is_free)
        nb_free(lookup);
}
