#include "group.h"

#include "memory.h"

#include <assert.h>
#include <string.h>

void nb_groups_init(struct nb_groups *groups)
{
    groups->first = NULL;
    pthread_mutex_init(&groups->lock, NULL);
}

void nb_groups_finish(struct nb_groups *groups)
{
    assert(!groups->first);
    pthread_mutex_destroy(&groups->lock);
}

static struct nb_group *find(const struct nb_groups *groups, uid_t uid, struct nb_slice name)
{
    struct nb_group *group = groups->first;
    while (group && (group->uid != uid || group->length != name.length ||
                     memcmp(group->name, name.data, name.length) != 0))
        group = group->next;
    return group;
}

static struct nb_group *make(struct nb_groups *groups, uid_t uid, struct nb_slice name)
{
    assert(name.length && name.length <= NB_GROUP_NAME);
    struct nb_group *group = nb_calloc(1, sizeof *group);
    if (!group)
        return NULL;
    if (pthread_mutex_init(&group->lock, NULL) != 0) {
        nb_free(group);
        return NULL;
    }
    group->groups = groups;
    group->uid = uid;
    group->length = name.length;
    memcpy(group->name, name.data, name.length);
    group->next = groups->first;
    groups->first = group;
    return group;
}

struct nb_group *nb_group_open(struct nb_groups *groups, uid_t uid, struct nb_slice name)
{
    pthread_mutex_lock(&groups->lock);
    struct nb_group *group = find(groups, uid, name);
    if (!group)
        group = make(groups, uid, name);
    if (group)
        group->shares++;
    pthread_mutex_unlock(&groups->lock);
    return group;
}

struct nb_group *nb_group_ref(struct nb_group *group)
{
    pthread_mutex_lock(&group->groups->lock);
    group->shares++;
    pthread_mutex_unlock(&group->groups->lock);
    return group;
}

static void forget(struct nb_group *group)
{
    struct nb_group **link = &group->groups->first;
    assert(!group->listeners);
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    pthread_mutex_destroy(&group->lock);
    nb_free(group);
}

void nb_group_unref(struct nb_group *group)
{
    if (!group)
        return;
    struct nb_groups *groups = group->groups;
    pthread_mutex_lock(&groups->lock);
    if (--group->shares == 0)
        forget(group);
    pthread_mutex_unlock(&groups->lock);
}
