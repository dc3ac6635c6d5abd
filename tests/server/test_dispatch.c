#include "client.h"
#include "peer.h"
#include "suite.h"
#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

static struct client client;

static void begin(void)
{
    broker_start();
    client_open(&client);
}

static void end(void)
{
    client_close(&client);
    broker_end();
    broker_limits = (struct nb_limits)NB_LIMITS_DEFAULT;
}

#define ASK(request, answer) client_ask(&client, request, answer)

START_TEST(targets_are_of_a_kind)
{
    begin();
    ASK("[0,1,'socket.create',[1]]", "[1,1,nil,{'id':1}]");
    ASK("[0,2,'server.create',[3]]", "[1,2,nil,{'id':3}]");
    ASK("[0,3,'server.address',[1]]", "[1,3,{'code':'ERR_NB_WRONG_TARGET'*");
    ASK("[0,4,'socket.info',[3]]", "[1,4,{'code':'ERR_NB_WRONG_TARGET'*");
    ASK("[0,5,'socket.info',[0]]", "[1,5,{'code':'ERR_NB_WRONG_TARGET'*");
    ASK("[0,6,'session.ping',[1]]", "[1,6,{'code':'ERR_NB_WRONG_TARGET'*");
    ASK("[0,7,'socket.info',[5]]", "[1,7,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    ASK("[0,8,'socket.create',[2]]", "[1,8,{'code':'ERR_NB_WRONG_TARGET'*");
    ASK("[0,9,'socket.info',[1]]", "[1,9,nil,{*");
    end();
}
END_TEST

/* The end of a target and a notification to it may cross. */
START_TEST(notifications_to_nobody_are_dropped)
{
    begin();
    client_send(&client, "[2,'socket.write',[5,'bytes']]");
    client_send(&client, "[2,'socket.destroy',[5]]");
    ASK("[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    client_send(&client, "[2,'socket.info',[0]]"); /* but one of the wrong kind is told */
    client_expect(&client,
                  "[2,'session.error',[0,{'code':'ERR_NB_WRONG_TARGET'*'method':'socket.info','target':0*");
    end();
}
END_TEST

START_TEST(the_broker_chooses_even_numbers)
{
    begin();
    ASK("[0,1,'socket.create',[0]]", "[1,1,nil,{'id':2}]");
    ASK("[0,2,'server.create',[0]]", "[1,2,nil,{'id':4}]");
    ASK("[0,3,'net.createServer',[0]]", "[1,3,nil,{'id':6}]");
    ASK("[0,4,'socket.info',[2]]", "[1,4,nil,*");
    ASK("[0,5,'server.listen',[4,{'host':'127.0.0.1','port':0}]]", "[2,'server.listening',[4,{*");
    client_expect(&client, "[1,5,nil,{*");
    uint16_t port = (uint16_t)client_number(&client, "port");
    int peer = peer_connect(port);
    client_expect(&client,
                  "[2,'server.connection',[4,{'socket':8,*"); /* accepted ones come out of the same row */
    close(peer);
    end();
}
END_TEST

START_TEST(a_number_is_free_again_after_its_last_word)
{
    begin();
    for (unsigned i = 0; i < 50; i++) {
        ASK("[0,1,'socket.create',[1]]", "[1,1,nil,{'id':1}]");
        ASK("[0,2,'socket.destroy',[1]]", "[2,'socket.close',[1,{*");
        client_expect(&client, "[1,2,nil,{}]");
        ASK("[0,3,'server.create',[1]]", "[1,3,nil,{'id':1}]");
        ASK("[0,4,'server.release',[1]]", "[1,4,nil,{}]");
        ASK("[0,5,'socket.create',[1,{'encoding':'klingon'}]]", "[1,5,{'code':'ERR_UNKNOWN_ENCODING'*");
        ASK("[0,6,'socket.info',[1]]", "[1,6,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    }
    ASK("[0,7,'session.info',[0]]", "[1,7,nil,{'sockets':0,'servers':0,'active':0,*");
    end();
}
END_TEST

/* What follows in the same burst on a creation that fails, fails too, and hurts nobody. */
START_TEST(pipelining_on_a_creation_that_fails)
{
    begin();
    client_send(&client, "[0,1,'net.createConnection',[1,{'port':80,'encoding':'klingon'}]]");
    client_send(&client, "[0,2,'socket.write',[1,'bytes']]");
    client_send(&client, "[2,'socket.write',[1,'bytes']]");
    client_send(&client, "[0,3,'socket.end',[1]]");
    client_expect(&client, "[1,1,{'code':'ERR_UNKNOWN_ENCODING'*");
    client_expect(&client, "[1,2,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    client_expect(&client, "[1,3,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    ASK("[0,4,'session.info',[0]]", "[1,4,nil,{'sockets':0,*'unflushed':0,*");
    end();
}
END_TEST

START_TEST(kinds_have_their_limits)
{
    broker_limits.max_sockets = 2;
    broker_limits.max_servers = 1;
    begin();
    ASK("[0,1,'socket.create',[1]]", "[1,1,nil,*");
    ASK("[0,2,'socket.create',[3]]", "[1,2,nil,*");
    ASK("[0,3,'socket.create',[5]]", "[1,3,{'code':'ERR_NB_LIMIT'*'limit':'maxSockets'*");
    ASK("[0,4,'net.createConnection',[5,{'port':1}]]", "[1,4,{'code':'ERR_NB_LIMIT'*'limit':'maxSockets'*");
    ASK("[0,5,'server.create',[5]]", "[1,5,nil,*");
    ASK("[0,6,'server.create',[7]]", "[1,6,{'code':'ERR_NB_LIMIT'*'limit':'maxServers'*");
    client_send(&client, "[2,'server.create',[7]]");
    client_expect(&client,
                  "[2,'session.error',[0,{'code':'ERR_NB_LIMIT'*'method':'server.create','target':7*");
    ASK("[0,7,'socket.destroy',[1]]", "[2,'socket.close',*");
    client_expect(&client, "[1,7,nil,{}]");
    ASK("[0,8,'socket.create',[9]]", "[1,8,nil,{'id':9}]"); /* there is room again */
    end();
}
END_TEST

START_TEST(open_requests_have_a_limit)
{
    broker_limits.max_pending = 2;
    begin();
    ASK("[0,1,'session.hello',[0,{'events':'poll'}]]", "[1,1,nil,*");
    client_send(&client, "[0,2,'session.poll',[0,{'wait':60000}]]");
    client_send(&client, "[0,3,'session.ping',[0]]");
    client_send(&client, "[0,4,'session.ping',[0]]");
    client_expect(&client, "[1,4,{'code':'ERR_NB_LIMIT'*'limit':'maxPending'*"); /* 3 was not answered yet */
    client_expect(&client, "[1,3,nil,{}]");
    ASK("[0,4,'session.ping',[0]]", "[1,4,nil,{}]");
    end();
}
END_TEST

START_TEST(large_writes_are_refused_and_the_session_goes_on)
{
    static char bytes[2048];
    broker_limits.max_write = 1024;
    broker_limits.max_frame = 4096;
    begin();
    ASK("[0,1,'socket.create',[1]]", "[1,1,nil,*");
    client_send_write(&client, 1, bytes, 1025);
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_NB_LIMIT'*'limit':'maxWrite'*");
    ASK("[0,2,'socket.info',[1]]", "[1,2,nil,{*'destroyed':false*"); /* it lives */
    end();
}
END_TEST

START_TEST(rights_are_checked_before_anything_is_made)
{
    broker_start();
    client_open_as(&client, (struct nb_rights){0});
    ASK("[0,1,'net.createConnection',[1,{'port':80}]]", "[1,1,{'code':'ERR_NB_POLICY'*");
    ASK("[0,2,'net.connect',[1,{'path':'/tmp/s'}]]", "[1,2,{'code':'ERR_NB_POLICY'*");
    ASK("[0,3,'server.create',[1]]", "[1,3,nil,{'id':1}]");
    ASK("[0,4,'server.listen',[1,{'port':0}]]", "[1,4,{'code':'ERR_NB_POLICY'*");
    client_send(&client, "[2,'server.listen',[1]]");
    client_expect(&client,
                  "[2,'session.error',[0,{'code':'ERR_NB_POLICY'*'method':'server.listen','target':1*");
    ASK("[0,5,'session.info',[0]]", "[1,5,nil,{'sockets':0,'servers':1,*");
    end();
}
END_TEST

START_TEST(a_hello_comes_first_or_not_at_all)
{
    begin();
    ASK("[0,1,'session.ping',[0]]", "[1,1,nil,{}]");
    ASK("[0,2,'session.hello',[0]]", "[1,2,{'code':'ERR_INVALID_ARG_VALUE'*");
    client_send(&client, "[2,'session.hello',[0]]");
    client_expect(&client, "[2,'session.error',[0,{'code':'ERR_INVALID_ARG_VALUE'*'method':'session.hello'*");
    end();
}
END_TEST

START_TEST(aliases_do_the_same)
{
    begin();
    ASK("[0,1,'net.createServer',[1]]", "[1,1,nil,{'id':1}]");
    ASK("[0,2,'server.info',[1]]", "[1,2,nil,{'listening':false,*");
    ASK("[0,3,'net.connect',[3,{'port':0,'localAddress':'x'}]]", "[1,3,{'code':'ERR_INVALID_IP_ADDRESS'*");
    ASK("[0,4,'net.conect',[3]]", "[1,4,{'code':'ERR_NB_UNKNOWN_METHOD'*");
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        targets_are_of_a_kind,
        notifications_to_nobody_are_dropped,
        the_broker_chooses_even_numbers,
        a_number_is_free_again_after_its_last_word,
        pipelining_on_a_creation_that_fails,
        kinds_have_their_limits,
        open_requests_have_a_limit,
        large_writes_are_refused_and_the_session_goes_on,
        rights_are_checked_before_anything_is_made,
        a_hello_comes_first_or_not_at_all,
        aliases_do_the_same,
        NULL,
    };
    return run_suite("dispatch", tests);
}
