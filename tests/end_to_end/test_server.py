"""Servers: what they accept and drop, what they tell, how they close. protocol.md 11, with Node as the judge."""
import socket

import pytest

from support import peers
from support.broker import wait_until
from support.wire import request_frame

ANY_PORT = {"port": 0, "host": peers.LOOPBACK}

# ---- connections ----

def test_a_connection_tells_both_addresses(session):
    port = peers.serve(session)["port"]
    peer, connection = peers.accepted(session)
    with peer:
        here = peer.getsockname()
    connection.pop("socket")
    assert connection == {"localAddress": peers.LOOPBACK, "localPort": port, "localFamily": "IPv4",
                          "remoteAddress": here[0], "remotePort": here[1], "remoteFamily": "IPv4"}


def test_an_accepted_socket_knows_its_server(session):
    peers.serve(session)
    peer, connection = peers.accepted(session)
    with peer:
        info = session.request("socket.info", connection["socket"])
        assert info["server"] == 1 and info["readyState"] == "open"


def test_options_of_the_server_are_those_of_its_sockets(session, broker):
    peers.serve(session, allowHalfOpen=True, noDelay=True, keepAlive=True, keepAliveInitialDelay=4000, highWaterMark=99,
                readChunk=100)
    peer, connection = peers.accepted(session)
    with peer:
        info = session.request("socket.info", connection["socket"])
        assert info["allowHalfOpen"] is True and info["writableHighWaterMark"] == 99
        with broker.adopt_socket(peer) as theirs:
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 4
        peer.sendall(bytes(1000))
        session.received(connection["socket"], 1000)
        assert max(len(body) for [body] in session.events("socket.data", connection["socket"])) <= 100


def test_pause_on_connect_reads_not_one_byte(session):
    port = peers.serve(session, pauseOnConnect=True)["port"]
    peer, connection = peers.accepted(session)
    with peer:
        peer.sendall(b"x" * 1000)
        wait_until(lambda: peers.unread_bytes(port, peer.getsockname()[1]) == 1000, "all bytes in the kernel")
        session.request("session.ping", 0, {})
        assert peers.unread_bytes(port, peer.getsockname()[1]) == 1000
        info = session.request("socket.info", connection["socket"])
        assert info["paused"] is True and info["bytesRead"] == 0
        session.request("socket.resume", connection["socket"])
        assert session.received(connection["socket"], 1000) == b"x" * 1000


def test_many_connections_at_once(session):
    port = peers.serve(session)["port"]
    dialled = [peers.dial(port) for _ in range(100)]
    connections = [session.expect_event("server.connection", 1) for _ in dialled]
    assert {connection["remotePort"] for connection in connections} == {peer.getsockname()[1] for peer in dialled}
    assert session.request("server.getConnections", 1) == {"count": 100}
    for peer in dialled:
        peer.close()
    for connection in connections:
        session.expect_event("socket.close", connection["socket"])
    assert session.request("server.getConnections", 1) == {"count": 0}


# ---- maxConnections, drop ----

def test_a_connection_too_many_is_dropped(session):
    port = peers.serve(session, maxConnections=1)["port"]
    first, _ = peers.accepted(session)
    with first, peers.dial(port) as second:
        assert second.recv(1) == b""
        here = second.getsockname()
        assert session.expect_event("server.drop", 1) == {
            "localAddress": peers.LOOPBACK, "localPort": port, "localFamily": "IPv4",
            "remoteAddress": here[0], "remotePort": here[1], "remoteFamily": "IPv4"}
        assert session.request("server.getConnections", 1) == {"count": 1}


def test_max_connections_zero_drops_all(session):
    port = peers.serve(session, maxConnections=0)["port"]
    with peers.dial(port) as peer:
        assert peer.recv(1) == b""
    session.expect_event("server.drop", 1)
    assert session.events("server.connection", 1) == []


def test_max_connections_can_be_changed_and_lifted(session):
    port = peers.serve(session, maxConnections=0)["port"]
    session.request("server.set", 1, {"maxConnections": 1})
    assert session.request("server.info", 1)["maxConnections"] == 1
    with peers.dial(port):
        session.expect_event("server.connection", 1)
        peers.dial(port).close()
        session.expect_event("server.drop", 1)
        session.request("server.set", 1, {})
        with peers.dial(port):
            session.expect_event("server.connection", 1)


