#include "lists.h"

#include "memory.h"

#include <assert.h>
#include <string.h>
#include <uv.h>

struct nb_named_list {
    struct nb_named_list *next;
    struct nb_filter *filter; /* a share if of the configuration; else borrowed until its on_last */
    size_t length;
    char name[NB_LIST_NAME];
};

/* One for each uid that ever made a list. */
struct nb_list_owner {
    struct nb_list_owner *next;
    struct nb_lists *lists; /* whose lock guards it */
    struct nb_named_list *named; /* owned */
    struct nb_budget *budget; /* a share */
    uid_t uid;
};

void nb_lists_init(struct nb_lists *lists, uint32_t max_lists, uint32_t max_rules)
{
    *lists = (struct nb_lists){.max_lists = max_lists, .max_rules = max_rules};
    pthread_mutex_init(&lists->lock, NULL);
}

void nb_lists_finish(struct nb_lists *lists)
{
    for (struct nb_list_owner *owner = lists->owners, *next; owner; owner = next) {
        next = owner->next;
        assert(!owner->named);
        nb_budget_unref(owner->budget);
        nb_free(owner);
    }
    for (struct nb_named_list *named = lists->configured, *next; named; named = next) {
        next = named->next;
        nb_filter_unref(named->filter);
        nb_free(named);
    }
    pthread_mutex_destroy(&lists->lock);
}

static struct nb_named_list *find(struct nb_named_list *named, struct nb_slice name)
{
    while (named && (named->length != name.length || memcmp(named->name, name.data, name.length) != 0))
        named = named->next;
    return named;
}

static struct nb_named_list *add(struct nb_named_list **row, struct nb_slice name, struct nb_filter *filter)
{
    struct nb_named_list *named = nb_malloc(sizeof *named);
    assert(name.length <= NB_LIST_NAME);
    if (!named)
        return NULL;
    *named = (struct nb_named_list){.next = *row, .filter = filter, .length = name.length};
    memcpy(named->name, name.data, name.length);
    *row = named;
    return named;
}

/* ---- of the configuration ---- */

struct nb_filter *nb_lists_configure(struct nb_lists *lists, const char *name)
{
    struct nb_filter *filter;
    if (nb_filter_new(NULL, true, &filter) < 0)
        return NULL;
    if (add(&lists->configured, nb_slice_of(name), filter))
        return filter;
    nb_filter_unref(filter);
    return NULL;
}

struct nb_filter *nb_lists_find_configured(const struct nb_lists *lists, struct nb_slice name)
{
    struct nb_named_list *named = find(lists->configured, name);
    return named ? named->filter : NULL;
}

/* ---- of uids ---- */

/* Whoever opens the name meanwhile has found that the filter is about to go, and has put another in its place. */
static void forget(struct nb_filter *filter, void *context)
{
    struct nb_list_owner *owner = context;
    struct nb_lists *lists = owner->lists;
    pthread_mutex_lock(&lists->lock);
    for (struct nb_named_list **row = &owner->named; *row; row = &(*row)->next) {
        struct nb_named_list *named = *row;
        if (named->filter != filter)
            continue;
        *row = named->next;
        nb_free(named);
        break;
    }
    pthread_mutex_unlock(&lists->lock);
}

static struct nb_list_owner *add_owner(struct nb_lists *lists, uid_t uid)
{
    struct nb_list_owner *owner = nb_calloc(1, sizeof *owner);
    if (!owner)
        return NULL;
    owner->budget = nb_budget_new(lists->max_lists, lists->max_rules);
    if (!owner->budget) {
        nb_free(owner);
        return NULL;
    }
    owner->uid = uid;
    owner->lists = lists;
    owner->next = lists->owners;
    lists->owners = owner;
    return owner;
}

static struct nb_list_owner *owner_of(struct nb_lists *lists, uid_t uid)
{
    struct nb_list_owner *owner = lists->owners;
    while (owner && owner->uid != uid)
        owner = owner->next;
    return owner;
}

/* In the place of one that is about to go, if there is one. */
static int make(struct nb_list_owner *owner, struct nb_slice name, struct nb_named_list *place,
                struct nb_filter **ret_filter)
{
    struct nb_filter *filter;
    int status = nb_filter_new(owner->budget, true, &filter);
    if (status < 0)
        return status;
    if (!place && !(place = add(&owner->named, name, filter))) {
        nb_filter_unref(filter);
        return UV_ENOMEM;
    }
    place->filter = filter;
    filter->on_last = forget;
    filter->owner = owner;
    *ret_filter = filter;
    return 0;
}

static int open_owned(struct nb_lists *lists, uid_t uid, struct nb_slice name, bool must_exist,
                      struct nb_filter **ret_filter)
{
    struct nb_list_owner *owner = owner_of(lists, uid);
    struct nb_named_list *named = owner ? find(owner->named, name) : NULL;
    if (named && nb_filter_try_ref(named->filter)) {
        *ret_filter = named->filter;
        return 0;
    }
    if (must_exist)
        return UV_ENOENT;
    if (!owner && !(owner = add_owner(lists, uid)))
        return UV_ENOMEM;
    return make(owner, name, named, ret_filter);
}

int nb_lists_open(struct nb_lists *lists, uid_t uid, struct nb_slice name, bool must_exist,
                  struct nb_filter **ret_filter)
{
    struct nb_filter *configured = nb_lists_find_configured(lists, name);
    if (configured) {
        *ret_filter = nb_filter_ref(configured);
        return 0;
    }
    pthread_mutex_lock(&lists->lock);
    int status = open_owned(lists, uid, name, must_exist, ret_filter);
    pthread_mutex_unlock(&lists->lock);
    return status;
}
