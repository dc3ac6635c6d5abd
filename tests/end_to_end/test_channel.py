"""Sockets whose bytes go through a Unix stream of their own: socket.channel, session.attach. docs/channel.md."""
import fcntl
import hashlib
import os
import random
import select
import socket
import subprocess
import sys
import threading

import msgpack
import pytest

from support import peers
from support.broker import sanitized, wait_until
from support.conformance import Tap
from support.wire import DEADLINE, Session, notification_frame, request_frame

MIB = 1 << 20
WAYS = ("attach", "fd")


class Channels:
    """A session with feature channel, and ways to the streams of its sockets."""

    def __init__(self, broker, *features):
        self.broker = broker
        self.session = Session(broker.path, inspect=Tap())
        self.session.request("session.hello", 0, {"features": ["channel", "fds", *features]})
        self.streams = [self.session.socket]

    def open(self, target=1, via="attach"):
        """The socket's stream, which is there."""
        stream = self.attach(self.token(target)) if via == "attach" else self.receive(target)
        self.streams.append(stream)
        return stream

    def token(self, target=1):
        return self.session.request("socket.channel", target)["token"]

    def attach(self, token, behind=b""):
        stream = self.knock(request_frame(1, "session.attach", 0, {"token": token}) + behind)
        assert answer_of(stream) == [1, 1, None, {}]
        return stream

    def knock(self, frame):
        """A further connection to the broker that says this first."""
        stream = socket.socket(socket.AF_UNIX)
        self.streams.append(stream)
        stream.settimeout(DEADLINE)
        stream.connect(str(self.broker.path))
        stream.sendall(frame)
        return stream

    def receive(self, target):
        """By a descriptor: nothing else may be on its way to the client."""
        self.session.socket.sendall(request_frame(10**6 + target, "socket.channel", target, {"via": "fd"}))
        data, fds, _, _ = socket.recv_fds(self.session.socket, 1 << 16, 4)
        frames = unpacked(data)
        assert len(fds) == 1 and frames[-1][:3] == [1, 10**6 + target, None]
        stream = socket.socket(fileno=fds[0])
        stream.settimeout(DEADLINE)
        return stream

    def close(self):
        for stream in self.streams:
            stream.close()


def unpacked(data):
    unpacker = msgpack.Unpacker(raw=False)
    unpacker.feed(data)
    return list(unpacker)


def answer_of(stream):
    """The first frame; not a byte more is read."""
    data = b""
    while not (frames := unpacked(data)):
        part = stream.recv(1)
        assert part, "the broker closed without an answer"
        data += part
    return frames[0]


@pytest.fixture
def channels(broker):
    opened = Channels(broker)
    yield opened
    opened.close()


@pytest.fixture(params=WAYS)
def joined(request, channels):
    """A session, the stream of its socket 1, and the peer."""
    peer = peers.connect(channels.session)
    yield channels.session, channels.open(1, request.param), peer
    peer.close()


@pytest.fixture
def two_loops(start_broker, folder):
    running, opened = start_broker(folder / "two.sock", "--workers", "2"), []

    def start(*features):
        opened.append(Channels(running, *features))
        return opened[-1]

    start.broker = running
    yield start
    for one in opened:
        one.close()


def digest(data):
    return hashlib.sha256(data).digest()


def sending(sock, data, then=None):
    """A thread that sends all of it, and then ends the direction if asked to."""
    def run():
        sock.sendall(data)
        if then is not None:
            sock.shutdown(then)
    thread = threading.Thread(target=run)
    thread.start()
    return thread


# ---- bytes ----

def test_bytes_go_both_ways_and_no_frame_carries_them(joined):
    session, stream, peer = joined
    stream.sendall(b"question")
    assert peers.read_exactly(peer, 8) == b"question"
    peer.sendall(b"answer")
    assert peers.read_exactly(stream, 6) == b"answer"
    info = session.request("socket.info", 1)
    assert (info["bytesRead"], info["bytesWritten"], info["readyState"]) == (6, 8, "open")
    assert not session.events("socket.data", 1) and not session.events("socket.drain", 1)


