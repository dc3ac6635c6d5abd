"""A chat: what one says, all others hear. Try it with `nc 127.0.0.1 PORT`, several times.

usage: chat.py [PORT]     (default: any; NETBROKER_SOCKET names the broker)
"""
import asyncio
import sys

import netbroker

SLOW = 1 << 20  # bytes that somebody may leave unread

people = {}  # writer: name


def tell(text, but=None):
    for writer in [writer for writer in people if writer is not but]:
        writer.write(f"{text}\n".encode())
        if writer.transport.get_write_buffer_size() > SLOW:
            writer.transport.abort()


async def ask_name(reader, writer):
    writer.write(b"Your name? ")
    line = await reader.readline()
    return line.decode(errors="replace").strip() or "nobody"


async def welcome(reader, writer):
    try:
        name = await ask_name(reader, writer)
        tell(f"* {name} has come")
        people[writer] = name
        writer.write(f"* here: {', '.join(people.values())}\n".encode())
        while line := await reader.readline():
            tell(f"{name}: {line.decode(errors='replace').rstrip()}", but=writer)
    except (ConnectionError, ValueError):  # gone, or a line without an end
        pass
    finally:
        if people.pop(writer, None) is not None:
            tell(f"* {name} has gone")
        writer.close()


async def main(port="0"):
    server = await netbroker.start_server(welcome, "127.0.0.1", int(port))
    print("listening on", server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except OSError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
