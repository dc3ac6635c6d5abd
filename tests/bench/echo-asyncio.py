"""What a Python program does without the broker: an echo server on 127.0.0.1:$PORT."""
import asyncio
import os


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.data_received = transport.write

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", int(os.environ["PORT"]), backlog=4096)
    await server.serve_forever()


asyncio.run(main())
