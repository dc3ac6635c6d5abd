"""Plain asyncio on the other end: peers that know nothing of the broker."""
import asyncio
import contextlib
import os

DEADLINE = 10  # seconds for what should take milliseconds
PATIENCE = 60  # seconds for a transfer of many megabytes


@contextlib.asynccontextmanager
async def plain_server(callback, **where):
    """asyncio's own server on 127.0.0.1, or at `path`; yields what to connect to."""
    if "path" in where:
        server = await asyncio.start_unix_server(callback, where["path"])
        address = {"path": where["path"]}
    else:
        server = await asyncio.start_server(callback, "127.0.0.1", 0)
        address = dict(zip(("host", "port"), server.sockets[0].getsockname()))
    try:
        yield address
    finally:
        server.close()


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
