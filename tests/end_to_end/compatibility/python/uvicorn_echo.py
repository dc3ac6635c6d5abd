"""An ASGI application under uvicorn; the client is urllib."""
import asyncio
import urllib.request

import uvicorn

from support import HOST, PAYLOAD, PORT, ROLE, announce, check, ok


class Application:
    """Gives a body back, and then lets the server end."""

    server = None

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        check(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        self.server.should_exit = True


async def serve():
    application = Application()
    application.server = uvicorn.Server(uvicorn.Config(application, host=HOST, port=0, lifespan="off", log_level="error"))
    serving = asyncio.ensure_future(application.server.serve())
    while not application.server.started:
        await asyncio.sleep(0.01)
    announce(application.server.servers[0])
    await serving


def ask():
    with urllib.request.urlopen(f"http://{HOST}:{PORT}/", PAYLOAD) as response:
        check(response.read())


asyncio.run(serve()) if ROLE == "server" else ask()
ok()
