"""The other end of the broker's sockets: plain Python sockets, and the few set-ups that many tests start from."""
import contextlib
import socket
import struct

from support.broker import tcp_rows, wait_until
from support.wire import DEADLINE

LOOPBACK = "127.0.0.1"


def listener(address=(LOOPBACK, 0), backlog=128):
    """A listening TCP socket, or a Unix one where `address` is a path."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE)
    sock.bind(address if isinstance(address, tuple) else str(address))
    sock.listen(backlog)
    return sock


def port_of(sock):
    return sock.getsockname()[1]


def accept(sock):
    peer, _ = sock.accept()
    peer.settimeout(DEADLINE)
    return peer


def dial(address):
    """A connected plain socket to a port of this machine, a (host, port) or a path."""
    if isinstance(address, int):
        address = (LOOPBACK, address)
    if isinstance(address, tuple):
        return socket.create_connection(address, DEADLINE)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE)
    sock.connect(str(address))
    return sock


def read_exactly(sock, size):
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), 1 << 18))
        assert part, f"the peer's stream ended after {len(data)} of {size} bytes"
        data += part
    return bytes(data)


def read_to_end(sock):
    data = bytearray()
    while part := sock.recv(1 << 18):
        data += part
    return bytes(data)


def reset(sock):
    """Closes a TCP socket with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def refused_port():
    """A port of this machine on which nobody listens. Nobody is given it as a free one; who asks for it and allows reuse, as all do
    who bind like Node, can have it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", 0))
    return sock, port_of(sock)


def connect(session, target=1, **options):
    """Connects a socket of the session to a new plain peer; returns the peer."""
    with listener() as sock:
        session.request("net.createConnection", target, {"host": LOOPBACK, "port": port_of(sock), **options})
        return accept(sock)


def connect_unix(session, path, target=1, **options):
    with listener(path) as sock:
        session.request("net.createConnection", target, {"path": str(path), **options})
        return accept(sock)


def serve(session, target=1, listen=None, **options):
    """A listening server of the session; returns its address map."""
    session.request("server.create", target, options)
    return session.request("server.listen", target, listen or {"host": LOOPBACK, "port": 0})


def accepted(session, target=1, address=None):
    """Dials a server of the session; returns the peer and the body of its connection event."""
    peer = dial(address or session.request("server.address", target)["port"])
    return peer, session.expect_event("server.connection", target)


@contextlib.contextmanager
def unanswering():
    """A port on which a TCP connect neither succeeds nor fails: its queue of pending connections is full."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(listener(backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        yield port_of(sock)


def unread_bytes(local_port, remote_port):
    """Bytes that the owner of a connection has left in its kernel buffer."""
    return next((row[3] for row in tcp_rows() if row[:2] == (local_port, remote_port)), None)


def wait_listening(port):
    wait_until(lambda: any(row[0] == port and row[2] == 10 for row in tcp_rows()), f"a listener on port {port}")


def write_until_stuck(session, target, size=256 << 10):
    """Write requests to a peer that does not read, until one stays in the broker's queue; returns their msgids."""
    msgids = []
    while not all(session.request("socket.info", target)["bufferSize"] for _ in range(50)):
        msgids.append(session.send("socket.write", target, bytes(size)))
        assert len(msgids) < 1000, "the kernel took more than any buffer holds"
    return msgids
