/*
 * Whole conversations, each again and again while the first, second, third ...
 * allocation fails. Each run ends in order: with the right answers, with an
 * error, or with the end of the session; and nothing is left.
 *
 * Left out: libuv ends the process when its table of watchers cannot grow. The
 * table is made large enough beforehand (broker_grow_watchers).
 */
#include "client.h"
#include "memory.h"
#include "peer.h"
#include "sockets.h"
#include "suite.h"
#include "turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAILURES_MAX = 2000 };

static struct client client;
static bool is_over; /* the conversation has met its failure: an error, or the session's end */
static bool
    sockets_are_to_live; /* a socket that closes is the failure: a server had no memory for its other end */
static char path[64];

/* ---- the words of a conversation ---- */

static void say(const char *frame)
{
    if (!is_over)
        client_send(&client, "%s", frame);
}

static bool is_bad_news(const char *text)
{
    return (sockets_are_to_live && text_matches(text, "[2,'socket.close',*")) || strcmp(text, "end") == 0 ||
           text_matches(text, "[1,*,{*'code':*},nil]") || text_matches(text, "[2,'*.error',*");
}

/* It is for want of memory, or follows from that: a socket that was to be there is gone. */
static void check_bad_news(const char *text, const char *expected)
{
    if (strcmp(text, "end") == 0 || text_matches(text, "[2,'socket.close',*"))
        return;
    bool is_due = strstr(text, "'ENOMEM'") || strstr(text, "'ERR_NB_NO_SUCH_TARGET'") ||
                  strstr(text, "'ERR_STREAM_DESTROYED'");
    ck_assert_msg(is_due, "waiting for %s: %s", expected, text);
}

/* Passes frames over until the one that is meant, or what a failure leads to. */
static void hear(const char *pattern)
{
    while (!is_over) {
        if (text_matches(client_receive(&client), pattern))
            return;
        if (is_bad_news(client.text)) {
            is_over = true;
            check_bad_news(client.text, pattern);
        }
    }
}

static void ask(const char *frame, const char *answer)
{
    say(frame);
    hear(answer);
}

/* Asks what can be asked only with a number of the last answer. */
static void ask_with(const char *format, uint64_t number, const char *answer)
{
    char frame[256];
    snprintf(frame, sizeof frame, format, (unsigned)number);
    ask(frame, answer);
}

static uint64_t heard(const char *name)
{
    return is_over ? 0 : client_number(&client, name);
}

/* ---- conversations ---- */

#define ENDPOINTS                                                                                            \
    "'localAddress':'*','localPort':*,'localFamily':'IPv4','remoteAddress':'127.0.0.1','remotePort':*"

static void exchange_and_end(void)
{
    sockets_are_to_live = true;
    ask("[0,10,'socket.write',[3,'hello']]", "[2,'socket.data',[2,x'68656c6c6f']]");
    ask("[0,11,'socket.write',[2,x'00ff',{}]]", "[2,'socket.data',[3,x'00ff']]");
    sockets_are_to_live = false;
    ask("[0,12,'socket.end',[3,'bye']]", "[2,'socket.end',[2,{}]]");
    hear("[2,'socket.close',[*{'hadError':false,*");
    hear("[2,'socket.close',[*{'hadError':false,*");
    ask("[0,13,'server.close',[1]]", "[1,13,nil,{}]");
}

static void talk_over_tcp(void)
{
    ask("[0,1,'session.hello',[0,{'protocol':1}]]", "[1,1,nil,{'protocol':1,*'session':'s*','peer':*");
    ask("[0,2,'server.create',[1,{'keepAlive':true,'noDelay':true}]]", "[1,2,nil,{'id':1}]");
    ask("[0,3,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]",
        "[2,'server.listening',[1,{'address':'127.0.0.1','family':'IPv4','port':*}]]");
    hear("[1,3,nil,{'address':'127.0.0.1','family':'IPv4','port':*}]");
    uint64_t port = heard("port");
    ask_with("[0,4,'net.createConnection',[3,{'port':%u,'host':'127.0.0.1','timeout':60000}]]", port,
             "[2,'socket.connect',[3,{" ENDPOINTS "*");
    hear("[1,4,nil,{'id':3,*" ENDPOINTS "*");
    exchange_and_end();
}

