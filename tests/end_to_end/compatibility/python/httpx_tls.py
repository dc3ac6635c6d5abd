"""httpx on its asyncio back end, over TLS."""
import asyncio

import httpx

from support import PAYLOAD, PORT, check, client_tls, ok


async def main():
    async with httpx.AsyncClient(base_url=f"https://localhost:{PORT}", verify=client_tls()) as client:
        (await client.put("/httpx", content=PAYLOAD)).raise_for_status()
        answers = await asyncio.gather(*(client.get("/httpx") for _ in range(3)))
        for answer in answers:
            check(answer.content)


asyncio.run(main())
ok()
