"""Sockets from connect to close. protocol.md 10, with Node as the judge of what it leaves open."""
import os
import socket

import pytest

from support import peers
from support.broker import wait_until
from support.wire import Failed

NO_SUCH_HOST = "a" * 64 + ".invalid"  # a label too long to be asked for, so no query leaves the machine


@pytest.fixture
def refused():
    taken, port = peers.refused_port()
    with taken:
        yield port


# ---- connect ----

def test_connect_tells_both_addresses(session):
    with peers.listener() as listener:
        port = peers.port_of(listener)
        result = session.request("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        with peers.accept(listener) as peer:
            here = peer.getpeername()
    addresses = {"localAddress": here[0], "localPort": here[1], "localFamily": "IPv4",
                 "remoteAddress": peers.LOOPBACK, "remotePort": port, "remoteFamily": "IPv4"}
    assert result == {"id": 1, **addresses}
    assert session.expect_event("socket.connect", 1) == addresses
    assert session.expect_event("socket.ready", 1) == {}


def test_connect_over_ipv6(session):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        result = session.request("net.createConnection", 1, {"port": peers.port_of(listener), "host": "::1"})
    assert (result["remoteAddress"], result["remoteFamily"]) == ("::1", "IPv6")


def test_connect_over_a_unix_path(session, folder):
    with peers.connect_unix(session, folder / "peer") as peer:
        assert session.expect_event("socket.connect", 1) == {}
        session.notify("socket.end", 1, b"hello")
        assert peers.read_to_end(peer) == b"hello"
    assert session.request("session.ping", 0, {}) == {} and not session.events("socket.lookup", 1)


def test_a_path_wins_over_the_tcp_options(session, folder):
    with peers.connect_unix(session, folder / "peer", port=1, host="nowhere.invalid", localAddress="127.0.0.1"):
        assert session.request("socket.info", 1)["kind"] == "pipe"


def test_net_connect_is_another_name(session):
    with peers.listener() as listener:
        where = {"port": peers.port_of(listener), "host": peers.LOOPBACK}
        assert session.request("net.connect", 1, where)["remotePort"] == where["port"]


def test_the_host_is_localhost_when_left_out(session):
    family, _, _, _, address = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)[0]
    with socket.create_server(address[:2], family=family) as listener:
        session.request("net.createConnection", 1, {"port": peers.port_of(listener)})
    lookup = session.expect_event("socket.lookup", 1)
    assert lookup == {"host": "localhost", "address": address[0], "family": 6 if family == socket.AF_INET6 else 4}


def test_no_lookup_event_for_an_address(session):
    peers.connect(session).close()
    session.expect_event("socket.close", 1)
    assert "lookup" not in session.story(1)


def test_connect_from_a_local_address(session):
    with peers.connect(session, localAddress="127.0.0.7") as peer:
        assert peer.getpeername()[0] == "127.0.0.7"
        assert session.request("socket.address", 1)["address"] == "127.0.0.7"


def test_connect_from_a_local_port(session):
    taken, port = peers.refused_port()
    taken.close()
    with peers.connect(session, localPort=port, localAddress=peers.LOOPBACK) as peer:
        assert peer.getpeername()[1] == port


@pytest.mark.parametrize("port", ["{}", "0x{:x}"])
def test_a_port_may_be_digits(session, port):
    with peers.listener() as listener:
        text = port.format(peers.port_of(listener))
        result = session.request("net.createConnection", 1, {"port": text, "host": peers.LOOPBACK})
        assert result["remotePort"] == peers.port_of(listener)


