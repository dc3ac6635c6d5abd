/*
 * The body of owner_map.h, included once for each kind of key by map4.c and map6.c,
 * which define before:
 *
 *   KEY, WORD          the key's type; what arrays of keys are made of
 *   KEY_WORDS          words of a key
 *   GROUP              keys that rank compares at a time; capacities are multiples of it
 *   LEAF_KEYS, FANOUT  keys of a full leaf, children of a full inner node
 *   NAME(x), SPAN      the public names with the map's prefix; its span
 *   key_at, set_key, move_keys, rank
 *                      an array of keys: get, set, move within it; how many are <= a key
 */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX ((KEY)-1)

enum {
    /* A paint adds two keys before it splits; so many values, the first one's included, have a bit. */
    LEAF_KEYS_MAX = LEAF_KEYS + 2,
    FANOUT_MAX = FANOUT + 2,
    INNER_KEYS = (FANOUT_MAX + GROUP - 1) / GROUP * GROUP,
    HEIGHT_MAX = 24,
};
_Static_assert(LEAF_KEYS_MAX < 64, "a leaf's values have a bit each in one word");

/* The keys are followed by the owners that are not 0. */
struct leaf {
    uint64_t owned; /* bit 0: where the leaf begins; bit i: from key i - 1 on */
    uint8_t count, capacity; /* keys */
    uint8_t owners, owner_capacity;
    WORD keys[];
};

struct inner {
    unsigned count; /* children */
    WORD keys[INNER_KEYS * KEY_WORDS]; /* count - 1 separators */
    void *children[FANOUT_MAX];
};

/* A node that was cut in two: the new right part. right NULL: it was not. */
struct split {
    KEY separator;
    void *right;
};

/* ---- reading ---- */

static inline uint32_t *owners_of(const struct leaf *leaf)
{
    return (uint32_t *)(leaf->keys + (size_t)leaf->capacity * KEY_WORDS);
}

static inline uint64_t low_bits(unsigned count)
{
    return ((uint64_t)1 << count) - 1;
}

/* Values: number 0 holds where the leaf begins, number i from key i - 1 on. */
static inline bool value_is_owned(const struct leaf *leaf, unsigned value)
{
    return leaf->owned >> value & 1;
}

static inline uint32_t value_owner(const struct leaf *leaf, unsigned value)
{
    if (!value_is_owned(leaf, value))
        return 0;
    return owners_of(leaf)[__builtin_popcountll(leaf->owned & low_bits(value))];
}

static inline unsigned leaf_rank(const struct leaf *leaf, KEY key)
{
    return rank(leaf->keys, leaf->capacity, leaf->count, key);
}

static inline unsigned inner_rank(const struct inner *node, KEY key)
{
    return rank(node->keys, INNER_KEYS, node->count - 1, key);
}

static inline const struct leaf *find_leaf(const struct nb_map *map, KEY key)
{
    const void *node = map->root;
    for (unsigned height = map->height; height > 0; height--) {
        const struct inner *inner = node;
        node = inner->children[inner_rank(inner, key)];
    }
    return node;
}

NB_CLONES uint32_t NAME(owner)(const struct nb_map *map, KEY key)
{
    const struct leaf *leaf = find_leaf(map, key);
    return leaf ? value_owner(leaf, leaf_rank(leaf, key)) : 0;
}

NB_CLONES bool NAME(check)(const struct nb_map *map, KEY key)
{
    const struct leaf *leaf = find_leaf(map, key);
    return leaf && value_is_owned(leaf, leaf_rank(leaf, key));
}

enum { LANES = 8 };

static inline void prefetch(const void *node, size_t length)
{
    for (size_t at = 0; at < length; at += 64)
        __builtin_prefetch((const char *)node + at);
}

