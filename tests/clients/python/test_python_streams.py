"""asyncio's streams over the broker, against peers that know nothing of it."""
import asyncio
import contextlib
import hashlib
import os
import random
import socket
import stat
import struct

import netbroker
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netbroker.flow import CROWDED_WINDOW

from .peers import DATA_PLANES, PATIENCE, echo, noise, only_inline, plain_server, soon, until_empty

pytestmark = pytest.mark.asyncio

LARGE = 64 << 20
MANY = 200
KERNELS = 512 * 1024  # bytes that a stream of the kernel's may hold beside the broker


@pytest.fixture(params=DATA_PLANES)
def data_plane(request):
    return request.param


async def end_of(writer):
    writer.close()
    await soon(writer.wait_closed())


# ---- whole exchanges ----


async def exchange(reader, writer, content):
    """Sends `content`, ends, and returns what came back up to the other end's end."""

    async def push():
        for start in range(0, len(content), 1 << 18):
            writer.write(content[start : start + (1 << 18)])
            await writer.drain()
        writer.write_eof()

    pushing = asyncio.ensure_future(push())
    digest, size = hashlib.sha256(), 0
    while data := await reader.read(1 << 18):
        digest.update(data)
        size += len(data)
    await pushing
    return size, digest.digest()


async def test_large_echo_by_a_plain_server(session):
    content = noise(LARGE)
    async with plain_server(echo) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        got = await asyncio.wait_for(exchange(reader, writer, content), PATIENCE)
        assert got == (LARGE, hashlib.sha256(content).digest())
        await end_of(writer)


async def test_large_echo_by_our_server(session):
    content = noise(LARGE)
    async with await netbroker.start_server(echo, "127.0.0.1", 0, session=session) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        got = await asyncio.wait_for(exchange(reader, writer, content), PATIENCE)
        assert got == (LARGE, hashlib.sha256(content).digest())
        await end_of(writer)


async def test_large_echo_over_a_unix_path(session, folder):
    content, path = noise(LARGE), folder / "echo.sock"
    async with await netbroker.start_unix_server(echo, path, session=session) as server:
        assert server.sockets[0].getsockname() == str(path)
        reader, writer = await netbroker.open_unix_connection(path, session=session)
        got = await asyncio.wait_for(exchange(reader, writer, content), PATIENCE)
        assert got == (LARGE, hashlib.sha256(content).digest())
        await end_of(writer)
    assert not path.exists()


async def test_many_connections_at_once(session):
    async def one(address, number):
        content = hashlib.sha256(b"%d" % number).digest() * 2048
        reader, writer = await netbroker.open_connection(*address, session=session)
        got = await exchange(reader, writer, content)
        await end_of(writer)
        return got == (len(content), hashlib.sha256(content).digest())

    async with await netbroker.start_server(echo, "127.0.0.1", 0, session=session) as server:
        address = server.sockets[0].getsockname()
        jobs = [one(address, number) for number in range(MANY)]
        assert all(await asyncio.wait_for(asyncio.gather(*jobs), PATIENCE))


async def test_own_session_for_a_connection_and_for_a_server(daemon, monkeypatch, data_plane):
    monkeypatch.setenv("NETBROKER_SOCKET", str(daemon.path))
    monkeypatch.setenv("NETBROKER_DATA_PLANE", data_plane)
    fds = daemon.open_fds()
    async with await netbroker.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await netbroker.open_connection(*server.sockets[0].getsockname())
        assert await exchange(reader, writer, b"alone") == (5, hashlib.sha256(b"alone").digest())
        await end_of(writer)
    for _ in range(100):
        if daemon.open_fds() <= fds:
            break
        async with netbroker.connect() as session:
            await session.ping()
    assert daemon.open_fds() <= fds


# ---- half-close ----


async def test_we_end_first_and_go_on_reading(session):
    async def answer_after_end(reader, writer):
        question = await reader.read()
        writer.write(question[::-1] * 3)
        writer.close()

    async with plain_server(answer_after_end) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        writer.write(b"abc")
        writer.write_eof()
        assert await soon(reader.read()) == b"cbacbacba"
        await end_of(writer)


