"""Sockets that go from one session to another: socket.offer, socket.adopt. protocol.md 10, docs/transfer.md."""
import hashlib
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading

import pytest

from support import peers
from support.broker import wait_until
from support.conformance import Tap
from support.wire import DEADLINE, Session

TWO = ("--workers", "2")
TESTS = pathlib.Path(__file__).resolve().parents[1]
MIB = 1 << 20
SMALL = {"socketOptions": {"sendBufferSize": 16384}}  # so that the broker has to queue


@pytest.fixture
def two_loops(start_broker, folder):
    """Opens sessions to a daemon of two workers: the first one's is on one loop, the second one's on the other."""
    running, sessions = start_broker(folder / "two.sock", *TWO), []

    def open_session(**hello):
        sessions.append(Session(running.path, inspect=Tap()))
        sessions[-1].request("session.hello", 0, hello)
        return sessions[-1]

    open_session.broker = running
    yield open_session
    for session in sessions:
        session.socket.close()


@pytest.fixture
def pair(two_loops):
    """Who offers, and who adopts."""
    return two_loops(), two_loops()


@pytest.fixture
def session(two_loops):
    return two_loops()


@pytest.fixture
def limited(start_broker, folder):
    """Two sessions of a daemon with these limits."""
    sessions = []

    def start(**limits):
        flags = [word for name, value in limits.items() for word in ("--limit", f"{name}={value}")]
        running = start_broker(folder / "limited.sock", *TWO, *flags)
        sessions.extend(Session(running.path, inspect=Tap()) for _ in range(2))
        return sessions

    yield start
    for session in sessions:
        session.socket.close()


def offer(session, target=1, **options):
    return session.request("socket.offer", target, options)["token"]


def adopt(session, token, target=1, **options):
    return session.request("socket.adopt", target, {"token": token, **options})


def move(giver, taker, target=1, to=1, unshift=b"", **options):
    """The socket is the taker's afterwards; returns what it was told of it."""
    info = adopt(taker, offer(giver, target, **({"unshift": unshift} if unshift else {})), to, **options)
    assert giver.expect_event("socket.close", target)["transferred"] is True
    return info


def told(session, target=1):
    """All data that has come so far."""
    return b"".join(body[0] for body in session.events("socket.data", target))


def small_peer(session, target=1, **options):
    """A peer that takes little before it reads."""
    with peers.listener() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        where = {"host": peers.LOOPBACK, "port": peers.port_of(listener)}
        session.request("net.createConnection", target, {**where, **SMALL, **options})
        return peers.accept(listener)


# ---- what goes along ----

def test_the_adopter_goes_on_where_the_offerer_stopped(pair):
    giver, taker = pair
    with peers.connect(giver) as peer:
        peer.sendall(b"for the giver")
        assert giver.received(1, 13) == b"for the giver"
        giver.request("socket.write", 1, b"from the giver")
        info = move(giver, taker, to=7)
        assert (info["id"], info["bytesRead"], info["bytesWritten"], info["bufferSize"]) == (7, 13, 14, 0)
        assert (info["readyState"], info["kind"], info["remotePort"]) == ("open", "tcp", peer.getsockname()[1])
        peer.sendall(b"for the taker")
        assert taker.received(7, 13) == b"for the taker"
        taker.request("socket.end", 7, b", and from the taker")
        assert peers.read_to_end(peer) == b"from the giver, and from the taker"
        peer.close()
        assert taker.expect_event("socket.close", 7) == {"hadError": False, "bytesRead": 26, "bytesWritten": 34}


def test_close_is_the_last_that_the_offerer_hears(pair):
    giver, taker = pair
    with peers.connect(giver) as peer:
        move(giver, taker)
        peer.sendall(b"hello")
        assert taker.received(1, 5) == b"hello"
        assert giver.refused("socket.info", 1)["code"] == "ERR_NB_NO_SUCH_TARGET"
        assert giver.story(1)[-1] == "close"
        assert giver.events("socket.close", 1) == [[{"hadError": False, "bytesRead": 0, "bytesWritten": 0, "transferred": True}]]


