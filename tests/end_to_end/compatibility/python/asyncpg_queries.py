import asyncio
import ssl

import asyncpg

from support import HOST, PASSWORD, PAYLOAD, PORT, USER, check, client_tls, ok


async def over(tls):
    account = {"user": USER, "password": PASSWORD, "database": "postgres"}
    async with asyncpg.create_pool(host=HOST, port=PORT, ssl=tls, min_size=1, max_size=3, **account) as pool:
        await pool.execute("CREATE TABLE asyncpg (id integer, data bytea)")
        await pool.execute("INSERT INTO asyncpg VALUES ($1, $2)", 1, PAYLOAD)
        for data in await asyncio.gather(*(pool.fetchval("SELECT data FROM asyncpg") for _ in range(3))):
            check(data)
        used = await pool.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert used == isinstance(tls, ssl.SSLContext)
        await pool.execute("DROP TABLE asyncpg")


async def main():
    await over(False)
    await over(client_tls())


asyncio.run(main())
ok()
