"""Writing and ending: order, encodings, half-open sockets, destroy and reset. protocol.md 10."""
import socket

import pytest

from support import peers

# ---- write ----

def test_write_answers_with_the_bytes_given_to_the_kernel_so_far(session):
    with peers.connect(session) as peer:
        assert session.request("socket.write", 1, b"12345") == {"bytesWritten": 5}
        assert session.request("socket.write", 1, b"678") == {"bytesWritten": 8}
        assert peers.read_exactly(peer, 8) == b"12345678"


def test_an_empty_write_answers_in_order(session):
    with peers.connect(session) as peer:
        msgids = [session.send("socket.write", 1, payload) for payload in (b"a", b"", b"b")]
        for msgid in msgids:
            session.result(msgid)
        assert [frame[1] for frame in session.log if frame[0] == 1][-3:] == msgids
        assert peers.read_exactly(peer, 2) == b"ab"


@pytest.mark.parametrize("encoding, text, sent", [
    ("utf8", "grüße €", "grüße €".encode()), ("utf-8", "ü", "ü".encode()), ("hex", "00ff10", b"\x00\xff\x10"),
    ("base64", "AAH/", b"\x00\x01\xff"), ("base64url", "AAH_", b"\x00\x01\xff"), ("latin1", "ü\xff", b"\xfc\xff"),
    ("ascii", "plain", b"plain"), ("utf16le", "a€", "a€".encode("utf-16-le"))])
def test_text_is_written_in_its_encoding(session, encoding, text, sent):
    with peers.connect(session) as peer:
        session.request("socket.write", 1, text, {"encoding": encoding})
        assert peers.read_exactly(peer, len(sent)) == sent


def test_text_without_an_encoding_is_utf8(session):
    with peers.connect(session) as peer:
        session.request("socket.write", 1, "grüße")
        session.request("socket.end", 1, " €")
        assert peers.read_to_end(peer) == "grüße €".encode()


def test_an_unknown_encoding_of_a_write(session):
    with peers.connect(session) as peer:
        error = session.refused("socket.write", 1, "x", {"encoding": "klingon"})
        assert (error["code"], error["name"]) == ("ERR_UNKNOWN_ENCODING", "TypeError")
        session.request("socket.end", 1, b"alive")
        assert peers.read_to_end(peer) == b"alive"


def test_writes_before_the_connection_are_queued(session):
    with peers.listener() as listener:
        session.notify("net.createConnection", 1, {"port": peers.port_of(listener)})
        for number in range(100):
            session.notify("socket.write", 1, b"%03d" % number)
        session.notify("socket.end", 1, b"end")
        with peers.accept(listener) as peer:
            assert peers.read_to_end(peer) == b"".join(b"%03d" % number for number in range(100)) + b"end"


def test_a_write_without_any_connect(session):
    session.request("socket.create", 1, {})
    error = session.refused("socket.write", 1, b"x")
    assert error == {"code": "ERR_SOCKET_CLOSED", "message": "Socket is closed"}
    assert session.story(1) == ["error", "close"]


def test_a_write_after_end(session):
    with peers.connect(session) as peer:
        session.request("socket.end", 1, b"last")
        error = session.refused("socket.write", 1, b"more")
        assert error == {"code": "ERR_STREAM_WRITE_AFTER_END", "message": "write after end"}
        assert session.expect_event("socket.error", 1)["code"] == "ERR_STREAM_WRITE_AFTER_END"
        assert session.expect_event("socket.close", 1)["hadError"] is True
        assert peers.read_to_end(peer) == b"last"


def test_a_write_after_destroy(session):
    with peers.connect(session, autoRelease=False):
        session.request("socket.destroy", 1)
        error = session.refused("socket.write", 1, b"x")
        assert error == {"code": "ERR_STREAM_DESTROYED", "message": "Cannot call write after a stream was destroyed"}


def test_a_notified_write_after_end_is_told_by_the_sockets_own_error(session):
    with peers.connect(session):
        session.request("socket.end", 1)
        session.notify("socket.write", 1, b"more")
        assert session.expect_event("socket.error", 1)["code"] == "ERR_STREAM_WRITE_AFTER_END"


def test_a_write_to_a_peer_that_has_gone(session, folder):
    with peers.connect_unix(session, folder / "peer", allowHalfOpen=True):
        pass
    session.expect_event("socket.end", 1)
    error = session.refused("socket.write", 1, b"x")
    assert (error["code"], error["syscall"], error["message"]) == ("EPIPE", "write", "write EPIPE")
    assert session.expect_event("socket.close", 1)["hadError"] is True


def test_drain_comes_when_the_queue_is_empty_again(session):
    with peers.connect(session) as peer:
        written = peers.write_until_stuck(session, 1)
        total = len(written) * (256 << 10)
        for _ in session.events("socket.drain", 1):
            session.expect_event("socket.drain", 1)
        info = session.request("socket.info", 1)
        assert info["writableNeedDrain"] is True and info["bufferSize"] > 0 and info["bytesWritten"] == total
        peers.read_exactly(peer, total)
        session.expect_event("socket.drain", 1)
        assert session.result(written[-1])["bytesWritten"] == total
        info = session.request("socket.info", 1)
        assert info["writableNeedDrain"] is False and info["bufferSize"] == 0


def test_high_water_mark(session):
    with peers.connect(session, highWaterMark=100):
        assert session.request("socket.info", 1)["writableHighWaterMark"] == 100