static void talk_over_tcp_with_a_name(void)
{
    ask("[0,1,'server.create',[1]]", "[1,1,nil,{'id':1}]");
    ask("[0,2,'server.listen',[1,{'port':0,'host':'localhost'}]]", "[1,2,nil,*");
    uint64_t port = heard("port");
    ask("[0,3,'socket.create',[3]]", "[1,3,nil,{'id':3}]");
    ask_with("[0,4,'socket.connect',[3,{'port':%u}]]", port,
             "[2,'socket.lookup',[3,{'address':'*','family':*,'host':'localhost'}]]");
    hear("[1,4,nil,{'localAddress':*");
    exchange_and_end();
}

/* The client chooses no number, and learns it from the answer. */
static void talk_without_numbers(void)
{
    ask("[0,1,'server.create',[0]]", "[1,1,nil,{'id':2}]");
    ask("[0,2,'server.listen',[2]]", "[1,2,nil,{'address':'*");
    ask_with("[0,3,'net.createConnection',[0,{'port':%u,'host':'localhost'}]]", heard("port"),
             "[1,3,nil,{'id':4,'localAddress':*");
    hear("[2,'socket.ready',[4,{}]]");
    ask("[0,4,'socket.destroy',[4]]", "[2,'socket.close',[*,{'hadError':false,*");
    ask("[0,5,'session.close',[0]]", "[1,5,nil,{}]");
    hear("end");
}

static void talk_over_a_path(void)
{
    char frame[128];
    ask("[0,1,'server.create',[1]]", "[1,1,nil,{'id':1}]");
    snprintf(frame, sizeof frame, "[0,2,'server.listen',[1,{'path':'%s'}]]", path);
    ask(frame, "[2,'server.listening',[1,{'path':'/tmp/*'}]]");
    hear("[1,2,nil,{'path':'/tmp/*'}]");
    snprintf(frame, sizeof frame, "[0,3,'net.createConnection',[3,{'path':'%s'}]]", path);
    ask(frame, "[1,3,nil,{'id':3}]");
    ask("[0,4,'server.info',[1]]", "[1,4,nil,{'listening':true,*'path':'/tmp/*");
    exchange_and_end();
}

/* As a member of a shared listener, which drops what comes once all are full. */
static void talk_in_a_group(void)
{
    char frame[128];
    ask("[0,1,'session.hello',[0,{'features':['group'],'group':'g'}]]", "[1,1,nil,*");
    ask("[0,2,'server.create',[1,{'maxConnections':1}]]", "[1,2,nil,{'id':1}]");
    snprintf(frame, sizeof frame, "[0,3,'server.listen',[1,{'path':'%s'}]]", path);
    ask(frame, "[2,'server.listening',[1,{'path':'/tmp/*'}]]");
    hear("[1,3,nil,{'path':'/tmp/*'}]");
    snprintf(frame, sizeof frame, "[0,4,'net.createConnection',[3,{'path':'%s'}]]", path);
    ask(frame, "[1,4,nil,{'id':3}]");
    sockets_are_to_live = true;
    ask("[0,5,'socket.write',[3,'hello']]", "[2,'socket.data',[2,x'68656c6c6f']]");
    sockets_are_to_live = false;
    snprintf(frame, sizeof frame, "[0,6,'net.createConnection',[5,{'path':'%s'}]]", path);
    ask(frame, "[1,6,nil,{'id':5}]");
    hear("[2,'socket.close',[5,{'hadError':false,*");
    ask("[0,7,'socket.destroy',[2]]", "[1,7,nil,{}]");
    ask("[0,8,'server.close',[1]]", "[1,8,nil,{}]");
}

/* Takes the descriptor. */
static void say_with(int fd, const char *frame)
{
    if (!is_over)
        client_send_fds(&client, &fd, 1, "%s", frame);
    close(fd);
}

