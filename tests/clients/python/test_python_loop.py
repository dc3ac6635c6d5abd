"""Event loops over the broker: programs that use nothing but asyncio."""
import asyncio
import contextlib
import gc
import pathlib
import socket
import ssl
import threading
import warnings

import netbroker
import pytest

from .peers import DATA_PLANES, echo, noise, plain_server, soon

uvloop = pytest.importorskip("uvloop")

LOOPS = [asyncio.SelectorEventLoop, uvloop.Loop]
SIZE = 3 << 20


@pytest.fixture(params=DATA_PLANES)
def data_plane(request):
    return request.param


@pytest.fixture(params=LOOPS, ids=lambda loop: loop.__module__.partition(".")[0])
def run(request, daemon, monkeypatch, data_plane):
    """Runs a coroutine as a program would, in a loop over the shared daemon; nothing is left in the daemon then."""
    monkeypatch.setenv("NETBROKER_SOCKET", str(daemon.path))
    monkeypatch.setenv("NETBROKER_DATA_PLANE", data_plane)

    def run(program):
        policy = asyncio.get_event_loop_policy()
        monkeypatch.setattr(policy, "new_event_loop", netbroker.on_broker(request.param))
        asyncio.run(soon(program, 60))

    return run


def is_over_the_broker(writer):
    return isinstance(writer.get_extra_info("netbroker"), netbroker.Socket)


async def exchange(reader, writer, content):
    writer.write(content)
    got = await reader.readexactly(len(content))
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return got


# ---- connections and servers ----


def test_streams_both_ways(run):
    content = noise(SIZE)

    async def program():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        assert server.is_serving() and server.get_loop() is asyncio.get_running_loop()
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        assert is_over_the_broker(writer) and writer.get_extra_info("peername") == (host, port)
        assert await exchange(reader, writer, content) == content
        server.close()
        await server.wait_closed()
        assert not server.is_serving() and not server.sockets

    run(program())


def test_several_hosts_and_a_refused_one(run):
    async def program():
        server = await asyncio.start_server(echo, ["127.0.0.1", "127.0.0.2"], 0)
        hosts = [one.getsockname()[0] for one in server.sockets]
        assert hosts == ["127.0.0.1", "127.0.0.2"]
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError) as taken:
            await asyncio.start_server(echo, ["127.0.0.3", "127.0.0.1"], port)
        assert taken.value.errno
        with pytest.raises(ConnectionRefusedError):  # of the two, none is left
            await asyncio.open_connection("127.0.0.3", port)
        server.close()

    run(program())


def test_a_server_that_starts_later(run):
    async def program():
        server = await asyncio.start_server(echo, "127.0.0.1", 0, start_serving=False)
        assert not server.is_serving() and not server.sockets
        await server.start_serving()
        await server.start_serving()
        assert server.is_serving() and len(server.sockets) == 1
        serving = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert not server.is_serving()

    run(program())


def test_unix_paths_are_the_programs(run, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind("echo.sock")  # left behind: a server replaces it

    async def program():
        server = await asyncio.start_unix_server(echo, "echo.sock")
        assert server.sockets[0].getsockname() == str(folder / "echo.sock")
        reader, writer = await asyncio.open_unix_connection(pathlib.Path("echo.sock"))
        assert is_over_the_broker(writer)
        assert await exchange(reader, writer, b"hello") == b"hello"
        server.close()

    run(program())


def test_what_fails_says_so_as_ever(run):
    async def program():
        with pytest.raises(ConnectionRefusedError) as refused:
            await asyncio.open_connection("127.0.0.1", 1)
        assert refused.value.errno
        with pytest.raises(socket.gaierror):
            await asyncio.open_connection("no-such-name.invalid", 1)
        with pytest.raises(ValueError):
            await asyncio.get_running_loop().create_connection(asyncio.Protocol)
        with pytest.raises(ValueError, match="server_hostname"):
            await asyncio.get_running_loop().create_connection(asyncio.Protocol, None, 1, ssl=True)

    run(program())


def test_own_sockets_stay_the_systems(run):
    async def program():
        async with plain_server(echo) as _:
            with socket.create_server(("127.0.0.1", 0)) as listening:
                server = await asyncio.start_server(echo, sock=listening)
                reader, writer = await asyncio.open_connection(
                    sock=await asyncio.to_thread(socket.create_connection, listening.getsockname()))  # fmt: skip
                assert not is_over_the_broker(writer)
                assert await exchange(reader, writer, b"native") == b"native"
                server.close()

    run(program())


# ---- TLS ----


def test_tls_both_ways(run, certificate):
    for_server, for_client = certificate
    content = noise(SIZE)

    async def program():
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=for_server)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=for_client, server_hostname="localhost")
        assert writer.get_extra_info("ssl_object").version().startswith("TLS") and is_over_the_broker(writer)
        assert await exchange(reader, writer, content) == content
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=for_client, server_hostname="elsewhere")
        server.close()

    run(program())


