/* Painting a trie, see trie_node.inc.h: an interval of keys gets an owner, whoever had it before. */

/* ---- leaves ---- */

static inline unsigned T(round_up)(unsigned count, unsigned to)
{
    return (count + to - 1) / to * to;
}

static inline size_t T(leaf_size)(unsigned bits, unsigned capacity, unsigned owner_capacity)
{
    return offsetof(struct T(leaf), keys) + capacity * T(key_size)(bits) + owner_capacity * sizeof(uint32_t);
}

static struct T(leaf) *T(leaf_new)(struct nb_arena *arena, unsigned bits, unsigned keys, unsigned owners)
{
    unsigned capacity = T(round_up)(keys, KEY_STEP), owner_capacity = T(round_up)(owners, OWNER_STEP);
    struct T(leaf) *leaf = nb_arena_alloc(arena, T(leaf_size)(bits, capacity, owner_capacity));
    if (leaf)
        *leaf = (struct T(leaf)){
            .capacity = (uint8_t)capacity, .owner_capacity = (uint8_t)owner_capacity, .bits = (uint8_t)bits};
    return leaf;
}

static void T(leaf_free)(struct nb_arena *arena, struct T(leaf) *leaf)
{
    nb_arena_free(arena, leaf, T(leaf_size)(leaf->bits, leaf->capacity, leaf->owner_capacity));
}

/* The values from first to last, and the keys between them, into an empty leaf that has room for them. */
static void T(copy_values)(struct T(leaf) *to, const struct T(leaf) *from, unsigned first, unsigned last)
{
    unsigned skipped = (unsigned)__builtin_popcountll(from->owned & nb_low_bits(first));
    to->owned = (from->owned & nb_low_bits(last + 1)) >> first;
    to->count = (uint8_t)(last - first);
    to->owners = (uint8_t)__builtin_popcountll(to->owned);
    for (unsigned i = 0; i < to->count; i++)
        T(set_key)(to, i, T(key_at)(from, first + i));
    memcpy(T(owners_of)(to), T(owners_of)(from) + skipped, to->owners * sizeof(uint32_t));
}

/* A new leaf with some of the values, for a block of another size. NULL: no memory. */
static struct T(leaf) *T(leaf_of_values)(struct nb_arena *arena, unsigned bits, const struct T(leaf) *from,
                                         unsigned first, unsigned last)
{
    uint64_t owned = (from->owned & nb_low_bits(last + 1)) >> first;
    struct T(leaf) *leaf = T(leaf_new)(arena, bits, last - first, (unsigned)__builtin_popcountll(owned));
    if (leaf)
        T(copy_values)(leaf, from, first, last);
    return leaf;
}

/* Gives the leaf room for so many keys and owners, and does not leave it far too large. */
static int T(leaf_fit)(struct nb_arena *arena, struct T(leaf) **leaf, unsigned keys, unsigned owners)
{
    struct T(leaf) *old = *leaf;
    bool is_small = keys > old->capacity || owners > old->owner_capacity;
    bool is_large = keys + 4 * KEY_STEP < old->capacity;
    if (!is_small && !is_large)
        return 0;
    struct T(leaf) *fitting = T(leaf_new)(arena, old->bits, keys > old->count ? keys : old->count,
                                          owners > old->owners ? owners : old->owners);
    if (!fitting)
        return is_small ? -ENOMEM : 0;
    T(copy_values)(fitting, old, 0, old->count);
    T(leaf_free)(arena, old);
    *leaf = fitting;
    return 0;
}

/* What a paint puts between the values that it leaves as they are. */
struct T(splice) {
    unsigned left; /* values that stay on the left */
    unsigned right; /* the first value that stays on the right */
    unsigned count; /* of what comes in between, 0..2 */
    KEY keys[2];
    uint32_t owners[2];
};

static void T(splice_in)(struct T(splice) *splice, KEY key, uint32_t owner)
{
    splice->keys[splice->count] = key;
    splice->owners[splice->count++] = owner;
}

