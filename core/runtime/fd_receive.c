#include "fd_receive.h"

#include "foreign.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

enum {
    SECURITY_LABEL = 256, /* bytes; a longer one is cut, which then counts as truncated */
    /* A socket of a service manager may pass on who sends, too, and the label and the pidfd of it. */
    CONTROL_SIZE = CMSG_SPACE(NB_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) +
                   CMSG_SPACE(SECURITY_LABEL) + CMSG_SPACE(sizeof(int)),
};

void nb_fd_batch_close(struct nb_fd_batch *batch)
{
    while (batch->count)
        nb_foreign_close(batch->fds[--batch->count]);
}

/* The room is for as many as can come; should there be more, none may stay open unseen. */
static void add(struct nb_fd_batch *batch, int fd)
{
    if (batch->count < NB_FDS_MAX) {
        batch->fds[batch->count++] = fd;
        return;
    }
    nb_foreign_close(fd);
    batch->is_truncated = true;
}

static int fd_at(const struct cmsghdr *header, size_t index)
{
    int fd;
    memcpy(&fd, CMSG_DATA(header) + index * sizeof fd, sizeof fd);
    return fd;
}

static void take_header(struct nb_fd_batch *batch, const struct cmsghdr *header)
{
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (header->cmsg_level != SOL_SOCKET)
        return;
    if (header->cmsg_type == SCM_PIDFD && count)
        close(fd_at(header, 0));
    for (size_t i = 0; header->cmsg_type == SCM_RIGHTS && i < count; i++)
        add(batch, fd_at(header, i));
}

ssize_t nb_receive_with_fds(int socket, void *room, size_t size, struct nb_fd_batch *ret_batch)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    struct iovec vector = {room, size};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = nb_foreign_is_stuck() ? 0 : sizeof control};
    ssize_t length;
    ret_batch->count = 0;
    ret_batch->is_truncated = false;
    do
        length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    ret_batch->is_truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        take_header(ret_batch, header);
    return length;
}
