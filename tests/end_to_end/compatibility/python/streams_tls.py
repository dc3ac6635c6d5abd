"""asyncio's own streams, over TLS."""
import asyncio

from support import HOST, PAYLOAD, PORT, ROLE, announce, check, client_tls, ok, server_tls


async def serve():
    served = asyncio.get_running_loop().create_future()

    async def echo(reader, writer):
        received = await reader.readexactly(len(PAYLOAD))
        writer.write(received)
        await writer.drain()
        assert await reader.read() == b""
        writer.close()
        served.set_result(received)

    server = await asyncio.start_server(echo, HOST, 0, ssl=server_tls())
    announce(server)
    check(await served)
    server.close()
    await server.wait_closed()


async def ask():
    reader, writer = await asyncio.open_connection(HOST, PORT, ssl=client_tls(), server_hostname="localhost")
    assert writer.get_extra_info("peername")[1] == PORT
    assert writer.get_extra_info("peercert")
    writer.write(PAYLOAD)
    check(await reader.readexactly(len(PAYLOAD)))
    writer.close()
    await writer.wait_closed()


asyncio.run(serve() if ROLE == "server" else ask())
ok()
