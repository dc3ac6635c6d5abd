#include "driver.h"
#include "memory.h"
#include "suite.h"
#include "turns.h"

/* ---- the right to one answer ---- */

static struct nb_reply_to token(uint32_t msgid)
{
    return (struct nb_reply_to){.session = driver_account->session,
                                .method = &nb_methods[NB_METHOD_SOCKET_PAUSE],
                                .msgid = msgid,
                                .is_notification = msgid == 0};
}

static struct nb_failure *failure(void)
{
    return nb_failure_make("ERR_SOME", NULL, "some");
}

START_TEST(an_answer_is_given_once)
{
    struct nb_reply_to reply;
    driver_start();
    reply = token(1);
    ck_assert(nb_reply_is_open(&reply));
    nb_reply_done(driver_loop, &reply);
    ck_assert(!nb_reply_is_open(&reply));
    nb_reply_done(driver_loop, &reply);
    nb_reply_nil(driver_loop, &reply);
    nb_reply_fail(driver_loop, &reply, failure());
    nb_reply_throw(driver_loop, &reply, failure());
    expect_line("answer 1");
    reply = token(2);
    nb_reply_nil(driver_loop, &reply);
    nb_reply_throw(driver_loop, &reply, failure());
    expect_line("answer 2 nil");
    reply = token(3);
    nb_reply_fail(driver_loop, &reply, failure());
    nb_reply_done(driver_loop, &reply);
    expect_line("answer 3 ERR_SOME");
    reply = token(4);
    nb_reply_forget(&reply);
    nb_reply_done(driver_loop, &reply);
    expect_silence();
    driver_end();
}
END_TEST

START_TEST(a_notification_hears_only_of_what_was_thrown)
{
    driver_start();
    for (unsigned i = 0; i < 4; i++) {
        struct nb_reply_to reply = token(0);
        if (i == 0)
            nb_reply_done(driver_loop, &reply);
        else if (i == 1)
            nb_reply_nil(driver_loop, &reply);
        else if (i == 2)
            nb_reply_fail(driver_loop, &reply, failure());
        else
            nb_reply_throw(driver_loop, &reply, failure());
        ck_assert(!nb_reply_is_open(&reply));
    }
    expect_line("thrown 0 ERR_SOME");
    expect_silence();
    driver_end();
}
END_TEST

/* A request to an actor that is gone gets its answer, a notification nothing; neither costs the ledger anything. */
START_TEST(commands_to_nobody)
{
    driver_start();
    struct nb_actor_id gone = driver_socket(1);
    DRIVE(gone, 1, SOCKET_RELEASE, socket_release, NULL);
    expect_line("answer 1");
    expect_line("farewell 1");
    write_text(gone, 2, "bytes");
    write_text(gone, 0, "bytes");
    ck_assert_uint_eq(driver_account->unflushed, 10);
    expect_line("answer 2 ERR_NB_NO_SUCH_TARGET");
    expect_silence();
    ck_assert_uint_eq(driver_account->unflushed, 0);
    driver_end();
}
END_TEST

START_TEST(what_is_disposed_of_lets_go)
{
    driver_start();
    struct nb_chunk *chunk = nb_chunk_new(&driver_loop->pool, 100);
    struct nb_failure *why = failure();
    struct nb_command *command = nb_command_new(driver_loop);
    command->chunk = nb_chunk_ref(chunk);
    command->failure = nb_failure_ref(why);
    command->charged = 7;
    command->account = nb_account_ref(driver_account);
    nb_account_charge(driver_account, 7);
    nb_message_dispose(driver_loop, &command->message);
    ck_assert_uint_eq(chunk->shares, 1);
    ck_assert_uint_eq(why->shares, 1);
    ck_assert_uint_eq(driver_account->unflushed, 0);
    struct nb_event_message *event = nb_event_new(driver_account, NB_EVENT_SOCKET_ERROR, 1);
    event->chunk = nb_chunk_ref(chunk);
    event->failure = nb_failure_ref(why);
    nb_message_dispose(driver_loop, &event->message);
    struct nb_reply_to reply = token(1);
    nb_reply_fail(driver_loop, &reply, nb_failure_ref(why));
    expect_line("answer 1 ERR_SOME");
    expect_silence();
    ck_assert_uint_eq(chunk->shares, 1);
    ck_assert_uint_eq(why->shares, 1);
    nb_chunk_unref(chunk);
    nb_failure_unref(why);
    driver_end();
}
END_TEST

