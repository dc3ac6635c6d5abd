#include "loan.h"

#include "foreign.h"
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <uv.h>

static void send_back(struct nb_loop *loop, struct nb_loan *loan)
{
    loan->message.class = &nb_loan_answer_class;
    nb_send(loop, loan->asker, &loan->message);
}

/* The lender is gone. */
static void dispose_question(struct nb_loop *loop, struct nb_message *message)
{
    send_back(loop, (struct nb_loan *)message);
}

static void dispose_answer(struct nb_loop *loop, struct nb_message *message)
{
    struct nb_loan *loan = (struct nb_loan *)message;
    if (loan->fd >= 0)
        nb_foreign_close(loan->fd);
    nb_ownership_unref(loan->ownership);
    nb_message_free(loop, message);
}

const struct nb_message_class nb_loan_class = {
    .name = "loan", .size = sizeof(struct nb_loan), .dispose = dispose_question};
const struct nb_message_class nb_loan_answer_class = {
    .name = "loan answer", .size = sizeof(struct nb_loan), .dispose = dispose_answer};

int nb_loan_ask(struct nb_actor *asker, struct nb_actor_id lender, uint64_t ticket)
{
    struct nb_loan *loan = nb_message_new(asker->loop, &nb_loan_class);
    if (!loan)
        return UV_ENOMEM;
    loan->asker = asker->id;
    loan->ticket = ticket;
    loan->fd = -1;
    loan->status = UV_EBADF;
    loan->ownership = NULL;
    nb_send(asker->loop, lender, &loan->message);
    return 0;
}

void nb_loan_answer(struct nb_loop *loop, struct nb_message **message, int fd, struct nb_ownership *ownership)
{
    struct nb_loan *loan = (struct nb_loan *)*message;
    *message = NULL;
    if (fd >= 0) {
        loan->fd = fd;
        loan->ownership = nb_ownership_ref(ownership);
    } else {
        loan->status = fd;
    }
    send_back(loop, loan);
}

int nb_loan_duplicate(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}
