#include "table.h"

#include "memory.h"

#include <errno.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

static size_t home(const struct nbc_table *table, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (table->capacity - 1);
}

static size_t after(const struct nbc_table *table, size_t i)
{
    return (i + 1) & (table->capacity - 1);
}

/* The place of `key`, or the free one where it would go. */
static size_t place(const struct nbc_table *table, uint64_t key)
{
    size_t i = home(table, key);
    while (table->entries[i].key != 0 && table->entries[i].key != key)
        i = after(table, i);
    return i;
}

void nbc_table_finish(struct nbc_table *table)
{
    nbc_resize(table->allocator, table->entries, 0);
    table->entries = NULL;
    table->capacity = table->count = 0;
}

static int grow(struct nbc_table *table)
{
    struct nbc_table bigger = {.allocator = table->allocator,
                               .capacity = table->capacity ? 2 * table->capacity : FIRST_CAPACITY,
                               .count = table->count};
    size_t size = bigger.capacity * sizeof *bigger.entries;
    bigger.entries = nbc_resize(table->allocator, NULL, size);
    if (!bigger.entries)
        return -ENOMEM;
    memset(bigger.entries, 0, size);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].key)
            bigger.entries[place(&bigger, table->entries[i].key)] = table->entries[i];
    nbc_table_finish(table);
    *table = bigger;
    return 0;
}

int nbc_table_add(struct nbc_table *table, uint64_t key, void *value)
{
    if (2 * (table->count + 1) > table->capacity) {
        int result = grow(table);
        if (result < 0)
            return result;
    }
    table->entries[place(table, key)] = (struct nbc_table_entry){key, value};
    table->count++;
    return 0;
}

void *nbc_table_get(const struct nbc_table *table, uint64_t key)
{
    if (table->count == 0 || key == 0)
        return NULL;
    return table->entries[place(table, key)].value;
}

void nbc_table_remove(struct nbc_table *table, uint64_t key)
{
    size_t hole = place(table, key), mask = table->capacity - 1;
    if (table->entries[hole].key == 0)
        return;
    /* Entries behind the hole move up, unless that would put them before their home. */
    for (size_t i = after(table, hole); table->entries[i].key; i = after(table, i)) {
        size_t distance = (i - home(table, table->entries[i].key)) & mask;
        if (distance >= ((i - hole) & mask)) {
            table->entries[hole] = table->entries[i];
            hole = i;
        }
    }
    table->entries[hole] = (struct nbc_table_entry){0, NULL};
    table->count--;
}