@pytest.mark.parametrize("via", WAYS)
def test_what_comes_before_the_channel_is_there_comes_first(channels, via):
    session = channels.session
    with peers.connect(session, encoding="utf8") as peer:
        peer.sendall("seen €".encode()[:-1])
        assert session.expect_event("socket.data", 1) == "seen "
        session.request("socket.write", 1, b"by frame, ")
        if via == "attach":
            token = channels.token()
            peer.sendall("€".encode()[-1:] + b" later")
            session.request("session.ping")
            stream = channels.attach(token)
        else:
            stream = channels.open(1, via)
            peer.sendall("€".encode()[-1:] + b" later")
        assert peers.read_exactly(stream, 9) == "€ later".encode()
        stream.sendall(b"by channel")
        assert peers.read_exactly(peer, 20) == b"by frame, by channel"
        assert session.request("socket.info", 1)["bytesRead"] == len("seen € later".encode())


def test_the_answer_is_a_fence(channels):
    session, data = channels.session, random.Random(1).randbytes(8 * MIB)
    with peers.connect(session) as peer:
        sender = sending(peer, data)
        session.expect_event("socket.data", 1)
        token = channels.token()
        before = b"".join(body[0] for body in session.events("socket.data", 1))
        stream = channels.attach(token)
        assert before + peers.read_exactly(stream, len(data) - len(before)) == data
        assert b"".join(body[0] for body in session.events("socket.data", 1)) == before
        sender.join()


@pytest.mark.parametrize("via", WAYS)
def test_writes_that_wait_go_first_and_are_answered(channels, via):
    session, data = channels.session, random.Random(2).randbytes(MIB)
    with peers.listener() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        session.request("net.createConnection", 1, {"host": peers.LOOPBACK, "port": peers.port_of(listener),
                                                    "socketOptions": {"sendBufferSize": 16384}})
        with peers.accept(listener) as peer:
            written = session.send("socket.write", 1, data)
            stream = channels.open(1, via)
            stream.sendall(b"behind")
            stream.shutdown(socket.SHUT_WR)
            assert peers.read_to_end(peer) == data + b"behind"
            assert session.result(written)["bytesWritten"] >= len(data)


def test_bytes_right_behind_the_frame_are_the_first(channels):
    with peers.connect(channels.session) as peer:
        stream = channels.attach(channels.token(), b"early " * 1000)
        stream.sendall(b"late")
        assert peers.read_exactly(peer, 6004) == b"early " * 1000 + b"late"


def test_the_frame_may_come_byte_by_byte(channels):
    with peers.connect(channels.session) as peer:
        frame = request_frame(1, "session.attach", 0, {"token": channels.token()})
        stream = channels.knock(frame[:1])
        for at in range(1, len(frame)):
            stream.sendall(frame[at:at + 1])
        assert answer_of(stream) == [1, 1, None, {}]
        peer.sendall(b"x")
        assert stream.recv(10) == b"x"


def test_attaching_without_an_answer(channels):
    with peers.connect(channels.session) as peer:
        stream = channels.knock(notification_frame("session.attach", 0, {"token": channels.token()}))
        peer.sendall(b"raw")
        assert peers.read_exactly(stream, 3) == b"raw"