async def test_peer_ends_first_and_goes_on_reading(session):
    received = asyncio.get_running_loop().create_future()

    async def end_then_read(reader, writer):
        writer.write(b"question")
        writer.write_eof()
        received.set_result(await reader.read())
        writer.close()

    async with plain_server(end_then_read) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        assert await soon(reader.read()) == b"question"
        writer.write(b"late answer" * 10000)
        await soon(writer.drain())
        await end_of(writer)
        assert await soon(received) == b"late answer" * 10000


# ---- back-pressure ----


async def test_drain_waits_for_a_peer_that_does_not_read(session):
    go = asyncio.Event()
    sizes = []

    async def read_later(reader, writer):
        await go.wait()
        sizes.append(len(await reader.read()))
        writer.close()

    async with plain_server(read_later) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        written, draining = await fill(session, writer)
        transport = writer.transport
        assert transport.get_write_buffer_size() > transport.get_write_buffer_limits()[0]
        assert (await session.info())["unflushed"] < 2 << 20
        go.set()
        await soon(draining)
        writer.write_eof()
        await soon(reader.read())
        assert sizes == [written]
        await end_of(writer)


async def fill(session, writer):
    """Writes until a drain() outlasts many round trips; the bytes written, and that drain."""
    written = 0
    while written < 64 << 20:
        writer.write(b"x" * 65536)
        written += 65536
        draining = asyncio.ensure_future(writer.drain())
        for _ in range(200):
            await soon(session.ping())
            if draining.done():
                break
        else:
            return written, draining
    raise AssertionError(f"{written} bytes are drained, and nobody reads")


async def test_stuck_peers_do_not_hold_up_others(session):
    async def never_read(reader, writer):
        writer.transport.pause_reading()

    async with plain_server(never_read) as stuck, plain_server(echo) as lively:
        writers = [(await netbroker.open_connection(session=session, **stuck))[1] for _ in range(16)]
        for writer in writers:
            writer.write(b"x" * (8 << 20))
        reader, writer = await soon(netbroker.open_connection(session=session, **lively))
        content = noise(1 << 20)
        assert await soon(exchange(reader, writer, content)) == (len(content), hashlib.sha256(content).digest())
        await end_of(writer)
        for writer in writers:
            writer.transport.abort()


@only_inline
async def test_commands_and_other_writes_get_through_when_many_peers_do_not_read(session, folder):
    """More stuck peers than whole windows fit into the session's."""
    path = str(folder / "stuck.sock")  # little fits into the buffers of a Unix socket
    received = asyncio.get_running_loop().create_future()
    budget = session.budget

    async def never_read(reader, writer):
        writer.transport.pause_reading()

    async def collect(reader, writer):
        received.set_result(await reader.read())
        writer.close()

    stuck = await asyncio.start_unix_server(never_read, path, backlog=1000)
    async with plain_server(collect) as lively:
        many = budget.session_window // budget.socket_window + 8
        opening = [netbroker.open_unix_connection(path, session=session) for _ in range(many)]
        writers = [writer for _, writer in await soon(asyncio.gather(*opening))]
        for writer in writers:
            writer.write(b"x" * (1 << 20))
        while budget.ahead < budget.session_window // 2:
            await soon(session.ping())
        _, last = await soon(netbroker.open_connection(session=session, **lively))
        last.write(b"y" * 100_000)
        last.close()
        assert await soon(received) == b"y" * 100_000
        await soon(last.wait_closed())
        assert budget.ahead <= budget.session_window // 2 + budget.socket_window + many * CROWDED_WINDOW
        for writer in writers:
            writer.transport.abort()
            await soon(session.ping())
        assert budget.ahead == 0
    stuck.close()


