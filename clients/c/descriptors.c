#include "descriptors.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void nbc_descriptors_init(struct nbc_descriptors *descriptors)
{
    descriptors->received = 0;
    for (int i = 0; i < NBC_HELD; i++)
        descriptors->held[i] = -1;
}

static void drop(int *held)
{
    if (*held >= 0)
        close(*held);
    *held = -1;
}

static void keep(struct nbc_descriptors *descriptors, int fd)
{
    int *place = &descriptors->held[descriptors->received++ % NBC_HELD];
    drop(place);
    *place = fd;
}

static void keep_all(struct nbc_descriptors *descriptors, const struct cmsghdr *control)
{
    size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
        keep(descriptors, fd);
    }
}

ssize_t nbc_descriptors_receive(struct nbc_descriptors *descriptors, int fd, void *bytes, size_t size)
{
    alignas(struct cmsghdr) char room[CMSG_SPACE(NBC_HELD * sizeof(int))];
    struct iovec part = {bytes, size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    uint64_t before = descriptors->received;
    ssize_t received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0)
        return received;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&message); control; control = CMSG_NXTHDR(&message, control))
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
            keep_all(descriptors, control);
    /* The broker sends them one by one: the one that was lost counts, too. */
    if ((message.msg_flags & MSG_CTRUNC) && descriptors->received == before)
        keep(descriptors, -1);
    return received;
}

int nbc_descriptors_take(struct nbc_descriptors *descriptors, uint64_t number)
{
    if (number >= descriptors->received || descriptors->received - number > NBC_HELD)
        return -EMFILE;
    int *place = &descriptors->held[number % NBC_HELD];
    int fd = *place;
    *place = -1;
    return fd < 0 ? -EMFILE : fd;
}

void nbc_descriptors_finish(struct nbc_descriptors *descriptors)
{
    for (int i = 0; i < NBC_HELD; i++)
        drop(&descriptors->held[i]);
}
