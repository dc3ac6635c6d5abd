"""Load with every byte checked: an echo program made of a raw session, and plain asyncio sockets as its peers."""
import asyncio
import os
import socket
import threading

import pytest

from support import peers
from support.wire import Session

CHURN, HELD, STREAMS, STREAM_SIZE = 2000, 500, 4, 16 << 20
PATIENCE = 60  # seconds for one connection's whole exchange


class Echo(threading.Thread):
    """A server in a session of its own that sends back what it gets, until it is stopped."""

    def __init__(self, path, listen=None):
        super().__init__()
        self.session = Session(path)
        self.address = peers.serve(self.session, 1, listen, allowHalfOpen=True)
        self.opened = 0
        self.failure = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.session.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.session.socket.close()
        assert self.failure is None, repr(self.failure)

    def run(self):
        try:
            for kind, *rest in self.session.frames(PATIENCE):
                assert kind == 2, rest
                self.on_event(rest[0], *rest[1])
        except BaseException as failure:
            self.failure = failure

    def on_event(self, name, target, body=None):
        if name == "socket.data":
            self.session.notify("socket.write", target, body)
        elif name == "socket.end":
            self.session.notify("socket.end", target)
        self.opened += name == "server.connection"
        assert name not in ("session.error", "socket.error", "server.error"), body


async def dial(address):
    if "path" in address:
        return await asyncio.open_unix_connection(address["path"])
    return await asyncio.open_connection(address["address"], address["port"])


async def exchange(address, number):
    """One short connection: words there and back, then both ends."""
    reader, writer = await dial(address)
    words = b"connection %08d" % number
    writer.write(words)
    writer.write_eof()
    assert await reader.read(-1) == words
    writer.close()


async def churn(address, total, at_once):
    numbers = iter(range(total))

    async def one_after_another():
        for number in numbers:
            await exchange(address, number)
    await asyncio.gather(*(one_after_another() for _ in range(at_once)))


async def hold(address, count):
    """All connections open before the first is used; each is used twice."""
    held = await asyncio.gather(*(dial(address) for _ in range(count)))
    for turn in range(2):
        for number, (_, writer) in enumerate(held):
            writer.write(b"%d/%08d" % (turn, number))
        for number, (reader, _) in enumerate(held):
            assert await reader.readexactly(10) == b"%d/%08d" % (turn, number)
    for reader, writer in held:
        writer.write_eof()
        assert await reader.read(-1) == b""
        writer.close()


async def stream(address, size):
    """Sends and receives at the same time; compares every block."""
    reader, writer = await dial(address)
    data = os.urandom(1 << 20)

    async def send():
        for _ in range(size // len(data)):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    sending = asyncio.ensure_future(send())
    for _ in range(size // len(data)):
        assert await reader.readexactly(len(data)) == data
    assert await reader.read(-1) == b""
    await sending
    writer.close()


def run(coroutine):
    asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


@pytest.fixture(params=["tcp", "unix"])
def echo(request, broker, folder):
    listen = {"path": str(folder / "echo")} if request.param == "unix" else None
    with Echo(broker.path, listen) as running:
        yield running


def test_churn(echo):
    run(churn(echo.address, CHURN, at_once=32))
    assert echo.opened == CHURN


def test_hold(echo):
    run(hold(echo.address, HELD))
    assert echo.opened == HELD


def test_stream(echo):
    async def all_streams():
        await asyncio.gather(*(stream(echo.address, STREAM_SIZE) for _ in range(STREAMS)))
    run(all_streams())
    assert echo.opened == STREAMS


def test_sessions_at_the_same_time(broker):
    with Echo(broker.path) as one, Echo(broker.path) as two:
        async def both():
            await asyncio.gather(churn(one.address, 200, 8), churn(two.address, 200, 8), stream(one.address, 4 << 20),
                                 stream(two.address, 4 << 20))
        run(both())
        assert one.opened == two.opened == 201