async def test_reader_that_does_not_read_stops_the_peer(session):
    content = noise(32 << 20)

    async def pour(reader, writer):
        writer.write(content)
        await writer.drain()
        poured.set()
        writer.close()

    poured = asyncio.Event()
    async with plain_server(pour) as address:
        reader, writer = await netbroker.open_connection(session=session, limit=4096, **address)
        socket = writer.get_extra_info("netbroker")
        while (await soon(socket.info()))["bytes_read"] < session.read_window:
            pass
        for _ in range(50):
            await session.ping()
        assert (await socket.info())["bytes_read"] <= 2 * session.read_window + KERNELS and not poured.is_set()
        assert await soon(reader.read(), PATIENCE) == content
        assert poured.is_set()
        await end_of(writer)


# ---- errors ----


async def test_refused(session):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host, port = unused.getsockname()
        with pytest.raises(ConnectionRefusedError) as caught:
            await netbroker.open_connection(host, port, session=session)
    assert (caught.value.code, caught.value.address, caught.value.port) == ("ECONNREFUSED", host, port)


async def test_no_such_path(session, folder):
    with pytest.raises(FileNotFoundError) as caught:
        await netbroker.open_connection(path=folder / "nobody.sock", session=session)
    assert caught.value.address == str(folder / "nobody.sock")


async def test_no_such_name(session):
    with pytest.raises(socket.gaierror):
        await netbroker.open_connection("name.invalid", 1, session=session)


async def test_bad_port(session):
    with pytest.raises(ValueError) as caught:
        await netbroker.open_connection("127.0.0.1", 65536, session=session)
    assert caught.value.code == "ERR_SOCKET_BAD_PORT"


async def test_address_in_use(session):
    async with plain_server(echo) as address:
        with pytest.raises(OSError) as caught:
            await netbroker.start_server(echo, address["host"], address["port"], session=session)
        assert caught.value.code == "EADDRINUSE"


async def test_reset_by_the_peer(session):
    async def reset(reader, writer):
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with plain_server(reset) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError) as caught:
            await soon(reader.read())
        assert caught.value.code == "ECONNRESET"
        with pytest.raises(ConnectionResetError):
            await end_of(writer)


async def test_cancelled_connect_leaves_nothing(session):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [asyncio.ensure_future(netbroker.open_connection(*address, session=session)) for _ in range(8)]
        await session.ping()
        for filler in fillers:
            filler.cancel()
        for _, writer in [r for r in await asyncio.gather(*fillers, return_exceptions=True) if isinstance(r, tuple)]:
            await end_of(writer)
        await until_empty(session)


# ---- details ----


async def test_names_of_both_ends(session):
    async with await netbroker.start_server(echo, "127.0.0.1", 0, session=session) as server:
        reader, writer = await netbroker.open_connection(*server.sockets[0].getsockname(), session=session)
        assert writer.get_extra_info("peername") == server.sockets[0].getsockname()
        assert writer.get_extra_info("sockname")[0] == "127.0.0.1"
        assert writer.get_extra_info("nonsense", 7) == 7
        info = await writer.get_extra_info("netbroker").info()
        assert (info["local_address"], info["local_port"]) == writer.get_extra_info("sockname")
        await end_of(writer)


async def test_names_over_ipv6(session):
    async with await netbroker.start_server(echo, "::1", 0, session=session) as server:
        name = server.sockets[0].getsockname()
        assert len(name) == 4 and server.sockets[0].family == socket.AF_INET6
        reader, writer = await netbroker.open_connection(*name[:2], session=session)
        assert writer.get_extra_info("peername") == name
        await end_of(writer)


async def test_unix_peer_is_known(session, folder):
    path, seen = folder / "who.sock", asyncio.get_running_loop().create_future()

    async def ask(reader, writer):
        seen.set_result((writer.get_extra_info("peercred"), writer.get_extra_info("sockname")))
        writer.close()

    async with await netbroker.start_unix_server(ask, path, session=session):
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        reader, writer = await asyncio.open_unix_connection(path)
        peer, name = await soon(seen)
        assert (peer["uid"], peer["pid"], name) == (os.getuid(), os.getpid(), str(path))
        await end_of(writer)