def test_a_drop_on_a_unix_path_has_no_addresses(server, folder):
    server.request("server.set", 1, {"maxConnections": 0})
    server.request("server.listen", 1, {"path": str(folder / "server")})
    with peers.dial(folder / "server") as peer:
        assert server.expect_event("server.drop", 1) == {}
        assert peer.recv(1) == b""


def test_a_place_is_free_again_after_a_close(session):
    peers.serve(session, maxConnections=1)
    peer, connection = peers.accepted(session)
    peer.close()
    session.expect_event("socket.close", connection["socket"])
    peers.accepted(session)[0].close()


# ---- close, address, info ----

def test_close_refuses_new_connections(session):
    port = peers.serve(session)["port"]
    assert session.request("server.close", 1) == {}
    with pytest.raises(ConnectionRefusedError):
        peers.dial(port)


def test_close_waits_for_its_connections(session):
    port = peers.serve(session)["port"]
    peer, connection = peers.accepted(session)
    close = session.send("server.close", 1)
    session.request("session.ping", 0, {})
    assert session.story(1, close=close) == ["listening", "connection"]
    with pytest.raises(ConnectionRefusedError):
        peers.dial(port)
    peer.sendall(b"still served")
    assert session.received(connection["socket"], 12) == b"still served"
    peer.close()
    assert session.result(close) == {}
    assert session.story(1, close=close) == ["listening", "connection", "close", "=close"]


def test_close_of_a_server_that_never_listened(server):
    error = server.refused("server.close", 1)
    assert error == {"code": "ERR_SERVER_NOT_RUNNING", "message": "Server is not running."}
    assert server.expect_event("server.close", 1) == {}


def test_a_second_close(session):
    peers.serve(session)
    session.request("server.close", 1)
    assert session.refused("server.close", 1)["code"] == "ERR_SERVER_NOT_RUNNING"


def test_there_is_no_address_while_not_listening(server):
    assert not server.request("server.address", 1)
    server.request("server.listen", 1, ANY_PORT)
    server.request("server.close", 1)
    assert not server.request("server.address", 1)


def test_info(server):
    info = server.request("server.info", 1)
    assert info["listening"] is False and info["connections"] == 0 and info["refed"] is True
    assert "maxConnections" not in info and "port" not in info
    address = server.request("server.listen", 1, ANY_PORT)
    with peers.dial(address["port"]):
        server.expect_event("server.connection", 1)
        assert server.request("server.info", 1) == {"listening": True, "connections": 1, "refed": True, **address}


# ---- again ----

def test_the_retry_of_nodes_documentation(server):
    """close() and listen() again while the address is in use, until it is not."""
    with peers.listener() as taken:
        named = {"port": peers.port_of(taken), "host": peers.LOOPBACK}
        for _ in range(3):
            assert server.refused("server.listen", 1, named)["code"] == "EADDRINUSE"
            assert server.refused("server.close", 1)["code"] == "ERR_SERVER_NOT_RUNNING"
    assert server.request("server.listen", 1, named)["port"] == named["port"]
    assert server.request("server.close", 1) == {}


def test_listen_close_and_listen_with_live_connections(session):
    port = peers.serve(session)["port"]
    peer, connection = peers.accepted(session)
    close = session.send("server.close", 1)
    assert session.request("server.listen", 1, {**ANY_PORT, "port": port})["port"] == port
    with peers.dial(port):
        session.expect_event("server.connection", 1)
        assert session.request("server.getConnections", 1) == {"count": 2}
    peer.sendall(b"still there")
    assert session.received(connection["socket"], 11) == b"still there"
    peer.close()
    session.request("server.close", 1)
    assert session.result(close) == {}


def test_a_server_that_is_released_forgets_its_number_only_when_closed(session):
    peers.serve(session)
    peer, _ = peers.accepted(session)
    session.send("server.close", 1)
    assert session.refused("server.release", 1)["code"] == "ERR_NB_BUSY"
    peer.close()
    session.expect_event("server.close", 1)
    assert session.request("server.release", 1) == {}


# ---- abort signals: a library's server.close ----

def test_an_abort_before_the_lookup_is_done_never_listens(server):
    listen, close = 101, 102
    server.send_bytes(request_frame(listen, "server.listen", 1, {"port": 0, "host": "localhost"}) +
                      request_frame(close, "server.close", 1))
    assert server.error(listen)["code"] == "ERR_SERVER_NOT_RUNNING"
    assert server.result(close) == {}
    assert server.events("server.listening", 1) == []
    assert server.request("server.info", 1)["listening"] is False