/* All lanes go down a level at a time, so that each one's memory arrives while others are looked at. */
static inline void check_lanes(const struct nb_map *map, const KEY *keys, unsigned count, bool *ret_owned)
{
    const void *nodes[LANES];
    for (unsigned lane = 0; lane < count; lane++)
        nodes[lane] = map->root;
    for (unsigned height = map->height; height > 0; height--) {
        for (unsigned lane = 0; lane < count; lane++) {
            const struct inner *inner = nodes[lane];
            nodes[lane] = inner->children[inner_rank(inner, keys[lane])];
            prefetch(nodes[lane], height > 1 ? sizeof inner->keys : LEAF_KEYS * sizeof(KEY) / 2);
        }
    }
    for (unsigned lane = 0; lane < count; lane++) {
        const struct leaf *leaf = nodes[lane];
        ret_owned[lane] = value_is_owned(leaf, leaf_rank(leaf, keys[lane]));
    }
}

NB_CLONES void NAME(check_many)(const struct nb_map *map, const KEY *keys, size_t count, bool *ret_owned)
{
    if (!map->root) {
        memset(ret_owned, 0, count);
        return;
    }
    for (; count >= LANES; keys += LANES, ret_owned += LANES, count -= LANES)
        check_lanes(map, keys, LANES, ret_owned);
    check_lanes(map, keys, (unsigned)count, ret_owned);
}

/* ---- memory ---- */

static unsigned round_up(unsigned count, unsigned to)
{
    return (count + to - 1) / to * to;
}

static size_t leaf_size(unsigned capacity, unsigned owner_capacity)
{
    return sizeof(struct leaf) + capacity * sizeof(WORD) * KEY_WORDS + owner_capacity * sizeof(uint32_t);
}

static void *allocate(struct nb_map *map, size_t size)
{
    void *memory = nb_malloc(size);
    if (memory)
        map->memory += size;
    return memory;
}

static struct leaf *leaf_new(struct nb_map *map, unsigned keys, unsigned owners)
{
    unsigned capacity = round_up(keys, GROUP), owner_capacity = round_up(owners, 4);
    struct leaf *leaf = allocate(map, leaf_size(capacity, owner_capacity));
    if (!leaf)
        return NULL;
    memset(leaf, 0, leaf_size(capacity, 0)); /* what rank may look at behind the keys */
    leaf->capacity = (uint8_t)capacity;
    leaf->owner_capacity = (uint8_t)owner_capacity;
    return leaf;
}

static void leaf_free(struct nb_map *map, struct leaf *leaf)
{
    map->memory -= leaf_size(leaf->capacity, leaf->owner_capacity);
    nb_free(leaf);
}

/* count keys and values from key number at on, to the end of another leaf that has none. */
static void copy_tail(struct leaf *to, const struct leaf *from, unsigned first_value)
{
    unsigned skipped = (unsigned)__builtin_popcountll(from->owned & low_bits(first_value));
    to->owned = from->owned >> first_value;
    to->count = (uint8_t)(from->count - first_value);
    to->owners = (uint8_t)(from->owners - skipped);
    for (unsigned i = 0; i < to->count; i++)
        set_key(to->keys, to->capacity, i, key_at(from->keys, from->capacity, first_value + i));
    memcpy(owners_of(to), owners_of(from) + skipped, to->owners * sizeof(uint32_t));
}

/* Gives the leaf room for so many keys and owners, and does not leave it far too large. */
static int leaf_fit(struct nb_map *map, struct leaf **leaf, unsigned keys, unsigned owners)
{
    struct leaf *old = *leaf;
    bool is_small = keys > old->capacity || owners > old->owner_capacity;
    bool is_large = keys + 2 * GROUP < old->capacity;
    if (!is_small && !is_large)
        return 0;
    struct leaf *fitting =
        leaf_new(map, keys > old->count ? keys : old->count, owners > old->owners ? owners : old->owners);
    if (!fitting)
        return is_small ? -ENOMEM : 0;
    copy_tail(fitting, old, 0);
    leaf_free(map, old);
    *leaf = fitting;
    return 0;
}

