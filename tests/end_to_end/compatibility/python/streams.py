"""asyncio's own streams, half-closed from both sides."""
import asyncio

from support import HOST, PAYLOAD, PORT, ROLE, announce, check, ok


async def serve():
    served = asyncio.get_running_loop().create_future()

    async def echo(reader, writer):
        received = await reader.read()
        writer.write(received)
        await writer.drain()
        writer.close()
        served.set_result(received)

    server = await asyncio.start_server(echo, HOST, 0)
    announce(server)
    check(await served)
    server.close()
    await server.wait_closed()


async def ask():
    reader, writer = await asyncio.open_connection("localhost", PORT)
    writer.write(PAYLOAD)
    writer.write_eof()
    check(await reader.read())
    writer.close()
    await writer.wait_closed()


asyncio.run(serve() if ROLE == "server" else ask())
ok()