def test_what_was_written_arrives_though_the_peer_has_ended(run, certificate):
    for_server, for_client = certificate
    content = noise(4 << 20)
    received = []

    def serve(listener):
        connection = listener.accept()[0]
        connection.settimeout(20)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = for_server.wrap_bio(incoming, outgoing, server_side=True)

        def step(action, *arguments):
            while True:
                try:
                    return action(*arguments)
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(1000)) or incoming.write_eof()

        with connection, contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):
            step(tls.do_handshake)
            assert step(tls.read, 4) == b"ping"
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.unwrap()  # says its end, and does not wait for the other's
            while True:
                received.append(step(tls.read, 1 << 16))

    async def program(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=for_client, server_hostname="localhost")
        writer.write(b"ping")
        writer.write(content)
        assert await reader.read() == b""
        with contextlib.suppress(OSError, ssl.SSLError):
            writer.close()
            await writer.wait_closed()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = threading.Thread(target=serve, args=(listener,))
        peer.start()
        run(program(listener.getsockname()[1]))
        peer.join()
    assert b"".join(received) == content


def test_tls_that_is_not_connected_leaves_nothing_open(run, certificate):
    async def program():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", 1, ssl=certificate[1])

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        run(program())
        gc.collect()
    assert not [str(warning.message) for warning in said if "unclosed transport" in str(warning.message)]


def test_start_tls(run, certificate):
    for_server, for_client = certificate

    async def program():
        async def upgrade(reader, writer):
            assert await reader.readline() == b"STARTTLS\n"
            writer.write(b"go\n")
            await writer.start_tls(for_server)
            await echo(reader, writer)

        server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go\n"
        await writer.start_tls(for_client, server_hostname="localhost")
        assert await exchange(reader, writer, b"secret" * 10_000) == b"secret" * 10_000
        server.close()

    if not hasattr(asyncio.StreamWriter, "start_tls"):
        pytest.skip("streams have start_tls from Python 3.11 on")
    run(program())


# ---- the session, and what programs ask of a socket ----


def test_one_session_for_all_and_a_new_one_when_it_is_lost(run):
    async def program():
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        first, again = await asyncio.gather(loop.broker_session(), loop.broker_session())
        assert first is again
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        first.abort()
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        assert await loop.broker_session() is not first
        with pytest.raises(ConnectionRefusedError):  # the server goes with its session, when the broker has seen its end
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()

    run(program())


def test_without_a_broker(run, folder, monkeypatch):
    monkeypatch.setenv("NETBROKER_SOCKET", str(folder / "nobody.sock"))

    async def program():
        for _ in range(2):
            with pytest.raises(netbroker.NoBrokerError, match="netbroker serve"):
                await asyncio.open_connection("127.0.0.1", 1)

    run(program())


def test_the_socket_of_a_transport(run):
    async def program():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        sock = writer.get_extra_info("socket")
        assert (sock.family, sock.type, sock.fileno()) == (socket.AF_INET, socket.SOCK_STREAM, -1)
        assert sock.getpeername() == writer.get_extra_info("peername")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
        options = await (await asyncio.get_running_loop().broker_session()).request(
            "socket.getOptions", writer.get_extra_info("netbroker").target)  # fmt: skip
        assert options["keepAlive"] is True and options["keepAliveInitialDelay"] == 77_000
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
        with pytest.raises(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        writer.close()
        server.close()

    run(program())


def test_names_are_left_to_the_broker(run):
    async def program():
        loop = asyncio.get_running_loop()
        (family, kind, _, _, name), = await loop.getaddrinfo("some.where", 80, type=socket.SOCK_STREAM)
        assert (family, kind, name) == (socket.AF_INET, socket.SOCK_STREAM, ("some.where", 80))
        numeric = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        assert [one[4] for one in numeric] == [("127.0.0.1", 80)]

    run(program())


def test_install(daemon, monkeypatch):
    monkeypatch.setenv("NETBROKER_SOCKET", str(daemon.path))
    before = asyncio.get_event_loop_policy()

    async def program():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, netbroker.BrokerLoopMixin) and isinstance(loop, uvloop.Loop)
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        assert await exchange(reader, writer, b"installed") == b"installed"
        server.close()

    try:
        uvloop.install()
        netbroker.install()
        netbroker.install()  # no harm
        asyncio.run(program())
    finally:
        asyncio.set_event_loop_policy(before)