def test_the_answer_is_a_fence(pair):
    giver, taker = pair
    data = random.Random(1).randbytes(4 * MIB)
    with peers.connect(giver) as peer:
        sender = threading.Thread(target=peer.sendall, args=(data,))
        sender.start()
        giver.expect_event("socket.data", 1)
        token = offer(giver)
        before = told(giver)
        giver.request("session.ping", 0, {})
        assert told(giver) == before
        info = adopt(taker, token)
        assert info["bytesRead"] == len(before)
        assert before + taker.received(1, len(data) - len(before)) == data
        sender.join()


def test_unshift_comes_first_and_counts_again(pair):
    giver, taker = pair
    with peers.connect(giver) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n")
        assert giver.received(1, 16)
        token = offer(giver, unshift=b"GET / HTTP/1.1\r\n")
        peer.sendall(b"Host: a\r\n")
        assert adopt(taker, token)["bytesRead"] == 0
        assert taker.received(1, 25) == b"GET / HTTP/1.1\r\nHost: a\r\n"
        assert taker.request("socket.info", 1)["bytesRead"] == 25


def test_unshift_waits_while_the_socket_is_paused_and_goes_on_with_it(pair, two_loops):
    giver, taker = pair
    third = two_loops()
    with peers.connect(giver) as peer:
        peer.sendall(b"abcdef")
        assert giver.received(1, 6)
        giver.request("socket.pause", 1)
        assert move(giver, taker, unshift=b"def")["paused"] is True
        assert taker.request("socket.info", 1)["bytesRead"] == 3
        assert move(taker, third, unshift=b"c")["bytesRead"] == 2
        peer.sendall(b"ghi")
        assert not taker.events("socket.data", 1) and not third.events("socket.data", 1)
        third.request("socket.resume", 1)
        assert third.received(1, 7) == b"cdefghi"


def test_unshift_is_text_in_the_adopters_encoding(pair):
    giver, taker = pair
    with peers.connect(giver) as peer:
        giver.request("socket.setEncoding", 1, {"encoding": "utf8"})
        peer.sendall("aä".encode()[:2])
        assert giver.expect_event("socket.data", 1) == "a"
        giver.request("socket.pause", 1)
        info = move(giver, taker, unshift="a")
        assert "encoding" not in info and info["bytesRead"] == 0
        taker.request("socket.setEncoding", 1, {"encoding": "utf8"})
        taker.request("socket.resume", 1)
        peer.sendall("aä".encode()[2:] + b"b")
        text = ""
        while len(text) < 3:
            text += taker.expect_event("socket.data", 1)
        assert text == "aäb"


@pytest.mark.parametrize("unshift", [b"abcd", b"x" * 60000])
def test_no_more_can_be_given_back_than_came(pair, unshift):
    giver, _ = pair
    with peers.connect(giver) as peer:
        peer.sendall(b"abc")
        assert giver.received(1, 3)
        error = giver.refused("socket.offer", 1, {"unshift": unshift})
        assert (error["code"], error["argument"]) == ("ERR_OUT_OF_RANGE", "unshift")
        assert giver.request("socket.offer", 1, {"unshift": b"abc"})["token"]


def test_what_is_queued_goes_along(pair):
    giver, taker = pair
    data = random.Random(2).randbytes(MIB)
    with small_peer(giver) as peer:
        stuck = giver.send("socket.write", 1, data)
        ended = giver.send("socket.end", 1, b"last")
        info = move(giver, taker)
        assert info["bytesWritten"] == len(data) + 4 and info["readyState"] == "readOnly"
        sent = info["bytesWritten"] - info["bufferSize"]
        assert giver.result(stuck)["bytesWritten"] <= sent and giver.result(ended) == {}
        assert giver.story(1, write=stuck, end=ended)[-3:] == ["=write", "=end", "close"]
        assert 0 < info["bufferSize"] < len(data)
        giver.socket.close()
        assert peers.read_to_end(peer) == data + b"last"
        peer.close()
        assert taker.expect_event("socket.close", 1)["hadError"] is False


def test_drain_comes_to_the_adopter(pair):
    giver, taker = pair
    with small_peer(giver, highWaterMark=1000) as peer:
        giver.notify("socket.write", 1, bytes(MIB))
        info = move(giver, taker)
        assert info["writableNeedDrain"] is True and info["writableHighWaterMark"] == 1000
        peers.read_exactly(peer, MIB)
        assert taker.expect_event("socket.drain", 1) == {}
        assert not giver.events("socket.drain", 1)