def test_a_connection_that_is_accepted_and_ended_at_once(session):
    with peers.listener() as listener:
        session.send("net.createConnection", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        peers.accept(listener).close()
    assert session.expect_event("socket.close", 1)["hadError"] is False
    assert session.story(1) == ["connect", "ready", "end", "close"]


# ---- connect: errors ----

def test_connection_refused(session, refused):
    error = session.refused("net.createConnection", 1, {"port": refused, "host": peers.LOOPBACK})
    assert error == {"code": "ECONNREFUSED", "message": f"connect ECONNREFUSED 127.0.0.1:{refused}", "errno": -111,
                     "syscall": "connect", "address": "127.0.0.1", "port": refused}
    assert session.expect_event("socket.error", 1) == error
    assert session.expect_event("socket.close", 1) == {"hadError": True, "bytesRead": 0, "bytesWritten": 0}


def test_no_such_path(session, folder):
    path = str(folder / "nobody")
    error = session.refused("net.createConnection", 1, {"path": path})
    assert error == {"code": "ENOENT", "message": f"connect ENOENT {path}", "errno": -2, "syscall": "connect",
                     "address": path}


def test_a_path_that_is_no_socket(session, folder):
    path = folder / "file"
    path.write_text("")
    error = session.refused("net.createConnection", 1, {"path": str(path)})
    assert (error["code"], error["message"]) == ("ECONNREFUSED", f"connect ECONNREFUSED {path}")


def test_no_such_host(session):
    error = session.refused("net.createConnection", 1, {"port": 1, "host": NO_SUCH_HOST})
    assert {**error, "errno": 0} == {"code": "ENOTFOUND", "message": f"getaddrinfo ENOTFOUND {NO_SUCH_HOST}", "errno": 0,
                                     "syscall": "getaddrinfo", "hostname": NO_SUCH_HOST}
    lookup = session.expect_event("socket.lookup", 1)
    assert lookup["err"]["code"] == "ENOTFOUND" and lookup["host"] == NO_SUCH_HOST and "address" not in lookup
    assert session.story(1) == ["lookup", "error", "close"]


def test_a_local_address_that_is_not_ours(session, refused):
    error = session.refused("net.createConnection", 1, {"port": refused, "host": peers.LOOPBACK, "localAddress": "192.0.2.1"})
    assert (error["code"], error["syscall"], error["address"]) == ("EADDRNOTAVAIL", "bind", "192.0.2.1")
    assert error["message"].startswith("bind EADDRNOTAVAIL 192.0.2.1")


def test_a_local_port_that_is_taken(session):
    with peers.listener() as listener:
        port = peers.port_of(listener)
        error = session.refused("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK,
                                                            "localAddress": peers.LOOPBACK, "localPort": port})
    assert (error["code"], error["syscall"], error["port"]) == ("EADDRINUSE", "bind", port)


def test_a_local_address_of_the_other_family(session, refused):
    error = session.refused("net.createConnection", 1, {"port": refused, "host": peers.LOOPBACK, "localAddress": "::1"})
    assert error["code"] == "EINVAL" and error["syscall"] == "bind"


def test_a_path_of_107_bytes_is_the_longest(session, folder):
    path = long_path(folder, 107)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        session.request("net.createConnection", 1, {"path": path})


def test_a_path_of_108_bytes_is_refused(session, folder):
    path = long_path(folder, 108)
    error = session.refused("net.createConnection", 1, {"path": path})
    assert error["code"] == "ENAMETOOLONG" and error["address"] == path


def long_path(directory, length):
    return f"{directory}/".ljust(length, "x")


ARGUMENTS = [
    ({}, "ERR_MISSING_ARGS", "TypeError", 'The "options" or "port" or "path" argument must be specified'),
    ({"port": 65536}, "ERR_SOCKET_BAD_PORT", "RangeError", "Port should be >= 0 and < 65536. Received type number (65536)."),
    ({"port": -1}, "ERR_SOCKET_BAD_PORT", "RangeError", "Port should be >= 0 and < 65536. Received type number (-1)."),
    ({"port": 1.5}, "ERR_SOCKET_BAD_PORT", "RangeError", "Port should be >= 0 and < 65536. Received type number (1.5)."),
    ({"port": "abc"}, "ERR_SOCKET_BAD_PORT", "RangeError", "Port should be >= 0 and < 65536. Received type string ('abc')."),
    ({"port": True}, "ERR_INVALID_ARG_TYPE", "TypeError", 'The "options.port" property must be one of type number or string.'),
    ({"port": 1, "localAddress": "xyz"}, "ERR_INVALID_IP_ADDRESS", "TypeError", "Invalid IP address: xyz"),
    ({"port": 1, "localPort": {}}, "ERR_INVALID_ARG_TYPE", "TypeError", 'The "options.localPort" property must be'),
    ({"port": 1, "host": "localhost", "family": 5}, "ERR_INVALID_ARG_VALUE", "TypeError",
     "The property 'options.family' must be one of: 0, 4, 6. Received 5"),
    ({"port": 1, "host": "localhost", "hints": 0x4000}, "ERR_INVALID_ARG_VALUE", "TypeError",
     "The argument 'hints' is invalid. Received 16384"),
    ({"port": 1, "host": 3}, "ERR_INVALID_ARG_TYPE", "TypeError", 'The "'),
    ({"path": 3}, "ERR_INVALID_ARG_TYPE", "TypeError", 'The "options.path" property must be of type string.'),
    ({"port": 1, "timeout": -1}, "ERR_OUT_OF_RANGE", "RangeError", 'The value of "msecs" is out of range.'),
    ({"port": 1, "noDelay": "yes"}, "ERR_INVALID_ARG_TYPE", "TypeError", 'The "'),
    ({"port": 1, "encoding": "klingon"}, "ERR_UNKNOWN_ENCODING", "TypeError", "Unknown encoding: klingon"),
    ({"port": 1, "keepalive": True}, "ERR_NB_UNKNOWN_OPTION", None, ""),
]