static void free_node(struct nb_map *map, unsigned height, void *node)
{
    if (!height) {
        leaf_free(map, node);
        return;
    }
    struct inner *inner = node;
    for (unsigned i = 0; i < inner->count; i++)
        free_node(map, height - 1, inner->children[i]);
    map->memory -= sizeof *inner;
    nb_free(inner);
}

void NAME(clear)(struct nb_map *map)
{
    if (map->root)
        free_node(map, map->height, map->root);
    *map = (struct nb_map){0};
}

/* ---- painting a leaf ---- */

/* What a paint puts between the values that it leaves as they are. */
struct splice {
    unsigned left; /* values that stay on the left */
    unsigned right; /* the first value that stays on the right */
    unsigned count; /* of what comes in between, 0..2 */
    KEY keys[2];
    uint32_t owners[2];
};

static void splice_in(struct splice *splice, KEY key, uint32_t owner)
{
    splice->keys[splice->count] = key;
    splice->owners[splice->count++] = owner;
}

/* from_start, to_end: the span begins where the leaf does or before, ends where it does or behind. */
static struct splice plan_splice(const struct leaf *leaf, const SPAN *span, bool from_start, bool to_end)
{
    struct splice splice = {.right = leaf->count + 1u};
    if (!from_start)
        splice.left = leaf_rank(leaf, span->first - 1) + 1;
    if (from_start || value_owner(leaf, splice.left - 1) != span->owner)
        splice_in(&splice, span->first, span->owner);
    if (to_end)
        return splice;
    unsigned after = leaf_rank(leaf, span->last + 1);
    splice.right = after + 1;
    uint32_t owner_after = value_owner(leaf, after);
    if (owner_after != span->owner)
        splice_in(&splice, span->last + 1, owner_after);
    return splice;
}

static unsigned owned_in(const struct splice *splice)
{
    unsigned owned = 0;
    for (unsigned i = 0; i < splice->count; i++)
        owned += splice->owners[i] != 0;
    return owned;
}

static void splice_owners(struct leaf *leaf, const struct splice *splice)
{
    uint64_t left = leaf->owned & low_bits(splice->left), right = leaf->owned >> splice->right;
    unsigned before = (unsigned)__builtin_popcountll(left);
    unsigned behind = (unsigned)__builtin_popcountll(right);
    unsigned at = before;
    uint32_t *owners = owners_of(leaf);
    memmove(owners + before + owned_in(splice), owners + leaf->owners - behind, behind * sizeof *owners);
    for (unsigned i = 0; i < splice->count; i++) {
        if (!splice->owners[i])
            continue;
        left |= (uint64_t)1 << (splice->left + i);
        owners[at++] = splice->owners[i];
    }
    leaf->owned = left | right << (splice->left + splice->count);
    leaf->owners = (uint8_t)(at + behind);
}

static void splice_keys(struct leaf *leaf, const struct splice *splice)
{
    unsigned to = splice->left + splice->count, tail = leaf->count + 1u - splice->right;
    if (tail)
        move_keys(leaf->keys, leaf->capacity, to - 1, splice->right - 1, tail);
    for (unsigned i = 0; i < splice->count; i++)
        if (splice->left + i)
            set_key(leaf->keys, leaf->capacity, splice->left + i - 1, splice->keys[i]);
    leaf->count = (uint8_t)(to + tail - 1);
}

/* Keys that come in order leave full leaves behind them, others half full ones. */
static int split_leaf(struct nb_map *map, struct leaf **slot, bool was_appended, struct split *ret_split)
{
    struct leaf *leaf = *slot;
    unsigned kept = was_appended ? leaf->count - 2u : leaf->count / 2u;
    unsigned owners = (unsigned)__builtin_popcountll(leaf->owned & low_bits(kept + 1));
    struct leaf *right = leaf_new(map, leaf->count - kept - 1u, leaf->owners - owners);
    if (!right)
        return -ENOMEM;
    ret_split->separator = key_at(leaf->keys, leaf->capacity, kept);
    ret_split->right = right;
    copy_tail(right, leaf, kept + 1);
    leaf->owned &= low_bits(kept + 1);
    leaf->count = (uint8_t)kept;
    leaf->owners = (uint8_t)owners;
    return leaf_fit(map, slot, kept, owners);
}