def test_options_of_the_connection_go_along(pair, two_loops):
    giver, taker = pair
    with peers.connect(giver, allowHalfOpen=True, timeout=200, noDelay=True, socketOptions={"keepAlive": True}) as peer:
        info = move(giver, taker)
        assert info["allowHalfOpen"] is True and info["timeout"] == 200
        with two_loops.broker.adopt_socket(peer) as theirs:
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert taker.expect_event("socket.timeout", 1) == {}
        assert not giver.events("socket.timeout", 1)


def test_the_peers_end_is_told_to_the_adopter_too(pair):
    giver, taker = pair
    with peers.connect(giver, allowHalfOpen=True) as peer:
        peer.sendall(b"all")
        peer.shutdown(socket.SHUT_WR)
        assert giver.expect_event("socket.end", 1) == {}
        move(giver, taker, unshift=b"all")
        assert taker.received(1, 3) == b"all"
        assert taker.expect_event("socket.end", 1) == {}
        taker.request("socket.end", 1, b"done")
        assert peers.read_to_end(peer) == b"done"
        assert taker.expect_event("socket.close", 1)["hadError"] is False


def test_both_directions_end_while_on_offer(pair):
    giver, taker = pair
    with small_peer(giver) as peer:
        giver.notify("socket.write", 1, bytes(MIB))
        giver.request("session.ping")
        peer.sendall(b"all")
        peer.shutdown(socket.SHUT_WR)
        giver.expect_event("socket.end", 1)  # the broker will end its side behind what is queued
        token = offer(giver, unshift=b"all")
        assert peers.read_to_end(peer) == bytes(MIB)
        assert adopt(taker, token)["bytesRead"] == 0
        assert taker.received(1, 3) == b"all" and taker.expect_event("socket.end", 1) == {}
        assert taker.expect_event("socket.close", 1)["hadError"] is False


def test_both_directions_end_and_nobody_adopts(pair):
    giver, _ = pair
    with small_peer(giver) as peer:
        giver.notify("socket.write", 1, bytes(MIB))
        giver.request("session.ping")
        peer.shutdown(socket.SHUT_WR)
        giver.expect_event("socket.end", 1)
        offer(giver, ttl=1)
        assert peers.read_to_end(peer) == bytes(MIB)
        giver.expect_event("socket.offerExpired", 1)
        assert giver.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 0, "bytesWritten": MIB}


def test_a_unix_socket(pair, folder):
    giver, taker = pair
    with peers.connect_unix(giver, folder / "peer") as peer:
        assert move(giver, taker)["kind"] == "pipe"
        peer.sendall(b"ping")
        assert taker.received(1, 4) == b"ping"


def test_a_socket_made_of_a_descriptor_stays_claimed(two_loops):
    giver, taker = two_loops(features=["fds"]), two_loops(features=["fds"])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        giver.result(giver.send_fds([theirs.fileno()], "socket.create", 1, {"fd": 0}))
        move(giver, taker)
        again = taker.send_fds([theirs.fileno()], "socket.create", 3, {"fd": 0})
        assert taker.error(again)["code"] == "EEXIST"
        taker.request("socket.destroy", 1)
        taker.result(taker.send_fds([theirs.fileno()], "socket.create", 5, {"fd": 1}))


def test_a_write_only_socket_stays_one(two_loops):
    giver, taker = two_loops(features=["fds"]), two_loops()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        giver.result(giver.send_fds([theirs.fileno()], "socket.create", 1, {"fd": 0, "readable": False}))
        assert move(giver, taker)["readyState"] == "writeOnly"
        ours.sendall(b"unread")
        taker.request("socket.write", 1, b"written")
        assert ours.recv(10) == b"written"
        assert not taker.events("socket.data", 1) and not taker.events("socket.end", 1)


# ---- 1 MiB in flight in both directions, over two loops ----

