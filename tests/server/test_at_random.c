/*
 * Sessions that send commands at random, and what must hold whatever they send:
 * each request is answered once, an id's close is its last event, no data comes
 * behind an end, the ledger comes down to nothing, and all actors go.
 */
#include "client.h"
#include "memory.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

enum { IDS = 64, ROUNDS = 250, COMMANDS = 80, MSGIDS = 4096 };

static struct client client;
static uint16_t port; /* of the session's own server, or of nobody */
static unsigned answers[MSGIDS], sent;
static bool is_live[IDS]; /* as far as the client knows */
static bool is_release[MSGIDS];
static unsigned target_of[MSGIDS];
static bool has_ended[IDS], has_closed[IDS];

/* ---- sending ---- */

static const char *const bodies[][2] = {
    {"socket.write", "'text'"},
    {"socket.write", "x'00ff'"},
    {"socket.write", "''"},
    {"socket.write", "'zz',{'encoding':'hex'}"},
    {"socket.write", "'a',{'encoding':'klingon'}"},
    {"socket.end", "'bye'"},
    {"socket.end", "nil"},
    {"socket.destroy", "{}"},
    {"socket.destroy", "{'error':{'code':'ABORT_ERR'}}"},
    {"socket.resetAndDestroy", "{}"},
    {"socket.pause", "{}"},
    {"socket.resume", "{}"},
    {"socket.setEncoding", "{'encoding':'utf8'}"},
    {"socket.setEncoding", "{}"},
    {"socket.setTimeout", "{'timeout':1}"},
    {"socket.setNoDelay", "{}"},
    {"socket.setKeepAlive", "{'enable':true}"},
    {"socket.ref", "{}"},
    {"socket.unref", "{}"},
    {"socket.address", "{}"},
    {"socket.info", "{}"},
    {"socket.release", "{}"},
    {"server.close", "{}"},
    {"server.address", "{}"},
    {"server.getConnections", "{}"},
    {"server.set", "{'maxConnections':1}"},
    {"server.set", "{}"},
    {"server.info", "{}"},
    {"server.unref", "{}"},
    {"server.release", "{}"},
    {"server.listen", "{'port':0,'host':'127.0.0.1'}"},
    {"server.listen", "{'port':0,'host':'localhost'}"},
    {"server.listen", "{'handle':{'server':1}}"},
    {"server.listen", "{'handle':{'server':5}}"},
    {"server.listen", "{'handle':{'socket':3}}"},
    {"server.listen", "{'fd':0}"},
    {"server.listen", "{'fdName':'none'}"},
    {"blockList.addAddress", "{'address':'127.0.0.1'}"},
    {"blockList.addRange", "{'start':'::1','end':'::9','type':'ipv6'}"},
    {"blockList.addSubnet", "{'net':'127.0.0.0','prefix':99}"},
    {"blockList.addRules", "{'rules':['192.0.2.0/24','2001:db8::/32','127.0.0.2']}"},
    {"blockList.addRules", "{'rules':['192.0.2.0/24','nonsense']}"},
    {"blockList.load", "'127.0.0.0/8',{'replace':true}"},
    {"blockList.load", "'[]',{'format':'json','replace':true}"},
    {"blockList.removeRule", "{'rule':'127.0.0.1'}"},
    {"blockList.clear", "{}"},
    {"blockList.check", "{'address':'127.0.0.1'}"},
    {"blockList.checkMany", "{'addresses':['127.0.0.1','x']}"},
    {"blockList.match", "{'address':'192.0.2.1'}"},
    {"blockList.size", "{}"},
    {"blockList.rules", "{'limit':2}"},
    {"blockList.hits", "{}"},
    {"blockList.release", "{}"},
};

static void send_command(const char *method, unsigned target, const char *body)
{
    bool is_request = random() % 3 != 0;
    if (is_request) {
        target_of[sent] = target;
        is_release[sent] = strstr(method, ".release") != NULL;
        client_send(&client, "[0,%u,'%s',[%u,%s]]", sent, method, target, body);
        sent++;
    } else {
        client_send(&client, "[2,'%s',[%u,%s]]", method, target, body);
    }
}

static void create(unsigned id)
{
    char body[128];
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no..name"};
    static const char *const names[] = {"{}", "{'name':'shared'}", "{'name':'other'}"};
    unsigned kind = (unsigned)random() % 5, list = 1 + 2 * ((unsigned)random() % 12);
    int used =
        snprintf(body, sizeof body, "{'port':%u,'host':'%s','allowHalfOpen':%s", random() % 4 ? port : 1,
                 hosts[random() % 8 ? random() % 2 : 2], random() % 2 ? "true" : "false");
    if (kind < 2)
        used = snprintf(body, sizeof body, "{'highWaterMark':5");
    if (kind < 4)
        snprintf(body + used, sizeof body - (size_t)used, list < 12 ? ",'blockList':%u}" : "}", list);
    else
        snprintf(body, sizeof body, "%s", names[random() % 3]);
    is_live[id] = true;
    has_ended[id] = has_closed[id] = false;
    target_of[sent] = id;
    client_send(&client, "[0,%u,'%s',[%u,%s]]", sent,
                kind == 0   ? "socket.create"
                : kind == 1 ? "server.create"
                : kind < 4  ? "net.createConnection"
                            : "blockList.create",
                id, body);
    sent++;
}

