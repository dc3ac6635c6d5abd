/* Searching a trie, see trie_node.inc.h. */

static inline uint32_t *T(owners_of)(const struct T(leaf) *leaf)
{
    return (uint32_t *)((uint8_t *)leaf->keys + leaf->capacity * T(key_size)(leaf->bits));
}

/* Values: number 0 holds where the block begins, number i from key i - 1 on. */
static inline bool T(value_is_owned)(const struct T(leaf) *leaf, unsigned value)
{
    return leaf->owned >> value & 1;
}

static inline uint32_t T(value_owner)(const struct T(leaf) *leaf, unsigned value)
{
    if (!T(value_is_owned)(leaf, value))
        return 0;
    return T(owners_of)(leaf)[__builtin_popcountll(leaf->owned & nb_low_bits(value))];
}

static inline unsigned T(leaf_rank)(const struct T(leaf) *leaf, KEY key)
{
    return T(rank)(leaf, key, !T(is_narrow)(leaf->bits), leaf->count > MANY_KEYS);
}

static inline nb_slot T(slot_of_leaf)(const struct T(leaf) *leaf)
{
    return nb_slot_make(leaf, NB_SLOT_LEAF | (T(is_narrow)(leaf->bits) ? 0 : NB_LEAF_IS_WIDE) |
                                  (leaf->count > MANY_KEYS ? NB_LEAF_HAS_MANY : 0));
}

/* leaf_rank of a slot's leaf. */
static inline unsigned T(slot_rank)(nb_slot slot, const struct T(leaf) *leaf, KEY key)
{
    if (slot & NB_LEAF_IS_WIDE)
        return T(rank)(leaf, key, true, slot & NB_LEAF_HAS_MANY);
    return T(rank)(leaf, key, false, slot & NB_LEAF_HAS_MANY);
}

/* The slot that decides: an owner or a leaf. */
static inline nb_slot T(find)(nb_slot slot, KEY key)
{
    unsigned bits = KEY_BITS;
    for (;;) {
        if (nb_slot_tag(slot) == NB_SLOT_NODE) {
            bits -= NB_NIBBLE;
        } else if (nb_slot_tag(slot) == NB_SLOT_SKIP) {
            const struct T(skip) *skip = nb_slot_address(slot);
            if (((key ^ skip->base) & ~T(mask)(skip->bits)) != 0)
                return nb_slot_of_owner(key < skip->base ? skip->before : skip->behind);
            bits = skip->bits - NB_NIBBLE;
        } else {
            return slot;
        }
        slot = nb_slot_node(slot)->slots[T(child)(key, bits)];
    }
}

static inline uint32_t T(owner)(nb_slot root, KEY key)
{
    nb_slot slot = T(find)(root, key);
    if (!nb_slot_is_leaf(slot))
        return nb_slot_owner(slot);
    const struct T(leaf) *leaf = nb_slot_address(slot);
    return T(value_owner)(leaf, T(slot_rank)(slot, leaf, key));
}

/* Of a slot that decides. */
static inline bool T(check_slot)(nb_slot slot, KEY key)
{
    if (!nb_slot_is_leaf(slot))
        return slot != 0;
    const struct T(leaf) *leaf = nb_slot_address(slot);
    return T(value_is_owned)(leaf, T(slot_rank)(slot, leaf, key));
}
