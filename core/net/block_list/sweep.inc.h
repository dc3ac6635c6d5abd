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

static bool are_sorted(const SPAN *spans, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (spans[i].first < spans[i - 1].first)
            return false;
    return true;
}