/* from_start, to_end: the span begins where the leaf does or before, ends where it does or behind. */
static struct T(splice)
    T(plan_splice)(const struct T(leaf) *leaf, const struct T(span) *span, bool from_start, bool to_end)
{
    struct T(splice) splice = {.right = leaf->count + 1u};
    if (!from_start)
        splice.left = T(leaf_rank)(leaf, span->first - 1) + 1;
    if (from_start || T(value_owner)(leaf, splice.left - 1) != span->owner)
        T(splice_in)(&splice, span->first, span->owner);
    if (to_end)
        return splice;
    unsigned after = T(leaf_rank)(leaf, span->last + 1);
    splice.right = after + 1;
    uint32_t owner_after = T(value_owner)(leaf, after);
    if (owner_after != span->owner)
        T(splice_in)(&splice, span->last + 1, owner_after);
    return splice;
}

static unsigned T(owned_in)(const struct T(splice) *splice)
{
    unsigned owned = 0;
    for (unsigned i = 0; i < splice->count; i++)
        owned += splice->owners[i] != 0;
    return owned;
}

static void T(splice_owners)(struct T(leaf) *leaf, const struct T(splice) *splice)
{
    uint64_t left = leaf->owned & nb_low_bits(splice->left), right = leaf->owned >> splice->right;
    unsigned before = (unsigned)__builtin_popcountll(left);
    unsigned behind = (unsigned)__builtin_popcountll(right);
    unsigned at = before;
    uint32_t *owners = T(owners_of)(leaf);
    memmove(owners + before + T(owned_in)(splice), owners + leaf->owners - behind, behind * sizeof *owners);
    for (unsigned i = 0; i < splice->count; i++) {
        if (!splice->owners[i])
            continue;
        left |= (uint64_t)1 << (splice->left + i);
        owners[at++] = splice->owners[i];
    }
    leaf->owned = left | right << (splice->left + splice->count);
    leaf->owners = (uint8_t)(at + behind);
}

static void T(splice_keys)(struct T(leaf) *leaf, const struct T(splice) *splice)
{
    unsigned to = splice->left + splice->count, tail = leaf->count + 1u - splice->right;
    if (tail)
        T(move_keys)(leaf, to - 1, splice->right - 1, tail);
    for (unsigned i = 0; i < splice->count; i++)
        if (splice->left + i)
            T(set_key)(leaf, splice->left + i - 1, splice->keys[i]);
    leaf->count = (uint8_t)(to + tail - 1);
}

/* ---- cells: slots of a node that share a leaf, or an owner ---- */

static void T(set_slots)(nb_slot *slots, unsigned run, nb_slot value)
{
    for (unsigned i = 0; i < run; i++)
        slots[i] = value;
}

/* The largest aligned block of equal slots around that one: 2^result of them. */
static unsigned T(run_bits)(const nb_slot *slots, unsigned at)
{
    for (unsigned bits = 0; bits < NB_NIBBLE; bits++) {
        unsigned first = at >> (bits + 1) << (bits + 1);
        for (unsigned i = first; i < first + (2u << bits); i++)
            if (slots[i] != slots[at])
                return bits;
    }
    return NB_NIBBLE;
}

static void T(free_slot)(struct nb_arena *arena, nb_slot slot)
{
    unsigned tag = nb_slot_tag(slot);
    if (tag == NB_SLOT_OWNER)
        return;
    if (nb_slot_is_leaf(slot)) {
        T(leaf_free)(arena, nb_slot_address(slot));
        return;
    }
    struct nb_node *node = nb_slot_node(slot);
    for (unsigned i = 0; i < NB_CHILDREN; i++)
        if (!i || node->slots[i] != node->slots[i - 1])
            T(free_slot)(arena, node->slots[i]);
    nb_arena_free(arena, node, tag == NB_SLOT_NODE ? sizeof *node : sizeof(struct T(skip)));
}

/* ---- splitting ---- */

/* within: any key of the leaf's block. */
static int T(settle)(struct nb_arena *arena, nb_slot *slots, unsigned run, struct T(leaf) *leaf, KEY within);

static int T(halve)(struct nb_arena *arena, nb_slot *slots, unsigned run, struct T(leaf) *leaf, KEY within)
{
    unsigned bits = leaf->bits - 1u;
    KEY middle = (within | T(mask)(bits + 1)) & ~T(mask)(bits);
    unsigned last = T(leaf_rank)(leaf, middle - 1), first = T(leaf_rank)(leaf, middle);
    struct T(leaf) *left = T(leaf_of_values)(arena, bits, leaf, 0, last);
    struct T(leaf) *right = T(leaf_of_values)(arena, bits, leaf, first, leaf->count);
    if (!left || !right)
        return -ENOMEM;
    T(leaf_free)(arena, leaf);
    int status = T(settle)(arena, slots, run / 2, left, middle - 1);
    return status < 0 ? status : T(settle)(arena, slots + run / 2, run / 2, right, middle);
}