static void talk_of_descriptors(void)
{
    struct sockaddr_in address;
    int ends[2];
    ask("[0,1,'session.hello',[0,{'features':['fds']}]]", "[1,1,nil,*");
    is_over = is_over || !strstr(client.text, "'fds'"); /* not granted: there was no memory for it */
    unix_pair(ends);
    say_with(ends[0], "[0,2,'socket.create',[1,{'fd':0}]]");
    hear("[1,2,nil,{'id':1}]");
    sockets_are_to_live = true;
    ask("[0,3,'socket.write',[1,'hello']]", "[1,3,nil,{'bytesWritten':5}]");
    sockets_are_to_live = false;
    say_with(ends[1], "[0,4,'session.ping',[0]]");
    hear("[1,4,nil,{}]");
    ask("[0,5,'socket.create',[3,{'fd':1,'readable':false}]]", "[1,5,nil,{'id':3}]");
    ask("[0,6,'server.create',[5]]", "[1,6,nil,{'id':5}]");
    say_with(listen_on_loopback(&address), "[0,7,'server.listen',[5,{'fd':2}]]");
    hear("[2,'server.listening',[5,*");
    hear("[1,7,nil,{'address':*");
    ask("[0,8,'server.create',[7]]", "[1,8,nil,{'id':7}]");
    ask("[0,9,'server.listen',[7,{'handle':{'server':5}}]]", "[2,'server.listening',[7,*");
    hear("[1,9,nil,{'address':*");
}

static void talk_in_polls(void)
{
    ask("[0,1,'session.hello',[0,{'events':'poll'}]]", "[1,1,nil,*");
    ask("[0,2,'server.create',[1]]", "[1,2,nil,*");
    ask("[0,3,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]", "[1,3,nil,*");
    ask_with("[0,4,'net.createConnection',[3,{'port':%u,'host':'127.0.0.1'}]]", heard("port"), "[1,4,nil,*");
    ask("[0,5,'session.poll',[0,{'max':1}]]", "[1,5,nil,[['server.listening',[1,{'address':'127.0.0.1'*]]]]");
    ask("[0,6,'socket.write',[3,'0123456789012345678901234567890123456789012345678901234567890123456789']]",
        "[1,6,nil,{'bytesWritten':70}]");
    bool came = false;
    while (!is_over && !came) {
        ask("[0,7,'session.poll',[0,{'wait':5000}]]", "[1,7,nil,*");
        came = strstr(client.text, "['socket.data',[2,x(70)]]") || strstr(client.text, "'socket.close'");
    }
    ask("[0,8,'session.poll',[0,{'wait':1}]]", "[1,8,nil,*");
}

static void talk_wrongly(void)
{
    uint16_t port;
    int listener = peer_listen(&port);
    close(listener); /* a port where nobody is */
    ask("[0,1,'session.fly',[0]]", "[1,1,{'code':'ERR_NB_UNKNOWN_METHOD'*");
    ask("[0,2,'socket.write',[9,'a']]", "[1,2,{'code':'ERR_NB_NO_SUCH_TARGET'*");
    ask("[0,3,'socket.connect',[9,{'port':-1}]]", "[1,3,{'code':'ERR_SOCKET_BAD_PORT'*");
    ask("[0,4,'socket.create',[1,{'autoRelease':false,'encoding':'hex'}]]", "[1,4,nil,*");
    say("[2,'socket.setEncoding',[1,{'encoding':'klingon'}]]");
    hear("[2,'session.error',[0,{'code':'ERR_UNKNOWN_ENCODING'*");
    ask_with("[0,5,'socket.connect',[1,{'port':%u,'host':'127.0.0.1'}]]", port,
             "[2,'socket.error',[1,{'code':'ECONNREFUSED'*");
    hear("[2,'socket.close',[1,{'hadError':true*");
    hear("[1,5,{'code':'ECONNREFUSED'*");
    ask("[0,6,'socket.write',[1,'a']]", "[1,6,{'code':'ERR_STREAM_DESTROYED'*");
    ask("[0,7,'socket.release',[1]]", "[1,7,nil,{}]");
    ask("[0,8,'server.create',[3]]", "[1,8,nil,{'id':3}]");
    ask("[0,9,'server.listen',[3,{'host':'192.0.2.1','port':0}]]",
        "[2,'server.error',[3,{'code':'EADDRNOTAVAIL'*");
    hear("[1,9,{'code':'EADDRNOTAVAIL'*");
    ask("[0,10,'server.close',[3]]", "[1,10,{'code':'ERR_SERVER_NOT_RUNNING'*");
    ask("[0,11,'server.release',[3]]", "[1,11,nil,{}]");
    say("<c1>");
    hear("[2,'session.error',[0,{'code':'ERR_NB_PROTOCOL'*");
    hear("end");
}

