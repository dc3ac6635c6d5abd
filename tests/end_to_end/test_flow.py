"""Feature flow: windows by absolute offsets, both ways. protocol.md 7."""
import base64
import os
import threading
import time

import pytest

from support import peers
from support.broker import wait_until
from support.wire import Session, notification_frame

READ_WINDOW = WRITE_WINDOW = 256 << 10
SESSION_WRITE_WINDOW = 16 << 20
MAX_WRITE = 1 << 20
NAMES = ("utf8", "utf16le", "hex", "base64", "latin1")


@pytest.fixture
def flow(connect_session):
    session = connect_session()
    agree(session)
    return session


@pytest.fixture
def limited(start_broker):
    """Opens a session with flow to a daemon with these limits."""
    sessions = []

    def open_session(**limits):
        flags = [word for name, value in limits.items() for word in ("--limit", f"{name}={value}")]
        sessions.append(Session(start_broker(None, *flags).path))
        granted = agree(sessions[-1])["limits"]
        assert {name: granted[name] for name in limits} == limits
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.socket.close()


def agree(session):
    welcome = session.request("session.hello", 0, {"features": ["flow", "telepathy"]})
    assert welcome["features"] == ["flow"]
    return welcome


def flushed(session, target=1):
    """The offset of the last socket.flushed so far."""
    return max((offset for [offset] in session.events("socket.flushed", target)), default=0)


def expect_flushed(session, offset, target=1):
    while session.expect_event("socket.flushed", target) < offset:
        pass
    assert flushed(session, target) == offset


def await_unread(peer, least):
    """The broker has left at least that much of what the peer sent in the kernel."""
    local, remote = peer.getpeername()[1], peer.getsockname()[1]
    wait_until(lambda: (peers.unread_bytes(local, remote) or 0) >= least, f"{least} unread bytes")


def data_so_far(session, target=1):
    """After everything that is on its way: a ping has gone round, twice, as data may come behind the first answer."""
    for _ in range(2):
        session.request("session.ping", 0, {})
    return b"".join(body for [body] in session.events("socket.data", target))


def offer(peer, data):
    """Sends from a thread, as the kernel may not take all of it before it is read."""
    thread = threading.Thread(target=peer.sendall, args=(data,))
    thread.start()
    return thread


def assert_destroyed_for_flow(session, target, limit):
    error = session.expect_event("socket.error", target)
    assert (error["code"], error["limit"]) == ("ERR_NB_FLOW", limit)
    assert session.expect_event("socket.close", target)["hadError"] is True


# ---- agreeing ----

def test_the_windows_are_told(connect_session):
    limits = agree(connect_session())["limits"]
    assert limits["readWindow"] == READ_WINDOW and limits["writeWindow"] == WRITE_WINDOW
    assert limits["sessionWriteWindow"] == SESSION_WRITE_WINDOW