static void do_something(void)
{
    unsigned id = 1 + (unsigned)random() % 12;
    if (id % 2 && !is_live[id] && random() % 2) {
        create(id);
        return;
    }
    if (random() % 12 == 0) {
        char body[64];
        snprintf(body, sizeof body, "{'port':%u,'host':'127.0.0.1'}", port);
        send_command("socket.connect", id, body);
        return;
    }
    size_t row = (size_t)random() % (sizeof bodies / sizeof *bodies);
    send_command(bodies[row][0], id, bodies[row][1]);
}

/* ---- hearing ---- */

static void take_answer(void)
{
    unsigned msgid = (unsigned)strtoul(client.text + 3, NULL, 10);
    ck_assert_uint_lt(msgid, sent);
    ck_assert_msg(!answers[msgid]++, "answered twice: %s", client.text);
    if (text_matches(client.text, "[1,*,nil,{'address':'127.0.0.1','family':'IPv4','port':*"))
        port = (uint16_t)client_number(&client, "port");
    bool was_released = is_release[msgid] && text_matches(client.text, "[1,*,nil,*");
    if (was_released || text_matches(client.text, "[1,*'argument':'blockList'*")) /* so nothing was made */
        is_live[target_of[msgid]] = false;
}

static void take_event(void)
{
    char name[32];
    unsigned id;
    ck_assert_int_eq(sscanf(client.text, "[2,'%31[^']',[%u,", name, &id), 2);
    ck_assert_msg(!strstr(client.text, "'fatal':true"), "%s", client.text);
    if (id == 0 || id >= IDS || strncmp(name, "socket.", 7) != 0)
        return;
    ck_assert_msg(!has_closed[id] || !is_live[id] || strcmp(name, "socket.close") == 0,
                  "behind the close: %s", client.text);
    if (strcmp(name, "socket.data") == 0)
        ck_assert_msg(!has_ended[id], "behind the end: %s", client.text);
    if (strcmp(name, "socket.end") == 0)
        has_ended[id] = true;
    if (strcmp(name, "socket.close") == 0) {
        has_closed[id] = true;
        is_live[id] = false;
    }
}

static void take_frame(void)
{
    if (client.text[1] == '1')
        take_answer();
    else
        take_event();
}

/* What there is so far; false: the broker has closed. */
static bool take_all(void)
{
    client_send(&client, "[0,%u,'session.ping',[0]]", sent);
    unsigned fence = sent++;
    while (!answers[fence]) {
        if (strcmp(client_receive(&client), "end") == 0)
            return false;
        take_frame();
    }
    return true;
}

/* False: the session ended before it was told to. */
static bool talk(void)
{
    for (unsigned i = 0; i < COMMANDS; i++) {
        do_something();
        if (random() % 8 == 0 && !take_all())
            return false;
    }
    return take_all();
}

static void forget_all(void)
{
    memset(answers, 0, sizeof answers);
    memset(is_live, 0, sizeof is_live);
    memset(is_release, 0, sizeof is_release);
    memset(has_ended, 0, sizeof has_ended);
    memset(has_closed, 0, sizeof has_closed);
    sent = 0;
    port = 1;
}

static void run_round(void)
{
    forget_all();
    client_open(&client);
    ck_assert(talk());
    client_send(&client, "[0,%u,'session.close',[0]]", sent++);
    while (strcmp(client_receive(&client), "end") != 0)
        take_frame();
    for (unsigned i = 0; i < sent; i++)
        ck_assert_msg(answers[i] == 1, "request %u of target %u was never answered", i, target_of[i]);
    client_close(&client);
}

static bool only_the_host_is_left(void *context)
{
    (void)context;
    return broker_loop->actor_count == 1;
}

START_TEST(whatever_a_client_sends)
{
    const char *seed = getenv("NB_TEST_SEED");
    broker_start();
    for (unsigned round = seed ? (unsigned)atoi(seed) : 0, last = seed ? round + 1 : ROUNDS; round < last;
         round++) {
        fprintf(stderr, "# NB_TEST_SEED=%u\n", round);
        srandom(round);
        run_round();
        turn_until(broker_loop, only_the_host_is_left, NULL);
    }
    broker_end();
}
END_TEST

/* The same while an allocation fails: what is answered is answered once, and all that was made goes. */
START_TEST(whatever_memory_does)
{
    broker_start();
    broker_grow_watchers();
    for (unsigned round = 0; round < ROUNDS; round++) {
        fprintf(stderr, "# round %u\n", round);
        srandom(round);
        forget_all();
        client_open(&client);
        nb_memory_fail_after(1 + (unsigned)random() % 200);
        talk();
        nb_memory_fail_after(0);
        client_close(&client);
        turn_until(broker_loop, only_the_host_is_left, NULL);
    }
    broker_end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {whatever_a_client_sends, whatever_memory_does, NULL};
    return run_suite("at random", tests);
}
