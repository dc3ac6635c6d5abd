"""Connecting: addresses, names and paths, errors and arguments, and a second life on the same id. protocol.md 10."""
import socket

import pytest

from support import peers
from support.wire import Failed

NO_SUCH_HOST = "a" * 64 + ".invalid"  # a label too long to be asked for, so no query leaves the machine

@pytest.fixture
def refused():
    taken, port = peers.refused_port()
    with taken:
        yield port


# ---- success ----

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
    with taken, peers.connect(session, localPort=port, localAddress=peers.LOOPBACK) as peer:
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


# ---- errors ----

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
    assert error["message"].startswith(message)


@pytest.mark.parametrize("body, argument", [({"port": 65536}, "port"), ({"port": 1, "host": 3}, "host"),
                                            ({"port": 1, "keepalive": True}, "keepalive"),
                                            ({"port": 1, "localAddress": "xyz"}, "localAddress"),
                                            ({"port": 1, "onread": {"size": "big"}}, "size")])
def test_an_argument_error_names_the_field(session, body, argument):
    assert session.refused("net.createConnection", 1, body)["argument"].split(".")[-1] == argument


@pytest.mark.parametrize("path", ["", "\0abstract", "with\0nul"])
def test_a_path_that_names_no_file_is_refused(session, path):
    session.refused("net.createConnection", 1, {"path": path})


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


def test_reconnect_after_a_reset(session):
    peers.reset(peers.connect(session, autoRelease=False))
    assert session.expect_event("socket.error", 1)["code"] == "ECONNRESET"
    assert session.expect_event("socket.close", 1)["hadError"] is True
    with peers.listener() as listener:
        session.request("socket.connect", 1, {"port": peers.port_of(listener), "host": peers.LOOPBACK})
        with peers.accept(listener) as peer:
            session.request("socket.end", 1, b"a new life")
            assert peers.read_to_end(peer) == b"a new life"
    assert session.expect_event("socket.close", 1)["hadError"] is False
    info = session.request("socket.info", 1)
    assert (info["destroyed"], info["pending"], info["bytesWritten"]) == (True, True, 10)
    assert session.request("socket.release", 1) == {}


@pytest.mark.parametrize("state, code", [("open", "EISCONN"), ("connecting", "EALREADY")])
def test_a_socket_connects_once_at_a_time(session, state, code):
    with peers.unanswering() as port, peers.connect(session, 3 if state == "connecting" else 1):
        if state == "connecting":
            session.notify("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        assert session.refused("socket.connect", 1, {"port": port, "host": peers.LOOPBACK})["code"] == code
        assert session.request("socket.info", 1)["readyState"] == ("open" if state == "open" else "opening")
        session.request("socket.destroy", 1)


# ---- abort signals: a library's socket.destroy with an error ----

ABORT = {"code": "ABORT_ERR", "name": "AbortError", "message": "The operation was aborted"}


def test_an_abort_is_echoed(session):
    with peers.connect(session) as peer:
        assert session.request("socket.destroy", 1, {"error": ABORT}) == {}
        assert session.expect_event("socket.error", 1) == ABORT
        assert session.expect_event("socket.close", 1)["hadError"] is True
        assert peer.recv(1) == b""


def test_an_abort_of_a_fresh_socket(session):
    session.request("socket.create", 1, {})
    session.request("socket.destroy", 1, {"error": ABORT})
    assert session.story(1) == ["error", "close"] and session.events("socket.error", 1) == [[ABORT]]


def test_an_abort_while_connecting_answers_the_connect_first(session):
    with peers.unanswering() as port:
        connect = session.send("net.createConnection", 1, {"port": port, "host": peers.LOOPBACK})
        destroy = session.send("socket.destroy", 1, {"error": ABORT})
        assert session.error(connect)["code"] == "ERR_SOCKET_CLOSED"
        assert session.result(destroy) == {}
        assert session.story(1, connect=connect, destroy=destroy) == ["!connect", "error", "close", "=destroy"]
        assert session.events("socket.error", 1) == [[ABORT]]


# ---- zones ----

def test_a_zone_is_part_of_the_address(session):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        ends = session.request("net.createConnection", 1, {"host": "::1%lo", "port": listener.getsockname()[1]})
        assert ends["remoteFamily"] == "IPv6"
    error = session.refused("net.createConnection", 3, {"host": "::1%lo", "port": 1})
    assert (error["code"], error["address"]) == ("ECONNREFUSED", "::1%lo")