static int paint_leaf(struct nb_map *map, struct leaf **slot, const SPAN *span, bool from_start, bool to_end,
                      struct split *ret_split)
{
    struct splice splice = plan_splice(*slot, span, from_start, to_end);
    bool is_append = splice.right > (*slot)->count;
    unsigned left_owners = (unsigned)__builtin_popcountll((*slot)->owned & low_bits(splice.left));
    unsigned right_owners = (unsigned)__builtin_popcountll((*slot)->owned >> splice.right);
    unsigned values = splice.left + splice.count + (*slot)->count + 1 - splice.right;
    int status = leaf_fit(map, slot, values - 1, left_owners + owned_in(&splice) + right_owners);
    if (status < 0)
        return status;
    splice_keys(*slot, &splice);
    splice_owners(*slot, &splice);
    if ((*slot)->count > LEAF_KEYS)
        return split_leaf(map, slot, is_append, ret_split);
    return 0;
}

/* ---- painting a tree ---- */

/* Puts a child behind child number at. */
static void insert_child(struct inner *node, unsigned at, const struct split *split)
{
    unsigned behind = node->count - at - 1;
    if (behind)
        move_keys(node->keys, INNER_KEYS, at + 1, at, behind);
    memmove(&node->children[at + 2], &node->children[at + 1], behind * sizeof *node->children);
    set_key(node->keys, INNER_KEYS, at, split->separator);
    node->children[at + 1] = split->right;
    node->count++;
}

/* Frees the children of first..end - 1; the one in front of them has their addresses now. */
static void drop_children(struct nb_map *map, unsigned height, struct inner *node, unsigned first,
                          unsigned end)
{
    for (unsigned i = first; i < end; i++)
        free_node(map, height - 1, node->children[i]);
    if (end < node->count)
        move_keys(node->keys, INNER_KEYS, first - 1, end - 1, node->count - end);
    memmove(&node->children[first], &node->children[end], (node->count - end) * sizeof *node->children);
    node->count -= end - first;
}

static struct inner *inner_new(struct nb_map *map)
{
    struct inner *node = allocate(map, sizeof *node);
    if (node)
        memset(node, 0, sizeof *node);
    return node;
}

static int split_inner(struct nb_map *map, struct inner *node, bool was_appended, struct split *ret_split)
{
    unsigned kept = was_appended ? node->count - 1 : node->count / 2;
    struct inner *right = inner_new(map);
    if (!right)
        return -ENOMEM;
    right->count = node->count - kept;
    for (unsigned i = 0; i + 1 < right->count; i++)
        set_key(right->keys, INNER_KEYS, i, key_at(node->keys, INNER_KEYS, kept + i));
    memcpy(right->children, &node->children[kept], right->count * sizeof *right->children);
    ret_split->separator = key_at(node->keys, INNER_KEYS, kept - 1);
    ret_split->right = right;
    node->count = kept;
    return 0;
}

static int paint_node(struct nb_map *map, unsigned height, void **slot, const SPAN *span, bool from_start,
                      bool to_end, struct split *ret_split);

/* Paints from somewhere in child first to somewhere in child last, which is another one. */
static int paint_across(struct nb_map *map, unsigned height, struct inner *node, const SPAN *span,
                        unsigned first, unsigned last, bool from_start, bool to_end)
{
    struct split split = {0};
    int status = 0;
    if (!to_end)
        status = paint_node(map, height - 1, &node->children[last], span, true, false, &split);
    if (split.right)
        insert_child(node, last, &split);
    if (status < 0)
        return status;
    drop_children(map, height, node, first + 1, to_end ? last + 1 : last);
    split.right = NULL;
    status = paint_node(map, height - 1, &node->children[first], span, from_start, true, &split);
    if (split.right)
        insert_child(node, first, &split);
    return status;
}

