"""Sessions of a group share what they listen on, as the workers of Node's cluster do. protocol.md 11, docs/sharing.md."""
import random
import socket
import threading

import pytest

from support import peers
from support.broker import wait_until
from support.wire import Session

ANY_PORT = {"port": 0, "host": peers.LOOPBACK}
GROUP = {"features": ["group"], "group": "web"}


@pytest.fixture
def join(connect_session):
    """Opens sessions of one group, or of what else hello is told."""
    def open_session(**hello):
        session = connect_session()
        session.request("session.hello", 0, {**GROUP, **hello})
        return session
    return open_session


@pytest.fixture
def members(join):
    """Three sessions of a group that listen on one port; on several loops, as every session goes to the least busy."""
    return listening([join() for _ in range(3)])


def listening(sessions, listen=None, **options):
    """Each session's server 1 listens; the second and following name the first one's port."""
    for session in sessions:
        address = peers.serve(session, 1, listen or ANY_PORT, **options)
    return sessions, address.get("port") or address.get("path")


def connections(session):
    return session.request("server.getConnections", 1)["count"]


def counts(sessions):
    return [connections(session) for session in sessions]


def dial_until(sessions, address, total):
    """So many connections, dealt to the members."""
    dialled = [peers.dial(address) for _ in range(total)]
    wait_until(lambda: sum(counts(sessions)) == total, f"{total} connections, not {counts(sessions)}")
    return dialled


def close_all(dialled):
    for peer in dialled:
        peer.close()


def is_refused(address):
    """Not when it closes just now, which resets who has been let into its queue."""
    try:
        peers.dial(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except ConnectionResetError:
        pass
    return False


# ---- hello ----

def test_the_feature_is_granted(connect_session):
    assert "group" in connect_session().request("session.hello", 0, GROUP)["features"]


@pytest.mark.parametrize("group", ["", "x" * 65])
def test_a_name_has_1_to_64_bytes(connect_session, group):
    error = connect_session().refused("session.hello", 0, {**GROUP, "group": group})
    assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "group")


def test_the_longest_name(join):
    assert listening([join(group="x" * 64) for _ in range(2)])[1] > 0


# ---- dealing ----

def test_connections_are_dealt_in_turn(members):
    sessions, port = members
    dialled = dial_until(sessions, port, 9)
    assert counts(sessions) == [3, 3, 3]
    close_all(dialled)


def test_each_connection_belongs_to_the_session_that_got_it(members):
    sessions, port = members
    for session in sessions:
        with peers.dial(port) as peer:
            connection = session.expect_event("server.connection", 1)
            assert connection["remotePort"] == peer.getsockname()[1] and connection["localPort"] == port
            peer.sendall(b"hello")
            assert session.received(connection["socket"], 5) == b"hello"
            session.request("socket.end", connection["socket"], b"there")
            assert peers.read_to_end(peer) == b"there"


def test_all_members_tell_the_same_address(members):
    sessions, port = members
    addresses = [session.request("server.address", 1) for session in sessions]
    assert addresses == [{"address": peers.LOOPBACK, "family": "IPv4", "port": port}] * 3
    assert [session.expect_event("server.listening", 1) for session in sessions] == addresses


def test_members_keep_their_own_options(join):
    ordinary, careful = join(), join()
    port = peers.serve(ordinary, 1, ANY_PORT)["port"]
    peers.serve(careful, 1, ANY_PORT, pauseOnConnect=True, allowHalfOpen=True)
    with peers.dial(port), peers.dial(port):
        infos = [session.request("socket.info", session.expect_event("server.connection", 1)["socket"])
                 for session in (ordinary, careful)]
    assert [(info["paused"], info["allowHalfOpen"]) for info in infos] == [(False, False), (True, True)]


