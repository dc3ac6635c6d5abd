"""Traffic over the broker, which dies meanwhile: load.py PORT of an echo server. What it prints is in test_broker_killed.py."""
import asyncio
import itertools
import json
import sys

import netbroker

CONNECTIONS = 16
CHUNK = 8192  # bytes
ENOUGH = 16  # chunks that each connection has echoed before the broker dies
PAUSE = 0.05  # seconds between tries to connect

port = int(sys.argv[1])


def chunk(number):
    return b"%08d" % number * (CHUNK // 8)


async def open_connection():
    return await netbroker.open_connection("127.0.0.1", port)


async def echo_for_ever(loaded):
    """Ends with the exception that ends the connection; AssertionError if it was not one."""
    reader, writer = await open_connection()
    try:
        for number in itertools.count():
            writer.write(chunk(number))
            await writer.drain()
            try:
                echoed = await reader.readexactly(CHUNK)
            except asyncio.IncompleteReadError:
                raise AssertionError("the stream ended as if the peer had ended it") from None
            assert echoed == chunk(number)
            if number == ENOUGH:
                loaded()
    finally:
        writer.close()


async def echo_once():
    reader, writer = await open_connection()
    writer.write(chunk(1))
    assert await reader.readexactly(CHUNK) == chunk(1)
    writer.close()
    await writer.wait_closed()


async def echo_when_possible():
    while True:
        try:
            return await echo_once()
        except OSError:
            await asyncio.sleep(PAUSE)


async def main():
    full = asyncio.Semaphore(0)
    echoing = [asyncio.ensure_future(echo_for_ever(full.release)) for _ in range(CONNECTIONS)]
    for _ in echoing:
        await full.acquire()
    print("loaded", flush=True)
    errors = await asyncio.gather(*echoing, return_exceptions=True)
    print("lost", json.dumps([f"{type(error).__name__}: {error}" for error in errors]), flush=True)
    assert all(isinstance(error, ConnectionResetError) for error in errors)
    await echo_when_possible()
    print("again", flush=True)


asyncio.run(main())
