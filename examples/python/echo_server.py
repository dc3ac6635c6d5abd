"""An echo server whose connections live in the broker.

usage: echo_server.py PORT|PATH     (port 0: any; NETBROKER_SOCKET names the broker)
"""
import asyncio
import sys

import netbroker


async def echo(reader, writer):
    print("connected:", writer.get_extra_info("peername") or writer.get_extra_info("peercred"))
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError as error:
        print("lost:", error)
    finally:
        writer.close()


async def main(where):
    place = {"host": "127.0.0.1", "port": int(where)} if where.isdigit() else {"path": where}
    async with netbroker.connect() as session:
        server = await netbroker.start_server(echo, session=session, **place)
        print("listening on", server.sockets[0].getsockname(), flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1]))
    except netbroker.NoBrokerError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
