#include "account.h"

#include "memory.h"
#include "resolver.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

const struct nb_message_class nb_farewell_class = {.name = "farewell", .size = sizeof(struct nb_farewell)};
const struct nb_message_class nb_relief_class = {.name = "relief", .size = sizeof(struct nb_message)};

enum { WAKES_A_TURN = 64 }; /* others wait meanwhile, and the first few may well close the gate again */

static void on_wake_more(struct nb_flush *flush);

void nb_places_take(const struct nb_places *places)
{
    atomic_fetch_add(places->of_loop, 1);
    atomic_fetch_add(places->of_uid, 1);
}

void nb_places_leave(const struct nb_places *places)
{
    if (places->of_loop)
        atomic_fetch_sub(places->of_loop, 1);
    if (places->of_uid)
        atomic_fetch_sub(places->of_uid, 1);
}

static void init_line(struct nb_waiter *ends)
{
    ends->next = ends->before = ends;
}

struct nb_account *nb_account_new(struct nb_loop *loop, struct nb_actor_id session)
{
    struct nb_account *account = nb_calloc(1, sizeof *account);
    if (!account)
        return NULL;
    account->loop = loop;
    account->session = session;
    account->shares = 1;
    account->next_id = 2;
    init_line(&account->at_gate);
    init_line(&account->for_vacancy);
    account->wake_more.run = on_wake_more;
    nb_intake_init(&account->intake, &loop->pool);
    nb_intake_init(&account->texts, &loop->pool);
    return account;
}

struct nb_account *nb_account_ref(struct nb_account *account)
{
    account->shares++;
    return account;
}

void nb_account_unref(struct nb_account *account)
{
    if (!account || --account->shares)
        return;
    assert(!account->debts && !account->untold && !account->unread && nb_line_is_empty(&account->at_gate) &&
           nb_line_is_empty(&account->for_vacancy) && !account->memberships);
    nb_loop_cancel_flush(account->loop, &account->wake_more);
    nb_places_leave(&account->places);
    nb_intake_finish(&account->intake);
    nb_budget_unref(account->budget);
    nb_group_unref(account->group);
    nb_lookup_line_unref(account->lookups);
    nb_intake_finish(&account->texts);
    if (account->relief)
        nb_message_free(account->loop, account->relief);
    nb_free(account);
}

/* ---- lines ---- */

static void wait_in(struct nb_waiter *ends, struct nb_waiter *waiter)
{
    if (waiter->next)
        return;
    waiter->next = ends;
    waiter->before = ends->before;
    ends->before->next = waiter;
    ends->before = waiter;
}

void nb_waiter_leave(struct nb_waiter *waiter)
{
    if (!waiter->next)
        return;
    waiter->next->before = waiter->before;
    waiter->before->next = waiter->next;
    waiter->next = waiter->before = NULL;
}

/* Everybody of one line to the front of another. */
static void move_line(struct nb_waiter *from, struct nb_waiter *to)
{
    if (nb_line_is_empty(from))
        return;
    from->before->next = to->next;
    to->next->before = from->before;
    from->next->before = to;
    to->next = from->next;
    init_line(from);
}

/* Those who have to wait again while others are woken go to the end of another line, so this ends. True: some wait. */
static bool wake(struct nb_waiter *ends, unsigned most)
{
    struct nb_waiter line;
    init_line(&line);
    move_line(ends, &line);
    while (most-- && !nb_line_is_empty(&line)) {
        struct nb_waiter *waiter = line.next;
        nb_waiter_leave(waiter);
        waiter->wake(waiter);
    }
    bool are_left = !nb_line_is_empty(&line);
    move_line(&line, ends);
    return are_left;
}

void nb_account_close_gate(struct nb_account *account)
{
    account->gate_is_closed = true;
}

void nb_account_open_gate(struct nb_account *account)
{
    account->gate_is_closed = false;
    if (wake(&account->at_gate, WAKES_A_TURN))
        nb_loop_flush_later(account->loop, &account->wake_more);
}

static void on_wake_more(struct nb_flush *flush)
{
    struct nb_account *account =
        (struct nb_account *)((char *)flush - offsetof(struct nb_account, wake_more));
    if (!account->gate_is_closed)
        nb_account_open_gate(account);
}

void nb_account_send_data(struct nb_account *account, size_t length)
{
    account->in_flight += length;
    if (account->in_flight > account->in_flight_max)
        nb_account_close_gate(account);
}

void nb_account_take_data(struct nb_account *account, size_t length)
{
    assert(account->in_flight >= length);
    account->in_flight -= length;
}

void nb_account_wait_at_gate(struct nb_account *account, struct nb_waiter *waiter)
{
    wait_in(&account->at_gate, waiter);
}

void nb_account_wait_for_vacancy(struct nb_account *account, struct nb_waiter *waiter)
{
    wait_in(&account->for_vacancy, waiter);
}

void nb_account_add_socket(struct nb_account *account)
{
    account->sockets++;
}

void nb_account_remove_socket(struct nb_account *account)
{
    account->sockets--;
    if (account->sockets < account->max_sockets)
        wake(&account->for_vacancy, UINT_MAX);
}

/* ---- the ledger ---- */

