import asyncio

import redis.asyncio

from support import HOST, PAYLOAD, PORT, check, ok


async def main():
    async with redis.asyncio.Redis(host=HOST, port=PORT) as client:
        await client.set("redis.asyncio", PAYLOAD)
        check(await client.get("redis.asyncio"))
        async with client.pubsub() as subscriber:
            await subscriber.subscribe("redis.asyncio:news")
            assert (await subscriber.get_message(timeout=20))["type"] == "subscribe"
            await client.publish("redis.asyncio:news", PAYLOAD)
            check((await subscriber.get_message(timeout=20))["data"])
        await client.delete("redis.asyncio")


asyncio.run(main())
ok()
