/*
 * How large the parts of a block list are. A build with NB_SMALL_BLOCK_LIST has them
 * so small that a few rules reach every case of a large list: for fuzzing.
 */
#ifndef NB_SIZES_H
#define NB_SIZES_H

#ifndef NB_SMALL_BLOCK_LIST

/* Keys of a full leaf of the IPv4 trie and of the IPv6 one. Two more must not be more than rank.h can search. */
#define NB_LEAF_KEYS4 60
#define NB_LEAF_KEYS6 30

#define NB_BUILD_FROM 64 /* more rules than that at once, if there are not four times as many, are built */
#define NB_TIDY_FROM 64 /* removed rules, if they are half of all */
#define NB_GAPS_MAX 64 /* where a removal leaves more pieces the maps are made anew */

#else

#define NB_LEAF_KEYS4 5
#define NB_LEAF_KEYS6 4
#define NB_BUILD_FROM 3
#define NB_TIDY_FROM 3
#define NB_GAPS_MAX 4

#endif

#endif
