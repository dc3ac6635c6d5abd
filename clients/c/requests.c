#include "requests.h"

#include "memory.h"

#include <errno.h>

enum { FIRST_CAPACITY = 16 };

void nbc_requests_finish(struct nbc_requests *requests)
{
    nbc_resize(requests->allocator, requests->slots, 0);
    requests->slots = NULL;
    requests->capacity = requests->open = requests->first_free = 0;
}

/* New slots go to the front of the free list, lowest first. */
static void add_free(struct nbc_requests *requests, uint32_t from, uint32_t to)
{
    uint32_t rest = requests->open < requests->capacity ? requests->first_free : to;
    for (uint32_t i = from; i < to; i++)
        requests->slots[i] = (struct nbc_request){.next_free = i + 1 < to ? i + 1 : rest};
    requests->first_free = from;
    requests->capacity = to;
}

int nbc_requests_reserve(struct nbc_requests *requests, size_t count)
{
    if (count > NBC_MAX_REQUESTS - requests->open)
        return -ENOBUFS;
    uint32_t capacity = requests->capacity ? requests->capacity : FIRST_CAPACITY;
    while (capacity < requests->open + count)
        capacity *= 2;
    if (capacity == requests->capacity)
        return 0;
    struct nbc_request *slots = nbc_resize(requests->allocator, requests->slots, capacity * sizeof *slots);
    if (!slots)
        return -ENOMEM;
    requests->slots = slots;
    add_free(requests, requests->capacity, capacity);
    return 0;
}

uint32_t nbc_requests_open(struct nbc_requests *requests, const struct nbc_request *request)
{
    uint32_t msgid = requests->first_free;
    requests->first_free = requests->slots[msgid].next_free;
    requests->slots[msgid] = *request;
    requests->open++;
    return msgid;
}

int nbc_requests_close(struct nbc_requests *requests, uint64_t msgid, struct nbc_request *ret_request)
{
    if (msgid >= requests->capacity || !requests->slots[msgid].on_reply)
        return -ENOENT;
    *ret_request = requests->slots[msgid];
    requests->slots[msgid] = (struct nbc_request){.next_free = requests->first_free};
    requests->first_free = (uint32_t)msgid;
    requests->open--;
    return 0;
}