static int paint_inner(struct nb_map *map, unsigned height, struct inner *node, const SPAN *span,
                       bool from_start, bool to_end, struct split *ret_split)
{
    unsigned before = node->count;
    unsigned first = from_start ? 0 : inner_rank(node, span->first);
    unsigned last = to_end ? node->count - 1 : inner_rank(node, span->last);
    struct split split = {0};
    int status;
    if (first > 0 && key_at(node->keys, INNER_KEYS, first - 1) == span->first)
        from_start = true;
    if (last + 1 < node->count && key_at(node->keys, INNER_KEYS, last) == span->last + 1)
        to_end = true;
    if (first < last)
        status = paint_across(map, height, node, span, first, last, from_start, to_end);
    else
        status = paint_node(map, height - 1, &node->children[first], span, from_start, to_end, &split);
    if (split.right)
        insert_child(node, first, &split);
    if (status < 0 || node->count <= FANOUT)
        return status;
    return split_inner(map, node, last + 1 == before, ret_split);
}

static int paint_node(struct nb_map *map, unsigned height, void **slot, const SPAN *span, bool from_start,
                      bool to_end, struct split *ret_split)
{
    if (!height)
        return paint_leaf(map, (struct leaf **)slot, span, from_start, to_end, ret_split);
    return paint_inner(map, height, *slot, span, from_start, to_end, ret_split);
}

/* The root was cut in two: it gets a root above it. */
static int raise_root(struct nb_map *map, const struct split *split)
{
    struct inner *root = inner_new(map);
    if (!root) {
        free_node(map, map->height, split->right);
        return -ENOMEM;
    }
    root->count = 1;
    root->children[0] = map->root;
    insert_child(root, 0, split);
    map->root = root;
    map->height++;
    return 0;
}

static void lower_root(struct nb_map *map)
{
    while (map->height && ((struct inner *)map->root)->count == 1) {
        struct inner *root = map->root;
        map->root = root->children[0];
        map->height--;
        map->memory -= sizeof *root;
        nb_free(root);
    }
}

int NAME(paint)(struct nb_map *map, const SPAN *span)
{
    struct split split = {0};
    if (!map->root && !(map->root = leaf_new(map, 0, 0)))
        return -ENOMEM;
    int status =
        paint_node(map, map->height, &map->root, span, span->first == 0, span->last == KEY_MAX, &split);
    if (split.right) {
        int raised = raise_root(map, &split);
        return status < 0 ? status : raised;
    }
    lower_root(map);
    return status;
}

/* ---- visiting ---- */

struct visit {
    const SPAN *span;
    int (*visit)(void *context, const SPAN *part);
    void *context;
    SPAN part; /* being collected over leaves; owner 0: none */
};

static int end_part(struct visit *visit, KEY last)
{
    if (!visit->part.owner)
        return 0;
    visit->part.last = last;
    int status = visit->visit(visit->context, &visit->part);
    visit->part.owner = 0;
    return status;
}

/* From key on the owner is this one. */
static int visit_boundary(struct visit *visit, KEY key, uint32_t owner)
{
    if (owner == visit->span->owner) {
        if (!visit->part.owner)
            visit->part = (SPAN){.first = key, .owner = owner};
        return 0;
    }
    return end_part(visit, key - 1);
}

static int visit_leaf(struct visit *visit, const struct leaf *leaf, KEY begin)
{
    unsigned value = begin < visit->span->first ? leaf_rank(leaf, visit->span->first) : 0;
    int status = visit_boundary(visit, begin < visit->span->first ? visit->span->first : begin,
                                value_owner(leaf, value));
    while (status >= 0 && value < leaf->count) {
        KEY key = key_at(leaf->keys, leaf->capacity, value++);
        if (key > visit->span->last)
            break;
        status = visit_boundary(visit, key, value_owner(leaf, value));
    }
    return status;
}