@pytest.mark.parametrize("via", WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_a_mebibyte_each_way_at_once(two_loops, via, seed):
    rng = random.Random(seed)
    there, back = rng.randbytes(MIB), rng.randbytes(MIB)
    channels = two_loops()
    with peers.connect(channels.session) as peer:
        for sock, data in ((channels.open(1, via), there), (peer, back)):
            sending(sock, data, socket.SHUT_WR)
        heard = []
        listening = threading.Thread(target=lambda: heard.append(peers.read_to_end(peer)))
        listening.start()
        got = b""
        while part := channels.streams[-1].recv(rng.randrange(1, 1 << 17)):
            got += part
        listening.join()
        assert digest(got) == digest(back) and digest(heard[0]) == digest(there)
        assert channels.session.expect_event("socket.end", 1) == {}
        assert channels.session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": MIB, "bytesWritten": MIB}


def test_a_unix_socket(channels, folder):
    with peers.connect_unix(channels.session, folder / "peer") as peer:
        stream = channels.open()
        stream.sendall(b"ping")
        assert peer.recv(10) == b"ping"
        peer.close()
        assert stream.recv(1) == b""
        stream.close()
        assert channels.session.expect_event("socket.close", 1)["hadError"] is False


def test_an_adopted_socket_and_what_was_given_back(channels, connect_session):
    giver = connect_session()
    with peers.connect(giver) as peer:
        peer.sendall(b"abcdef")
        assert giver.received(1, 6)
        giver.request("socket.pause", 1)
        token = giver.request("socket.offer", 1, {"unshift": b"def"})["token"]
        assert channels.session.request("socket.adopt", 1, {"token": token})["bytesRead"] == 3
        stream = channels.open()
        peer.sendall(b"ghi")
        assert peers.read_exactly(stream, 6) == b"defghi"
        assert channels.session.request("socket.info", 1)["bytesRead"] == 9


def test_with_flow_what_was_written_counts_no_more(broker):
    channels = Channels(broker, "flow")
    session = channels.session
    with peers.listener() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        for target in (1, 3):
            session.request("net.createConnection", target, {"host": peers.LOOPBACK, "port": peers.port_of(listener),
                                                             "socketOptions": {"sendBufferSize": 16384}})
        with peers.accept(listener) as one, peers.accept(listener):
            session.notify("socket.write", 1, bytes(MIB))
            stream = channels.open(1)
            session.notify("socket.credit", 1, 1 << 30)
            stream.shutdown(socket.SHUT_WR)
            assert len(peers.read_to_end(one)) == MIB
            session.request("session.ping")
            flushed = session.events("socket.flushed", 1)
            one.close()
            session.expect_event("socket.close", 1)
            assert session.events("socket.flushed", 1) == flushed and not session.events("session.error")
    channels.close()


# ---- ends ----

def test_the_clients_end_is_a_fin(joined):
    session, stream, peer = joined
    stream.sendall(b"all")
    stream.shutdown(socket.SHUT_WR)
    assert peers.read_to_end(peer) == b"all"
    assert session.request("socket.info", 1)["readyState"] == "readOnly"
    peer.sendall(b"still")
    assert peers.read_exactly(stream, 5) == b"still"
    peer.close()
    assert stream.recv(1) == b""
    assert session.expect_event("socket.end", 1) == {}
    assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 5, "bytesWritten": 3}


@pytest.mark.parametrize("unread", [b"", b"reply"], ids=["all read", "some unread"])
def test_a_close_after_the_end_is_noticed(joined, unread):
    session, stream, peer = joined
    stream.sendall(b"all")
    stream.shutdown(socket.SHUT_WR)
    assert peers.read_to_end(peer) == b"all"
    peer.sendall(unread)
    assert not unread or stream.recv(10, socket.MSG_PEEK) == unread
    stream.close()
    assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": len(unread), "bytesWritten": 3}
    assert not session.events("socket.end", 1)


def test_a_close_of_a_channel_that_never_could_write(channels):
    session = channels.session
    with peers.connect(session) as peer:
        session.request("socket.end", 1, b"all")
        stream = channels.open()
        assert peers.read_to_end(peer) == b"all"
        stream.close()
        assert session.expect_event("socket.close", 1)["hadError"] is False


def test_urgent_data_is_no_close(channels):
    session = channels.session
    with peers.connect(session) as peer:
        stream = channels.open()
        try:
            stream.send(b"!", socket.MSG_OOB)
        except OSError:
            pytest.skip("this kernel has no urgent data for Unix sockets")
        stream.shutdown(socket.SHUT_WR)
        assert peers.read_to_end(peer) == b""
        peer.sendall(b"reply")
        assert peers.read_exactly(stream, 5) == b"reply"
        stream.close()
        assert session.expect_event("socket.close", 1)["hadError"] is False


def test_the_peers_end_leaves_the_other_direction_open(joined):
    session, stream, peer = joined
    peer.sendall(b"all")
    peer.shutdown(socket.SHUT_WR)
    assert peers.read_to_end(stream) == b"all"
    assert session.expect_event("socket.end", 1) == {}
    stream.sendall(b"more")
    assert peers.read_exactly(peer, 4) == b"more"
    stream.close()
    assert peer.recv(1) == b""
    assert session.expect_event("socket.close", 1)["hadError"] is False


