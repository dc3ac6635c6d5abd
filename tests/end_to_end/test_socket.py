"""What a socket tells of itself, and the options that reach the kernel's socket. protocol.md 10."""
import socket

from support import peers

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