@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_no_byte_is_lost_while_it_moves(two_loops, flow, seed):
    rng, moves = random.Random(seed), 8
    hello, options = ({"features": ["flow"]}, {"readWindow": 0}) if flow else ({}, {})
    sessions = two_loops(**hello), two_loops(**hello)
    there, back, heard, got = rng.randbytes(MIB), rng.randbytes(MIB), [], b""
    info = {"bytesWritten": 0, "bufferSize": 0}
    with small_peer(sessions[0], **options) as peer:
        threads = [threading.Thread(target=peer.sendall, args=(there,)),
                   threading.Thread(target=lambda: heard.append(digest(peers.read_to_end(peer))))]
        for thread in threads:
            thread.start()
        for move_number in range(moves):
            giver, taker = sessions[move_number % 2], sessions[(move_number + 1) % 2]
            target = 2 * move_number + 1
            if flow:
                wait_for_window(giver, target, info)
            giver.notify("socket.write", target, back[move_number * MIB // moves:(move_number + 1) * MIB // moves])
            if rng.random() < 0.7 and len(got) < MIB:
                giver.expect_event("socket.data", target)
            token = offer(giver, target)
            got += told(giver, target)
            info = adopt(taker, token, target + 2, **options)
            assert info["bytesRead"] == len(got) and info["bytesWritten"] == (move_number + 1) * MIB // moves
            closed = giver.expect_event("socket.close", target)
            assert closed["bytesRead"] == len(got) and closed["transferred"] is True
        target += 2
        sessions[0].notify("socket.end", target)
        if len(got) < MIB:
            sessions[0].received(target, MIB - len(got))
        for thread in threads:
            thread.join()
    assert digest(got + told(sessions[0], target)) == digest(there)
    assert heard == [digest(back)]


def wait_for_window(session, target, info):
    """Until 128 KiB may be written; info: as it was when the session got the socket."""
    flushed = info["bytesWritten"] - info["bufferSize"]
    while info["bytesWritten"] - flushed > 1 << 17:
        flushed = session.expect_event("socket.flushed", target)


def digest(data):
    return hashlib.sha256(data).digest()


def test_windows_go_on_from_the_offsets_that_were_reached(two_loops):
    giver, taker = two_loops(features=["flow"]), two_loops(features=["flow"])
    data = bytes(range(256)) * 256
    with peers.connect(giver, readWindow=1000) as peer:
        sender = threading.Thread(target=peer.sendall, args=(data,))
        sender.start()
        assert giver.received(1, 1000) == data[:1000]
        giver.notify("socket.credit", 1, 2000)
        giver.received(1, 1000)
        info = move(giver, taker, unshift=data[1500:2000], readWindow=700)
        assert info["bytesRead"] == 1500
        assert taker.received(1, 700) == data[1500:2200]
        taker.request("session.ping", 0, {})
        assert len(told(taker)) == 700
        taker.notify("socket.credit", 1, len(data))
        assert taker.received(1, len(data) - 2200) == data[2200:]
        sender.join()


def test_what_was_written_before_counts_in_the_adopters_window(two_loops):
    giver, taker = two_loops(features=["flow"]), two_loops(features=["flow"])
    with small_peer(giver) as peer:
        giver.notify("socket.write", 1, bytes(MIB))
        info = move(giver, taker)
        assert info["bufferSize"] > 1 << 18
        assert taker.refused("socket.write", 1, b"x")["code"] == "ERR_NB_FLOW"
    third = two_loops(features=["flow"])
    with small_peer(giver, 3) as peer:
        giver.notify("socket.write", 3, bytes(MIB))
        written = move(giver, third, 3, 3)["bytesWritten"]
        peers.read_exactly(peer, MIB)
        while third.expect_event("socket.flushed", 3) < written:
            pass
        third.request("socket.write", 3, b"x")
        assert peers.read_exactly(peer, 1) == b"x"


def test_a_read_window_needs_flow(pair):
    giver, taker = pair
    with peers.connect(giver):
        token = offer(giver)
        error = taker.refused("socket.adopt", 1, {"token": token, "readWindow": 1})
        assert (error["code"], error["argument"]) == ("ERR_NB_NOT_NEGOTIATED", "readWindow")
        adopt(taker, token)


# ---- on offer ----

FROZEN = [("socket.write", b"x"), ("socket.end", b"x"), ("socket.pause", {}), ("socket.resume", {}), ("socket.setEncoding", {}),
          ("socket.setTimeout", {"timeout": 1}), ("socket.setNoDelay", {}), ("socket.offer", {}), ("socket.connect", {"port": 1})]


@pytest.mark.parametrize("method,body", FROZEN)
def test_what_is_on_offer_is_frozen(session, method, body):
    with peers.connect(session) as peer:
        offer(session)
        assert session.refused(method, 1, body)["code"] == "ERR_NB_OFFERED"
        session.notify(method, 1, body)
        error = session.expect_event("session.error")
        assert (error["code"], error["method"], error["target"]) == ("ERR_NB_OFFERED", method, 1)
        session.request("socket.destroy", 1)
        assert peer.recv(1) == b""


def test_what_can_be_asked_while_on_offer(session):
    with peers.connect(session) as peer:
        offer(session)
        assert session.request("socket.info", 1)["readyState"] == "open"
        assert session.request("socket.address", 1)["port"] == peer.getpeername()[1]
        session.request("socket.unref", 1)
        session.request("socket.ref", 1)


def test_a_credit_may_cross_the_offer(two_loops):
    session = two_loops(features=["flow"])
    with peers.connect(session, readWindow=1) as peer:
        offer(session, ttl=1)
        session.notify("socket.credit", 1, 5)
        peer.sendall(b"abcde")
        session.expect_event("socket.offerExpired", 1)
        session.request("socket.resume", 1)
        assert session.received(1, 5) == b"abcde"
        assert not session.events("session.error")


def test_nothing_is_read_while_on_offer(session):
    with peers.connect(session) as peer:
        token = offer(session)
        peer.sendall(b"x")
        session.request("session.ping", 0, {})
        assert not session.events("socket.data", 1)
        adopt(session, token, 3)
        assert session.received(3, 1) == b"x"


def test_what_is_queued_goes_out_while_on_offer(session):
    with small_peer(session) as peer:
        stuck = session.send("socket.write", 1, bytes(MIB))
        offer(session)
        peers.read_exactly(peer, MIB)
        assert session.result(stuck) == {"bytesWritten": MIB}


@pytest.mark.parametrize("method", ["socket.destroy", "socket.resetAndDestroy"])
def test_destroying_withdraws_the_offer(pair, method):
    giver, taker = pair
    with peers.connect(giver) as peer:
        token = offer(giver)
        giver.request(method, 1)
        assert "transferred" not in giver.expect_event("socket.close", 1)
        assert taker.refused("socket.adopt", 1, {"token": token})["code"] == "ERR_NB_TOKEN"
        peer.close()


def test_a_broken_connection_withdraws_the_offer(pair):
    giver, taker = pair
    with small_peer(giver) as peer:
        giver.notify("socket.write", 1, bytes(MIB))
        token = offer(giver)
        peers.reset(peer)
        assert giver.expect_event("socket.error", 1)["code"] in ("ECONNRESET", "EPIPE")
        assert giver.expect_event("socket.close", 1)["hadError"] is True
        assert taker.refused("socket.adopt", 1, {"token": token})["code"] == "ERR_NB_TOKEN"


def test_an_offer_expires(pair):
    giver, taker = pair
    with peers.connect(giver, timeout=100) as peer:
        peer.sendall(b"abc")
        assert giver.received(1, 3)
        token = offer(giver, ttl=1, unshift=b"abc")
        peer.sendall(b"def")
        assert giver.expect_event("socket.offerExpired", 1) == {}
        assert taker.refused("socket.adopt", 1, {"token": token})["code"] == "ERR_NB_TOKEN"
        info = giver.request("socket.info", 1)
        assert info["paused"] is True and info["bytesRead"] == 3 and told(giver) == b"abc"
        giver.request("socket.resume", 1)
        assert giver.received(1, 3) == b"def"
        giver.request("socket.write", 1, b"still mine")
        assert peers.read_exactly(peer, 10) == b"still mine"
        assert giver.expect_event("socket.timeout", 1) == {}
        assert adopt(taker, offer(giver))["bytesRead"] == 6


@pytest.mark.parametrize("ttl", [0, 31, 4294967295])
def test_how_long_it_may_hold(session, ttl):
    with peers.connect(session):
        error = session.refused("socket.offer", 1, {"ttl": ttl})
        assert (error["code"], error["argument"]) == ("ERR_OUT_OF_RANGE", "ttl")
        offer(session, ttl=30)


def test_the_limits_are_told(connect_session):
    limits = connect_session().request("session.hello", 0, {})["limits"]
    assert (limits["offerTtl"], limits["unflushedHigh"], limits["maxSessions"]) == (30, 2 * MIB, 1024)


def test_what_is_not_connected_cannot_be_offered(session):
    session.request("socket.create", 1, {"autoRelease": False})
    assert session.refused("socket.offer", 1)["code"] == "ERR_SOCKET_CLOSED"
    with peers.unanswering() as port:
        session.notify("socket.connect", 1, {"host": peers.LOOPBACK, "port": port})
        assert session.refused("socket.offer", 1)["code"] == "ERR_NB_BUSY"
        session.request("socket.destroy", 1)
        assert session.refused("socket.offer", 1)["code"] == "ERR_SOCKET_CLOSED"


# ---- tokens ----

@pytest.mark.parametrize("token", ["", "0" * 32, "0" * 31, "0" * 33, "x" * 60000, "\0" * 32])
def test_unknown_tokens(session, token):
    assert session.refused("socket.adopt", 1, {"token": token})["code"] == "ERR_NB_TOKEN"
    assert session.refused("socket.adopt", 0, {"token": token})["target"] % 2 == 0
    session.request("socket.create", 1, {})


def test_a_token_must_be_given(session):
    assert session.refused("socket.adopt", 1, {})["code"] == "ERR_INVALID_ARG_TYPE"
    assert session.refused("socket.adopt", 1, {"token": 5})["code"] == "ERR_INVALID_ARG_TYPE"


def test_tokens_are_128_random_bits(session):
    tokens = set()
    for target in range(1, 65, 2):
        with peers.connect(session, target):
            tokens.add(offer(session, target))
    assert len(tokens) == 32 and all(len(token) == 32 and int(token, 16) >= 0 for token in tokens)


def test_a_token_is_good_once(pair, two_loops):
    giver, taker = pair
    others = [two_loops() for _ in range(4)]
    with peers.connect(giver) as peer:
        token = offer(giver)
        asked = [(session, session.send("socket.adopt", 1, {"token": token})) for session in (taker, *others)]
        frames = [session.response(msgid) for session, msgid in asked]
        winners = [session for (session, _), frame in zip(asked, frames) if frame[2] is None]
        assert len(winners) == 1
        assert all(frame[2]["code"] == "ERR_NB_TOKEN" for frame in frames if frame[2])
        peer.sendall(b"x")
        assert winners[0].received(1, 1) == b"x"


def test_two_adopts_in_one_burst(session):
    with peers.connect(session):
        token = offer(session)
        first, second = (session.send("socket.adopt", target, {"token": token}) for target in (3, 5))
        assert session.result(first)["id"] == 3
        assert session.error(second)["code"] == "ERR_NB_TOKEN"


def test_adopting_what_one_has_offered_oneself(session):
    with peers.connect(session) as peer:
        token = offer(session)
        session.request("socket.adopt", 0, {"token": token})["id"] == 2
        assert session.expect_event("socket.close", 1)["transferred"] is True
        peer.sendall(b"x")
        assert session.received(2, 1) == b"x"


def test_the_broker_may_choose_the_id(pair):
    giver, taker = pair
    with peers.connect(giver):
        assert adopt(taker, offer(giver), 0)["id"] == 2


def test_commands_right_behind_adopt(pair):
    giver, taker = pair
    with peers.connect(giver) as peer:
        token = offer(giver)
        asked = taker.send("socket.adopt", 1, {"token": token})
        for word in (b"one ", b"two ", b"three"):
            taker.notify("socket.write", 1, word)
        ended = taker.send("socket.end", 1)
        assert taker.result(asked)["id"] == 1 and taker.result(ended) == {}
        assert peers.read_to_end(peer) == b"one two three"


def test_commands_right_behind_an_adopt_that_fails(session):
    asked = session.send("socket.adopt", 1, {"token": "0" * 32})
    written = session.send("socket.write", 1, b"x")
    assert session.error(asked)["code"] == "ERR_NB_TOKEN"
    assert session.error(written)["code"] == "ERR_NB_NO_SUCH_TARGET"


AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.path.insert(0, sys.argv[1])
from support.wire import Session
print(Session(sys.argv[2]).refused("socket.adopt", 1, {"token": sys.argv[3]})["code"])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_token_is_of_one_uid(start_broker, folder):
    folder.chmod(0o755)
    running = start_broker(folder / "uids.sock", *TWO, "--allow-uid", "65534")
    with Session(running.path) as session, peers.connect(session):
        token = offer(session)
        command = [sys.executable, "-c", AS_NOBODY, str(TESTS), str(running.path), token]
        assert subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=DEADLINE).stdout == "ERR_NB_TOKEN\n"
        adopt(session, token, 3)


# ---- whose sessions end ----

@pytest.mark.parametrize("how", ["close", "gone"])
def test_an_offer_outlives_its_session(pair, how):
    giver, taker = pair
    with small_peer(giver) as peer:
        peer.sendall(b"abc")
        assert giver.received(1, 3)
        giver.notify("socket.write", 1, bytes(MIB))
        token = offer(giver, unshift=b"abc")
        if how == "close":
            giver.request("session.close")
        giver.socket.close()
        taker.request("session.ping", 0, {})
        adopt(taker, token)
        assert taker.received(1, 3) == b"abc"
        taker.notify("socket.end", 1, b"end")
        assert peers.read_to_end(peer) == bytes(MIB) + b"end"


def test_an_offer_that_expires_behind_its_session_ends_as_sockets_do(pair):
    giver, _ = pair
    with peers.connect(giver) as peer:
        giver.request("socket.write", 1, b"last")
        offer(giver, ttl=1)
        giver.socket.close()
        assert peers.read_to_end(peer) == b"last"


def test_what_is_adopted_by_a_session_that_is_gone_ends_as_sockets_do(pair):
    giver, taker = pair
    with small_peer(giver) as peer:
        giver.notify("socket.write", 1, bytes(MIB))
        token = offer(giver)
        taker.notify("socket.adopt", 1, {"token": token})
        taker.socket.close()
        assert giver.expect_event("socket.close", 1)["transferred"] is True
        assert peers.read_to_end(peer) == bytes(MIB)


def test_session_close_answers_an_adopt(pair):
    giver, taker = pair
    with peers.connect(giver) as peer:
        asked = taker.send("socket.adopt", 1, {"token": offer(giver)})
        closed = taker.send("session.close")
        frame = taker.response(asked)
        assert frame[2] is None or frame[2]["code"] == "ERR_SOCKET_CLOSED"
        assert taker.result(closed) == {}
        assert peers.read_to_end(peer) == b""


def test_the_daemon_does_not_wait_for_offers(start_broker, folder):
    running = start_broker(folder / "ending.sock")
    with Session(running.path) as session, peers.connect(session) as peer:
        offer(session)
        session.socket.close()
        running.terminate()
        assert peers.read_to_end(peer) == b""
        running.wait(5)


def test_the_id_stays_with_auto_release_false(pair):
    giver, taker = pair
    with peers.connect(giver, autoRelease=False), peers.listener() as listener:
        move(giver, taker, autoRelease=False)
        for session in pair:
            session.request("socket.destroy", 1)
            session.request("socket.connect", 1, {"host": peers.LOOPBACK, "port": peers.port_of(listener)})
            peers.accept(listener).close()
            session.expect_event("socket.end", 1)
            assert "transferred" not in session.expect_event("socket.close", 1) or session is taker


# ---- servers ----

def test_a_server_counts_what_other_sessions_have(pair, two_loops):
    giver, taker = pair
    third = two_loops()
    address = peers.serve(giver, 1, maxConnections=1)
    peer, accepted = peers.accepted(giver, 1)
    with peer:
        move(giver, taker, accepted["socket"])
        move(taker, third)
        assert giver.request("server.getConnections", 1) == {"count": 1}
        with peers.dial(address["port"]):
            giver.expect_event("server.drop", 1)
        third.request("socket.destroy", 1)
        wait_until(lambda: giver.request("server.getConnections", 1) == {"count": 0}, "the connection's end")
        second, _ = peers.accepted(giver, 1)
        second.close()


def test_a_kept_id_does_not_count_for_the_server(pair):
    giver, taker = pair
    peers.serve(giver, 1)
    peer, accepted = peers.accepted(giver, 1)
    with peer:
        move(giver, taker, accepted["socket"], autoRelease=False)
        closed = giver.send("server.close", 1)
        taker.request("socket.destroy", 1)
        assert giver.result(closed) == {}
        assert taker.request("socket.info", 1)["destroyed"] is True


def test_a_paused_connection_moves_with_not_one_byte_read(pair):
    giver, taker = pair
    peers.serve(giver, 1, pauseOnConnect=True)
    peer, accepted = peers.accepted(giver, 1)
    with peer:
        peer.sendall(b"hello")
        info = move(giver, taker, accepted["socket"])
        assert info["paused"] is True and info["bytesRead"] == 0 and "server" not in info
        taker.request("session.ping", 0, {})
        assert not taker.events("socket.data", 1)
        taker.request("socket.resume", 1)
        assert taker.received(1, 5) == b"hello"


def test_a_server_whose_session_ends_leaves_what_was_adopted_alone(pair):
    giver, taker = pair
    peers.serve(giver, 1)
    peer, accepted = peers.accepted(giver, 1)
    with peer:
        move(giver, taker, accepted["socket"])
        giver.request("session.close")
        peer.sendall(b"x")
        assert taker.received(1, 1) == b"x"


# ---- limits ----

def test_the_adopter_has_as_many_sockets_as_it_may(limited):
    giver, taker = limited(maxSockets=1)
    with peers.connect(giver) as peer, peers.connect(taker):
        token = offer(giver)
        error = taker.refused("socket.adopt", 3, {"token": token})
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "maxSockets")
        taker.request("socket.destroy", 1)
        adopt(taker, token, 3)
        peer.sendall(b"x")
        assert taker.received(3, 1) == b"x"


