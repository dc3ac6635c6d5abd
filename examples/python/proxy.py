"""A TCP proxy that turns away who is on a block list; the broker does so before this program hears of them.

usage: proxy.py PORT HOST:PORT [BLOCKED...]

BLOCKED: an address, a subnet as 10.0.0.0/8, a range as 10.0.0.1-10.0.0.9. NETBROKER_SOCKET names the broker.
"""
import asyncio
import sys

import netbroker


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def forward(client, host, port):
    """Both ways, until both have ended or one has failed."""
    reader, writer = client
    try:
        upstream, downstream = await netbroker.open_connection(host, port)
    except OSError as error:
        print("no way:", error)
        writer.close()
        return
    try:
        await asyncio.gather(pump(reader, downstream), pump(upstream, writer))
    except ConnectionError as error:
        print("lost:", error)
    finally:
        writer.close()
        downstream.close()


async def main(port, target, *blocked):
    host, _, target_port = target.rpartition(":")
    async with netbroker.connect() as session:
        guests = await netbroker.BlockList.create(session)
        if blocked:
            await guests.add_rules(blocked)
        server = await netbroker.start_server(
            lambda *client: forward(client, host, int(target_port)), "127.0.0.1", int(port), session=session, block_list=guests
        )
        print("listening on", server.sockets[0].getsockname(), flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except OSError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
