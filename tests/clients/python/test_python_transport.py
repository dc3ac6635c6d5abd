"""Transports and protocols: what asyncio promises of them."""
import asyncio
import socket
import struct

import msgpack
import netbroker
import pytest

from .peers import DATA_PLANES, echo, noise, only_inline, plain_server, serve_script, soon

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=DATA_PLANES)
def data_plane(request):
    return request.param


class Recorder(asyncio.Protocol):
    """Notes each call; `lost` is done when the connection is."""

    def __init__(self):
        self.calls, self.received = [], bytearray()
        self.lost = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()

    def note(self, call):
        self.calls.append(call)
        self.changed.set()

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def data_received(self, data):
        assert isinstance(data, bytes) and data
        self.received += data
        self.changed.set()

    def eof_received(self):
        self.note("eof")

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    def connection_lost(self, error):
        self.note("lost")
        self.lost.set_result(error)

    async def until(self, condition):
        while not condition():
            self.changed.clear()
            await soon(self.changed.wait())


class Open(Recorder):
    """Keeps its side open when the peer ends."""

    def eof_received(self):
        super().eof_received()
        return True


async def opened(session, address, factory=Recorder):
    transport, protocol = await netbroker.create_connection(factory, session=session, **address)
    return transport, protocol


async def test_calls_in_order(session):
    async with plain_server(echo) as address:
        transport, protocol = await opened(session, address)
        assert protocol.calls == ["made"] and protocol.transport is transport
        transport.writelines([b"a", b"b", bytearray(b"c")])
        assert transport.can_write_eof()
        transport.write_eof()
        assert await soon(protocol.lost) is None
        assert protocol.received == b"abc" and protocol.calls == ["made", "eof", "lost"]


async def test_true_from_eof_received_keeps_it_open(session):
    peer = asyncio.get_running_loop().create_future()

    async def end_first(reader, writer):
        writer.write_eof()
        peer.set_result(await reader.read())
        writer.close()

    async with plain_server(end_first) as address:
        transport, protocol = await opened(session, address, Open)
        await protocol.until(lambda: "eof" in protocol.calls)
        assert not transport.is_closing()
        transport.write(b"after their end")
        transport.close()
        assert await soon(peer) == b"after their end"
        assert await soon(protocol.lost) is None


async def test_close_sends_everything_first(session):
    peer = asyncio.get_running_loop().create_future()

    async def collect(reader, writer):
        peer.set_result(await reader.read())
        writer.close()

    content = noise(5 << 20)
    async with plain_server(collect) as address:
        transport, protocol = await opened(session, address)
        transport.write(content)
        transport.close()
        transport.write(b"dropped")
        assert transport.is_closing() and not transport.is_reading()
        assert await soon(protocol.lost) is None
        assert await soon(peer) == content


async def test_close_does_not_wait_for_the_peer_to_end(session):
    async def hold_open(reader, writer):
        await reader.read()
        await released.wait()
        writer.close()

    released = asyncio.Event()
    async with plain_server(hold_open) as address:
        transport, protocol = await opened(session, address)
        transport.close()
        transport.close()
        assert await soon(protocol.lost) is None
        released.set()


async def test_close_after_the_end_was_sent(session):
    async def hold_open(reader, writer):
        assert await reader.read() == b"all"
        ended.set()
        await released.wait()
        writer.close()

    ended, released = asyncio.Event(), asyncio.Event()
    async with plain_server(hold_open) as address:
        transport, protocol = await opened(session, address)
        transport.write(b"all")
        transport.write_eof()
        await soon(ended.wait())
        await session.ping()
        transport.close()
        assert await soon(protocol.lost) is None
        released.set()