static int visit_node(struct visit *visit, unsigned height, const void *node, KEY begin)
{
    if (!height)
        return visit_leaf(visit, node, begin);
    const struct inner *inner = node;
    unsigned first = inner_rank(inner, visit->span->first), last = inner_rank(inner, visit->span->last);
    for (unsigned i = first; i <= last; i++) {
        KEY child_begin = i ? key_at(inner->keys, INNER_KEYS, i - 1) : begin;
        int status = visit_node(visit, height - 1, inner->children[i], child_begin);
        if (status < 0)
            return status;
    }
    return 0;
}

int NAME(visit)(const struct nb_map *map, const SPAN *span, int (*visit)(void *context, const SPAN *part),
                void *context)
{
    struct visit state = {.span = span, .visit = visit, .context = context};
    int status = map->root ? visit_node(&state, map->height, map->root, 0) : 0;
    return status < 0 ? status : end_part(&state, span->last);
}

/* ---- building: nodes are filled from left to right ---- */

enum {
    BUILT_LEAF_KEYS = LEAF_KEYS * 15 / 16, /* a few rules more do not split each leaf */
    BUILT_FANOUT = FANOUT * 15 / 16,
};

struct builder {
    struct nb_map *map;
    KEY keys[BUILT_LEAF_KEYS]; /* of the leaf that is being filled */
    uint32_t values[BUILT_LEAF_KEYS + 1];
    unsigned count;
    KEY begin; /* of that leaf */
    struct inner
        *spine[HEIGHT_MAX]; /* the last node of each height, spine[0] above leaves; owned until finished */
    KEY begins[HEIGHT_MAX];
    unsigned height;
};

/* Hangs a finished node, of a height below, and what it begins with, to the right end. */
static int hang(struct builder *builder, unsigned level, void *child, KEY begin)
{
    struct inner *node = builder->spine[level];
    if (node && node->count == BUILT_FANOUT) {
        if (hang(builder, level + 1, node, builder->begins[level]) < 0)
            return -ENOMEM;
        node = builder->spine[level] = NULL;
    }
    if (!node) {
        if (!(node = inner_new(builder->map)))
            return -ENOMEM;
        builder->spine[level] = node;
        builder->begins[level] = begin;
        if (builder->height <= level)
            builder->height = level + 1;
    } else {
        set_key(node->keys, INNER_KEYS, node->count - 1, begin);
    }
    node->children[node->count++] = child;
    return 0;
}

static int end_leaf(struct builder *builder)
{
    unsigned owners = 0;
    for (unsigned i = 0; i <= builder->count; i++)
        owners += builder->values[i] != 0;
    struct leaf *leaf = leaf_new(builder->map, builder->count, owners);
    if (!leaf)
        return -ENOMEM;
    leaf->count = (uint8_t)builder->count;
    for (unsigned i = 0; i < builder->count; i++)
        set_key(leaf->keys, leaf->capacity, i, builder->keys[i]);
    for (unsigned i = 0; i <= builder->count; i++) {
        if (!builder->values[i])
            continue;
        leaf->owned |= (uint64_t)1 << i;
        owners_of(leaf)[leaf->owners++] = builder->values[i];
    }
    if (hang(builder, 0, leaf, builder->begin) == 0)
        return 0;
    leaf_free(builder->map, leaf);
    return -ENOMEM;
}

/* From key on the owner is this one; keys come in order. */
static int add_boundary(struct builder *builder, KEY key, uint32_t owner)
{
    if (owner == builder->values[builder->count])
        return 0;
    if (key == 0) {
        builder->values[0] = owner;
        return 0;
    }
    if (builder->count == BUILT_LEAF_KEYS) {
        if (end_leaf(builder) < 0)
            return -ENOMEM;
        builder->begin = key;
        builder->count = 0;
        builder->values[0] = owner;
        return 0;
    }
    builder->keys[builder->count++] = key;
    builder->values[builder->count] = owner;
    return 0;
}

