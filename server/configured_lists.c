#include "configured_lists.h"

#include <stdio.h>
#include <uv.h>

/* A list that cannot be loaded would block nobody: better not to start. */
static int load_list(const struct nb_config *config, struct nb_lists *lists,
                     const struct nb_list_setting *list, struct nb_file_identity *ret_loaded)
{
    struct nb_list_report report;
    struct nb_filter *filter = nb_lists_configure(lists, list->name);
    if (!filter)
        return UV_ENOMEM;
    int status = nb_list_load(list->file, config->limits.max_file_rules, filter, &report);
    *ret_loaded = report.identity;
    if (status < 0 && report.line)
        fprintf(stderr, "netbroker: block list %s: %s:%zu: %s\n", list->name, list->file, report.line,
                report.complaint);
    else if (status < 0)
        fprintf(stderr, "netbroker: block list %s: %s: %s\n", list->name, list->file, report.complaint);
    return status;
}

int nb_configured_lists_load(const struct nb_config *config, struct nb_lists *lists,
                             struct nb_file_identity ret_loaded[NB_CONFIG_LISTS])
{
    nb_lists_init(lists, config->limits.max_block_lists, config->limits.max_rules);
    for (unsigned i = 0; i < config->list_count; i++) {
        int status = load_list(config, lists, &config->lists[i], &ret_loaded[i]);
        if (status < 0)
            return status;
    }
    lists->deny_connect = nb_lists_find_configured(lists, nb_slice_of(config->deny_connect));
    lists->deny_accept = nb_lists_find_configured(lists, nb_slice_of(config->deny_accept));
    return 0;
}

int nb_configured_lists_watch(struct nb_loop *loop, const struct nb_config *config, struct nb_lists *lists,
                              const struct nb_file_identity loaded[NB_CONFIG_LISTS],
                              struct nb_actor_id ret_keepers[NB_CONFIG_LISTS])
{
    for (unsigned i = 0; i < config->list_count; i++) {
        const struct nb_list_setting *list = &config->lists[i];
        struct nb_filter *filter = nb_lists_find_configured(lists, nb_slice_of(list->name));
        const struct nb_actor *keeper = nb_list_keeper_new(loop, list->name, list->file,
                                                           config->limits.max_file_rules, filter, &loaded[i]);
        if (!keeper)
            return UV_ENOMEM;
        ret_keepers[i] = keeper->id;
    }
    return 0;
}