async def test_close_while_paused_loses_nothing(session):
    """Unread bytes would make the kernel reset the connection, and what we wrote be lost."""
    received = asyncio.get_running_loop().create_future()

    async def pour_then_read(reader, writer):
        writer.transport.set_write_buffer_limits(0)
        writer.write(b"x" * 300_000)
        writer.transport.pause_reading()
        await asked.wait()
        writer.transport.resume_reading()
        received.set_result(await reader.read())

    asked = asyncio.Event()
    content = noise(600_000)
    async with plain_server(pour_then_read) as address:
        transport, protocol = await opened(session, address)
        transport.pause_reading()
        transport.write(content)
        transport.close()
        assert await soon(protocol.lost) is None
        asked.set()
        assert await soon(received) == content


async def test_abort_drops_what_is_queued(session):
    async def never_read(reader, writer):
        writer.transport.pause_reading()

    async with plain_server(never_read) as address:
        transport, protocol = await opened(session, address)
        transport.write(b"x" * (8 << 20))
        assert protocol.calls == ["made", "pause"]
        transport.abort()
        transport.abort()
        assert "lost" not in protocol.calls
        assert await soon(protocol.lost) is None
        assert session.budget.ahead == 0


async def test_write_after_the_end(session):
    async with plain_server(echo) as address:
        transport, protocol = await opened(session, address)
        transport.write_eof()
        with pytest.raises(RuntimeError):
            transport.write(b"x")
        with pytest.raises(TypeError):
            transport.write("text")
        await soon(protocol.lost)


async def test_pause_and_resume_of_writing(session):
    go = asyncio.Event()

    async def read_later(reader, writer):
        await go.wait()
        await reader.read()
        writer.close()

    async with plain_server(read_later) as address:
        transport, protocol = await opened(session, address)
        transport.set_write_buffer_limits(high=100_000, low=1000)
        assert transport.get_write_buffer_limits() == (1000, 100_000)
        transport.write(b"x" * (16 << 20))
        assert protocol.calls == ["made", "pause"]
        go.set()
        await protocol.until(lambda: "resume" in protocol.calls)
        assert transport.get_write_buffer_size() <= 1000
        transport.close()
        await soon(protocol.lost)
        assert protocol.calls == ["made", "pause", "resume", "lost"]


async def test_limits_are_checked(session):
    async with plain_server(echo) as address:
        transport, protocol = await opened(session, address)
        with pytest.raises(ValueError):
            transport.set_write_buffer_limits(high=1, low=2)
        transport.set_write_buffer_limits(low=10)
        assert transport.get_write_buffer_limits() == (10, 40)
        transport.close()
        await soon(protocol.lost)


@only_inline
async def test_high_of_zero_counts_every_byte(session):
    async with plain_server(echo) as address:
        transport, protocol = await opened(session, address)
        transport.set_write_buffer_limits(high=0)
        for _ in range(3):
            protocol.calls.clear()
            transport.write(b"x")
            assert protocol.calls == ["pause"] and transport.get_write_buffer_size() == 1
            await protocol.until(lambda: "resume" in protocol.calls)
            assert transport.get_write_buffer_size() == 0
        transport.close()
        await soon(protocol.lost)


async def test_nothing_is_delivered_while_paused(session):
    content = noise(2 << 20)

    async def pour(reader, writer):
        writer.write(content)
        writer.close()

    async with plain_server(pour) as address:
        transport, protocol = await opened(session, address)
        received = 0
        while True:
            await protocol.until(lambda: len(protocol.received) > received or "eof" in protocol.calls)
            if "eof" in protocol.calls:
                break
            transport.pause_reading()
            transport.pause_reading()
            received, calls = len(protocol.received), list(protocol.calls)
            await session.ping()
            await session.ping()
            assert len(protocol.received) == received and protocol.calls == calls
            transport.resume_reading()
        assert await soon(protocol.lost) is None
        assert protocol.received == content


