"""An echo server over the broker at $NETBROKER_SOCKET, on 127.0.0.1:$PORT.

usage: /usr/bin/python3 echo-python.py        (runs until it is stopped)
"""
import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))

import netbroker  # noqa: E402

BACKLOG = 4096


class Echo(asyncio.Protocol):
    """Sends everything back; reads no further while the peer does not take it."""

    def connection_made(self, transport):
        self.transport = transport
        self.data_received = transport.write

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main():
    async with netbroker.connect() as session:
        server = await netbroker.create_server(
            Echo, "127.0.0.1", int(os.environ["PORT"]), session=session, backlog=BACKLOG
        )
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