static void talk_about_itself(void)
{
    ask("[0,1,'session.describe',[0]]", "[1,1,nil,{*'methods'*");
    ask("[0,2,'session.info',[0]]", "[1,2,nil,{'sockets':0,*");
    ask("[0,3,'session.ping',[0,{'a':1}]]", "[1,3,nil,{'a':1}]");
    ask("[0,4,'server.create',[1,{'maxConnections':0}]]", "[1,4,nil,{'id':1}]");
    ask("[0,5,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]", "[1,5,nil,*");
    ask_with("[0,6,'net.createConnection',[3,{'port':%u,'host':'127.0.0.1','localAddress':'127.0.0.1'}]]",
             heard("port"), "[1,6,nil,*");
    ask("[0,7,'socket.setTimeout',[3,{'timeout':1}]]", "[1,7,*");
    ask("[0,8,'server.getConnections',[1]]", "[1,8,nil,{'count':0}]");
    ask("[0,9,'server.address',[1]]", "[1,9,nil,{'address':'127.0.0.1','family':'IPv4','port':*");
}

/* Bytes that wait: before there is a connection, in a queue, encoded, as text. */
static void talk_of_queues(void)
{
    char frame[6000];
    uint16_t port;
    int listener = peer_listen(&port);
    snprintf(frame, sizeof frame,
             "[0,1,'net.createConnection',[1,{'port':%u,'host':'127.0.0.1','encoding':'utf8'}]]", port);
    say(frame);
    snprintf(frame, sizeof frame, "[0,2,'socket.write',[1,'%05000d']]", 0);
    say(frame);
    say("[0,3,'socket.write',[1,'68656c6c6f',{'encoding':'hex'}]]");
    say("[2,'socket.write',[1,x'00010203']]");
    int peer = -1;
    while (!is_over && peer < 0) {
        hear("[1,1,nil,{'id':1,*");
        peer = is_over ? -1 : peer_accept(broker_loop, listener);
    }
    hear("[1,2,nil,{'bytesWritten':5009}]");
    hear("[1,3,nil,*");
    if (!is_over) {
        peer_send(broker_loop, peer, "a\xe2\x82", 3);
        hear("[2,'socket.data',[1,'a']]");
        shutdown(peer, SHUT_WR);
        hear("[2,'socket.data',[1,'\xef\xbf\xbd']]");
    }
    hear("[2,'socket.close',[1,{'hadError':false,*");
    if (peer >= 0)
        close(peer);
    close(listener);
}

static void talk_of_time(void)
{
    ask("[0,1,'socket.create',[1]]", "[1,1,nil,*");
    ask("[0,2,'socket.setTimeout',[1,{'timeout':1}]]", "[1,2,nil,{}]");
    hear("[2,'socket.timeout',[1,{}]]");
    ask("[0,3,'socket.setTimeout',[1,{'timeout':0}]]", "[1,3,nil,{}]");
    ask("[0,4,'socket.destroy',[1]]", "[1,4,nil,{}]");
}

/* Errors of each kind that a socket has a text for. */
static void talk_of_failures(void)
{
    ask("[0,1,'net.createConnection',[0,{'port':9,'host':'no..name'}]]",
        "[1,1,{'code':'ENOTFOUND'*'target':2*");
    hear("[2,'socket.lookup',[2,{'err':{'code':'ENOTFOUND'*");
    hear("[2,'socket.error',[2,{'code':'ENOTFOUND'*");
    hear("[2,'socket.close',[2,{'hadError':true,*");
    ask("[0,2,'net.createConnection',[1,{'path':'/tmp/nb-nowhere/s'}]]",
        "[2,'socket.error',[1,{'code':'ENOENT'*");
    hear("[1,2,{'code':'ENOENT'*");
    ask("[0,3,'net.createConnection',[3,{'port':9,'host':'127.0.0.1','localAddress':'::1'}]]",
        "[2,'socket.error',[3,{'code':'EINVAL'*");
    hear("[1,3,{'code':'EINVAL'*");
    ask("[0,4,'socket.create',[5]]", "[1,4,nil,*");
    ask("[0,5,'socket.destroy',[5,{'error':{'code':'ABORT_ERR','name':'AbortError','message':'gone'}}]]",
        "[2,'socket.error',[5,{'code':'ABORT_ERR'*");
    hear("[1,5,nil,{}]");
    ask("[0,6,'socket.create',[7]]", "[1,6,nil,*");
    ask("[0,7,'socket.end',[7,'to nobody']]", "[2,'socket.error',[7,{'code':'ERR_SOCKET_CLOSED'*");
    hear("[1,7,{'code':'ERR_SOCKET_CLOSED'*");
}

