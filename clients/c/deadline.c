#include "deadline.h"

#include <limits.h>
#include <time.h>

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

struct nbc_deadline nbc_deadline_in(int milliseconds)
{
    return (struct nbc_deadline){.at = milliseconds < 0 ? -1 : now() + milliseconds};
}

int nbc_deadline_left(struct nbc_deadline deadline)
{
    if (deadline.at < 0)
        return -1;
    int64_t left = deadline.at - now();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}
