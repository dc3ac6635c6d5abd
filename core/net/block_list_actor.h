/* The block list actor: an id for a list, as a client has it. Several, of several sessions, may share one list. */
#ifndef NB_BLOCK_LIST_ACTOR_H
#define NB_BLOCK_LIST_ACTOR_H

#include "account.h"
#include "filter.h"
#include "socket_address.h"

/* Home thread only; private to block_list_*.c. */
struct nb_block_list_actor {
    struct nb_actor actor;
    struct nb_account *account; /* a share */
    uint64_t name;
    struct nb_filter *filter; /* a share */
};

/* Shares account and filter. NULL: no memory. */
struct nb_block_list_actor *nb_block_list_actor_new(struct nb_account *account, uint64_t name,
                                                    struct nb_filter *filter);

/* ---- between block_list_actor.c, block_list_rules.c and block_list_answers.c ---- */

/* Reads an address of that type as net.SocketAddress does; ret_ip is written only if all is well. */
enum nb_socket_address_fault nb_block_list_read_address(struct nb_slice text, struct nb_slice type,
                                                        struct nb_ip *ret_ip);

/* Answers what clients must not do to a list of the configuration; true: done so. */
bool nb_block_list_refuses_change(struct nb_block_list_actor *list, struct nb_command *command);

/* Answers a change: done, or what is wrong. */
void nb_block_list_answer_change(struct nb_block_list_actor *list, struct nb_command *command, int status);

struct nb_failure *nb_block_list_no_memory(void);

#endif