def test_hello_counts_for_what_is_sent_in_one_go_with_it(connect_session):
    session = connect_session()
    with peers.listener() as listener:
        hello = session.send("session.hello", 0, {"features": ["flow"]})
        session.notify("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK, "readWindow": 3})
        session.notify("socket.write", 1, b"hello")
        assert session.result(hello)["features"] == ["flow"]
        with peers.accept(listener) as peer:
            assert peers.read_exactly(peer, 5) == b"hello"
            expect_flushed(session, 5)
            peer.sendall(b"12345")
            assert session.received(1, 3) == b"123"


def test_without_the_feature_there_is_none_of_it(session):
    with peers.connect(session) as peer:
        error = session.refused("socket.credit", 1, 1000)
        assert error["code"] == "ERR_NB_NOT_NEGOTIATED"
        session.notify("socket.credit", 1, 1000)
        error = session.expect_event("session.error")
        assert (error["code"], error["method"], error["target"]) == ("ERR_NB_NOT_NEGOTIATED", "socket.credit", 1)
        session.request("socket.write", 1, bytes(1000))
        peer.sendall(bytes(600000))
        session.received(1, 600000)
        assert session.events("socket.flushed", 1) == []
    for method in ("socket.create", "server.create", "net.createConnection"):
        error = session.refused(method, 3, {"readWindow": 5, **({"port": 1} if method.startswith("net") else {})})
        assert (error["code"], error["argument"]) == ("ERR_NB_NOT_NEGOTIATED", "readWindow")


def test_a_session_that_polls_has_windows_too(connect_session):
    session = connect_session()
    session.request("session.hello", 0, {"features": ["flow"], "events": "poll"})
    with peers.connect(session, readWindow=4) as peer:
        session.request("socket.write", 1, b"abc")
        peer.sendall(b"12345678")
        seen = []
        while not any(name == "socket.data" for name, _ in seen):
            seen += session.request("session.poll", 0, {"wait": 5000})
        assert ["socket.flushed", [1, 3]] in seen and ["socket.data", [1, b"1234"]] in seen


# ---- client to broker ----

def test_flushed_tells_of_each_queue_that_empties(flow):
    with peers.connect(flow) as peer:
        flow.request("socket.write", 1, b"12345")
        flow.request("socket.write", 1, b"678")
        assert flow.events("socket.flushed", 1) == [[5], [8]]
        assert flow.story(1)[-1] == "flushed"
        assert peers.read_exactly(peer, 8) == b"12345678"
        flow.request("socket.write", 1, b"")
        assert flow.events("socket.flushed", 1) == [[5], [8]]


def test_flushed_precedes_the_answer_and_the_drain(flow):
    with peers.connect(flow, highWaterMark=1):
        write = flow.send("socket.write", 1, b"12345")
        flow.result(write)
        assert flow.story(1, write=write)[-3:] == ["flushed", "drain", "=write"]


def test_flushed_comes_once_for_what_is_sent_together(flow):
    with peers.connect(flow) as peer:
        flow.send_bytes(notification_frame("socket.write", 1, b"x" * 10) * 300)
        expect_flushed(flow, 3000)
        assert len(peers.read_exactly(peer, 3000)) == 3000
        assert len(flow.events("socket.flushed", 1)) < 20


def test_flushed_tells_of_each_quarter(flow):
    """A peer that reads slowly: between two events lies at least a quarter of the window, but for the last."""
    size = 8 << 20
    with peers.connect(flow) as peer:
        writer = Windowed(flow, 1)
        reader = threading.Thread(target=lambda: [peers.read_exactly(peer, 10000) for _ in range(size // 10000)])
        reader.start()
        writer.write(bytes(size))
        expect_flushed(flow, size)
        reader.join()
        offsets = [0] + [offset for [offset] in flow.events("socket.flushed", 1)]
    assert offsets == sorted(set(offsets))
    unemptied = [later - offset for offset, later in zip(offsets, offsets[1:]) if later % writer.PIECE]
    assert all(step >= WRITE_WINDOW // 4 for step in unemptied)


class Windowed:
    """Writes as the protocol asks: what does not fit into the window waits here."""
    PIECE = 32 << 10

    def __init__(self, session, target):
        self.session, self.target, self.sent, self.told = session, target, 0, 0

    def write(self, data):
        for start in range(0, len(data), self.PIECE):
            piece = data[start:start + self.PIECE]
            while self.sent + len(piece) - self.told > WRITE_WINDOW:
                self.told = self.session.expect_event("socket.flushed", self.target)
            self.session.notify("socket.write", self.target, piece)
            self.sent += len(piece)


def test_a_client_that_keeps_its_window_gets_everything_through(flow):
    data = os.urandom(6 << 20)
    with peers.connect(flow) as peer:
        received = []
        reader = threading.Thread(target=lambda: received.append(peers.read_exactly(peer, len(data))))
        reader.start()
        Windowed(flow, 1).write(data)
        reader.join()
        assert received == [data]


def test_more_than_the_window_destroys_that_socket_only(flow):
    with peers.connect(flow), peers.connect(flow, 3) as other:
        flow.request("socket.pause", 3)
        fill_window(flow, 1)
        write = flow.send("socket.write", 1, b"x")
        assert flow.error(write)["code"] == "ERR_NB_FLOW"
        assert flow.story(1, write=write)[-3:] == ["error", "close", "!write"]
        assert_destroyed_for_flow(flow, 1, "writeWindow")
        flow.request("socket.write", 3, b"lives")
        assert peers.read_exactly(other, 5) == b"lives"
        assert flow.request("session.info")["sockets"] == 1


def fill_window(session, target):
    """A peer that does not read, and a window that is used up; returns the bytes written."""
    writer, stuck = Windowed(session, target), 0
    while True:
        while writer.sent + writer.PIECE - flushed(session, target) <= WRITE_WINDOW:
            session.notify("socket.write", target, bytes(writer.PIECE))
            writer.sent += writer.PIECE
        if session.request("session.ping", 0, {}) == {} and flushed(session, target) + WRITE_WINDOW == writer.sent:
            stuck += 1
            if stuck == 20:
                return writer.sent
        else:
            stuck = 0


def test_a_notified_write_too_many_is_told_by_the_socket(flow):
    with peers.connect(flow):
        fill_window(flow, 1)
        flow.notify("socket.end", 1, b"x")
        assert_destroyed_for_flow(flow, 1, "writeWindow")
        assert flow.events("session.error") == []


def test_one_write_of_any_size_goes_when_nothing_is_ahead(flow):
    with peers.connect(flow) as peer:
        for _ in range(3):
            write = flow.send("socket.write", 1, bytes(MAX_WRITE))
            assert len(peers.read_exactly(peer, MAX_WRITE)) == MAX_WRITE
            flow.result(write)
        assert flushed(flow) == 3 * MAX_WRITE


def test_the_window_counts_before_there_is_a_connection(flow):
    with peers.unanswering() as port:
        flow.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        flow.notify("socket.write", 1, bytes(WRITE_WINDOW))
        flow.notify("socket.write", 1, b"")
        assert flow.request("socket.info", 1)["bufferSize"] == WRITE_WINDOW
        flow.notify("socket.write", 1, b"x")
        assert_destroyed_for_flow(flow, 1, "writeWindow")


def test_what_waits_for_a_connection_is_flushed_with_it(flow):
    with peers.listener() as listener:
        flow.notify("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        flow.notify("socket.write", 1, bytes(WRITE_WINDOW))
        with peers.accept(listener) as peer:
            assert len(peers.read_exactly(peer, WRITE_WINDOW)) == WRITE_WINDOW
            expect_flushed(flow, WRITE_WINDOW)
            assert "ready" in flow.story(1)[:flow.story(1).index("flushed")]


def test_text_counts_as_the_bytes_that_it_stands_for(flow):
    with peers.connect(flow) as peer:
        flow.notify("socket.write", 1, "ab" * 100, {"encoding": "hex"})
        expect_flushed(flow, 100)
        flow.notify("socket.write", 1, "ab", {"encoding": "utf16le"})
        expect_flushed(flow, 104)
        assert peers.read_exactly(peer, 104) == b"\xab" * 100 + b"a\0b\0"


def test_a_refused_write_counts_nothing(flow):
    with peers.connect(flow) as peer:
        fill = WRITE_WINDOW - 5
        flow.notify("socket.pause", 1)
        for _ in range(100):
            assert flow.refused("socket.write", 1, "x" * 60000, {"encoding": "rot13"})["code"] == "ERR_UNKNOWN_ENCODING"
            assert flow.refused("socket.write", 1, bytes(MAX_WRITE + 1))["code"] == "ERR_NB_LIMIT"
        flow.notify("socket.write", 1, bytes(fill))
        assert len(peers.read_exactly(peer, fill)) == fill


def test_the_sum_over_all_sockets(limited):
    session = limited(sessionWriteWindow=600000, writeWindow=400000)
    with peers.unanswering() as port:
        for target in (1, 3, 5):
            session.notify("net.createConnection", target, {"port": port, "host": peers.LOOPBACK})
            session.notify("socket.write", target, bytes(300000))
        assert_destroyed_for_flow(session, 5, "sessionWriteWindow")
        session.request("socket.destroy", 1)
        with peers.connect(session, 7) as peer:
            session.request("socket.write", 7, bytes(300000))
            assert len(peers.read_exactly(peer, 300000)) == 300000
        assert session.request("socket.info", 3)["bufferSize"] == 300000


def test_one_write_larger_than_the_sum_goes_when_nothing_else_is_ahead(limited):
    session = limited(sessionWriteWindow=1000, writeWindow=1000)
    with peers.unanswering() as port, peers.connect(session, 3) as peer:
        session.request("socket.write", 3, bytes(5000))
        assert len(peers.read_exactly(peer, 5000)) == 5000
        session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        session.notify("socket.write", 1, bytes(5000))
        session.notify("socket.write", 3, b"x")
        assert_destroyed_for_flow(session, 3, "sessionWriteWindow")


def test_a_window_of_one_byte(limited):
    session = limited(writeWindow=1, sessionWriteWindow=1)
    with peers.connect(session) as peer:
        for number in range(1, 20):
            session.notify("socket.write", 1, b"%02d" % number)
            expect_flushed(session, 2 * number)
        assert len(peers.read_exactly(peer, 38)) == 38


def test_stuck_peers_hold_up_no_other_socket_and_no_command(flow):
    """Both windows used up by stuck peers: commands get through, and a socket that is written to within its room."""
    with peers.unanswering() as port, peers.connect(flow, 1) as peer:
        for target in range(3, 3 + 2 * 63, 2):
            flow.notify("net.createConnection", target, {"port": port, "host": peers.LOOPBACK})
            flow.notify("socket.write", target, bytes(WRITE_WINDOW))
        began = time.monotonic()
        for number in range(100):
            flow.request("socket.write", 1, b"%03d" % number)
            assert peers.read_exactly(peer, 3) == b"%03d" % number
        assert time.monotonic() - began < 5
        assert flow.request("session.info")["unflushed"] == 63 * WRITE_WINDOW
        flow.notify("net.createConnection", 201, {"port": port, "host": peers.LOOPBACK})
        flow.notify("socket.write", 201, bytes(WRITE_WINDOW))
        assert flow.request("session.ping", 0, {"a": 1}) == {"a": 1}
        assert flow.request("socket.destroy", 3) == {}
        flow.request("socket.write", 1, b"end")
        assert peers.read_exactly(peer, 3) == b"end"


def test_a_client_that_ignores_all_windows_loses_its_sockets_one_by_one(flow):
    targets = range(1, 41, 2)
    with peers.unanswering() as port, peers.connect(flow, 101) as other:
        for target in targets:
            flow.notify("net.createConnection", target, {"port": port, "host": peers.LOOPBACK})
        for _ in range(12):
            for target in targets:
                flow.notify("socket.write", target, bytes(64 << 10))
        for target in targets:
            assert_destroyed_for_flow(flow, target, "writeWindow")
        flow.request("socket.write", 101, b"lives")
        assert peers.read_exactly(other, 5) == b"lives"
        assert flow.request("session.info")["unflushed"] == 0


def test_a_session_whose_window_is_used_up_gives_up_the_largest_debtor(limited):
    session = limited(stallTimeout=300, writeWindow=65536, sessionWriteWindow=131072)
    with peers.unanswering() as port:
        for target, size in ((1, 20000), (3, 50000)):
            session.notify("net.createConnection", target, {"port": port, "host": peers.LOOPBACK})
            session.notify("socket.write", target, bytes(size))
        assert session.expect_event("socket.error", 3)["code"] == "ERR_NB_STALLED"
        session.expect_event("socket.close", 3)
        session.request("socket.info", 1)


def test_a_stuck_peer_that_holds_up_nobody_is_left_alone(limited):
    session = limited(stallTimeout=50, writeWindow=65536, sessionWriteWindow=1 << 20)
    with peers.connect(session) as peer:
        written = 0
        while flushed(session) == written:
            session.notify("socket.write", 1, bytes(65536))
            written += 65536
            session.request("session.ping", 0, {})
            session.request("session.ping", 0, {})
        time.sleep(0.5)  # ten stall timeouts
        session.request("session.ping", 0, {})
        assert "error" not in session.story(1)
        assert len(peers.read_exactly(peer, written)) == written


# ---- broker to client ----

@pytest.mark.parametrize("window", [1, 2, 1000, READ_WINDOW])
def test_data_stops_at_the_window_and_goes_on_with_credit(flow, window):
    data = os.urandom(4 * window + 3)
    with peers.connect(flow, readWindow=window) as peer:
        sender, limit = offer(peer, data), window
        assert flow.received(1, window) == data[:window]
        await_unread(peer, 1)
        assert data_so_far(flow) == data[:window]
        for _ in range(3):
            limit += window
            flow.request("socket.credit", 1, limit)
            flow.received(1, window)
            assert data_so_far(flow) == data[:limit]
        flow.notify("socket.credit", 1, len(data))
        assert flow.received(1, 3) == data[-3:]
        sender.join()


def test_the_window_that_hello_told_is_the_default(flow):
    data = os.urandom(READ_WINDOW + 1000)
    with peers.connect(flow) as peer:
        sender = offer(peer, data)
        assert flow.received(1, READ_WINDOW) == data[:READ_WINDOW]
        await_unread(peer, 1000)
        assert len(data_so_far(flow)) == READ_WINDOW
        flow.notify("socket.credit", 1, 1 << 52)
        assert flow.received(1, 1000) == data[READ_WINDOW:]
        sender.join()


@pytest.mark.parametrize("window", [0, 1 << 40, (1 << 53) - 1, 0.0, 1e9], ids=repr)
def test_a_window_of_no_end(flow, window):
    data = os.urandom(1 << 20)
    with peers.connect(flow, readWindow=window) as peer:
        sender = offer(peer, data)
        assert flow.received(1, len(data)) == data
        sender.join()
        assert flow.request("socket.credit", 1, 5) == {}
        peer.sendall(b"goes on")
        assert flow.received(1, 7) == b"goes on"


@pytest.mark.parametrize("window, code", [(-1, "ERR_OUT_OF_RANGE"), (1.5, "ERR_OUT_OF_RANGE"), (1 << 53, "ERR_OUT_OF_RANGE"),
                                          ("5", "ERR_INVALID_ARG_TYPE"), (True, "ERR_INVALID_ARG_TYPE")], ids=repr)
def test_a_window_that_is_none(flow, window, code):
    for method in ("socket.create", "server.create"):
        error = flow.refused(method, 1, {"readWindow": window})
        assert (error["code"], error["argument"]) == (code, "readWindow")


def test_the_windows_of_a_server_are_its_connections(flow):
    peers.serve(flow, readWindow=5)
    peer, event = peers.accepted(flow)
    with peer:
        peer.sendall(b"123456789")
        assert flow.received(event["socket"], 5) == b"12345"
        await_unread(peer, 4)
        assert data_so_far(flow, event["socket"]) == b"12345"
        flow.notify("socket.credit", event["socket"], 9)
        assert flow.received(event["socket"], 4) == b"6789"


def test_credits_that_change_nothing(flow):
    with peers.connect(flow, readWindow=10) as peer:
        peer.sendall(b"x" * 30)
        flow.received(1, 10)
        for limit in (0, 1, 10, 10.0, 9):
            assert flow.request("socket.credit", 1, limit) == {}
        await_unread(peer, 20)
        assert len(data_so_far(flow)) == 10
        assert flow.request("socket.credit", 1, 20.0) == {}
        assert flow.request("socket.credit", 1, 15) == {}
        flow.received(1, 10)
        assert len(data_so_far(flow)) == 20


@pytest.mark.parametrize("limit, code", [(1.5, "ERR_OUT_OF_RANGE"), (-1, "ERR_OUT_OF_RANGE"), (1 << 53, "ERR_OUT_OF_RANGE"),
                                         (float("nan"), "ERR_OUT_OF_RANGE"), ("9", "ERR_INVALID_ARG_TYPE"),
                                         (b"9", "ERR_INVALID_ARG_TYPE"), ([9], "ERR_INVALID_ARG_TYPE"),
                                         ({"limit": 9}, "ERR_INVALID_ARG_TYPE"), (None, "ERR_INVALID_ARG_TYPE")], ids=repr)
def test_credits_that_are_none(flow, limit, code):
    with peers.connect(flow, readWindow=1) as peer:
        error = flow.refused("socket.credit", 1, limit)
        assert (error["code"], error["argument"]) == (code, "limit")
        flow.notify("socket.credit", 1, limit)
        error = flow.expect_event("session.error")
        assert (error["code"], error["method"], error["target"]) == (code, "socket.credit", 1)
        flow.notify("socket.credit", 1, 5)
        peer.sendall(b"lives")
        assert flow.received(1, 5) == b"lives"


def test_credits_for_whom_is_not_there(flow):
    peers.serve(flow)
    assert flow.refused("socket.credit", 9, 5)["code"] == "ERR_NB_NO_SUCH_TARGET"
    assert flow.refused("socket.credit", 1, 5)["code"] == "ERR_NB_WRONG_TARGET"
    flow.notify("socket.credit", 9, 5)
    flow.request("socket.create", 3, {"autoRelease": False})
    assert flow.request("socket.credit", 3, 5) == {}
    flow.request("socket.destroy", 3)
    assert flow.request("socket.credit", 3, 1 << 40) == {}
    flow.request("session.ping", 0, {})
    assert flow.events("session.error") == []


def test_a_credit_sent_ahead_of_the_connection(flow):
    data = os.urandom(50)
    with peers.listener() as listener:
        flow.notify("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK, "readWindow": 1})
        flow.notify("socket.credit", 1, 50)
        with peers.accept(listener) as peer:
            peer.sendall(data)
            assert flow.received(1, 50) == data


def test_end_and_close_need_no_credit(flow):
    with peers.connect(flow, readWindow=4) as peer:
        peer.sendall(b"1234")
        flow.received(1, 4)
        peer.close()
        assert flow.expect_event("socket.end", 1) == {}
        assert flow.expect_event("socket.close", 1)["bytesRead"] == 4


def test_a_reset_needs_no_credit(flow):
    with peers.connect(flow, readWindow=4) as peer:
        peer.sendall(b"1234")
        flow.received(1, 4)
        peers.reset(peer)
        assert flow.expect_event("socket.error", 1)["code"] == "ECONNRESET"
        flow.expect_event("socket.close", 1)


def test_the_end_waits_for_the_data_before_it(flow):
    with peers.connect(flow, readWindow=4) as peer:
        peer.sendall(b"12345678")
        peer.close()
        flow.received(1, 4)
        data_so_far(flow)
        assert flow.events("socket.end", 1) == []
        flow.notify("socket.credit", 1, 8)
        flow.expect_event("socket.close", 1)
    assert [line for line in flow.story(1) if line != "lookup"] == ["connect", "ready", "data", "end", "close"]
    assert flow.events("socket.close", 1)[0][0]["bytesRead"] == 8


def test_no_credit_holds_up_that_socket_only(flow):
    data = os.urandom(1 << 20)
    with peers.connect(flow, 1, readWindow=1) as stuck, peers.connect(flow, 3, readWindow=0) as free:
        senders = offer(stuck, b"x" * 100), offer(free, data)
        assert flow.received(3, len(data)) == data
        assert len(data_so_far(flow, 1)) == 1
        for sender in senders:
            sender.join()


def test_pause_is_a_fence_with_credit_too(flow):
    data = os.urandom(100000)
    with peers.connect(flow, readWindow=30000) as peer:
        sender = offer(peer, data)
        flow.request("socket.pause", 1)
        fenced = len(b"".join(body for [body] in flow.events("socket.data", 1)))
        flow.request("socket.credit", 1, len(data))
        assert len(data_so_far(flow)) == fenced
        flow.request("socket.resume", 1)
        while len(data_so_far(flow)) < len(data):
            pass
        assert data_so_far(flow) == data
        sender.join()


def test_a_new_connection_on_the_same_id_has_new_windows(flow):
    for _ in range(3):
        with peers.listener() as listener:
            where = {"port": peers.port_of(listener), "host": peers.LOOPBACK}
            if not flow.events("socket.connect", 1):
                flow.request("socket.create", 1, {"autoRelease": False, "readWindow": 5})
            flow.request("socket.connect", 1, where)
            with peers.accept(listener) as peer:
                begun = len(data_so_far(flow))
                peer.sendall(b"1234567")
                assert flow.received(1, 5) == b"12345"
                await_unread(peer, 2)
                assert len(data_so_far(flow)) == begun + 5
                flow.request("socket.write", 1, b"abc")
                assert flow.events("socket.flushed", 1)[-1] == [3]
                flow.notify("socket.credit", 1, 7)
                assert flow.received(1, 2) == b"67"
                flow.request("socket.destroy", 1)


# ---- onread ----

@pytest.mark.parametrize("size", [1, 10, 100000])
def test_onread_has_one_buffer_on_its_way(flow, size):
    data = os.urandom(size * 5)
    with peers.connect(flow, onread={"size": size}) as peer:
        sender, received = offer(peer, data), b""
        while len(received) < len(data):
            chunk = flow.expect_event("socket.data", 1)
            received += chunk
            assert len(chunk) <= size
            assert data_so_far(flow) == received
            flow.notify("socket.credit", 1, len(received) + size)
        assert received == data
        sender.join()


def test_a_buffer_that_is_not_full_is_on_its_way_too(flow):
    with peers.connect(flow, onread={"size": 100}) as peer:
        peer.sendall(b"first")
        assert flow.expect_event("socket.data", 1) == b"first"
        peer.sendall(b"second")
        await_unread(peer, 6)
        assert data_so_far(flow) == b"first"
        flow.notify("socket.credit", 1, 105)
        assert flow.expect_event("socket.data", 1) == b"second"


def test_onread_and_a_smaller_window(flow):
    with peers.connect(flow, onread={"size": 100}, readWindow=3) as peer:
        peer.sendall(b"12345")
        assert flow.expect_event("socket.data", 1) == b"123"
        flow.notify("socket.credit", 1, 103)
        assert flow.expect_event("socket.data", 1) == b"45"


def test_onread_without_the_feature_waits_for_nothing(session):
    data = os.urandom(5000)
    with peers.connect(session, onread={"size": 100}) as peer:
        peer.sendall(data)
        assert session.received(1, 5000) == data
    assert max(len(chunk) for [chunk] in session.events("socket.data", 1)) <= 100


# ---- text ----

@pytest.mark.parametrize("encoding, raw, text", [
    ("utf8", "a€😀b".encode(), "a€😀b"), ("utf16le", "a€😀b".encode("utf-16-le"), "a€😀b"), ("hex", b"\0\xff\x10", "00ff10"),
    ("base64", b"\0\1\2", "AAEC"), ("latin1", b"a\xfcb", "aüb")], ids=lambda value: value if value in NAMES else "")
@pytest.mark.parametrize("window", [1, 2, 5])
def test_a_small_window_cuts_no_character_and_sees_the_end(flow, encoding, raw, text, window):
    text *= 20
    with peers.connect(flow, readWindow=window, encoding=encoding) as peer:
        peer.sendall(raw * 20)
        received = ""
        while len(received) < len(text):
            received += flow.expect_event("socket.data", 1)
            flow.notify("socket.credit", 1, len(stands_for(received, encoding)) + window)
        assert received == text


def stands_for(text, encoding):
    """The bytes that a text was made of."""
    if encoding == "hex":
        return bytes.fromhex(text)
    if encoding == "base64":
        return base64.b64decode(text)
    return text.encode({"utf16le": "utf-16-le", "latin1": "latin-1"}.get(encoding, encoding))
