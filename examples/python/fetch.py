"""Fetches a page by hand: HTTP/1.0 over a connection that the broker makes.

usage: fetch.py HOST [PORT [PATH]]     (NETBROKER_SOCKET names the broker)
"""
import asyncio
import sys

import netbroker


async def fetch(host, port=80, path="/"):
    """Returns the status line, the headers by lower-case name, and the body."""
    reader, writer = await netbroker.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    status = (await reader.readline()).decode("latin-1").strip()
    headers = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.read()
    writer.close()
    await writer.wait_closed()
    return status, headers, body


async def main(host, port="80", path="/"):
    status, headers, body = await fetch(host, int(port), path)
    print(status, file=sys.stderr)
    for name, value in headers.items():
        print(f"{name}: {value}", file=sys.stderr)
    sys.stdout.buffer.write(body)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
