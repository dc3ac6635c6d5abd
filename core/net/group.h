/*
 * Groups: the sessions of one uid that gave the same name in session.hello, and
 * so share what they listen on. A group is there as long as one of them is.
 *
 * Any thread.
 */
#ifndef NB_GROUP_H
#define NB_GROUP_H

#include "slice.h"

#include <pthread.h>
#include <sys/types.h>

enum { NB_GROUP_NAME = 64 }; /* bytes of a name, at most */

struct nb_group;
struct nb_shared_listener;

struct nb_groups {
    pthread_mutex_t lock; /* for the list, and the groups' shares */
    struct nb_group *first; /* borrowed from the shares */
};

struct nb_group {
    struct nb_group *next;
    struct nb_groups *groups; /* borrowed */
    unsigned shares;
    pthread_mutex_t lock; /* for the listeners, and what these say it guards: held while a socket is opened */
    struct nb_shared_listener *listeners; /* borrowed: each is there until its last member has left */
    uid_t uid;
    size_t length;
    char name[NB_GROUP_NAME];
};

void nb_groups_init(struct nb_groups *groups);
void nb_groups_finish(struct nb_groups *groups); /* when no group is left */

/* The uid's group of that name of 1 to NB_GROUP_NAME bytes, made if there is none. Gives a share. NULL: no memory. */
struct nb_group *nb_group_open(struct nb_groups *groups, uid_t uid, struct nb_slice name);
struct nb_group *nb_group_ref(struct nb_group *group);
void nb_group_unref(struct nb_group *group); /* NULL is fine */

static inline void nb_group_lock(struct nb_group *group)
{
    pthread_mutex_lock(&group->lock);
}

static inline void nb_group_unlock(struct nb_group *group)
{
    pthread_mutex_unlock(&group->lock);
}

#endif
