"""Blocking sockets over the broker: what scripts and libraries do with the socket module."""
import contextlib
import select
import socket
import struct
import threading
import urllib.error
import urllib.request

import netbroker
import pytest
from netbroker import blocking

from .peers import noise

SIZE = 3 << 20
DEADLINE = 20  # seconds


@pytest.fixture(autouse=True)
def broker(daemon, monkeypatch):
    monkeypatch.setenv("NETBROKER_SOCKET", str(daemon.path))


@pytest.fixture
def peer():
    """Starts a thread that serves one connection; gives the address."""
    threads, failures = [], []

    def start(serve):
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(DEADLINE)

        def run():
            try:
                with listening, listening.accept()[0] as connection:
                    connection.settimeout(DEADLINE)
                    serve(connection)
            except BaseException as error:
                failures.append(error)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return listening.getsockname()

    yield start
    for thread in threads:
        thread.join(DEADLINE)
    assert not failures, failures


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def test_both_ways_and_half_closed(peer):
    content = noise(SIZE)
    with blocking.create_connection(peer(echo), DEADLINE) as connection:
        sending = threading.Thread(target=lambda: (connection.sendall(content), connection.shutdown(socket.SHUT_WR)))
        sending.start()
        with connection.makefile("rb") as file:
            assert file.read() == content
        sending.join()


def test_it_is_a_socket(peer):
    address = peer(echo)
    with blocking.create_connection(address, DEADLINE) as connection:
        assert isinstance(connection, socket.socket) and connection.family == socket.AF_INET
        assert connection.getpeername() == address and connection.getsockname()[0] == "127.0.0.1"
        assert connection.gettimeout() == DEADLINE
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert select.select([connection], [connection], [], 0)[:2] == ([], [connection])
        connection.sendall(b"x")
        assert select.select([connection], [], [], DEADLINE)[0] == [connection]
        buffer = bytearray(4)
        assert connection.recv_into(buffer) == 1 and buffer[:1] == b"x"
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def test_what_fails_says_so_as_ever(folder, monkeypatch):
    with pytest.raises(ConnectionRefusedError):
        blocking.create_connection(("127.0.0.1", 1))
    with pytest.raises(socket.gaierror):
        blocking.create_connection(("no-such-name.invalid", 1))
    with contextlib.closing(blocking.Socket()) as unconnected:
        assert unconnected.connect_ex(("127.0.0.1", 1)) != 0
    monkeypatch.setenv("NETBROKER_SOCKET", str(folder / "nobody.sock"))
    with pytest.raises(netbroker.NoBrokerError, match="netbroker serve"):
        blocking.create_connection(("127.0.0.1", 1))


def test_a_reset_is_no_end(peer):
    def reset(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with blocking.create_connection(peer(reset), DEADLINE) as connection:
        connection.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            while True:
                assert connection.recv(1), "an end, where there was a reset"


def test_the_broker_is_killed(start_broker, monkeypatch, peer):
    broker = start_broker()
    monkeypatch.setenv("NETBROKER_SOCKET", str(broker.path))
    with blocking.create_connection(peer(lambda connection: connection.recv(1)), DEADLINE) as connection:
        broker.kill()
        with pytest.raises(netbroker.SessionLost):
            connection.recv(1)


def test_nothing_is_left(daemon, peer):
    before = daemon.open_fds()
    for _ in range(5):
        with blocking.create_connection(peer(echo), DEADLINE) as connection:
            connection.sendall(b"bye")
            assert connection.recv(3) == b"bye"
    from support.broker import wait_until
    wait_until(lambda: daemon.open_fds() <= before, "the descriptors of all connections")


def test_patched_for_urllib(peer):
    def serve(connection):
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(65536)
        assert b"GET /page HTTP/1.1" in request
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nthe page")

    host, port = peer(serve)
    native = socket.socket
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with blocking.patched():
        assert socket.socket is blocking.Socket
        with opener.open(f"http://localhost:{port}/page", timeout=DEADLINE) as response:
            assert response.read() == b"the page"
        with pytest.raises(urllib.error.URLError):
            opener.open("http://no-such-name.invalid/", timeout=DEADLINE)
    assert socket.socket is native


def test_patched_for_tls(peer, certificate):
    for_server, for_client = certificate

    def serve(connection):
        with for_server.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(secured.recv(100).upper())

    host, port = peer(serve)
    with blocking.patched(), socket.create_connection((host, port), DEADLINE) as connection:
        own = connection.getsockname()
        with for_client.wrap_socket(connection, server_hostname="localhost") as secured:
            assert secured.getpeername() == (host, port) and secured.getsockname() == own
            secured.sendall(b"hello")
            assert secured.recv(100) == b"HELLO"


def test_servers_datagrams_and_unix_sockets_stay_the_systems():
    with blocking.patched():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            with blocking.create_connection(listening.getsockname(), DEADLINE) as connection:
                accepted, _ = listening.accept()
                with accepted:
                    connection.sendall(b"to a native server")
                    assert accepted.recv(100) == b"to a native server"
        first, second = socket.socketpair()
        with first, second:
            first.sendall(b"pair")
            assert second.recv(4) == b"pair"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(("127.0.0.1", 0))
            datagrams.sendto(b"datagram", datagrams.getsockname())
            assert datagrams.recv(100) == b"datagram"


def greet(connection):
    connection.sendall(b"hello\r\n")
    connection.recv(1)
    connection.sendall(b"bye\r\n")


def test_who_speaks_first_is_heard(peer):
    """Also by who waits for the descriptor to be ready."""
    for _ in range(20):
        with blocking.create_connection(peer(greet), DEADLINE) as connection:
            assert select.select([connection], [], [], DEADLINE)[0]
            assert connection.recv(100) == b"hello\r\n"
            connection.sendall(b"x")
            assert connection.makefile("rb").read() == b"bye\r\n"


def test_an_end_may_be_read_again(peer):
    with blocking.create_connection(peer(greet), DEADLINE) as connection:
        connection.sendall(b"x")
        assert connection.makefile("rb").read() == b"hello\r\nbye\r\n"
        assert connection.recv(1) == connection.recv(1) == b""