static void talk_of_block_lists(void)
{
    ask("[0,1,'blockList.create',[1,{'name':'shared'}]]", "[1,1,nil,{'id':1}]");
    ask("[0,2,'blockList.addRules',[1,{'rules':['127.0.0.0/8','::1','192.0.2.1-192.0.2.9']}]]",
        "[1,2,nil,{}]");
    ask("[0,3,'blockList.load',[1,'198.51.100.0/24\n']]", "[1,3,nil,{}]");
    ask("[0,4,'blockList.load',[1,'[]',{'format':'json'}]]", "[1,4,nil,{}]");
    ask("[0,5,'blockList.rules',[1]]", "[1,5,nil,['Subnet: IPv4 198.51.100.0/24',*");
    ask("[0,6,'blockList.checkMany',[1,{'addresses':['::1','x'],'type':'ipv6'}]]", "[1,6,nil,[true,false]]");
    ask("[0,7,'blockList.match',[1,{'address':'192.0.2.5'}]]", "[1,7,nil,{'blocked':true,'rule':*");
    ask("[0,8,'blockList.hits',[1,{'limit':1}]]", "[1,8,nil,[*");
    ask("[0,9,'net.createConnection',[3,{'port':9,'host':'127.0.0.1','blockList':1}]]",
        "[2,'socket.error',[3,{'code':'ERR_IP_BLOCKED'*");
    hear("[1,9,{'code':'ERR_IP_BLOCKED'*");
    ask("[0,10,'blockList.removeRule',[1,{'rule':'::1'}]]", "[1,10,nil,true]");
    ask("[0,11,'blockList.load',[1,'192.0.2.1',{'replace':true}]]", "[1,11,nil,{}]");
    ask("[0,12,'blockList.clear',[1]]", "[1,12,nil,{}]");
    ask("[0,13,'blockList.release',[1]]", "[1,13,nil,{}]");
    ask("[0,14,'net.socketAddress',[0,{'address':'::1','family':'ipv6'}]]", "[1,14,nil,*");
}

static void talk_of_windows(void)
{
    ask("[0,1,'session.hello',[0,{'features':['flow']}]]", "[1,1,nil,{*'features':['flow']*");
    ask("[0,2,'server.create',[1,{'readWindow':3}]]", "[1,2,nil,{'id':1}]");
    ask("[0,3,'server.listen',[1,{'port':0,'host':'127.0.0.1'}]]", "[1,3,nil,*");
    sockets_are_to_live = true;
    ask_with("[0,4,'net.createConnection',[3,{'port':%u,'host':'127.0.0.1','encoding':'utf8'}]]",
             heard("port"), "[1,4,nil,*");
    say("[2,'socket.write',[3,'hello']]");
    hear("[2,'socket.data',[2,x'68656c']]");
    ask("[0,5,'socket.credit',[2,4]]", "[1,5,nil,{}]");
    hear("[2,'socket.data',[2,x'6c']]");
    ask("[0,6,'socket.credit',[2]]", "[1,6,{'code':'ERR_INVALID_ARG_TYPE'*");
    ask("[0,7,'socket.write',[2,'aa',{'encoding':'hex'}]]", "[1,7,nil,*");
    sockets_are_to_live = false;
    ask("[0,8,'session.close',[0]]", "[1,8,nil,{}]");
    hear("end");
}

static void take_token(char ret_token[33])
{
    const char *at = strstr(client.text, "'token':'");
    snprintf(ret_token, 33, "%s", at ? at + strlen("'token':'") : "");
}

static void adopt(uint32_t number)
{
    char frame[128], token[33];
    take_token(token);
    snprintf(frame, sizeof frame, "[0,20,'socket.adopt',[%u,{'token':'%s'}]]", (unsigned)number, token);
    say(frame);
}

