"""Reading: pause and resume, chunks, encodings, idle timeouts. protocol.md 10."""
import os

import pytest

from support import peers
from support.broker import wait_until

# ---- chunks, pause ----

def test_pause_and_resume_lose_nothing(session):
    data = os.urandom(3 << 20)
    with peers.connect(session) as peer:
        for start in range(0, len(data), 1 << 18):
            session.request("socket.pause", 1)
            assert session.request("socket.info", 1)["paused"] is True
            peer.sendall(data[start:start + (1 << 18)])
            session.request("socket.resume", 1)
        assert session.received(1, len(data)) == data
        assert session.request("socket.info", 1)["paused"] is False


def test_pause_before_connect_holds(session):
    with peers.listener() as listener:
        session.notify("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        session.request("socket.pause", 1)
        with peers.accept(listener) as peer:
            session.expect_event("socket.ready", 1)
            peer.sendall(b"later")
            here, there = peer.getsockname()[1], peer.getpeername()[1]
            wait_until(lambda: peers.unread_bytes(there, here) == 5, "five unread bytes")
            session.request("socket.resume", 1)
            assert session.received(1, 5) == b"later"


@pytest.mark.parametrize("options, most", [({}, 65536), ({"readChunk": 1000}, 1000), ({"onread": {"size": 10}}, 10)])
def test_chunks_are_no_larger_than_asked(session, options, most):
    data = os.urandom(200000)
    with peers.connect(session, **options) as peer:
        peer.sendall(data)
        assert session.received(1, len(data)) == data
    assert max(len(body) for [body] in session.events("socket.data", 1)) <= most


# ---- encodings ----

def test_set_encoding_makes_text_and_back(session):
    with peers.connect(session) as peer:
        session.request("socket.setEncoding", 1, {"encoding": "utf8"})
        peer.sendall("grüße".encode())
        assert collect_text(session, 5) == "grüße"
        session.request("socket.setEncoding", 1, {})
        peer.sendall(b"\xff\x00")
        assert session.received(1, 2) == b"\xff\x00"


def test_a_split_character_arrives_whole(session):
    with peers.connect(session, encoding="utf8") as peer:
        for byte in "€".encode():
            peer.sendall(bytes([byte]))
            wait_until(lambda: not peers.unread_bytes(peer.getpeername()[1], peer.getsockname()[1]), "a read byte")
        assert session.expect_event("socket.data", 1) == "€"


def test_an_unfinished_character_is_replaced_at_the_end(session):
    with peers.connect(session, encoding="utf8") as peer:
        peer.sendall(b"a\xe2\x82")
        peer.close()
        session.expect_event("socket.close", 1)
    assert "".join(text for [text] in session.events("socket.data", 1)) == "a\ufffd"


@pytest.mark.parametrize("encoding, sent, text", [
    ("hex", b"\x00\xff\x10", "00ff10"), ("latin1", b"\xfc\xff", "ü\xff"), ("ascii", b"plain", "plain"),
    ("utf16le", "a€".encode("utf-16-le"), "a€"), ("utf8", b"\xff", "\ufffd")])
def test_data_is_read_in_its_encoding(session, encoding, sent, text):
    with peers.connect(session, encoding=encoding) as peer:
        peer.sendall(sent)
        assert collect_text(session, len(text)) == text


@pytest.mark.parametrize("encoding, text", [("base64", "AAH/AAH/AAH/"), ("base64url", "AAH_AAH_AAH_")])
def test_base64_data_joins_over_chunks(session, encoding, text):
    with peers.connect(session, encoding=encoding) as peer:
        for byte in b"\x00\x01\xff" * 3:
            peer.sendall(bytes([byte]))
        assert collect_text(session, 12) == text


def collect_text(session, length):
    text = ""
    while len(text) < length:
        text += session.expect_event("socket.data", 1)
    return text


def test_set_encoding_refuses_an_unknown_name(session):
    session.request("socket.create", 1, {})
    error = session.refused("socket.setEncoding", 1, {"encoding": "klingon"})
    assert error["code"] == "ERR_UNKNOWN_ENCODING" and error["message"] == "Unknown encoding: klingon"


# ---- timeouts ----

def test_timeout_closes_nothing(session):
    with peers.connect(session) as peer:
        assert session.request("socket.setTimeout", 1, {"timeout": 30}) == {}
        assert session.expect_event("socket.timeout", 1) == {}
        peer.sendall(b"alive")
        assert session.received(1, 5) == b"alive"
        assert session.request("socket.info", 1)["timeout"] == 30


def test_traffic_puts_the_timeout_off(session):
    with peers.connect(session, timeout=400) as peer:
        for _ in range(12):
            peer.sendall(b"x")
            session.received(1, 1)
            peer.settimeout(0.05)
            with pytest.raises(TimeoutError):
                peer.recv(1)
        assert "timeout" not in session.story(1)
        session.expect_event("socket.timeout", 1)


def test_a_timeout_of_zero_is_off(session):
    with peers.connect(session, timeout=300):
        session.request("socket.setTimeout", 1, {"timeout": 0})
        with peers.connect(session, 3, timeout=600):
            session.expect_event("socket.timeout", 3)
        assert "timeout" not in session.story(1)


def test_no_timeout_comes_after_close(session):
    peers.connect(session, autoRelease=False, timeout=50).close()
    session.expect_event("socket.close", 1)
    session.request("socket.setTimeout", 1, {"timeout": 50})
    with peers.connect(session, 3, timeout=200):
        session.expect_event("socket.timeout", 3)
    assert "timeout" not in session.story(1)


def test_a_timeout_may_fire_while_connecting(session):
    with peers.unanswering() as port:
        session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK, "timeout": 30})
        session.expect_event("socket.timeout", 1)
        assert session.request("socket.info", 1)["readyState"] == "opening"
        session.request("socket.destroy", 1)


@pytest.mark.parametrize("timeout, code", [
    (-1, "ERR_OUT_OF_RANGE"), (float("nan"), "ERR_OUT_OF_RANGE"), (float("inf"), "ERR_OUT_OF_RANGE"),
    ("1", "ERR_INVALID_ARG_TYPE")])
def test_timeouts_are_checked(session, timeout, code):
    session.request("socket.create", 1, {})
    assert session.refused("socket.setTimeout", 1, {"timeout": timeout})["code"] == code
