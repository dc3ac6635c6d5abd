"""Waiting costs nothing: in each state in which the broker waits for somebody else it uses no processor time."""
import contextlib
import socket

import pytest

from support import peers
from support.wire import Session, notification_frame


@pytest.fixture
def own(start_broker, connect_session):
    """A daemon of this test's own, so that nobody else's work is counted."""
    return start_broker()


@pytest.fixture
def session(own, connect_session):
    return connect_session(own.path)


def fill(sock, data=bytes(1 << 16)):
    """Sends until nothing more is taken."""
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(4096):
            sock.send(data)


def test_no_session(own):
    own.assert_at_rest()


def test_an_open_session_with_a_server_and_a_connection(own, session):
    peers.serve(session)
    peer, _ = peers.accepted(session)
    with peer:
        own.assert_at_rest()


def test_a_peer_that_has_ended_while_we_have_not(own, session):
    with peers.connect(session, allowHalfOpen=True) as peer:
        peer.shutdown(socket.SHUT_WR)
        session.expect_event("socket.end", 1)
        own.assert_at_rest()


def test_our_end_while_the_peer_has_not(own, session):
    with peers.connect(session):
        session.request("socket.end", 1)
        own.assert_at_rest()


def test_a_paused_socket_with_bytes_to_read(own, session):
    with peers.connect(session) as peer:
        session.request("socket.pause", 1)
        fill(peer)
        own.assert_at_rest()


def test_a_paused_socket_whose_peer_has_gone(own, session):
    peer = peers.connect(session)
    session.request("socket.pause", 1)
    peer.sendall(b"x")
    peers.reset(peer)
    own.assert_at_rest()


def test_a_peer_that_does_not_read(own, session):
    with peers.connect(session):
        peers.write_until_stuck(session, 1)
        own.assert_at_rest()


def test_a_client_that_does_not_read(own, session):
    with peers.connect(session) as peer:
        fill(peer)
        own.assert_at_rest()


def test_a_session_held_up_by_its_peer(own, session):
    with peers.connect(session):
        fill(session.socket, notification_frame("socket.write", 1, bytes(1 << 16)))
        own.assert_at_rest()
        session.socket.close()


def test_half_a_frame(own, session):
    session.send_bytes(b"\x93\x02\xacsession.")
    own.assert_at_rest()


def test_a_connect_without_an_answer(own, session):
    with peers.unanswering() as port:
        session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        own.assert_at_rest()


def test_an_open_poll(own, connect_session):
    session = connect_session(own.path)
    session.request("session.hello", 0, {"events": "poll"})
    session.send("session.poll", 0, {"wait": 60000})
    own.assert_at_rest()


def test_connections_that_wait_for_a_place(start_broker, folder):
    broker = start_broker(folder / "limited", "--limit", "maxSockets=1")
    with Session(broker.path) as session:
        port = peers.serve(session)["port"]
        waiting = [peers.dial(port) for _ in range(3)]
        session.expect_event("server.connection", 1)
        broker.assert_at_rest()
        for peer in waiting:
            peer.close()


def test_the_end_that_waits_for_its_clients(start_broker, folder):
    broker = start_broker(folder / "ending")
    with Session(broker.path) as session:
        session.request("session.ping", 0, {})
        broker.terminate()
        session.expect_event("session.closing")
        broker.assert_at_rest()
    broker.wait()