/* A socket goes from one number to another, with bytes in both directions. */
static void talk_of_transfers(void)
{
    uint16_t port;
    int listener = peer_listen(&port), peer = -1;
    ask_with("[0,1,'net.createConnection',[1,{'port':%u,'host':'127.0.0.1','timeout':60000}]]", port,
             "[1,1,nil,{'id':1,*");
    peer = is_over ? -1 : peer_accept(broker_loop, listener);
    if (peer >= 0)
        peer_send(broker_loop, peer, "hello", 5);
    hear("[2,'socket.data',[1,x'68656c6c6f']]");
    ask("[0,2,'socket.offer',[1,{'unshift':'lo'}]]", "[1,2,nil,{'token':'*'}]");
    adopt(3);
    say("[0,3,'socket.write',[3,'behind it']]");
    hear("[1,20,nil,{'id':3,*'bytesRead':3,*");
    hear("[2,'socket.data',[3,x'6c6f']]");
    ask("[0,4,'socket.offer',[3]]", "[1,4,nil,{'token':'*'}]");
    ask("[0,5,'socket.destroy',[3]]", "[2,'socket.close',[3,{'hadError':false,*");
    hear("[1,5,nil,{}]");
    if (peer >= 0)
        close(peer);
    close(listener);
}

/* A further connection becomes the channel, and says something; -1: it was refused, or had no memory. */
static int attach(void)
{
    struct client other;
    char token[33];
    take_token(token);
    client_open(&other);
    client_send(&other, "[0,1,'session.attach',[0,{'token':'%s'}]]", token);
    client_receive(&other);
    is_over = is_over || !text_matches(other.text, "[1,1,nil,{}]");
    int fd = dup(other.fd);
    client_close(&other);
    return fd;
}

/* A socket whose bytes go through a stream, which is there once by a token, once by a descriptor. */
static void talk_of_channels(void)
{
    uint16_t port;
    int listener = peer_listen(&port), peer = -1, stream = -1;
    ask("[0,1,'session.hello',[0,{'features':['channel','fds']}]]", "[1,1,nil,*");
    is_over = is_over || !strstr(client.text, "'fds'");
    ask_with("[0,2,'net.createConnection',[1,{'port':%u,'host':'127.0.0.1'}]]", port, "[1,2,nil,{'id':1,*");
    peer = is_over ? -1 : peer_accept(broker_loop, listener);
    ask("[0,3,'socket.write',[1,'by frame, ']]", "[1,3,nil,{'bytesWritten':10}]");
    ask("[0,4,'socket.channel',[1]]", "[1,4,nil,{'token':'*'}]");
    stream = is_over ? -1 : attach();
    if (stream >= 0 && !is_over)
        ck_assert_int_eq(send(stream, "by channel", 10, MSG_NOSIGNAL), 10);
    if (stream >= 0)
        close(stream);
    hear("[2,'socket.close',[1,{'hadError':false,*'bytesWritten':20*");
    ask_with("[0,5,'net.createConnection',[3,{'port':%u,'host':'127.0.0.1'}]]", port, "[1,5,nil,{'id':3,*");
    ask("[0,6,'socket.channel',[3,{'via':'fd'}]]",
        "[1,6,nil,{'fd':0}]"); /* the client drops it: that is its end */
    hear("[2,'socket.close',[3,{'hadError':false,*");
    if (peer >= 0)
        close(peer);
    close(listener);
}