@pytest.mark.parametrize("body, code, name, message", ARGUMENTS, ids=lambda value: str(value)[:40])
def test_arguments_of_connect_are_checked_as_in_node(session, body, code, name, message):
    error = session.refused("net.createConnection", 1, body)
    assert error["code"] == code
    assert error.get("name") == name or name is None
    assert plain(error["message"]).startswith(plain(message))


def plain(message):
    """Node's wording, but for the JavaScript spelling of the field: the wire has no `options` object."""
    return message.replace("options.", "").replace("property", "argument").replace('"timeout"', '"msecs"')


@pytest.mark.parametrize("body, argument", [({"port": 65536}, "port"), ({"port": 1, "host": 3}, "host"),
                                            ({"port": 1, "keepalive": True}, "keepalive"),
                                            ({"port": 1, "localAddress": "xyz"}, "localAddress"),
                                            ({"port": 1, "onread": {"size": "big"}}, "size")])
def test_an_argument_error_names_the_field(session, body, argument):
    assert session.refused("net.createConnection", 1, body)["argument"].split(".")[-1] == argument


@pytest.mark.parametrize("path", ["", "\0abstract", "with\0nul"])
def test_a_path_that_names_no_file_is_refused(session, path):
    session.refused("net.createConnection", 1, {"path": path})


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


# ---- reading ----

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


@pytest.mark.parametrize("body, code", [({"timeout": -1}, "ERR_OUT_OF_RANGE"), ({"timeout": float("nan")}, "ERR_OUT_OF_RANGE"),
                                        ({"timeout": float("inf")}, "ERR_OUT_OF_RANGE"), ({"timeout": "1"}, "ERR_INVALID_ARG_TYPE")])
def test_timeouts_are_checked(session, body, code):
    session.request("socket.create", 1, {})
    assert session.refused("socket.setTimeout", 1, body)["code"] == code


# ---- options of the kernel's socket ----

def test_options_at_creation_reach_the_kernel(session, broker):
    options = {"noDelay": True, "keepAlive": True, "keepAliveInitialDelay": 7999}
    with peers.connect(session, **options) as peer, broker.adopt_socket(peer) as theirs:
        assert tcp(theirs, "TCP_NODELAY") == 1
        assert keep_alive(theirs) == (1, 7, 10, 1)


def test_options_are_off_by_default(session, broker):
    with peers.connect(session) as peer, broker.adopt_socket(peer) as theirs:
        assert tcp(theirs, "TCP_NODELAY") == 0 and keep_alive(theirs)[0] == 0


def test_options_can_be_set_and_unset(session, broker):
    with peers.connect(session) as peer, broker.adopt_socket(peer) as theirs:
        session.request("socket.setNoDelay", 1)
        session.request("socket.setKeepAlive", 1, {"enable": True, "initialDelay": 3000})
        assert tcp(theirs, "TCP_NODELAY") == 1 and keep_alive(theirs) == (1, 3, 10, 1)
        session.request("socket.setNoDelay", 1, {"noDelay": False})
        session.request("socket.setKeepAlive", 1)
        assert tcp(theirs, "TCP_NODELAY") == 0 and keep_alive(theirs)[0] == 0