def test_many_connections_from_many_peers(members):
    sessions, port = members
    dialled = []
    threads = [threading.Thread(target=lambda: dialled.extend(peers.dial(port) for _ in range(30))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: sum(counts(sessions)) == 120, "120 connections")
    assert counts(sessions) == [40, 40, 40]
    close_all(dialled)


def test_a_unix_path(join, folder):
    path = str(folder / "shared")
    sessions, _ = listening([join(), join()], {"path": path})
    dialled = dial_until(sessions, path, 4)
    assert counts(sessions) == [2, 2]
    assert "peer" in sessions[1].expect_event("server.connection", 1)
    close_all(dialled)
    sessions[0].request("server.close", 1)
    assert not is_refused(path)
    sessions[1].expect_event("server.connection", 1)
    for session in sessions:
        session.socket.close()
    wait_until(lambda: not (folder / "shared").exists(), "the path is unlinked with the last member")


# ---- who shares ----

def test_port_zero_is_the_same_port_for_all_and_another_one_the_second_time(join):
    one, two = join(), join()
    first = [peers.serve(session, 1, ANY_PORT)["port"] for session in (one, two)]
    second = [peers.serve(session, 3, ANY_PORT)["port"] for session in (one, two)]
    assert first[0] == first[1] and second[0] == second[1] and first[0] != second[0]


def test_a_session_does_not_share_with_itself(join):
    session = join()
    port = peers.serve(session, 1, ANY_PORT)["port"]
    session.request("server.create", 3, {})
    named = {"host": peers.LOOPBACK, "port": port}
    assert session.refused("server.listen", 3, named)["code"] == "EADDRINUSE"


@pytest.mark.parametrize("hello", [{"group": "other"}, {"features": []}, {"features": ["group"], "group": None}],
                         ids=["another group", "no feature", "no name"])
def test_strangers_find_the_address_in_use(join, connect_session, hello):
    sessions, port = listening([join()])
    stranger = connect_session()
    stranger.request("session.hello", 0, {**GROUP, **hello})
    stranger.request("server.create", 1, {})
    error = stranger.refused("server.listen", 1, {"host": peers.LOOPBACK, "port": port})
    assert error["code"] == "EADDRINUSE" and error["port"] == port


@pytest.fixture
def named():
    """A port that is free, to be named."""
    taken, port = peers.refused_port()
    with taken:
        yield {"host": peers.LOOPBACK, "port": port}


def test_a_named_port_is_shared(join, named):
    sessions = [join(), join()]
    listening(sessions, named)
    close_all(dial_until(sessions, named["port"], 2))


@pytest.mark.parametrize("first, second", [(True, False), (False, True), (True, True)])
def test_exclusive_is_not_shared(join, named, first, second):
    one, two = join(), join()
    peers.serve(one, 1, {**named, "exclusive": first})
    two.request("server.create", 1, {})
    error = two.refused("server.listen", 1, {**named, "exclusive": second})
    assert error["code"] == "EADDRINUSE" and error == two.expect_event("server.error", 1)


def test_the_first_backlog_counts(join, named, broker):
    sessions = [join(), join()]
    for session, backlog in zip(sessions, (3, 99)):
        peers.serve(session, 1, {**named, "backlog": backlog})
    with broker.adopt_listener(named["port"]) as listener:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert int.from_bytes(info[28:32], "little") == 3


def test_a_failed_listen_fails_each_and_can_be_repeated(join):
    sessions = [join(), join()]
    with peers.listener() as taken:
        port = peers.port_of(taken)
        named = {"host": peers.LOOPBACK, "port": port}
        for session in sessions:
            session.request("server.create", 1, {})
            assert session.refused("server.listen", 1, named)["code"] == "EADDRINUSE"
    for session in sessions:
        assert session.request("server.listen", 1, named)["port"] == port
    close_all(dial_until(sessions, port, 4))


def test_reuse_port_is_the_systems_own_sharing(connect_session):
    one, two, stranger = connect_session(), connect_session(), connect_session()
    port = peers.serve(one, 1, {**ANY_PORT, "reusePort": True})["port"]
    named = {"host": peers.LOOPBACK, "port": port}
    assert peers.serve(two, 1, {**named, "reusePort": True})["port"] == port
    stranger.request("server.create", 1, {})
    assert stranger.refused("server.listen", 1, named)["code"] == "EADDRINUSE"
    close_all(dial_until([one, two], port, 20))


# ---- coming and going ----

@pytest.mark.parametrize("leave", ["close", "the session ends", "session.close"])
@pytest.mark.parametrize("who", [0, 1, 2], ids=["first", "second", "third"])
def test_the_listener_survives_any_member(members, leave, who):
    sessions, port = members
    leaver = sessions.pop(who)
    if leave == "close":
        leaver.request("server.close", 1)
    elif leave == "session.close":
        leaver.request("session.close")
    else:
        leaver.socket.close()
    dialled = []
    wait_until(lambda: dialled.append(peers.dial(port)) or sum(counts(sessions)) == len(dialled) >= 4, "all served")
    close_all(dialled)


def test_the_last_member_closes_the_port(members):
    sessions, port = members
    for session in sessions:
        assert not is_refused(port)
        session.request("session.ping")
        session.socket.close()
    wait_until(lambda: is_refused(port), "the port is free")


def test_close_is_answered_when_the_port_is_free(join):
    session = join()
    port = peers.serve(session, 1, ANY_PORT)["port"]
    assert session.request("server.close", 1) == {}
    assert is_refused(port)
    with peers.listener((peers.LOOPBACK, port)):
        pass


def test_close_and_listen_in_one_burst(members):
    sessions, port = members
    for _ in range(10):
        for session in sessions:
            session.send("server.close", 1)
            session.last = session.send("server.listen", 1, ANY_PORT)
    assert {session.result(session.last)["port"] for session in sessions} == {port}
    close_all(dial_until(sessions, port, 6))


def test_a_member_may_come_back(members):
    sessions, port = members
    sessions[1].request("server.close", 1)
    close_all(dial_until([sessions[0], sessions[2]], port, 4))
    wait_until(lambda: counts(sessions) == [0, 0, 0], "all have gone")
    assert sessions[1].request("server.listen", 1, ANY_PORT)["port"] == port
    close_all(dial_until(sessions, port, 6))


def test_no_connection_is_lost_when_members_come_and_go(join):
    """Every peer is greeted by somebody, while members leave in the middle of it; one stays."""
    staying = join()
    port = peers.serve(staying, 1, ANY_PORT)["port"]
    owners, dialled = [staying], []
    for _ in range(15):
        passing = join()
        peers.serve(passing, 1, ANY_PORT)
        dialled += [peers.dial(port) for _ in range(8)]
        passing.notify("server.close", 1)
        owners.append(passing)
    wait_until(lambda: sum(counts(owners)) == len(dialled), "every connection has an owner")
    close_all(dialled)


# ---- who can't take any ----

def test_a_full_member_is_passed_over(join):
    small, large = join(), join()
    port = peers.serve(small, 1, ANY_PORT, maxConnections=1)["port"]
    peers.serve(large, 1, ANY_PORT)
    dialled = dial_until([small, large], port, 8)
    assert counts([small, large]) == [1, 7]
    assert small.events("server.drop", 1) == []
    close_all(dialled)


def test_when_all_are_full_one_drops(join):
    sessions, port = listening([join(), join()], maxConnections=1)
    dialled = dial_until(sessions, port, 2)
    with peers.dial(port) as peer:
        assert peer.recv(1) == b""
        here = peer.getsockname()[1]
    wait_until(lambda: counts(sessions) and sum(len(s.events("server.drop", 1)) for s in sessions) == 1, "one drop")
    assert [body[0]["remotePort"] for s in sessions for body in s.events("server.drop", 1)] == [here]
    close_all(dialled)


def test_a_full_member_may_drop_instead(join):
    strict, large = join(), join()
    port = peers.serve(strict, 1, ANY_PORT, maxConnections=1, dropMaxConnection=True)["port"]
    peers.serve(large, 1, ANY_PORT)
    dialled = [peers.dial(port) for _ in range(6)]
    wait_until(lambda: counts([strict, large]) == [1, 3] and len(strict.events("server.drop", 1)) == 2, "two are dropped")
    strict.request("server.set", 1, {"maxConnections": 1})
    dialled += [peers.dial(port) for _ in range(4)]
    wait_until(lambda: counts([strict, large]) == [1, 7], "no more are")
    close_all(dialled)


def test_a_member_with_room_again_takes_part_again(join):
    sessions, port = listening([join(), join()], maxConnections=1)
    first = dial_until(sessions, port, 2)
    with peers.dial(port) as dropped:
        assert dropped.recv(1) == b""
    first[0].close()
    wait_until(lambda: counts(sessions).count(0) == 1, "one has gone")
    second = [peers.dial(port)]
    wait_until(lambda: counts(sessions) == [1, 1], "both are full again")
    sessions[1].request("server.set", 1, {"maxConnections": 3})
    more = [peers.dial(port) for _ in range(2)]
    wait_until(lambda: counts(sessions) == [1, 3], "the second has room for two more")
    close_all(first[1:] + second + more)


def test_a_member_without_sockets_left_is_passed_over(start_broker, folder):
    broker = start_broker(folder / "few.sock", "--limit", "maxSockets=2", "--workers", "2")
    with Session(broker.path) as one, Session(broker.path) as two:
        for session in (one, two):
            session.request("session.hello", 0, GROUP)
        one.request("socket.create", 11, {})
        one.request("socket.create", 13, {})
        sessions, port = listening([one, two])
        dialled = dial_until(sessions, port, 2)
        assert counts(sessions) == [0, 2]
        waiting = [peers.dial(port), peers.dial(port)]  # in the kernel, or with the listener
        one.request("socket.destroy", 11)
        wait_until(lambda: counts(sessions) == [1, 2], "the first has room for one")
        dialled[0].close()
        wait_until(lambda: counts(sessions) == [1, 2] and (two.events("socket.close", 2) or two.events("socket.close", 4)), "and the other again")
        close_all(dialled + waiting)


def test_a_member_that_does_not_read_is_passed_over(join):
    """Too much is queued to it: outHigh."""
    deaf, well = join(), join()
    sessions, port = listening([deaf, well])
    flood = peers.dial(port)
    deaf.expect_event("server.connection", 1)
    flood.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            flood.sendall(bytes(1 << 20))
    dialled = [peers.dial(port) for _ in range(8)]
    wait_until(lambda: connections(well) >= 7, "served by the other")
    close_all(dialled + [flood])


def test_members_that_take_nothing_drop_all(join):
    sessions, port = listening([join(), join()], maxConnections=0)
    for _ in range(4):
        with peers.dial(port) as peer:
            assert peer.recv(1) == b""
    wait_until(lambda: counts(sessions) and sum(len(s.events("server.drop", 1)) for s in sessions) == 4, "four drops")


def test_a_block_list_is_its_members_own(join):
    careful, open_hearted = join(), join()
    careful.request("blockList.create", 7)
    careful.request("blockList.addAddress", 7, {"address": peers.LOOPBACK})
    port = peers.serve(careful, 1, ANY_PORT, blockList=7)["port"]
    peers.serve(open_hearted, 1, ANY_PORT)
    dialled = [peers.dial(port) for _ in range(4)]
    wait_until(lambda: connections(open_hearted) == 2, "half of them are served")
    wait_until(lambda: connections(careful) == 0 and len(careful.events("server.drop", 1)) == 2, "the others are dropped")
    close_all(dialled)


# ---- what goes wrong ----

def test_a_listening_socket_that_fails_is_told_to_all_members(members, broker):
    sessions, port = members
    with broker.adopt_listener(port) as listener:
        listener.shutdown(socket.SHUT_RDWR)
    for session in sessions:
        error = session.expect_event("server.error", 1)
        assert (error["code"], error["syscall"]) == ("EINVAL", "accept")
        session.expect_event("server.close", 1)
        assert session.request("server.info", 1)["listening"] is False
    again = {session.request("server.listen", 1, ANY_PORT)["port"] for session in sessions}
    assert len(again) == 1
    close_all(dial_until(sessions, again.pop(), 3))


def test_members_come_and_go_at_random(join):
    """From one session's view everything is as without a group, whatever the others do; nobody is left waiting."""
    chance = random.Random(7)
    sessions = [join() for _ in range(4)]
    sessions, port = listening(sessions)
    dialled, is_open = [], [True] * 4
    for _ in range(300):
        who = chance.randrange(4)
        what = chance.choice(("dial", "dial", "toggle", "limit", "hang up"))
        if what == "dial" and any(is_open):
            dialled.append(peers.dial(port))
        elif what == "toggle" and (is_open.count(True) > 1 or not is_open[who]):
            is_open[who] = not is_open[who]
            if is_open[who]:
                sessions[who].request("server.listen", 1, ANY_PORT)  # before another, who may be the last, closes
            else:
                sessions[who].notify("server.close", 1)
        elif what == "limit":
            sessions[who].notify("server.set", 1, chance.choice(({}, {"maxConnections": chance.randrange(6)})))
        elif what == "hang up" and dialled:
            dialled.pop(chance.randrange(len(dialled))).close()
    for session in sessions:
        session.notify("server.set", 1, {})
    close_all(dialled)
    wait_until(lambda: counts(sessions) == [0] * 4, "all have gone")
    close_all(dial_until(sessions, port, 8))


# ---- what each may do ----

def test_idle_and_ref_are_each_members_own(join):
    sessions, _ = listening([join(), join()])
    sessions[0].request("server.unref", 1)
    sessions[0].expect_event("session.idle")
    assert [session.request("session.info")["active"] for session in sessions] == [0, 1]


def test_the_daemon_ends_with_members_on_all_loops(start_broker, folder):
    broker = start_broker(folder / "own.sock", "--workers", "3")
    sessions = [Session(broker.path) for _ in range(6)]
    for session in sessions:
        session.request("session.hello", 0, GROUP)
    path = str(folder / "shared")
    listening(sessions, {"path": path})
    dialled = [peers.dial(path) for _ in range(12)]
    wait_until(lambda: sum(counts(sessions)) == 12, "all served")
    for session in sessions:
        session.socket.close()
    broker.stop()
    assert not (folder / "shared").exists()
    close_all(dialled)
