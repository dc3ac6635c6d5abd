/*
 * A trie of owners: every key has one, a rule's number + 1, or 0: none. Included once
 * for each size of key.
 *
 *   slot   stands for an aligned block of keys, a power of 16 of them: one owner for
 *          all, a leaf, or a node with 16 slots, each for a 16th of the block
 *   leaf   the owner where its block begins; keys k1 < k2 < ... with the owner from
 *          each key on. Neighbouring slots of a node may share one, if they are 2, 4, 8
 *          or 16 and an aligned block together: so a leaf that is full can be halved
 *   skip   a node for a smaller block than its slot's, as all that changes is in there;
 *          one owner for the keys before it, one for those behind
 *
 * Owners that are 0 take a bit of a leaf and no word: half of them are. Keys take
 * half as many bytes in leaves for small blocks, as their higher half is the same
 * for all. Leaves are as large as they need to be.
 *
 * Defined before:
 *
 *   KEY, KEY_BITS      the key's type and its size
 *   KEY_WORD           for the alignment of keys in a leaf
 *   KEY_STEP           leaves have room for a multiple of so many keys
 *   LEAF_KEYS          of a full leaf
 *   MANY_KEYS          of a leaf that has more than rank reads if there are not many
 *   T(x)               x with the trie's prefix
 *
 * and after this file:
 *
 *   T(key_size)        bytes of a key in a leaf for a block of 2^bits keys
 *   T(key_at), T(set_key), T(move_keys), T(rank)
 *                      a leaf's keys: get, set, move within it; how many are <= a key
 */

enum {
    T(leaf_keys_max) = LEAF_KEYS + 2, /* a paint adds two before a leaf is split */
};
_Static_assert(T(leaf_keys_max) < 64, "a leaf's values have a bit each in one word");

/* The keys are followed by the owners that are not 0. */
struct T(leaf) {
    uint64_t owned; /* bit 0: where the block begins; bit i: from key i - 1 on */
    uint8_t count, capacity; /* keys */
    uint8_t owners, owner_capacity;
    uint8_t bits; /* the block has 2^bits keys */
    KEY_WORD keys[];
};

struct T(skip) {
    struct nb_node node;
    KEY base; /* the first key of its block */
    unsigned bits; /* which has 2^bits keys */
    uint32_t before, behind; /* owners of the keys around it */
};

struct T(span) {
    KEY first, last; /* both included */
    uint32_t owner;
};

static inline KEY T(mask)(unsigned bits)
{
    return bits == KEY_BITS ? (KEY)-1 : ((KEY)1 << bits) - 1;
}

/* Which child of a node, whose slots have 2^bits keys each. */
static inline unsigned T(child)(KEY key, unsigned bits)
{
    return (unsigned)(key >> bits) & (NB_CHILDREN - 1);
}
