#include "inbox.h"
#include "message.h"
#include "suite.h"

#include <stdlib.h>
#include <uv.h>

enum { WRITERS = 4, EACH = 20000 };

struct item {
    struct nb_message message;
    unsigned writer, number;
};

static struct nb_inbox inbox;
static struct item items[WRITERS][EACH];
static atomic_uint rings;

START_TEST(messages_come_out_in_order)
{
    for (unsigned i = 0; i < 3; i++) {
        items[0][i].number = i;
        ck_assert_int_eq(nb_inbox_put(&inbox, &items[0][i].message), i == 0);
    }
    struct nb_message *message = nb_inbox_take_all(&inbox);
    for (unsigned i = 0; i < 3; i++, message = message->next)
        ck_assert_uint_eq(((struct item *)message)->number, i);
    ck_assert_ptr_null(message);
}
END_TEST

START_TEST(an_inbox_that_was_emptied_rings_again)
{
    ck_assert_ptr_null(nb_inbox_take_all(&inbox));
    ck_assert(nb_inbox_put(&inbox, &items[0][0].message));
    ck_assert_ptr_eq(nb_inbox_take_all(&inbox), &items[0][0].message);
    ck_assert_ptr_null(nb_inbox_take_all(&inbox));
    ck_assert(nb_inbox_put(&inbox, &items[0][1].message));
}
END_TEST

static void write_all(void *argument)
{
    struct item *own = argument;
    for (unsigned i = 0; i < EACH; i++) {
        own[i].writer = (unsigned)((own - items[0]) / EACH);
        own[i].number = i;
        if (nb_inbox_put(&inbox, &own[i].message))
            atomic_fetch_add(&rings, 1);
    }
}

/* Takes what is there and checks each writer's order; returns how many these were. */
static unsigned take(unsigned next_of[WRITERS])
{
    unsigned count = 0;
    for (struct nb_message *message = nb_inbox_take_all(&inbox); message; message = message->next, count++) {
        struct item *item = (struct item *)message;
        ck_assert_uint_eq(item->number, next_of[item->writer]++);
    }
    return count;
}

START_TEST(many_writers_lose_nothing_and_ring_once_for_each_take)
{
    uv_thread_t threads[WRITERS];
    unsigned next_of[WRITERS] = {0}, takes = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        ck_assert_int_eq(uv_thread_create(&threads[i], write_all, items[i]), 0);
    for (unsigned all = 0; all < WRITERS * EACH;) {
        unsigned count = take(next_of);
        all += count;
        takes += count > 0;
    }
    for (unsigned i = 0; i < WRITERS; i++)
        uv_thread_join(&threads[i]);
    ck_assert_ptr_null(nb_inbox_take_all(&inbox));
    ck_assert_uint_eq(atomic_load(&rings), takes);
}
END_TEST

int main(void)
{
    return run_suite("inbox",
                     (const TTest *[]){messages_come_out_in_order, an_inbox_that_was_emptied_rings_again,
                                       many_writers_lose_nothing_and_ring_once_for_each_take, NULL});
}