def test_an_end_from_before(channels):
    session = channels.session
    with peers.connect(session, allowHalfOpen=True) as peer:
        peer.sendall(b"all")
        peer.shutdown(socket.SHUT_WR)
        assert session.expect_event("socket.end", 1) == {}
        stream = channels.open()
        assert stream.recv(1) == b""
        stream.sendall(b"late")
        stream.shutdown(socket.SHUT_WR)
        assert peers.read_to_end(peer) == b"late"
        assert session.expect_event("socket.close", 1)["hadError"] is False
        assert len(session.events("socket.end", 1)) == 1


def test_the_client_has_ended_before(channels):
    session = channels.session
    with peers.connect(session) as peer:
        session.request("socket.end", 1, b"all")
        stream = channels.open()
        peer.sendall(b"reply")
        assert peers.read_exactly(stream, 5) == b"reply"
        with pytest.raises(BrokenPipeError):
            stream.sendall(b"no more")
        assert peers.read_to_end(peer) == b"all"
        peer.close()
        assert stream.recv(1) == b""
        assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 5, "bytesWritten": 3}


def test_closing_the_channel_closes_the_socket(joined):
    session, stream, peer = joined
    stream.sendall(b"last")
    stream.close()
    assert peers.read_to_end(peer) == b"last"
    assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 0, "bytesWritten": 4}


def test_closing_the_channel_with_much_on_its_way(joined):
    session, stream, peer = joined
    data = random.Random(3).randbytes(MIB)
    sender = sending(stream, data)
    head = peers.read_exactly(peer, 1000)
    sender_done = threading.Thread(target=lambda: (sender.join(), stream.close()))
    sender_done.start()
    assert digest(head + peers.read_to_end(peer)) == digest(data)
    sender_done.join()
    assert session.expect_event("socket.close", 1)["bytesWritten"] == MIB


def test_a_reader_that_goes_while_the_peer_sends(joined):
    session, stream, peer = joined
    stream.sendall(b"mine")
    sender = threading.Thread(target=send_until_broken, args=(peer,))
    sender.start()
    assert stream.recv(1000)
    stream.close()
    assert session.expect_event("socket.close", 1)["hadError"] is False
    sender.join()


def send_until_broken(sock):
    try:
        while True:
            sock.sendall(bytes(65536))
    except OSError:
        pass


def test_a_reset_is_told_behind_the_bytes(joined):
    session, stream, peer = joined
    peer.sendall(b"before")
    wait_until(lambda: session.request("socket.info", 1)["bytesRead"] == 6, "the bytes")
    peers.reset(peer)
    assert session.expect_event("socket.error", 1)["code"] == "ECONNRESET"
    assert session.expect_event("socket.close", 1)["hadError"] is True
    assert peers.read_to_end(stream) == b"before"


def test_a_reset_waits_for_a_client_that_reads_late(joined):
    session, stream, peer = joined
    peer.setblocking(False)
    wait_until(lambda: is_stuck(peer), "a full channel")
    read = session.request("socket.info", 1)["bytesRead"]
    stream.setblocking(True)
    peer.setblocking(True)
    peers.reset(peer)
    stream.sendall(b"to nobody")
    data = peers.read_to_end(stream)
    assert len(data) >= read
    assert session.expect_event("socket.error", 1)["code"] == "ECONNRESET"
    assert session.expect_event("socket.close", 1)["hadError"] is True


def is_stuck(sock):
    try:
        while sock.send(bytes(65536)):
            pass
    except BlockingIOError:
        return not wait_for_room(sock)


def wait_for_room(sock):
    return select.select([], [sock], [], 0.2)[1]


def test_destroying_the_socket_ends_the_channel(joined):
    session, stream, peer = joined
    session.request("socket.destroy", 1)
    assert stream.recv(1) == b"" and peer.recv(1) == b""
    assert session.events("socket.close", 1) == [[{"hadError": False, "bytesRead": 0, "bytesWritten": 0}]]


def test_resetting_the_socket_ends_the_channel(joined):
    session, stream, peer = joined
    session.request("socket.resetAndDestroy", 1)
    assert stream.recv(1) == b""
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


