/* Visiting a trie and building one, see trie_node.inc.h. */

/* ---- visiting ---- */

typedef int T(visitor)(void *context, const struct T(span) *part);

static int T(visit_owner)(T(visitor) *visit, void *context, KEY first, KEY last, uint32_t owner)
{
    return owner ? visit(context, &(struct T(span)){first, last, owner}) : 0;
}

static int T(visit_leaf)(T(visitor) *visit, void *context, const struct T(leaf) *leaf, KEY first, KEY last)
{
    unsigned value = T(leaf_rank)(leaf, first);
    int status = 0;
    for (KEY key; value < leaf->count && status >= 0; first = key, value++) {
        key = (first & ~T(mask)(leaf->bits)) | (T(key_at)(leaf, value) & T(mask)(leaf->bits));
        if (key > last)
            break;
        status = T(visit_owner)(visit, context, first, key - 1, T(value_owner)(leaf, value));
    }
    return status < 0 ? status : T(visit_owner)(visit, context, first, last, T(value_owner)(leaf, value));
}

static int T(visit_slot)(T(visitor) *visit, void *context, nb_slot slot, unsigned bits, KEY first, KEY last);

static int T(visit_children)(T(visitor) *visit, void *context, const struct nb_node *node, unsigned bits,
                             KEY first, KEY last)
{
    for (;;) {
        unsigned at = T(child)(first, bits);
        KEY end = first | T(mask)(bits + T(run_bits)(node->slots, at));
        int status = T(visit_slot)(visit, context, node->slots[at], bits, first, end < last ? end : last);
        if (status < 0 || end >= last)
            return status;
        first = end + 1;
    }
}

static int T(visit_skip)(T(visitor) *visit, void *context, const struct T(skip) *skip, KEY first, KEY last)
{
    KEY begin = skip->base, end = skip->base | T(mask)(skip->bits);
    int status = 0;
    if (first < begin)
        status = T(visit_owner)(visit, context, first, last < begin ? last : begin - 1, skip->before);
    if (status >= 0 && first <= end && last >= begin)
        status = T(visit_children)(visit, context, &skip->node, skip->bits - NB_NIBBLE,
                                   first < begin ? begin : first, last < end ? last : end);
    if (status >= 0 && last > end)
        status = T(visit_owner)(visit, context, first > end ? first : end + 1, last, skip->behind);
    return status;
}

/*
 * Calls visit for each part of first..last, which lies in the slot's block, that has
 * an owner, in order; a negative result ends it and is returned.
 */
static int T(visit_slot)(T(visitor) *visit, void *context, nb_slot slot, unsigned bits, KEY first, KEY last)
{
    if (nb_slot_is_leaf(slot))
        return T(visit_leaf)(visit, context, nb_slot_address(slot), first, last);
    if (nb_slot_tag(slot) == NB_SLOT_NODE)
        return T(visit_children)(visit, context, nb_slot_node(slot), bits - NB_NIBBLE, first, last);
    if (nb_slot_tag(slot) == NB_SLOT_SKIP)
        return T(visit_skip)(visit, context, nb_slot_address(slot), first, last);
    return T(visit_owner)(visit, context, first, last, nb_slot_owner(slot));
}

/* ---- building ---- */

enum { T(built_keys) = LEAF_KEYS * 15 / 16 }; /* of a leaf: a few more rules do not split each */

struct T(boundary) {
    KEY key;
    uint32_t owner; /* from key on */
};

/* Boundaries in order, and the owner in front of the first. */
struct T(part) {
    const struct T(boundary) *all;
    size_t count;
    uint32_t before;
};

static struct T(leaf) *T(build_leaf)(struct nb_arena *arena, unsigned bits, struct T(part) part)
{
    unsigned owners = part.before != 0;
    for (size_t i = 0; i < part.count; i++)
        owners += part.all[i].owner != 0;
    struct T(leaf) *leaf = T(leaf_new)(arena, bits, (unsigned)part.count, owners);
    if (!leaf)
        return NULL;
    if (part.before) {
        leaf->owned = leaf->owners = 1;
        T(owners_of)(leaf)[0] = part.before;
    }
    leaf->count = (uint8_t)part.count;
    for (unsigned i = 0; i < part.count; i++) {
        T(set_key)(leaf, i, part.all[i].key);
        if (!part.all[i].owner)
            continue;
        leaf->owned |= (uint64_t)2 << i;
        T(owners_of)(leaf)[leaf->owners++] = part.all[i].owner;
    }
    return leaf;
}

/* What begins with that key, taken from the end of the part. */
static struct T(part) T(cut_off)(struct T(part) *part, KEY from)
{
    size_t low = 0, high = part->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (part->all[middle].key < from)
            low = middle + 1;
        else
            high = middle;
    }
    struct T(part) rest = {part->all + low, part->count - low, low ? part->all[low - 1].owner : part->before};
    if (rest.count && rest.all->key == from) {
        rest.before = rest.all->owner;
        rest.all++;
        rest.count--;
    }
    part->count = low;
    return rest;
}

static int T(build_cell)(struct nb_arena *arena, nb_slot *slots, unsigned run, unsigned bits,
                         struct T(part) part);

static int T(build_node)(struct nb_arena *arena, nb_slot *slot, unsigned bits, struct T(part) part)
{
    KEY first = part.all[0].key;
    unsigned block_bits = T(common_block)(first, part.all[part.count - 1].key);
    struct nb_node *node =
        T(node_new)(arena, slot, bits, first, block_bits, part.before, part.all[part.count - 1].owner);
    if (!node)
        return -ENOMEM;
    return T(build_cell)(arena, node->slots, NB_CHILDREN, block_bits,
                         T(cut_off)(&part, first & ~T(mask)(block_bits)));
}

/* Slots for a block of 2^bits keys, in which all boundaries are. */
static int T(build_cell)(struct nb_arena *arena, nb_slot *slots, unsigned run, unsigned bits,
                         struct T(part) part)
{
    if (!part.count) {
        T(set_slots)(slots, run, nb_slot_of_owner(part.before));
        return 0;
    }
    if (part.count <= T(built_keys)) {
        struct T(leaf) *leaf = T(build_leaf)(arena, bits, part);
        if (!leaf)
            return -ENOMEM;
        T(set_slots)(slots, run, T(slot_of_leaf)(leaf));
        return 0;
    }
    if (run == 1)
        return T(build_node)(arena, slots, bits, part);
    KEY middle = (part.all[0].key | T(mask)(bits)) & ~T(mask)(bits - 1);
    struct T(part) right = T(cut_off)(&part, middle);
    int status = T(build_cell)(arena, slots, run / 2, bits - 1, part);
    return status < 0 ? status : T(build_cell)(arena, slots + run / 2, run / 2, bits - 1, right);
}

/* Fills an empty trie. */
static int T(build)(struct nb_arena *arena, nb_slot *root, struct T(part) part)
{
    return T(build_cell)(arena, root, 1, KEY_BITS, T(cut_off)(&part, 0));
}