/* Bits of the smallest block with whole nibbles that has both keys. */
static unsigned T(common_block)(KEY a, KEY b)
{
    unsigned bits = NB_NIBBLE;
    while ((a ^ b) & ~T(mask)(bits))
        bits += NB_NIBBLE;
    return bits;
}

/* A node for that block in a slot for 2^bits keys. NULL: no memory. */
static struct nb_node *T(node_new)(struct nb_arena *arena, nb_slot *slot, unsigned bits, KEY key,
                                   unsigned block_bits, uint32_t before, uint32_t behind)
{
    if (block_bits == bits) {
        struct nb_node *node = nb_arena_alloc(arena, sizeof *node);
        *slot = nb_slot_make(node, NB_SLOT_NODE);
        return node;
    }
    struct T(skip) *skip = nb_arena_alloc(arena, sizeof *skip);
    if (!skip)
        return NULL;
    skip->base = key & ~T(mask)(block_bits);
    skip->bits = block_bits;
    skip->before = before;
    skip->behind = behind;
    *slot = nb_slot_make(skip, NB_SLOT_SKIP);
    return &skip->node;
}

/* The leaf has a slot of its own: a node comes in between, for the block where its keys are. */
static int T(push_down)(struct nb_arena *arena, nb_slot *slot, struct T(leaf) *leaf, KEY within)
{
    KEY base = within & ~T(mask)(leaf->bits);
    KEY first = base | (T(key_at)(leaf, 0) & T(mask)(leaf->bits));
    KEY last = base | (T(key_at)(leaf, leaf->count - 1u) & T(mask)(leaf->bits));
    unsigned bits = T(common_block)(first, last);
    struct nb_node *node = T(node_new)(arena, slot, leaf->bits, first, bits, T(value_owner)(leaf, 0),
                                       T(value_owner)(leaf, leaf->count));
    struct T(leaf) *lower = T(leaf_of_values)(arena, bits, leaf, 0, leaf->count);
    if (!node || !lower)
        return -ENOMEM;
    T(leaf_free)(arena, leaf);
    return T(settle)(arena, node->slots, NB_CHILDREN, lower, first);
}

/* Puts a leaf, or what becomes of it, into the slots for its block. */
static int T(settle)(struct nb_arena *arena, nb_slot *slots, unsigned run, struct T(leaf) *leaf, KEY within)
{
    if (leaf->count > LEAF_KEYS)
        return run > 1 ? T(halve)(arena, slots, run, leaf, within) : T(push_down)(arena, slots, leaf, within);
    if (!leaf->count) {
        T(set_slots)(slots, run, nb_slot_of_owner(T(value_owner)(leaf, 0)));
        T(leaf_free)(arena, leaf);
        return 0;
    }
    int status = T(leaf_fit)(arena, &leaf, leaf->count, leaf->owners);
    T(set_slots)(slots, run, T(slot_of_leaf)(leaf));
    return status;
}

/* ---- painting ---- */

static int T(paint_leaf)(struct nb_arena *arena, nb_slot *slots, unsigned run, struct T(leaf) *leaf,
                         const struct T(span) *span)
{
    KEY mask = T(mask)(leaf->bits);
    struct T(splice) splice = T(plan_splice)(leaf, span, !(span->first & mask), !(~span->last & mask));
    unsigned left_owners = (unsigned)__builtin_popcountll(leaf->owned & nb_low_bits(splice.left));
    unsigned right_owners = (unsigned)__builtin_popcountll(leaf->owned >> splice.right);
    unsigned values = splice.left + splice.count + leaf->count + 1 - splice.right;
    int status = T(leaf_fit)(arena, &leaf, values - 1, left_owners + T(owned_in)(&splice) + right_owners);
    if (status < 0)
        return status;
    T(splice_keys)(leaf, &splice);
    T(splice_owners)(leaf, &splice);
    return T(settle)(arena, slots, run, leaf, span->first);
}