def test_a_keep_alive_delay_of_zero_keeps_the_earlier_one(session, broker):
    with peers.connect(session) as peer, broker.adopt_socket(peer) as theirs:
        default = tcp(theirs, "TCP_KEEPIDLE")
        session.request("socket.setKeepAlive", 1, {"enable": True})
        assert keep_alive(theirs)[:2] == (1, default)
        session.request("socket.setKeepAlive", 1, {"enable": True, "initialDelay": 5000})
        session.request("socket.setKeepAlive", 1, {"enable": True, "initialDelay": 0})
        assert keep_alive(theirs)[:2] == (1, 5)


def test_options_set_before_connecting_are_applied(session, broker):
    with peers.listener() as listener:
        session.request("socket.create", 1, {})
        session.request("socket.setNoDelay", 1, {"noDelay": True})
        session.request("socket.setKeepAlive", 1, {"enable": True, "initialDelay": 9000})
        session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        with peers.accept(listener) as peer, broker.adopt_socket(peer) as theirs:
            assert tcp(theirs, "TCP_NODELAY") == 1 and keep_alive(theirs)[:2] == (1, 9)


def tcp(sock, option):
    return sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option))


def keep_alive(sock):
    return (sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), tcp(sock, "TCP_KEEPIDLE"), tcp(sock, "TCP_KEEPCNT"),
            tcp(sock, "TCP_KEEPINTVL"))


# ---- address, info ----

def test_a_fresh_socket(session):
    session.request("socket.create", 1, {})
    info = session.request("socket.info", 1)
    assert info["pending"] is True and info["connecting"] is False and info["destroyed"] is False
    assert info["readyState"] == "open" and info["refed"] is True and info["allowHalfOpen"] is False
    assert info["bytesRead"] == info["bytesWritten"] == info["bufferSize"] == 0
    assert "localAddress" not in info and "timeout" not in info and "server" not in info
    assert session.request("socket.address", 1) == {}


def test_a_connected_socket(session):
    with peers.connect(session) as peer:
        info = session.request("socket.info", 1)
        assert (info["readyState"], info["pending"], info["connecting"], info["kind"]) == ("open", False, False, "tcp")
        assert (info["localAddress"], info["localPort"]) == peer.getpeername()
        assert (info["remoteAddress"], info["remotePort"], info["remoteFamily"]) == (*peer.getsockname(), "IPv4")
        assert session.request("socket.address", 1) == {"address": info["localAddress"], "port": info["localPort"],
                                                        "family": "IPv4"}


def test_a_connecting_socket(session):
    with peers.unanswering() as port:
        session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        info = session.request("socket.info", 1)
        assert (info["readyState"], info["pending"], info["connecting"]) == ("opening", True, True)
        session.request("socket.destroy", 1)


def test_a_unix_socket_has_no_address(session, folder):
    with peers.connect_unix(session, folder / "peer"):
        assert session.request("socket.address", 1) == {}
        assert "remoteAddress" not in session.request("socket.info", 1)


def test_counters(session):
    with peers.connect(session) as peer:
        session.request("socket.write", 1, b"12345")
        peer.sendall(b"123")
        session.received(1, 3)
        info = session.request("socket.info", 1)
        assert (info["bytesWritten"], info["bytesRead"]) == (5, 3)


# ---- autoRelease: false ----

def test_reconnect_on_the_same_id(session):
    peers.connect(session, autoRelease=False).close()
    session.expect_event("socket.close", 1)
    with peers.listener() as listener:
        session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        with peers.accept(listener) as peer:
            peer.sendall(b"again")
            assert session.received(1, 5) == b"again"
            assert session.request("socket.info", 1)["bytesRead"] == 5
            session.request("socket.end", 1, b"works")
            assert peers.read_to_end(peer) == b"works"
    session.expect_event("socket.close", 1)
    assert session.request("socket.release", 1) == {}


def test_reconnect_after_a_failed_connect(session, refused):
    session.request("socket.create", 1, {"autoRelease": False})
    with pytest.raises(Failed, match="ECONNREFUSED"):
        session.request("socket.connect", 1, {"port": refused, "host": peers.LOOPBACK})
    with peers.listener() as listener:
        session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        peers.accept(listener).close()
    session.expect_event("socket.close", 1)
    session.expect_event("socket.close", 1)
