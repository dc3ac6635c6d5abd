"""A listener shared with programs in other languages: the broker deals the connections to all of one group in turn.

usage: shared_listener.py GROUP [PORT]     (beside examples/c and examples/node's, of the same group and port, even 0)
"""
import asyncio
import sys

import netbroker


def answer(reader, writer):
    writer.write(b"Python\n")
    writer.close()


async def main(group, port="0"):
    async with netbroker.connect(group=group) as session:
        server = await netbroker.start_server(answer, "127.0.0.1", int(port), session=session)
        print("listening on", server.sockets[0].getsockname(), flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except OSError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