/* A leaf for slots that had one owner. */
static int T(paint_owner)(struct nb_arena *arena, nb_slot *slots, unsigned run, unsigned bits,
                          const struct T(span) *span)
{
    uint32_t owner = nb_slot_owner(*slots);
    struct T(leaf) *leaf = T(leaf_new)(arena, bits, KEY_STEP, OWNER_STEP);
    if (!leaf)
        return -ENOMEM;
    if (owner) {
        leaf->owned = leaf->owners = 1;
        T(owners_of)(leaf)[0] = owner;
    }
    return T(paint_leaf)(arena, slots, run, leaf, span);
}

static int T(paint_children)(struct nb_arena *arena, struct nb_node *node, unsigned bits,
                             const struct T(span) *span);

/* A node for a larger block: the skip is in one of its slots, the others have the owners around it. */
static int T(widen)(struct nb_arena *arena, nb_slot *slot, unsigned bits, unsigned block_bits)
{
    struct T(skip) *skip = nb_slot_address(*slot);
    unsigned child_bits = block_bits - NB_NIBBLE, at = T(child)(skip->base, child_bits);
    nb_slot old = *slot;
    struct nb_node *node = T(node_new)(arena, slot, bits, skip->base, block_bits, skip->before, skip->behind);
    if (!node)
        return -ENOMEM;
    T(set_slots)(node->slots, at, nb_slot_of_owner(skip->before));
    T(set_slots)(node->slots + at + 1, NB_CHILDREN - at - 1, nb_slot_of_owner(skip->behind));
    node->slots[at] = old;
    if (skip->bits < child_bits)
        return 0;
    struct nb_node *plain = nb_arena_alloc(arena, sizeof *plain);
    if (!plain)
        return -ENOMEM;
    *plain = skip->node;
    nb_arena_free(arena, skip, sizeof *skip);
    node->slots[at] = nb_slot_make(plain, NB_SLOT_NODE);
    return 0;
}

static int T(paint_skip)(struct nb_arena *arena, nb_slot *slot, unsigned bits, const struct T(span) *span)
{
    struct T(skip) *skip = nb_slot_address(*slot);
    unsigned first = T(common_block)(skip->base, span->first), last = T(common_block)(skip->base, span->last);
    unsigned block_bits = first > last ? first : last;
    if (block_bits > skip->bits) {
        int status = T(widen)(arena, slot, bits, block_bits);
        if (status < 0)
            return status;
    } else {
        block_bits = skip->bits;
    }
    return T(paint_children)(arena, nb_slot_node(*slot), block_bits - NB_NIBBLE, span);
}

/* Slots for a block of 2^bits keys; the span lies in it. */
static int T(paint_cell)(struct nb_arena *arena, nb_slot *slots, unsigned run, unsigned bits,
                         const struct T(span) *span)
{
    if (!((span->first | ~span->last) & T(mask)(bits))) {
        T(free_slot)(arena, *slots);
        T(set_slots)(slots, run, nb_slot_of_owner(span->owner));
        return 0;
    }
    if (nb_slot_is_leaf(*slots))
        return T(paint_leaf)(arena, slots, run, nb_slot_address(*slots), span);
    if (nb_slot_tag(*slots) == NB_SLOT_NODE)
        return T(paint_children)(arena, nb_slot_node(*slots), bits - NB_NIBBLE, span);
    if (nb_slot_tag(*slots) == NB_SLOT_SKIP)
        return T(paint_skip)(arena, slots, bits, span);
    return T(paint_owner)(arena, slots, run, bits, span);
}

/* Slots of the node have 2^bits keys each. */
static int T(paint_children)(struct nb_arena *arena, struct nb_node *node, unsigned bits,
                             const struct T(span) *span)
{
    for (KEY first = span->first;;) {
        unsigned at = T(child)(first, bits), run_bits = T(run_bits)(node->slots, at);
        KEY last = first | T(mask)(bits + run_bits);
        struct T(span) part = {first, last < span->last ? last : span->last, span->owner};
        nb_slot *slots = &node->slots[at >> run_bits << run_bits];
        int status = T(paint_cell)(arena, slots, 1u << run_bits, bits + run_bits, &part);
        if (status < 0 || last >= span->last)
            return status;
        first = last + 1;
    }
}

/* After -ENOMEM the trie is good for nothing; its memory goes with the arena. */
static int T(paint)(struct nb_arena *arena, nb_slot *root, const struct T(span) *span)
{
    return T(paint_cell)(arena, root, 1, KEY_BITS, span);
}