async def test_connect_from_an_address(session):
    seen = asyncio.get_running_loop().create_future()

    async def tell(reader, writer):
        seen.set_result(writer.get_extra_info("peername")[0])
        writer.close()

    async with plain_server(tell) as address:
        _, writer = await netbroker.open_connection(session=session, local_addr=("127.0.0.9", 0), **address)
        assert await soon(seen) == "127.0.0.9"
        await end_of(writer)


async def test_server_closes_before_its_connections(session):
    server = await netbroker.start_server(echo, "127.0.0.1", 0, session=session)
    address = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"one")
    assert await soon(reader.readexactly(3)) == b"one"
    server.close()
    assert not server.is_serving() and server.sockets == ()
    closed = asyncio.ensure_future(server.wait_closed())
    await session.ping()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    writer.write(b"two")
    assert await soon(reader.readexactly(3)) == b"two"
    assert not closed.done()
    await end_of(writer)
    await soon(closed)


async def test_serve_forever_ends_with_its_task(session):
    server = await netbroker.start_server(echo, "127.0.0.1", 0, session=session)
    serving = asyncio.ensure_future(server.serve_forever())
    await session.ping()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await soon(server.wait_closed())


async def test_too_many_connections_are_dropped(session):
    async with await netbroker.start_server(echo, "127.0.0.1", 0, session=session, max_connections=1) as server:
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"x")
        assert await soon(reader.readexactly(1)) == b"x"
        refused, other = await asyncio.open_connection(*address)
        assert await soon(refused.read()) == b""
        await end_of(other)
        await end_of(writer)


# ---- any shape of writing ----

pieces = st.lists(
    st.tuples(st.integers(0, 200_000), st.sampled_from(["write", "lines", "drain", "view"])), min_size=1, max_size=12
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=pieces, high=st.sampled_from([None, 0, 1, 5000, 1 << 20]))
async def test_whatever_is_written_comes_back(session, steps, high):
    async with plain_server(echo) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        writer.transport.set_write_buffer_limits(high)
        content = noise(sum(size for size, _ in steps))

        async def push():
            start = 0
            for size, how in steps:
                piece, start = content[start : start + size], start + size
                if how == "lines":
                    writer.writelines([piece[: size // 3], piece[size // 3 :]])
                else:
                    writer.write(memoryview(bytearray(piece)) if how == "view" else piece)
                if how == "drain":
                    await writer.drain()
            writer.write_eof()

        _, got = await soon(asyncio.gather(push(), reader.read()))
        assert got == content
        await end_of(writer)


# ---- any end ----


@pytest.mark.parametrize("seed", range(4))
async def test_connections_cut_short_leave_nothing(session, seed):
    chance = random.Random(seed)

    async def use(address):
        reader, writer = await netbroker.open_connection(*address, session=session)
        for _ in range(chance.randrange(6)):
            size = chance.randrange(1, 300_000)
            writer.write(bytes(size))
            if chance.random() < 0.5:
                writer.transport.resume_reading()
                await reader.readexactly(chance.randrange(1, size + 1))
            if chance.random() < 0.3:
                writer.transport.pause_reading()
        how = chance.choice([writer.close, writer.transport.abort, writer.write_eof])
        how()
        if how == writer.write_eof:
            writer.transport.resume_reading()
            await reader.read()
            writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await netbroker.start_server(echo, "127.0.0.1", 0, session=session) as server:
        jobs = [asyncio.ensure_future(use(server.sockets[0].getsockname())) for _ in range(100)]
        await soon(asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED))
        for job in chance.sample(jobs, 20):
            job.cancel()
        results = await soon(asyncio.gather(*jobs, return_exceptions=True), PATIENCE)
        allowed = (type(None), ConnectionError, asyncio.CancelledError)
        assert all(isinstance(result, allowed) for result in results), results
        for actor in list(session._actors.values()):
            if isinstance(actor, netbroker.SocketTransport):
                actor.abort()