async def test_end_waits_for_the_reader(session):
    async def greet(reader, writer):
        writer.write(b"hello")
        writer.close()

    class Paused(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.pause_reading()

    async with plain_server(greet) as address:
        transport, protocol = await opened(session, address, Paused)
        for _ in range(20):
            await session.ping()
        assert "eof" not in protocol.calls
        transport.resume_reading()
        assert await soon(protocol.lost) is None
        assert protocol.received == b"hello" and protocol.calls == ["made", "eof", "lost"]


@only_inline
async def test_close_after_an_end_that_was_held_back(folder, data_plane):
    async def script(reader, writer):
        for frame in (
            [2, "socket.connect", [1, {}]],
            [1, 2, None, {"id": 1}],
            [2, "socket.data", [1, b"last words"]],
            [2, "socket.end", [1]],
            [2, "socket.close", [1, {"hadError": False}]],
            [2, "session.idle", [0]],
        ):
            writer.write(msgpack.packb(frame))
        await reader.read()

    class Paused(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    server, path = await serve_script(folder, script)
    session = await netbroker.connect(path)
    idle = asyncio.get_running_loop().create_future()
    session.on("idle", idle.set_result)
    transport, protocol = await opened(session, {"path": "/nowhere"}, Paused)
    await soon(idle)
    assert protocol.calls == ["made"]
    transport.close()
    assert await soon(protocol.lost) is None
    assert protocol.calls == ["made", "lost"] and protocol.received == b"last words"
    await soon(session.close())
    server.close()


async def test_lower_limits_take_effect_at_once(session):
    async def never_read(reader, writer):
        writer.transport.pause_reading()

    async with plain_server(never_read) as address:
        transport, protocol = await opened(session, address)
        transport.set_write_buffer_limits(high=64 << 20)
        transport.write(b"x" * (16 << 20))
        assert protocol.calls == ["made"]
        transport.set_write_buffer_limits(high=1000)
        assert protocol.calls == ["made", "pause"]
        transport.abort()
        await soon(protocol.lost)


async def test_reset_reaches_connection_lost(session):
    async def reset(reader, writer):
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with plain_server(reset) as address:
        transport, protocol = await opened(session, address)
        transport.write(b"x")
        assert isinstance(await soon(protocol.lost), ConnectionResetError)
        transport.write(b"dropped")
        transport.close()
        transport.abort()


async def test_protocol_that_fails_is_disconnected_and_reported(session):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))

    class Faulty(Recorder):
        def data_received(self, data):
            raise ZeroDivisionError

    async with plain_server(echo) as address:
        transport, protocol = await opened(session, address, Faulty)
        transport.write(b"x")
        assert isinstance(await soon(protocol.lost), ZeroDivisionError)
        assert [type(error) for error in reported] == [ZeroDivisionError]
        assert await session.ping(n=1) == {"n": 1}


class Buffered(asyncio.BufferedProtocol):
    """Lends a buffer that is smaller than most of what comes."""

    def __init__(self):
        self.buffer, self.received = bytearray(1000), bytearray()
        self.lost = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        self.received += self.buffer[:nbytes]

    def connection_lost(self, error):
        self.lost.set_result(error)


async def test_buffered_protocol(session):
    content = noise(300_000)
    async with plain_server(echo) as address:
        transport, protocol = await opened(session, address, Buffered)
        transport.write(content)
        transport.write_eof()
        assert await soon(protocol.lost) is None
        assert protocol.received == content


async def test_protocol_can_be_exchanged(session):
    async with plain_server(echo) as address:
        transport, first = await opened(session, address)
        second = Open()
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        transport.write(b"to the second")
        await second.until(lambda: second.received == b"to the second")
        assert not first.received
        transport.close()
        await soon(second.lost)


async def test_server_with_protocols(session):
    accepted = []

    def factory():
        accepted.append(Recorder())
        return accepted[-1]

    async with await netbroker.create_server(factory, "127.0.0.1", 0, session=session) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hi")
        writer.write_eof()
        assert await soon(reader.read()) == b""
        writer.close()
        assert await soon(accepted[0].lost) is None
        assert accepted[0].received == b"hi" and accepted[0].calls == ["made", "eof", "lost"]


async def test_factory_that_fails_turns_the_connection_away(session):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))

    def factory():
        raise ZeroDivisionError

    async with await netbroker.create_server(factory, "127.0.0.1", 0, session=session) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await soon(reader.read()) == b""
        writer.close()
        assert [type(error) for error in reported] == [ZeroDivisionError]