def test_the_adopter_has_no_more_to_send_than_it_may(limited):
    giver, taker = limited(sessionWriteWindow=MIB + 1000)
    for session in (giver, taker):
        session.request("session.hello", 0, {"features": ["flow"]})
    with small_peer(giver, 1) as one, small_peer(giver, 3) as two:
        giver.notify("socket.write", 1, bytes(MIB))
        move(giver, taker, 1, 1)
        giver.notify("socket.write", 3, bytes(MIB))
        token = offer(giver, 3)
        error = taker.refused("socket.adopt", 3, {"token": token})
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "sessionWriteWindow")
        peers.read_exactly(one, MIB)
        wait_until(lambda: taker.request("session.info")["unflushed"] == 0, "everything sent")
        adopt(taker, token, 3)
        assert peers.read_exactly(two, MIB) == bytes(MIB)


def test_unread_bytes_are_bounded(limited):
    giver, taker = limited(outHigh=100_000, outLow=1000)
    data = bytes(60_000)
    with peers.connect(giver, 1) as one, peers.connect(giver, 3) as two, peers.connect(giver, 5) as three:
        for target, peer in ((1, one), (3, two), (5, three)):
            peer.sendall(data)
            giver.received(target, len(data))
            giver.request("socket.pause", target)
        first = offer(giver, 1, unshift=data)
        error = giver.refused("socket.offer", 3, {"unshift": data})
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "outHigh")
        adopt(taker, first, 1)
        second = offer(giver, 3, unshift=data)
        error = taker.refused("socket.adopt", 3, {"token": second})
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "outHigh")
        taker.request("socket.resume", 1)
        assert taker.received(1, len(data)) == data
        adopt(taker, second, 3)


