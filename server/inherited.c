#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static struct {
    char name[NB_INHERITED_NAME];
    size_t length;
    int fd; /* owned */
} table[NB_INHERITED_MAX];
static unsigned count;

bool nb_inherited_add(struct nb_slice name, int fd)
{
    if (count == NB_INHERITED_MAX)
        return false;
    table[count].length = name.length <= NB_INHERITED_NAME ? name.length : 0;
    memcpy(table[count].name, name.data, table[count].length);
    table[count++].fd = fd;
    return true;
}

int nb_inherited_open(struct nb_slice name)
{
    for (unsigned i = 0; name.length && i < count; i++) {
        if (table[i].length != name.length || memcmp(table[i].name, name.data, name.length) != 0)
            continue;
        int fd = fcntl(table[i].fd, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
    }
    return UV_ENOENT;
}

void nb_inherited_close(void)
{
    while (count)
        close(table[--count].fd);
}