START_TEST(a_discharge_is_paid_once)
{
    driver_start();
    struct nb_command *command = nb_command_new(driver_loop);
    command->charged = 7;
    command->account = nb_account_ref(driver_account);
    nb_account_charge(driver_account, 7);
    nb_command_discharge(command);
    nb_command_discharge(command);
    ck_assert_uint_eq(driver_account->unflushed, 0);
    nb_message_dispose(driver_loop, &command->message);
    ck_assert_uint_eq(driver_account->shares, 1);
    driver_end();
}
END_TEST

/* An accepted socket that nobody hears of stops with the news of it. */
START_TEST(a_connection_event_takes_its_socket_along)
{
    driver_start();
    struct nb_actor_id socket = driver_socket(2);
    struct nb_event_message *event = nb_event_new(driver_account, NB_EVENT_SERVER_CONNECTION, 1);
    event->actor = socket;
    nb_message_dispose(driver_loop, &event->message);
    ck_assert(driver_is_gone(socket));
    driver_end();
}
END_TEST

/* ---- texts ---- */

START_TEST(texts_share_one_chunk)
{
    struct nb_texts texts;
    driver_start();
    nb_texts_init(&texts, driver_loop, 10);
    struct nb_slice one = nb_texts_add(&texts, nb_slice_of("one")),
                    two = nb_texts_add(&texts, nb_slice_of("two"));
    ck_assert(nb_slice_is(one, "one") && nb_slice_is(two, "two"));
    ck_assert_ptr_eq(two.data, one.data + 3);
    struct nb_slice empty = nb_texts_add(&texts, nb_slice_of(""));
    ck_assert(empty.data && !empty.length);
    ck_assert_ptr_null(nb_texts_add(&texts, (struct nb_slice){0}).data);
    static const uint8_t large[NB_CHUNK_SMALL + 1];
    ck_assert_ptr_null(nb_texts_add(&texts, (struct nb_slice){large, sizeof large}).data);
    ck_assert(!texts.failed);
    nb_texts_finish(&texts);
    nb_texts_finish(&texts);
    driver_end();
}
END_TEST

START_TEST(endpoints_are_told_as_far_as_they_are_known)
{
    struct nb_endpoint four, six, none = {0};
    struct nb_texts texts;
    nb_Endpoints ends;
    driver_start();
    ck_assert(nb_endpoint_parse(nb_slice_of("192.0.2.1"), &four));
    ck_assert(nb_endpoint_parse(nb_slice_of("2001:db8::1"), &six));
    four.port = 80;
    six.port = 65535;
    nb_texts_init(&texts, driver_loop, NB_ENDPOINTS_TEXT);
    nb_texts_endpoints(&texts, &four, &six, &ends);
    ck_assert(nb_slice_is(ends.local_address, "192.0.2.1") && nb_slice_is(ends.local_family, "IPv4"));
    ck_assert(nb_slice_is(ends.remote_address, "2001:db8::1") && nb_slice_is(ends.remote_family, "IPv6"));
    ck_assert(ends.has_local_port && ends.local_port == 80 && ends.has_remote_port &&
              ends.remote_port == 65535);
    nb_texts_endpoints(&texts, &none, &none, &ends);
    ck_assert(!ends.local_address.data && !ends.has_local_port && !ends.remote_family.data &&
              !ends.has_remote_port);
    nb_texts_finish(&texts);
    driver_end();
}
END_TEST

/* Without memory for them nothing wrong is sent: the session is stopped. */
START_TEST(without_memory_for_texts_nothing_is_sent)
{
    struct nb_texts texts;
    driver_start();
    struct nb_actor_id session = driver_account->session;
    nb_memory_fail_after(1);
    nb_texts_init(&texts, driver_loop, 10);
    ck_assert(texts.failed);
    ck_assert_ptr_null(nb_texts_add(&texts, nb_slice_of("one")).data);
    struct nb_reply_to reply = token(1);
    nb_Nothing nothing = {0};
    ck_assert(!nb_loop_find(driver_loop, session)->is_stopping);
    nb_reply_texts(driver_loop, &reply, &nothing, &texts);
    ck_assert(nb_loop_find(driver_loop, session)->is_stopping);
    ck_assert(!nb_reply_is_open(&reply));
    expect_silence();
    driver_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_answer_is_given_once,
        a_notification_hears_only_of_what_was_thrown,
        commands_to_nobody,
        what_is_disposed_of_lets_go,
        a_discharge_is_paid_once,
        a_connection_event_takes_its_socket_along,
        texts_share_one_chunk,
        endpoints_are_told_as_far_as_they_are_known,
        without_memory_for_texts_nothing_is_sent,
        NULL,
    };
    return run_suite("command", tests);
}
