#include "memory.h"
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

int netbroker_wait(struct netbroker_session *session, int timeout)
{
    if (nbc_is_busy(session))
        return -EBUSY;
    if (session->failure && !session->free_wanted)
        return session->failure;
    netbroker_flush(session);
    struct pollfd ready = {.fd = session->fd, .events = netbroker_events(session)};
    int own = netbroker_timeout(session);
    bool is_sooner = own >= 0 && (timeout < 0 || own < timeout);
    int count = poll(&ready, 1, is_sooner ? own : timeout);
    if (count < 0)
        return -errno;
    bool is_due = is_sooner || netbroker_timeout(session) == 0;
    return count == 0 && !is_due ? -ETIMEDOUT : netbroker_dispatch(session);
}

int nbc_wait_until(struct netbroker_session *session, struct nbc_deadline *deadline)
{
    int left = nbc_deadline_left(*deadline);
    if (deadline->is_spent)
        return -ETIMEDOUT;
    deadline->is_spent = left == 0;
    int result = netbroker_wait(session, left);
    return result == -EINTR ? 0 : result;
}

/* ---- one call ---- */

struct waiter {
    struct netbroker_result *result;
    int status; /* 1: no answer yet */
};

static int copy_result(struct netbroker_result *result, const struct netbroker_reply *reply)
{
    if (reply->error) {
        result->error = *reply->error;
        return -EREMOTEIO;
    }
    result->bytes = nbc_resize(result->session->options.allocator, NULL, reply->result_length);
    if (!result->bytes)
        return -ENOMEM;
    memcpy(result->bytes, reply->result, reply->result_length);
    result->length = reply->result_length;
    return 0;
}

static void on_reply(struct netbroker_session *session, void *context, const struct netbroker_reply *reply)
{
    struct waiter *waiter = context;
    waiter->status = copy_result(waiter->result, reply);
}

int netbroker_call_wait(struct netbroker_session *session, const char *method, uint64_t target,
                        const void *body, size_t body_length, int timeout,
                        struct netbroker_result *ret_result)
{
    struct nbc_deadline deadline = nbc_deadline_in(timeout);
    struct waiter waiter = {ret_result, 1};
    uint32_t msgid;
    *ret_result = (struct netbroker_result){.session = session};
    if (nbc_is_busy(session))
        return -EBUSY;
    int result = nbc_call(session, method, target, body, body_length, on_reply, &waiter, &msgid);
    bool is_called = result == 0;
    while (result == 0 && waiter.status == 1)
        result = nbc_wait_until(session, &deadline);
    if (result == -ECANCELED)
        return result;
    if (waiter.status != 1)
        return result < 0 ? result : waiter.status;
    if (is_called)
        nbc_call_forget(session, msgid);
    return result;
}

void netbroker_result_free(struct netbroker_result *result)
{
    if (result->bytes)
        nbc_release(result->session, result->bytes);
    result->bytes = NULL;
}