/* A race that the second address wins, one that nobody wins, and lookups that come to nothing. */
static void talk_of_races(void)
{
    uint16_t port;
    int listener = peer_listen(&port);
    ask_with("[0,1,'net.createConnection',[1,{'port':%u,'host':'x','lookup':true}]]", port,
             "[2,'socket.lookupRequest',[1,{'host':'x','family':0,'hints':32,'all':true}]]");
    ask("[0,2,'socket.lookupResult',[1,{'addresses':[{'address':'127.0.0.2'},{'address':'127.0.0.1'}]}]]",
        "[2,'socket.lookup',[1,{'address':'127.0.0.2','family':4,'host':'x'}]]");
    hear("[1,1,nil,{'id':1,*");
    ask_with("[0,3,'net.createConnection',[3,{'port':%u,'host':'x','lookup':true}]]", port,
             "[2,'socket.lookupRequest',[3,*");
    ask("[0,4,'socket.lookupResult',[3,{'addresses':[{'address':'127.0.0.2'},{'address':'127.0.0.3'}]}]]",
        "[2,'socket.error',[3,{'code':'ECONNREFUSED','message':'','name':'AggregateError',*'errors':*");
    hear("[1,3,{'code':'ECONNREFUSED'*");
    ask("[0,5,'net.createConnection',[5,{'port':9,'host':'x','lookup':true}]]",
        "[2,'socket.lookupRequest',[5,*");
    ask("[0,6,'socket.lookupResult',[5,{'address':'y'}]]",
        "[2,'socket.error',[5,{'code':'ERR_INVALID_IP_ADDRESS'*");
    hear("[1,5,{'code':'ERR_INVALID_IP_ADDRESS'*");
    hear("[1,6,{'code':'ERR_INVALID_IP_ADDRESS'*");
    ask("[0,7,'net.createConnection',[7,{'port':9,'host':'x','lookup':true}]]",
        "[2,'socket.lookupRequest',[7,*");
    ask("[0,8,'socket.destroy',[7]]", "[1,7,{'code':'ERR_SOCKET_CLOSED'*");
    hear("[1,8,nil,{}]");
    close(listener);
}

/* ---- running them ---- */

static void make_path(void)
{
    strcpy(path, "/tmp/nb-failing-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    unlink(path);
}

/* True when the allocation that was to fail was asked for. */
static bool run_failing(void (*conversation)(void), uint64_t failing)
{
    int64_t live = nb_memory_live();
    int descriptors = count_descriptors();
    is_over = sockets_are_to_live = false;
    broker_start();
    broker_grow_watchers();
    client_open(&client);
    uint64_t before = nb_memory_requests();
    nb_memory_fail_after(failing);
    conversation();
    bool has_failed = nb_memory_requests() - before >= failing;
    ck_assert_msg(!is_over || has_failed, "ended without a failure: %s", client.text);
    client_close(&client);
    broker_end();
    nb_memory_fail_after(0);
    ck_assert_int_eq(nb_memory_live(), live);
    ck_assert_int_eq(count_descriptors(), descriptors);
    return has_failed;
}

static void run_all_failures(void (*conversation)(void))
{
    uint64_t failing = 1;
    make_path();
    ck_assert(!run_failing(conversation, FAILURES_MAX)); /* all is well when none fails */
    while (run_failing(conversation, failing)) {
        ck_assert_msg(access(path, F_OK) < 0, "a socket file is left after failure %u", (unsigned)failing);
        ck_assert_uint_lt(failing++, FAILURES_MAX);
    }
    ck_assert_uint_gt(failing, 10); /* there was something to fail */
}

#define CONVERSATION(name)                                                                                   \
    START_TEST(name##_)                                                                                      \
    {                                                                                                        \
        run_all_failures(name);                                                                              \
    }                                                                                                        \
    END_TEST

CONVERSATION(talk_over_tcp)
CONVERSATION(talk_over_tcp_with_a_name)
CONVERSATION(talk_without_numbers)
CONVERSATION(talk_over_a_path)
CONVERSATION(talk_in_a_group)
CONVERSATION(talk_of_descriptors)
CONVERSATION(talk_in_polls)
CONVERSATION(talk_wrongly)
CONVERSATION(talk_about_itself)
CONVERSATION(talk_of_queues)
CONVERSATION(talk_of_time)
CONVERSATION(talk_of_failures)
CONVERSATION(talk_of_block_lists)
CONVERSATION(talk_of_windows)
CONVERSATION(talk_of_races)
CONVERSATION(talk_of_transfers)
CONVERSATION(talk_of_channels)

int main(void)
{
    const TTest *const tests[] = {
        talk_over_tcp_,     talk_over_tcp_with_a_name_, talk_without_numbers_,
        talk_over_a_path_,  talk_of_descriptors_,       talk_in_polls_,
        talk_wrongly_,      talk_about_itself_,         talk_of_queues_,
        talk_of_time_,      talk_of_failures_,          talk_of_block_lists_,
        talk_in_a_group_,   talk_of_windows_,           talk_of_races_,
        talk_of_transfers_, talk_of_channels_,          NULL,
    };
    return run_suite("failing allocations", tests);
}
