/*
 * Who is on top where, of many spans at once; included by map4.c and map6.c, which
 * define KEY, SPAN and KEY_MAX before. Spans are passed over in the order of their
 * beginnings; each time the owner on top changes, emit is told.
 */

/* A heap of the spans that have begun, the highest owner first; those that have ended go when they come up. */
struct heap {
    const SPAN **spans; /* owned */
    size_t count, capacity;
};

struct sweep {
    struct heap heap;
    int (*emit)(void *context, KEY key, uint32_t owner); /* from key on */
    void *context;
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

/* Tells what changes before the next span begins; next NULL: to the end. */
static int sweep_to(struct sweep *sweep, const SPAN *next)
{
    struct heap *heap = &sweep->heap;
    while (heap->count) {
        KEY last = heap->spans[0]->last;
        if ((next && last >= next->first) || last == KEY_MAX)
            return 0;
        do
            heap_pop(heap);
        while (heap->count && heap->spans[0]->last <= last);
        if (next && next->first == last + 1)
            return 0;
        int status = sweep->emit(sweep->context, last + 1, heap->count ? heap->spans[0]->owner : 0);
        if (status < 0)
            return status;
    }
    return 0;
}

static int sweep_spans(struct sweep *sweep, const SPAN *spans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = sweep_to(sweep, &spans[i]);
        if (status == 0)
            status = heap_push(&sweep->heap, &spans[i]);
        if (status == 0 && (i + 1 == count || spans[i + 1].first != spans[i].first))
            status = sweep->emit(sweep->context, spans[i].first, sweep->heap.spans[0]->owner);
        if (status < 0)
            return status;
    }
    return sweep_to(sweep, NULL);
}

static int sweep(const SPAN *spans, size_t count, int (*emit)(void *context, KEY key, uint32_t owner),
                 void *context)
{
    struct sweep sweep = {.emit = emit, .context = context};
    int status = sweep_spans(&sweep, spans, count);
    nb_free(sweep.heap.spans);
    return status;
}

/* ---- sorting: by a digit at a time, the highest one in which there is a difference first ---- */

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, FEW = 24 };

static bool are_sorted(const SPAN *spans, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (spans[i].first < spans[i - 1].first)
            return false;
    return true;
}

static void sort_few(SPAN *spans, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        SPAN span = spans[i];
        size_t at = i;
        for (; at && spans[at - 1].first > span.first; at--)
            spans[at] = spans[at - 1];
        spans[at] = span;
    }
}

/* How far the highest digit with a difference is to the left. */
static unsigned digit_shift(const SPAN *spans, size_t count)
{
    KEY differing = 0;
    unsigned shift = 0;
    for (size_t i = 1; i < count; i++)
        differing |= spans[0].first ^ spans[i].first;
    while (differing >> shift >= DIGITS)
        shift++;
    return shift;
}

static void sort_into(SPAN *to, const SPAN *from, size_t count, unsigned shift, size_t ret_ends[DIGITS])
{
    size_t place = 0;
    memset(ret_ends, 0, DIGITS * sizeof *ret_ends);
    for (size_t i = 0; i < count; i++)
        ret_ends[(size_t)(from[i].first >> shift) % DIGITS]++;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        size_t here = ret_ends[digit];
        ret_ends[digit] = place;
        place += here;
    }
    for (size_t i = 0; i < count; i++)
        to[ret_ends[(size_t)(from[i].first >> shift) % DIGITS]++] = from[i];
}

/* other: room for as many. */
static void sort_spans(SPAN *spans, SPAN *other, size_t count)
{
    size_t ends[DIGITS], begin = 0;
    if (count <= FEW) {
        sort_few(spans, count);
        return;
    }
    unsigned shift = digit_shift(spans, count);
    sort_into(other, spans, count, shift, ends);
    memcpy(spans, other, count * sizeof *spans);
    for (unsigned digit = 0; shift && digit < DIGITS; begin = ends[digit++])
        if (ends[digit] - begin > 1)
            sort_spans(spans + begin, other + begin, ends[digit] - begin);
}

/* -ENOMEM. */
static int sort(SPAN *spans, size_t count)
{
    if (are_sorted(spans, count))
        return 0;
    SPAN *other = nb_malloc(count * sizeof *other);
    if (!other)
        return -ENOMEM;
    sort_spans(spans, other, count);
    nb_free(other);
    return 0;
}