void nb_account_charge(struct nb_account *account, size_t length)
{
    account->unflushed += length;
}

static void send_relief(struct nb_account *account)
{
    struct nb_message *relief = account->relief;
    account->relief = NULL;
    nb_send(account->loop, account->session, relief);
}

void nb_account_pay(struct nb_account *account, size_t length)
{
    assert(account->unflushed >= length);
    account->unflushed -= length;
    if (account->relief && account->unflushed <= account->relief_at)
        send_relief(account);
}

void nb_debt_add(struct nb_account *account, struct nb_debt *debt, size_t length)
{
    nb_account_charge(account, length);
    debt->length += length;
    if (debt->link || !length)
        return;
    debt->next = account->debts;
    if (debt->next)
        debt->next->link = &debt->next;
    debt->link = &account->debts;
    account->debts = debt;
}

void nb_debt_pay(struct nb_account *account, struct nb_debt *debt, size_t length)
{
    assert(debt->length >= length);
    debt->length -= length;
    account->paid += length;
    if (!debt->length && debt->link) {
        *debt->link = debt->next;
        if (debt->next)
            debt->next->link = debt->link;
        debt->link = NULL;
    }
    nb_account_pay(account, length);
}

struct nb_actor_id nb_account_largest_debtor(const struct nb_account *account)
{
    const struct nb_debt *largest = account->debts;
    for (const struct nb_debt *debt = largest; debt; debt = debt->next)
        if (debt->length > largest->length)
            largest = debt;
    return largest ? largest->socket : NB_NOBODY;
}

int nb_account_ask_for_relief(struct nb_account *account, size_t at)
{
    account->relief_at = at;
    if (!account->relief && !(account->relief = nb_message_new(account->loop, &nb_relief_class)))
        return UV_ENOMEM;
    if (account->unflushed <= at)
        send_relief(account);
    return 0;
}

/* ---- sockets that come with bytes ---- */

/* Whatever its size, one may come when nothing else is there. */
static bool fits(size_t used, size_t length, size_t most)
{
    return !length || !used || used + length <= most;
}

struct nb_failure *nb_account_object_to_bytes(const struct nb_account *account, size_t unsent, size_t unread)
{
    uint32_t most = account->has_flow ? account->session_write_window : account->unflushed_high;
    if (!fits(account->unflushed, unsent, most))
        return nb_failure_limit(account->has_flow ? "sessionWriteWindow" : "unflushedHigh", most);
    if (!fits(account->unread, unread, account->in_flight_max))
        return nb_failure_limit("outHigh", account->in_flight_max);
    return NULL;
}

/* ---- lookups ---- */

struct nb_failure *nb_account_check_lookup(const struct nb_account *account)
{
    uint32_t max = nb_lookup_line_max(account->lookups);
    return nb_lookup_line_open(account->lookups) < max ? NULL : nb_failure_limit("maxLookups", max);
}

/* ---- activity ---- */

void nb_account_say_farewell(struct nb_account *account, uint64_t name)
{
    if (nb_actor_id_is_nobody(account->session))
        return;
    struct nb_farewell *farewell = nb_message_new(account->loop, &nb_farewell_class);
    if (!farewell) {
        nb_stop(account->loop, account->session);
        return;
    }
    farewell->name = name;
    nb_send(account->loop, account->session, &farewell->message);
}

void nb_account_activate(struct nb_account *account)
{
    account->active++;
}

void nb_account_deactivate(struct nb_account *account)
{
    assert(account->active);
    if (--account->active == 0)
        nb_event_emit(account, NB_EVENT_SESSION_IDLE, 0);
}

/* ---- events ---- */

struct nb_event_message *nb_event_new(struct nb_account *account, enum nb_event_index index, uint64_t target)
{
    if (nb_actor_id_is_nobody(account->session))
        return NULL;
    struct nb_event_message *event = nb_message_new(account->loop, &nb_event_class);
    if (!event) {
        nb_stop(account->loop, account->session);
        return NULL;
    }
    const struct nb_event *row = &nb_events[index];
    memset((char *)event + sizeof event->message, 0,
           offsetof(struct nb_event_message, body) + row->body->size - sizeof event->message);
    event->event = row;
    event->target = target;
    return event;
}

void nb_event_send(struct nb_account *account, struct nb_event_message *event)
{
    nb_send(account->loop, account->session, &event->message);
}

void nb_event_send_texts(struct nb_account *account, struct nb_event_message *event, struct nb_texts *texts)
{
    if (texts->failed) {
        nb_stop(account->loop, account->session);
        nb_message_dispose(account->loop, &event->message);
        return;
    }
    event->chunk = texts->chunk;
    nb_event_send(account, event);
}

void nb_event_emit(struct nb_account *account, enum nb_event_index index, uint64_t target)
{
    struct nb_event_message *event = nb_event_new(account, index, target);
    if (event)
        nb_event_send(account, event);
}

void nb_event_emit_error(struct nb_account *account, enum nb_event_index index, uint64_t target,
                         struct nb_failure *failure)
{
    struct nb_event_message *event = nb_event_new(account, index, target);
    if (!event)
        return;
    event->failure = nb_failure_ref(failure);
    nb_event_send(account, event);
}
