"""A client ends while something is under way: what it has sent whole reaches its peers."""
import socket
import time

import pytest

from support import peers
from support.broker import tcp_rows, wait_until
from support.wire import Session, notification_frame, request_frame

NOT_A_FRAME = b"\xc1"


def is_listening(port):
    return any(row[0] == port and row[2] == 10 for row in tcp_rows())


def fill(session, target, size=1 << 20):
    """Writes to a peer that does not read, until that many bytes wait in the broker; returns how many were written."""
    written = 0
    while session.request("session.info")["unflushed"] < size:
        session.notify("socket.write", target, bytes(65536))
        written += 65536
    return written


def small_writes(count):
    return notification_frame("socket.write", 1, b"y") * count


@pytest.mark.parametrize("tail", [NOT_A_FRAME, notification_frame("socket.create", 1, {})], ids=["garbage", "id in use"])
def test_writes_before_a_fatal_frame_arrive(session, tail):
    with peers.connect(session) as peer:
        written = fill(session, 1)
        session.send_bytes(small_writes(100) + tail)
        assert len(peers.read_to_end(peer)) == written + 100
    assert session.expect_event("session.error")["fatal"]


def test_a_client_that_writes_and_goes_without_reading_its_answer(broker, session):
    """The answer finds nobody; the frames behind the ping are more than one turn carries out."""
    with peers.connect(session) as peer:
        session.send_bytes(request_frame(900, "session.ping") + small_writes(3000))
        session.socket.close()
        assert len(peers.read_to_end(peer)) == 3000


def test_a_client_that_goes_while_its_session_waits_for_a_peer(broker, session):
    port = peers.serve(session, 3)["port"]
    with peers.connect(session) as peer:
        frame = notification_frame("socket.write", 1, bytes(65000))
        written, rest = 0, b""
        session.socket.settimeout(0.3)
        try:
            while True:
                rest = frame
                while rest:
                    rest = rest[session.socket.send(rest):]
                written += 65000
        except TimeoutError:
            pass
        session.socket.close()
        wait_until(lambda: not is_listening(port), "the server's end")
        assert len(peers.read_to_end(peer)) == written


def test_a_client_that_only_does_not_want_to_read_goes_on_for_a_moment(broker, session):
    with peers.connect(session) as peer:
        session.socket.shutdown(socket.SHUT_RD)
        session.send("session.ping")
        session.notify("socket.write", 1, b"still there")
        assert peers.read_to_end(peer) == b"still there"


def test_a_timeout_set_behind_the_close_does_not_keep_the_socket(broker, session):
    with peers.connect(session) as peer:
        fill(session, 1)
        fds = broker.open_fds()
        session.send_bytes(request_frame(900, "session.close") +
                           notification_frame("socket.setTimeout", 1, {"timeout": 0}))
        session.expect_eof()
        session.socket.close()
        wait_until(lambda: broker.open_fds() <= fds - 2, "the end of session and socket")
        peer.close()


def test_sigterm_does_not_wait_longer_than_its_deadline_for_last_bytes(start_broker):
    broker = start_broker(None, "--stop-deadline", "200")
    with Session(broker.path) as session, peers.connect(session):
        fill(session, 1)
        session.socket.close()
        wait_until(lambda: any("session ended" in line for line in broker.stderr), "the session's end")
        begun = time.monotonic()
        broker.terminate()
        broker.wait()
        assert time.monotonic() - begun < 4  # 1.2 s; the socket alone would have 5
