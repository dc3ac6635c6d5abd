"""Somebody stops reading. Memory stays bounded, and whoever reads again gets every byte in order. protocol.md 6, 7."""
import itertools
import os
import select
import socket
import threading

import pytest

from support import peers
from support.broker import sanitized
from support.wire import DEADLINE, Session, notification_frame, request_frame

OFFERED = 256 << 20
PERIOD = 1_000_003
PATTERN = os.urandom(PERIOD) * 2
BLOCK = 64 << 10
MOST_MEMORY = 8 << 20  # bytes above the start: queues of 1 and 2 MiB, and what an allocator keeps


def block(offset, size=BLOCK):
    start = offset % PERIOD
    return PATTERN[start:start + size]


def offer_until_stuck(sock, next_part, patience=0.5):
    """Sends parts until `patience` seconds pass without the socket taking a byte; returns the rest of a cut part."""
    sock.setblocking(False)
    part, sent = b"", 0
    while sent < OFFERED and (part or (part := next_part())):
        if not select.select([], [sock], [], patience)[1]:
            break
        try:
            taken = sock.send(part)
        except BlockingIOError:
            continue
        part, sent = part[taken:], sent + taken
    assert part, f"all of {OFFERED} bytes were taken from a reader that does not read"
    sock.settimeout(DEADLINE)
    return part


class Offer:
    """The pattern, cut into blocks, each wrapped by `frame`."""

    def __init__(self, frame=bytes):
        self.offset, self._frame = 0, frame

    def __call__(self):
        payload = block(self.offset)
        self.offset += len(payload)
        return self._frame(payload)


def assert_bounded(broker, before):
    if not sanitized():
        grown = broker.rss() - before
        assert grown < MOST_MEMORY, f"{grown >> 10} KiB"


def check_peer_receives(peer, size):
    for offset in range(0, size, BLOCK):
        assert peers.read_exactly(peer, min(BLOCK, size - offset)) == block(offset, min(BLOCK, size - offset))


def test_a_client_that_stops_reading(broker, connect_session):
    session = connect_session()
    with peers.connect(session) as peer:
        before, offer = broker.rss(), Offer()
        rest = offer_until_stuck(peer, offer)
        assert_bounded(broker, before)
        finish = threading.Thread(target=lambda: (peer.sendall(rest), peer.shutdown(socket.SHUT_WR)))
        finish.start()
        received = 0
        while received < offer.offset:
            data = session.expect_event("socket.data", 1)
            assert data == block(received, len(data)), f"wrong bytes at {received}"
            received += len(data)
            session.log.clear()
        finish.join()
        session.expect_event("socket.end", 1)
        assert_bounded(broker, before)


def test_a_client_with_many_sockets_that_stops_reading(broker, connect_session):
    session, count = connect_session(), 50
    flooding = [peers.connect(session, 2 * number + 1) for number in range(count)]
    before = broker.rss()
    for peer in flooding:
        offer_until_stuck(peer, Offer(), patience=0.02)
    assert_bounded(broker, before)
    with Session(broker.path) as other:
        assert other.request("session.ping", 0, {"a": 1}) == {"a": 1}
    for peer in flooding:
        peer.close()
    session.request("session.close")


def test_a_client_that_never_reads_its_answers(broker, connect_session):
    session = connect_session()
    before = broker.rss()
    msgids = itertools.count(1)
    padding = {"padding": "x" * 1000}
    offer_until_stuck(session.socket, lambda: request_frame(next(msgids), "session.ping", 0, padding))
    assert_bounded(broker, before)
    assert session.result(1) == session.result(100) == padding


def test_a_client_that_does_not_poll(broker, connect_session):
    session = connect_session()
    session.request("session.hello", 0, {"events": "poll"})
    with peers.connect(session) as peer:
        before, offer = broker.rss(), Offer()
        rest = offer_until_stuck(peer, offer, patience=0.2)
        assert_bounded(broker, before)
        finish = threading.Thread(target=lambda: (peer.sendall(rest), peer.close()))
        finish.start()
        received, ended = 0, False
        while not ended:
            for name, (_, *body) in session.request("session.poll", 0, {"wait": 5000}):
                if name == "socket.data":
                    assert body[0] == block(received, len(body[0])), f"wrong bytes at {received}"
                    received += len(body[0])
                ended = ended or name == "socket.close"
            session.log.clear()
        finish.join()
        assert received == offer.offset


def test_a_peer_that_stops_reading(broker, connect_session):
    session = connect_session()
    with peers.connect(session) as peer:
        before, offer = broker.rss(), Offer(lambda payload: notification_frame("socket.write", 1, payload))
        rest = offer_until_stuck(session.socket, offer)
        assert_bounded(broker, before)
        finish = threading.Thread(target=lambda: session.send_bytes(rest + notification_frame("socket.end", 1)))
        finish.start()
        check_peer_receives(peer, offer.offset)
        assert peer.recv(1) == b""
        finish.join()
        assert_bounded(broker, before)


def test_a_peer_that_stops_reading_holds_up_no_other_session(broker, connect_session):
    stuck, free = connect_session(), connect_session()
    with peers.connect(stuck) as reader, peers.connect(free) as peer:
        offer_until_stuck(stuck.socket, Offer(lambda payload: notification_frame("socket.write", 1, payload)))
        for number in range(100):
            free.notify("socket.write", 1, b"%03d" % number)
            assert peers.read_exactly(peer, 3) == b"%03d" % number
        reader.close()


def test_a_paused_socket_is_left_to_the_kernel(broker, connect_session):
    session = connect_session()
    with peers.connect(session) as peer:
        session.request("socket.pause", 1)
        before, offer = broker.rss(), Offer()
        offer_until_stuck(peer, offer, patience=0.2)
        assert_bounded(broker, before)
        session.request("session.ping", 0, {})
        assert session.events("socket.data", 1) == []


@pytest.mark.parametrize("count", [2000])
def test_many_short_lives_leave_nothing(broker, connect_session, count):
    """The fixture compares descriptors and memory afterwards."""
    session = connect_session()
    session.send_bytes(b"".join(notification_frame("socket.create", 2 * number + 1, {}) +
                                notification_frame("socket.destroy", 2 * number + 1) for number in range(count)))
    session.request("session.ping", 0, {})
    assert session.request("session.info")["sockets"] == 0
