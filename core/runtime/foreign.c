#include "foreign.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CAPACITY = 16384,
    STUCK = 1024, /* far enough below: each loop may still be about to add what one message brings */
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t is_filled;
    int fds[CAPACITY]; /* owned; to be closed, the last one first */
    unsigned count;
    bool has_thread;
} left_over = {.mutex = PTHREAD_MUTEX_INITIALIZER, .is_filled = PTHREAD_COND_INITIALIZER};

static void *close_all(void *unused)
{
    pthread_mutex_lock(&left_over.mutex);
    for (;;) {
        while (!left_over.count)
            pthread_cond_wait(&left_over.is_filled, &left_over.mutex);
        int fd = left_over.fds[--left_over.count];
        pthread_mutex_unlock(&left_over.mutex);
        close(fd);
        pthread_mutex_lock(&left_over.mutex);
    }
    return unused;
}

static bool start_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int status = pthread_create(&thread, &attributes, close_all, NULL);
    pthread_attr_destroy(&attributes);
    return status == 0;
}

/* False: there is no thread to do it, nor room to note it. */
static bool leave_to_thread(int fd)
{
    pthread_mutex_lock(&left_over.mutex);
    if (!left_over.has_thread)
        left_over.has_thread = start_thread();
    bool is_left = left_over.has_thread && left_over.count < CAPACITY;
    if (is_left)
        left_over.fds[left_over.count++] = fd;
    pthread_cond_signal(&left_over.is_filled);
    pthread_mutex_unlock(&left_over.mutex);
    return is_left;
}

static bool is_socket(int fd)
{
    int type;
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}

void nb_foreign_unlinger(int fd)
{
    struct linger off = {0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

void nb_foreign_close(int fd)
{
    nb_foreign_unlinger(fd);
    if (is_socket(fd) || !leave_to_thread(fd))
        close(fd);
}

bool nb_foreign_is_stuck(void)
{
    pthread_mutex_lock(&left_over.mutex);
    bool is_stuck = left_over.count >= STUCK;
    pthread_mutex_unlock(&left_over.mutex);
    return is_stuck;
}