@pytest.mark.parametrize("how", ["close", "gone"])
def test_the_sessions_end_is_the_channels(joined, how):
    session, stream, peer = joined
    stream.sendall(b"last words")
    if how == "close":
        session.request("session.close")
    session.socket.close()
    assert peers.read_to_end(peer) == b"last words"
    assert stream.recv(1) == b""


def test_the_sessions_end_while_nobody_has_attached(channels):
    with peers.connect(channels.session) as peer:
        token = channels.token()
        channels.session.request("session.close")
        assert peer.recv(1) == b""
        stream = channels.knock(request_frame(1, "session.attach", 0, {"token": token}))
        assert answer_of(stream)[2]["code"] == "ERR_NB_TOKEN"


def test_a_new_life_is_one_of_frames(channels):
    session = channels.session
    with peers.connect(session, autoRelease=False):
        channels.open().close()
        session.expect_event("socket.close", 1)
    with peers.listener() as listener:
        session.request("socket.connect", 1, {"host": peers.LOOPBACK, "port": peers.port_of(listener)})
        with peers.accept(listener) as peer:
            session.request("socket.write", 1, b"frame")
            assert peer.recv(10) == b"frame"
            peer.sendall(b"data")
            assert session.received(1, 4) == b"data"


def test_a_timeout(joined):
    session, stream, peer = joined
    session.request("socket.setTimeout", 1, {"timeout": 50})
    assert session.expect_event("socket.timeout", 1) == {}
    stream.sendall(b"x")
    assert peer.recv(1) == b"x"
    assert session.expect_event("socket.timeout", 1) == {}


# ---- bounds ----

@pytest.mark.parametrize("via", WAYS)
def test_nothing_piles_up_in_the_broker(start_broker, folder, via):
    running = start_broker(folder / "bounds.sock")
    channels = Channels(running)
    with peers.connect(channels.session) as peer:
        stream = channels.open(1, via)
        before = running.rss()
        for sock in (peer, stream):
            sock.setblocking(False)
            wait_until(lambda: is_stuck(sock), "both directions full")
        if not sanitized():
            assert running.rss() - before < 4 * MIB
        info = channels.session.request("socket.info", 1)
        assert info["bufferSize"] <= 256 * 1024
        assert channels.session.request("session.info")["unflushed"] == 0
        assert channels.session.request("session.ping", 0, {"a": 1}) == {"a": 1}
        running.assert_at_rest()
    channels.close()


def test_a_stuck_channel_holds_nobody_else_up(channels):
    session = channels.session
    with peers.connect(session) as stuck, peers.connect(session, 3) as peer:
        channels.open(1)
        stuck.setblocking(False)
        wait_until(lambda: is_stuck(stuck), "a full channel")
        other = channels.open(3)
        other.sendall(b"x")
        assert peer.recv(1) == b"x"


# ---- asking for one ----

def test_the_feature_must_be_granted(session):
    with peers.connect(session):
        assert session.refused("socket.channel", 1)["code"] == "ERR_NB_NOT_NEGOTIATED"


def test_a_descriptor_needs_its_feature(connect_session):
    session = connect_session()
    assert session.request("session.hello", 0, {"features": ["channel"]})["features"] == ["channel"]
    with peers.connect(session):
        error = session.refused("socket.channel", 1, {"via": "fd"})
        assert (error["code"], error["argument"]) == ("ERR_NB_NOT_NEGOTIATED", "via")


def test_other_ways(channels):
    with peers.connect(channels.session):
        error = channels.session.refused("socket.channel", 1, {"via": "pigeon"})
        assert (error["code"], error["argument"]) == ("ERR_INVALID_ARG_VALUE", "via")
        channels.session.notify("socket.channel", 1)
        assert channels.session.expect_event("session.error")["code"] == "ERR_INVALID_ARG_VALUE"
        channels.open()


def test_what_is_not_connected_has_none(channels):
    session = channels.session
    session.request("socket.create", 1)
    assert session.refused("socket.channel", 1)["code"] == "ERR_SOCKET_CLOSED"
    with peers.unanswering() as port:
        session.notify("socket.connect", 1, {"host": peers.LOOPBACK, "port": port})
        assert session.refused("socket.channel", 1)["code"] == "ERR_NB_BUSY"
        session.request("socket.destroy", 1)


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("method,body", [("socket.write", b"x"), ("socket.end", b"x"), ("socket.pause", {}), ("socket.resume", {}),
                                         ("socket.setEncoding", {}), ("socket.offer", {}), ("socket.channel", {})])
