"""What is run: programs and libraries that know nothing of the broker, and the servers that they talk to.

A program that is both a server and a client is two cases: each side over the broker, against the other side without
it. The others are clients of a real server (servers.py).
"""
import pathlib
import re
from typing import NamedTuple, Tuple

NPM = {  # the newest that also run on Debian's Node
    "axios": "1.21.1",
    "got": "13.0.0",
    "ioredis": "5.9.3",
    "mysql2": "3.24.6",
    "pg": "8.23.1",
    "redis": "5.9.0",
    "undici": "6.29.1",
    "ws": "8.23.0",
}


class Case(NamedTuple):
    language: str  # "Node", "Python" or "C"
    title: str  # the program or library, as users call it
    package: str  # whose version counts: an npm package, a Debian package, "node" or "libnetbroker"
    program: str  # in the directory of its language
    side: str = "client"  # "client" or "server"
    against: str = ""  # a server of servers.py; "": the program's other side
    ports: Tuple[str, ...] = ("port",)  # the server's attributes that the program is given
    way: str = ""  # Node: the option that registers; Python: the event loop, or "blocking"; C: the loop
    known: str = ""  # why it is known to fail over the broker

    @property
    def has_control(self):
        """Whether the program runs without the broker too: one in C says itself that it uses it."""
        return self.language != "C"

    @property
    def name(self):
        """For people and for pytest -k."""
        words = (self.language, self.title, "" if self.against else self.side, self.way)
        return re.sub(r"[^a-z0-9.]+", "-", " ".join(words).strip().lower())


def node(title, package, program, **rest):
    return Case("Node", title, package, program, **{"way": "--import", **rest})


def both_sides(title, package, program, **rest):
    return [node(title, package, program, side=side, **rest) for side in ("server", "client")]


def on_both_loops(title, package, program, sides=("client",), **rest):
    return [Case("Python", title, package, program, side=side, way=loop, **rest)
            for loop in ("asyncio", "uvloop") for side in sides]


NODE = [
    *both_sides("net", "node", "net.cjs", way="--require"),
    *both_sides("http", "node", "http.mjs"),
    *both_sides("http, keep-alive", "node", "http-keep-alive.mjs"),
    *both_sides("http, upgrade", "node", "upgrade.mjs"),
    *both_sides("https", "node", "https.mjs"),
    *both_sides("http2", "node", "http2-plain.mjs"),
    *both_sides("http2, TLS", "node", "http2.mjs"),
    *both_sides("tls", "node", "tls.mjs"),
    *both_sides("tls, STARTTLS", "node", "starttls.mjs"),
    *both_sides("ws", "ws", "ws.mjs"),
    node("fetch", "node", "fetch.mjs", against="nginx"),
    node("fetch, TLS", "node", "fetch-tls.mjs", against="nginx", ports=("tls_port",)),
    node("undici", "undici", "undici.mjs", against="nginx", ports=("tls_port",)),
    node("got", "got", "got.mjs", against="nginx", ports=("tls_port",)),
    node("axios", "axios", "axios.mjs", against="nginx", ports=("tls_port",)),
    node("pg", "pg", "pg.mjs", against="postgresql"),
    node("pg, TLS", "pg", "pg-tls.mjs", against="postgresql"),
    node("mysql2", "mysql2", "mysql2.mjs", against="mariadb"),
    node("ioredis", "ioredis", "ioredis.mjs", against="redis"),
    node("redis", "redis", "redis.mjs", against="redis"),
]

PYTHON = [
    *on_both_loops("streams", "python3", "streams.py", sides=("server", "client")),
    *on_both_loops("streams, TLS", "python3", "streams_tls.py", sides=("server", "client")),
    *on_both_loops("aiohttp", "python3-aiohttp", "aiohttp_echo.py", sides=("server", "client")),
    *on_both_loops("aiohttp, TLS", "python3-aiohttp", "aiohttp_tls.py", against="nginx", ports=("tls_port",)),
    *on_both_loops("uvicorn", "python3-uvicorn", "uvicorn_echo.py", sides=("server",)),
    *on_both_loops("httpx, TLS", "python3-httpx", "httpx_tls.py", against="nginx", ports=("tls_port",)),
    *on_both_loops("asyncpg", "python3-asyncpg", "asyncpg_queries.py", against="postgresql"),
    *on_both_loops("redis.asyncio", "python3-redis", "redis_asyncio.py", against="redis"),
    Case("Python", "redis", "python3-redis", "redis_blocking.py", against="redis", way="blocking"),
    Case("Python", "urllib", "python3", "urllib_blocking.py", against="nginx", ports=("port", "tls_port"), way="blocking"),
]

C = [Case("C", f"Redis by {name}", "libnetbroker", "compatibility-redis", against="redis", way=loop)
     for loop, name in (("epoll", "epoll"), ("uv", "libuv"), ("glib", "GLib"))]

# What is put under a whole program: without it, the programs of its language wait.
CLIENTS = pathlib.Path(__file__).resolve().parents[3] / "clients"
UNDER = {"Node": CLIENTS / "node" / "register" / "index.cjs", "Python": CLIENTS / "python" / "netbroker" / "loop.py",
         "C": CLIENTS / "c" / "netbroker.h"}

CASES = [case for case in (*NODE, *PYTHON, *C) if UNDER[case.language].exists()]
