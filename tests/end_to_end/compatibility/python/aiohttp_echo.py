"""aiohttp on both sides: a body each way, and a WebSocket."""
import asyncio

import aiohttp
from aiohttp import web

from support import HOST, PAYLOAD, PORT, ROLE, check, ok

LARGE = 1 << 24  # bytes: what a body or a message may have


async def echo(request):
    body = await request.read()
    check(body)
    return web.Response(body=body)


async def echo_messages(request):
    socket = web.WebSocketResponse(max_msg_size=LARGE)
    await socket.prepare(request)
    async for message in socket:
        await socket.send_bytes(message.data)
    request.app["served"].set()
    return socket


async def serve():
    application = web.Application(client_max_size=LARGE)
    application["served"] = asyncio.Event()
    application.add_routes([web.post("/", echo), web.get("/messages", echo_messages)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    print("port", runner.addresses[0][1], flush=True)
    await application["served"].wait()
    await runner.cleanup()


async def ask():
    async with aiohttp.ClientSession(f"http://{HOST}:{PORT}") as session:
        async with session.post("/", data=PAYLOAD) as response:
            check(await response.read())
        async with session.ws_connect("/messages", max_msg_size=LARGE) as socket:
            await socket.send_bytes(PAYLOAD)
            check(await socket.receive_bytes())


asyncio.run(serve() if ROLE == "server" else ask())
ok()