def test_frames_and_a_channel_do_not_mix(channels, attached, method, body):
    with peers.connect(channels.session) as peer:
        token = channels.token()
        stream = channels.attach(token) if attached else None
        assert channels.session.refused(method, 1, body)["code"] == "ERR_NB_BUSY"
        stream = stream or channels.attach(token)
        stream.sendall(b"y")
        assert peer.recv(10) == b"y"


def test_what_else_can_be_done(joined):
    session, stream, peer = joined
    for method, body in (("socket.setNoDelay", {}), ("socket.setKeepAlive", {"enable": True}), ("socket.unref", {}), ("socket.ref", {}),
                         ("socket.setOptions", {"noDelay": True}), ("socket.getOptions", {})):
        session.request(method, 1, body)
    assert session.request("socket.address", 1)["port"] == peer.getpeername()[1]
    stream.sendall(b"x")
    assert peer.recv(1) == b"x"


# ---- tokens ----

@pytest.mark.parametrize("token", ["", "0" * 32, "x" * 60000])
def test_a_wrong_token_ends_the_connection(channels, token):
    stream = channels.knock(request_frame(1, "session.attach", 0, {"token": token}) + b"raw bytes")
    assert answer_of(stream)[2]["code"] == "ERR_NB_TOKEN"
    assert stream.recv(1) == b""


def test_no_token(channels):
    stream = channels.knock(request_frame(1, "session.attach", 0, {}))
    assert answer_of(stream)[2]["code"] == "ERR_INVALID_ARG_TYPE"
    assert stream.recv(1) == b""


def test_a_token_is_good_once(channels):
    with peers.connect(channels.session) as peer:
        token = channels.token()
        channels.attach(token)
        stream = channels.knock(request_frame(1, "session.attach", 0, {"token": token}))
        assert answer_of(stream)[2]["code"] == "ERR_NB_TOKEN"
        peer.close()


def test_many_attach_at_once(two_loops):
    channels = two_loops()
    with peers.connect(channels.session) as peer:
        frame = request_frame(1, "session.attach", 0, {"token": channels.token()})
        streams = [channels.knock(frame) for _ in range(8)]
        answers = [answer_of(stream) for stream in streams]
        winners = [stream for stream, answer in zip(streams, answers) if answer[2] is None]
        assert len(winners) == 1 and all(answer[2]["code"] == "ERR_NB_TOKEN" for answer in answers if answer[2])
        winners[0].sendall(b"x")
        assert peer.recv(1) == b"x"


def test_a_token_dies_with_its_socket(channels):
    with peers.connect(channels.session):
        token = channels.token()
        channels.session.request("socket.destroy", 1)
        stream = channels.knock(request_frame(1, "session.attach", 0, {"token": token}))
        assert answer_of(stream)[2]["code"] == "ERR_NB_TOKEN"


def test_tokens_of_the_two_kinds_are_not_alike(channels):
    session = channels.session
    with peers.connect(session, 1), peers.connect(session, 3):
        offered, channel = session.request("socket.offer", 1)["token"], channels.token(3)
        stream = channels.knock(request_frame(1, "session.attach", 0, {"token": offered}))
        assert answer_of(stream)[2]["code"] == "ERR_NB_TOKEN"
        assert session.refused("socket.adopt", 5, {"token": channel})["code"] == "ERR_NB_TOKEN"
        session.request("socket.destroy", 1)
        channels.attach(channel)


def test_attaching_is_the_first_frame(channels):
    with peers.connect(channels.session):
        token = channels.token()
        error = channels.session.refused("session.attach", 0, {"token": token})
        assert error["code"] == "ERR_INVALID_ARG_VALUE"
        assert channels.session.request("session.ping", 0, {}) == {}
        channels.attach(token)


def test_a_wrong_target(channels):
    stream = channels.knock(request_frame(1, "session.attach", 5, {"token": "0" * 32}))
    assert answer_of(stream)[2]["code"] == "ERR_NB_WRONG_TARGET"
    stream.sendall(request_frame(2, "session.ping"))
    assert answer_of(stream) == [1, 2, None, {}]


AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.path.insert(0, sys.argv[1])
from support.wire import Session
print(Session(sys.argv[2]).refused("session.attach", 0, {"token": sys.argv[3]})["code"])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_token_is_of_one_uid(start_broker, folder):
    folder.chmod(0o755)
    running = start_broker(folder / "uids.sock", "--allow-uid", "65534")
    channels = Channels(running)
    with peers.connect(channels.session):
        token = channels.token()
        tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        command = [sys.executable, "-c", AS_NOBODY, tests, str(running.path), token]
        assert subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=DEADLINE).stdout == "ERR_NB_TOKEN\n"
        channels.attach(token)
    channels.close()


# ---- descriptors ----

def test_descriptors_are_counted_and_do_not_block(channels):
    session = channels.session
    for number, target in enumerate((1, 3, 5)):
        with peers.connect(session, target) as peer:
            session.socket.sendall(request_frame(1000 + number, "socket.channel", target, {"via": "fd"}))
            data, fds, _, _ = socket.recv_fds(session.socket, 1 << 16, 4)
            assert unpacked(data)[-1] == [1, 1000 + number, None, {"fd": number}] and len(fds) == 1
            assert fcntl.fcntl(fds[0], fcntl.F_GETFL) & os.O_NONBLOCK
            os.write(fds[0], b"x")
            assert peer.recv(1) == b"x"
            os.close(fds[0])
            session.expect_event("socket.close", target)


def test_each_descriptor_comes_with_its_own_frame(channels):
    """However many are in one burst, and whatever stands between them."""
    session, count = channels.session, 20
    with peers.listener() as listener:
        for number in range(count):
            session.request("net.createConnection", 2 * number + 1, {"host": peers.LOOPBACK, "port": peers.port_of(listener)})
        connected = [peers.accept(listener) for _ in range(count)]
        burst = b"".join(request_frame(10**6 + number, "socket.channel", 2 * number + 1, {"via": "fd"}) +
                         request_frame(2 * 10**6 + number, "session.ping", 0, {"padding": "x" * 1000}) for number in range(count))
        session.socket.sendall(burst)
        fds, data, answers = [], b"", {}
        unpacker = msgpack.Unpacker(raw=False)
        while len(answers) < count or len(fds) < count:
            data, more, flags, _ = socket.recv_fds(session.socket, 1 << 16, 253)
            assert data and not flags & socket.MSG_CTRUNC
            fds += more
            unpacker.feed(data)
            for frame in unpacker:
                if frame[0] == 1 and 10**6 <= frame[1] < 2 * 10**6:
                    assert frame[3]["fd"] < len(fds), "the frame came before its descriptor"
                    answers[frame[1] - 10**6] = frame[3]["fd"]
        streams = [socket.socket(fileno=fd) for fd in fds]
        for number, peer in enumerate(connected):
            peer.sendall(b"%d" % number)
            stream = streams[answers[number]]
            stream.settimeout(DEADLINE)
            assert stream.recv(10) == b"%d" % number
            stream.close()
            peer.close()


def test_the_daemon_ends_with_channels_open(start_broker, folder):
    running = start_broker(folder / "ending.sock")
    channels = Channels(running)
    with peers.connect(channels.session) as peer:
        stream = channels.open()
        channels.session.socket.close()
        running.terminate()
        assert stream.recv(1) == b"" and peer.recv(1) == b""
        running.wait()
    channels.close()


def test_many_channels(two_loops):
    channels, count = two_loops(), 100
    session = channels.session
    with peers.listener(backlog=count) as listener:
        pairs = []
        for number in range(count):
            target = 2 * number + 1
            session.request("net.createConnection", target, {"host": peers.LOOPBACK, "port": peers.port_of(listener)})
            pairs.append((target, peers.accept(listener)))
        streams = [channels.attach(channels.token(target)) for target, _ in pairs]
        for (target, peer), stream in zip(pairs, streams):
            stream.sendall(b"%d" % target)
            assert peers.read_exactly(peer, len(str(target))) == b"%d" % target
            stream.close()
            peer.close()
        for target, _ in pairs:
            assert session.expect_event("socket.close", target)["hadError"] is False