def test_a_kilobyte_at_a_time(limited):
    giver, taker = limited(readChunk=1000)
    with peers.connect(giver) as peer:
        peer.sendall(bytes(range(250)) * 40)
        data = giver.received(1, 10_000)
        move(giver, taker, unshift=data)
        assert taker.received(1, 10_000) == data
        assert max(len(body[0]) for body in taker.events("socket.data", 1)) <= 1000


# ---- many at once ----

def test_many_move_at_once(pair):
    giver, taker = pair
    count = 200
    with peers.listener(backlog=count) as listener:
        connected = []
        for number in range(count):
            giver.request("net.createConnection", 2 * number + 1, {"host": peers.LOOPBACK, "port": peers.port_of(listener)})
            connected.append(peers.accept(listener))
        tokens = [giver.send("socket.offer", 2 * number + 1) for number in range(count)]
        tokens = [giver.result(msgid)["token"] for msgid in tokens]
        asked = [taker.send("socket.adopt", 2 * number + 1, {"token": token}) for number, token in enumerate(tokens)]
        for number, peer in enumerate(connected):
            peer.sendall(b"%d" % number)
        for number, msgid in enumerate(asked):
            assert taker.result(msgid)["id"] == 2 * number + 1
        for number, peer in enumerate(connected):
            assert taker.received(2 * number + 1, len(str(number))) == b"%d" % number
            peer.close()
