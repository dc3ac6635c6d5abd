"""An aiohttp client, over TLS."""
import asyncio

import aiohttp

from support import PAYLOAD, PORT, check, client_tls, ok


async def main():
    connector = aiohttp.TCPConnector(ssl=client_tls())
    async with aiohttp.ClientSession(f"https://localhost:{PORT}", connector=connector) as session:
        async with session.put("/aiohttp", data=PAYLOAD) as response:
            response.raise_for_status()
        async with session.get("/aiohttp") as response:
            check(await response.read())


asyncio.run(main())
ok()
