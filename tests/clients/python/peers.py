"""Plain asyncio on the other end: peers that know nothing of the broker."""
import asyncio
import contextlib
import os

import msgpack
import pytest

DEADLINE = 10  # seconds for what should take milliseconds
PATIENCE = 60  # seconds for a transfer of many megabytes

DATA_PLANES = ("inline", "attach")
only_inline = pytest.mark.parametrize("data_plane", ["inline"])  # for tests of what frames do


@contextlib.asynccontextmanager
async def plain_server(callback):
    """asyncio's own server on 127.0.0.1; yields its host and port."""
    handlers = set()

    async def handle(reader, writer):
        handlers.add(asyncio.current_task())
        await callback(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield dict(zip(("host", "port"), server.sockets[0].getsockname()))
    finally:
        server.close()
        for handler in handlers:
            handler.cancel()
        for failure in await asyncio.gather(*handlers, return_exceptions=True):
            assert failure is None or isinstance(failure, (ConnectionError, asyncio.CancelledError)), failure


async def echo(reader, writer):
    """Sends everything back, ends when the other side ends."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def soon(awaitable, seconds=DEADLINE):
    return await asyncio.wait_for(awaitable, seconds)


def noise(size):
    """Bytes in which no part resembles another, so that a loss or a swap is seen."""
    block = os.urandom(min(size, 1 << 20))
    return b"".join(block[i % 997 :] + block[: i % 997] for i in range(-(-size // max(len(block), 1))))[:size]


async def until_empty(session):
    """Every actor's end was asked for before; the fence shows that it has happened."""
    held = await session.info()
    for _ in range(100):
        if not held["sockets"] and not held["servers"]:
            return
        held = await session.info()
    raise AssertionError(f"left behind in the session: {held}")


async def serve_script(folder, script):
    """A broker that answers hello, waits for another frame, and then plays `script(reader, writer)`."""

    async def play(reader, writer):
        unpacker = msgpack.Unpacker()
        unpacker.feed(await reader.read(65536))
        writer.write(msgpack.packb([1, next(unpacker)[1], None, {"protocol": 1, "features": ["flow"]}]))
        if await reader.read(65536):
            await script(reader, writer)
        writer.close()

    path = str(folder / "script.sock")
    return await asyncio.start_unix_server(play, path), path
