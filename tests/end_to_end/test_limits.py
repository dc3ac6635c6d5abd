"""Each limit of protocol.md 6 set low: it is granted as set, passed as the table says, and everything works below it."""
import threading
import time

import pytest

from support import peers
from support.wire import Session, notification_frame


@pytest.fixture
def limited(start_broker):
    """Opens a session to a daemon with these limits."""
    sessions = []

    def open_session(**limits):
        flags = [word for name, value in limits.items() for word in ("--limit", f"{name}={value}")]
        sessions.append(Session(start_broker(None, *flags).path))
        granted = sessions[-1].request("session.hello", 0, {})["limits"]
        assert {name: granted[name] for name in limits} == limits
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.socket.close()


def fatal(session):
    session.expect_eof()
    return session.events("session.error")[-1][0]


def test_sockets(limited):
    session = limited(maxSockets=2)
    for target in (1, 3):
        session.request("socket.create", target, {})
    for method, body in (("socket.create", {}), ("net.createConnection", {"port": 1})):
        error = session.refused(method, 5, body)
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "maxSockets") and "2" in error["message"]
    session.request("socket.destroy", 1)
    session.request("socket.create", 5, {})


def test_a_server_stops_accepting_at_the_limit_and_goes_on_below_it(limited):
    session = limited(maxSockets=2)
    port = peers.serve(session)["port"]
    waiting = [peers.dial(port) for _ in range(4)]
    first = [session.expect_event("server.connection", 1)["socket"] for _ in range(2)]
    session.request("session.ping", 0, {})
    assert len(session.events("server.connection", 1)) == 2 and session.events("server.drop", 1) == []
    for target in first:
        session.request("socket.destroy", target)
    later = [session.expect_event("server.connection", 1) for _ in range(2)]
    assert {connection["remotePort"] for connection in later} <= {peer.getsockname()[1] for peer in waiting}
    for peer in waiting:
        peer.close()


def test_servers(limited):
    session = limited(maxServers=1)
    session.request("server.create", 1, {})
    assert session.refused("server.create", 3, {})["limit"] == "maxServers"
    session.request("server.release", 1)
    session.request("server.create", 3, {})


def test_the_limit_of_one_session_is_not_that_of_another(limited, folder):
    session = limited(maxSockets=1)
    session.request("socket.create", 1, {})
    with Session(folder / "broker.sock") as other:
        other.request("socket.create", 1, {})


def test_open_requests(limited):
    session = limited(maxPending=3)
    with peers.unanswering() as port:
        where = {"port": port, "host": peers.LOOPBACK}
        pending = [session.send("net.createConnection", target, where) for target in (1, 3, 5)]
        error = session.refused("session.ping", 0, {})
        assert (error["code"], error["limit"]) == ("ERR_NB_LIMIT", "maxPending")
        session.notify("socket.destroy", 1)
        session.error(pending[0])
        assert session.request("session.ping", 0, {"a": 1}) == {"a": 1}


def test_payload_of_a_write(limited):
    session = limited(maxWrite=65536)
    with peers.connect(session) as peer:
        assert session.refused("socket.write", 1, bytes(65537))["limit"] == "maxWrite"
        session.request("socket.write", 1, bytes(65536))
        assert peers.read_exactly(peer, 65536) == bytes(65536)


def test_the_greatest_frame_follows_the_greatest_write(limited):
    session = limited(maxWrite=65536)
    session.notify("socket.write", 1, bytes(200000))
    assert fatal(session)["code"] == "ERR_NB_FRAME_TOO_BIG"


def test_elements(limited):
    session = limited(maxElements=100)
    assert session.request("session.ping", 0, {"a": [0] * 20}) == {"a": [0] * 20}
    session.send("session.ping", 0, {"a": [0] * 101})
    assert fatal(session)["limit"] == "maxElements"


def test_text(limited):
    session = limited(maxText=1024)
    assert session.request("session.ping", 0, {"a": "x" * 1024}) == {"a": "x" * 1024}
    session.send("session.ping", 0, {"a": "x" * 1025})
    assert fatal(session)["limit"] == "maxText"


def test_chunks_of_data(limited):
    session = limited(readChunk=100)
    with peers.connect(session) as peer:
        peer.sendall(bytes(10000))
        assert session.received(1, 10000) == bytes(10000)
    assert max(len(body) for [body] in session.events("socket.data", 1)) <= 100


def overfill(session, size=4 << 20):
    """Starts a thread that writes more to socket 1 than the broker holds before it stops reading the session."""
    frames = notification_frame("socket.write", 1, bytes(64 << 10)) * (size >> 16) + notification_frame("socket.end", 1)
    thread = threading.Thread(target=session.send_bytes, args=(frames,))
    thread.start()
    return thread


def test_a_stuck_peer_is_given_up_after_the_stall_timeout(limited):
    session = limited(stallTimeout=300)
    with peers.connect(session), peers.connect(session, 3) as other:
        began, writer = time.monotonic(), overfill(session, 32 << 20)
        assert session.expect_event("socket.error", 1)["code"] == "ERR_NB_STALLED"
        assert session.expect_event("socket.close", 1)["hadError"] is True
        assert 0.2 < time.monotonic() - began < 5
        writer.join()
        session.request("socket.write", 3, b"goes on")
        assert peers.read_exactly(other, 7) == b"goes on"


def test_slow_progress_is_no_stall(limited):
    """The kernel asks for more only when a third of what it holds is gone: two of these pieces."""
    session, size = limited(stallTimeout=3000), 32 << 20
    with peers.connect(session) as peer:
        writer = overfill(session, size)
        for _ in range(12):
            peers.read_exactly(peer, 1 << 20)
            time.sleep(0.4)  # the pace of the reader; more than a stall timeout in all
        assert len(peers.read_to_end(peer)) == size - (12 << 20)
        writer.join()
    session.expect_event("socket.close", 1)
    assert "error" not in session.story(1)


def test_a_reader_that_comes_back_within_low_water_marks(limited):
    session = limited(outHigh=10000, outLow=1000)
    data = bytes(range(256)) * 4000
    with peers.connect(session) as peer:
        peer.setblocking(False)
        sent = peer.send(data)
        assert session.received(1, sent) == data[:sent]


@pytest.mark.parametrize("flag", ["maxSockets=-1", "maxSockets=many", "maxSocks=1", "maxSockets", "=1", "maxSockets="])
def test_a_wrong_limit_is_refused_at_the_start(start_broker, flag):
    with pytest.raises(RuntimeError):
        start_broker(None, "--limit", flag)