static void abandon(struct builder *builder)
{
    for (unsigned level = 0; level < builder->height; level++)
        if (builder->spine[level])
            free_node(builder->map, level + 1, builder->spine[level]);
}

static int finish_building(struct builder *builder)
{
    if (end_leaf(builder) < 0)
        return -ENOMEM;
    for (unsigned level = 0; level + 1 < builder->height; level++) {
        if (hang(builder, level + 1, builder->spine[level], builder->begins[level]) < 0)
            return -ENOMEM;
        builder->spine[level] = NULL;
    }
    builder->map->root = builder->spine[builder->height - 1];
    builder->map->height = builder->height;
    lower_root(builder->map);
    return 0;
}

/* ---- building: a sweep over all spans finds who is on top where ---- */

/* A heap of the spans that have begun, the highest owner first; those that have ended go when they come up. */
struct heap {
    const SPAN **spans; /* owned */
    size_t count, capacity;
};

static int heap_push(struct heap *heap, const SPAN *span)
{
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity * 2 + 16;
        const SPAN **grown = nb_realloc(heap->spans, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        heap->spans = grown;
        heap->capacity = capacity;
    }
    size_t at = heap->count++;
    for (; at && heap->spans[(at - 1) / 2]->owner < span->owner; at = (at - 1) / 2)
        heap->spans[at] = heap->spans[(at - 1) / 2];
    heap->spans[at] = span;
    return 0;
}

static void heap_pop(struct heap *heap)
{
    const SPAN *last = heap->spans[--heap->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && heap->spans[child + 1]->owner > heap->spans[child]->owner)
            child++;
        if (heap->spans[child]->owner <= last->owner)
            break;
        heap->spans[at] = heap->spans[child];
    }
    heap->spans[at] = last;
}

/* Tells who is on top from where the last span began up to where the next one does; next NULL: to the end. */
static int sweep_to(struct builder *builder, struct heap *heap, const SPAN *next)
{
    while (heap->count) {
        const SPAN *top = heap->spans[0];
        if (next && top->last >= next->first)
            return 0;
        heap_pop(heap);
        if (top->last == KEY_MAX)
            return 0; /* the others end here as well, or before */
        while (heap->count && heap->spans[0]->last <= top->last)
            heap_pop(heap);
        if (next && next->first == top->last + 1)
            return 0;
        uint32_t owner = heap->count ? heap->spans[0]->owner : 0;
        if (add_boundary(builder, top->last + 1, owner) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int sweep(struct builder *builder, struct heap *heap, const SPAN *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sweep_to(builder, heap, &spans[i]) < 0 || heap_push(heap, &spans[i]) < 0)
            return -ENOMEM;
        if (i + 1 < count && spans[i + 1].first == spans[i].first)
            continue;
        if (add_boundary(builder, spans[i].first, heap->spans[0]->owner) < 0)
            return -ENOMEM;
    }
    return sweep_to(builder, heap, NULL);
}

static int compare_spans(const void *a, const void *b)
{
    const SPAN *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static bool are_sorted(const SPAN *spans, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (spans[i].first < spans[i - 1].first)
            return false;
    return true;
}

int NAME(build)(struct nb_map *map, SPAN *spans, size_t count)
{
    struct builder builder = {.map = map};
    struct heap heap = {0};
    if (!count)
        return 0;
    if (!are_sorted(spans, count))
        qsort(spans, count, sizeof *spans, compare_spans);
    int status = sweep(&builder, &heap, spans, count);
    if (status == 0)
        status = finish_building(&builder);
    if (status < 0)
        abandon(&builder);
    nb_free(heap.spans);
    return status;
}