# ---- end, half open ----

def test_the_broker_ends_its_side_when_the_peer_has_ended(session):
    with peers.connect(session) as peer:
        peer.shutdown(socket.SHUT_WR)
        assert peers.read_to_end(peer) == b""
        assert session.expect_event("socket.close", 1)["hadError"] is False
    assert session.story(1) == ["connect", "ready", "end", "close"]


def test_queued_writes_are_sent_before_the_answering_fin(session):
    with peers.connect(session) as peer:
        written = peers.write_until_stuck(session, 1)
        peer.shutdown(socket.SHUT_WR)
        session.expect_event("socket.end", 1)
        assert len(peers.read_to_end(peer)) == len(written) * (256 << 10)
    assert session.expect_event("socket.close", 1)["hadError"] is False


def test_a_half_open_socket_may_write_after_the_peers_end(session):
    with peers.connect(session, allowHalfOpen=True) as peer:
        peer.sendall(b"question")
        peer.shutdown(socket.SHUT_WR)
        session.expect_event("socket.end", 1)
        assert session.request("socket.info", 1)["readyState"] == "writeOnly"
        session.request("socket.write", 1, b"long ")
        session.request("socket.end", 1, b"answer")
        assert peers.read_to_end(peer) == b"long answer"
        assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 8, "bytesWritten": 11}


def test_after_our_end_the_peer_may_still_send(session):
    with peers.connect(session) as peer:
        assert session.request("socket.end", 1, b"mine") == {}
        assert peers.read_to_end(peer) == b"mine"
        assert session.request("socket.info", 1)["readyState"] == "readOnly"
        peer.sendall(b"yours")
        assert session.received(1, 5) == b"yours"
        peer.close()
        assert session.expect_event("socket.close", 1) == {"hadError": False, "bytesRead": 5, "bytesWritten": 4}


def test_a_second_bare_end_does_nothing(session):
    with peers.connect(session) as peer:
        session.request("socket.end", 1)
        session.notify("socket.end", 1)
        peer.sendall(b"still")
        assert session.received(1, 5) == b"still"
        assert session.events("session.error") == []


def test_data_after_end_is_an_error(session):
    with peers.connect(session):
        session.request("socket.end", 1)
        assert session.refused("socket.end", 1, b"more")["code"] == "ERR_STREAM_WRITE_AFTER_END"


def test_end_before_connected_waits_for_the_connection(session):
    with peers.listener() as listener:
        session.notify("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        end = session.send("socket.end", 1)
        with peers.accept(listener) as peer:
            assert peers.read_to_end(peer) == b""
        assert session.result(end) == {}


# ---- destroy, reset ----

def test_destroy(session):
    with peers.connect(session) as peer:
        assert session.request("socket.destroy", 1) == {}
        assert peer.recv(1) == b""
    assert session.expect_event("socket.close", 1)["hadError"] is False
    assert session.story(1) == ["connect", "ready", "close"]


def test_destroy_with_an_error_echoes_it(session):
    error = {"code": "ABORT_ERR", "message": "The operation was aborted", "name": "AbortError"}
    with peers.connect(session):
        session.request("socket.destroy", 1, {"error": error})
    assert session.expect_event("socket.error", 1) == error
    assert session.expect_event("socket.close", 1)["hadError"] is True


def test_a_second_destroy_does_nothing(session):
    with peers.connect(session, autoRelease=False):
        session.request("socket.destroy", 1)
        assert session.request("socket.destroy", 1) == {}
    assert session.story(1) == ["connect", "ready", "close"]


def test_reset_and_destroy_resets_the_peer(session):
    with peers.connect(session) as peer:
        assert session.request("socket.resetAndDestroy", 1) == {}
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
    assert session.expect_event("socket.close", 1)["hadError"] is False


def test_reset_after_end(session):
    with peers.connect(session) as peer:
        session.request("socket.end", 1, b"bye")
        assert peers.read_to_end(peer) == b"bye"
        assert session.request("socket.resetAndDestroy", 1) == {}
    assert session.expect_event("socket.close", 1)["hadError"] is False


def test_reset_while_connecting_waits_for_the_connection(session):
    with peers.listener() as listener:
        session.notify("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        session.request("socket.resetAndDestroy", 1)
        with peers.accept(listener) as peer, pytest.raises(ConnectionResetError):
            peer.recv(1)
    assert session.story(1) == ["connect", "ready", "close"]


def test_reset_without_a_connection(session):
    session.request("socket.create", 1, {})
    assert session.refused("socket.resetAndDestroy", 1)["code"] == "ERR_SOCKET_CLOSED"
    assert session.story(1) == ["error", "close"]


def test_reset_of_a_unix_socket_is_refused_and_it_stays_open(session, folder):
    with peers.connect_unix(session, folder / "peer") as peer:
        error = session.refused("socket.resetAndDestroy", 1)
        assert error == {"code": "ERR_INVALID_HANDLE_TYPE", "message": "This handle type cannot be sent", "name": "TypeError"}
        session.request("socket.end", 1, b"open")
        assert peers.read_to_end(peer) == b"open"


def test_a_reset_by_the_peer(session):
    peers.reset(peers.connect(session))
    error = session.expect_event("socket.error", 1)
    assert error == {"code": "ECONNRESET", "message": "read ECONNRESET", "errno": -104, "syscall": "read"}
    assert session.expect_event("socket.close", 1)["hadError"] is True
