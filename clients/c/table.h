/* Numbers to pointers: open addressing, grows by doubling, never more than half full. */
#ifndef NBC_TABLE_H
#define NBC_TABLE_H

#include "netbroker.h"

struct nbc_table_entry {
    uint64_t key; /* 0: free */
    void *value;
};

struct nbc_table {
    const struct netbroker_allocator *allocator;
    struct nbc_table_entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void nbc_table_finish(struct nbc_table *table);
/* `key` is not 0 and not in the table. 0 or -ENOMEM. */
int nbc_table_add(struct nbc_table *table, uint64_t key, void *value);
/* NULL when it is not there. */
void *nbc_table_get(const struct nbc_table *table, uint64_t key);
void nbc_table_remove(struct nbc_table *table, uint64_t key);

#endif
