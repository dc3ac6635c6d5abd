"""The programs under examples/python and the benchmark's echo server do what they say."""
import asyncio
import contextlib
import os
import pathlib
import sys

import pytest

from .peers import echo, plain_server, soon

pytestmark = pytest.mark.asyncio

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "python"


@contextlib.asynccontextmanager
async def running(daemon, program, *arguments, **environment):
    """The program as a process of its own; ended when the test is done with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(program), *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "NETBROKER_SOCKET": str(daemon.path),
            "PYTHONPATH": str(ROOT / "clients" / "python"),
            **environment,
        },
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def echoed(address, content):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(content)
    writer.write_eof()
    got = await soon(reader.read())
    writer.close()
    return got


async def test_echo_server(daemon):
    async with running(daemon, EXAMPLES / "echo_server.py", "0") as process:
        line = (await soon(process.stdout.readline())).decode()
        port = int(line.rpartition(", ")[2].rstrip(")\n"))
        assert await echoed(("127.0.0.1", port), b"hello" * 100_000) == b"hello" * 100_000


async def test_fetch(daemon):
    async def serve(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET /page HTTP/1.0\r\nHost: 127.0.0.1\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nthe page")
        writer.close()

    async with plain_server(serve) as address:
        arguments = address["host"], str(address["port"]), "/page"
        async with running(daemon, EXAMPLES / "fetch.py", *arguments) as process:
            out, err = await soon(process.communicate())
            assert (process.returncode, out) == (0, b"the page")
            assert err == b"HTTP/1.0 200 OK\ncontent-type: text/plain\n"


async def port_of(process):
    line = (await soon(process.stdout.readline())).decode()
    return int(line.rpartition(", ")[2].rstrip(")\n"))


async def test_chat(daemon):
    async with running(daemon, EXAMPLES / "chat.py") as process:
        port = await port_of(process)
        (heard_by_ada, ada), (heard_by_ben, ben) = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        ada.write(b"Ada\n")
        assert await soon(heard_by_ada.readline()) == b"Your name? * here: Ada\n"
        ben.write(b"Ben\n")
        assert await soon(heard_by_ben.readline()) == b"Your name? * here: Ada, Ben\n"
        assert await soon(heard_by_ada.readline()) == b"* Ben has come\n"
        ada.write(b"hello\n")
        assert await soon(heard_by_ben.readline()) == b"Ada: hello\n"
        ada.close()
        assert await soon(heard_by_ben.readline()) == b"* Ada has gone\n"
        ben.close()


async def test_proxy(daemon):
    async with plain_server(echo) as address:
        target = f"{address['host']}:{address['port']}"
        blocked = "127.0.0.2", "127.0.3.0/24", "127.0.4.1-127.0.4.9"
        async with running(daemon, EXAMPLES / "proxy.py", "0", target, *blocked) as process:
            port = await port_of(process)
            content = b"through" * 100_000
            assert await echoed(("127.0.0.1", port), content) == content
            for source in ("127.0.0.2", "127.0.3.7", "127.0.4.5"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                with contextlib.suppress(ConnectionError):
                    assert await soon(reader.read()) == b""
                writer.close()


async def test_listeners_share_a_port(daemon):
    async with running(daemon, EXAMPLES / "shared_listener.py", "ours") as first:
        port = await port_of(first)
        async with running(daemon, EXAMPLES / "shared_listener.py", "ours", "0") as second:
            assert await port_of(second) == port
            for _ in range(4):
                assert await echoed(("127.0.0.1", port), b"") == b"Python\n"
            first.kill()
            await first.wait()
            assert await echoed(("127.0.0.1", port), b"") == b"Python\n"


PROGRAMS = [["echo_server.py", "0"], ["fetch.py", "127.0.0.1"], ["chat.py"], ["proxy.py", "0", "127.0.0.1:1"], ["shared_listener.py", "ours"]]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda words: words[0])
async def test_without_a_broker_they_say_so(daemon, folder, program):
    nowhere = str(folder / "nobody.sock")
    async with running(daemon, EXAMPLES / program[0], *program[1:], NETBROKER_SOCKET=nowhere) as process:
        _, err = await soon(process.communicate())
        assert process.returncode == 1 and nowhere.encode() in err and b"Traceback" not in err


async def test_benchmark_echo(daemon):
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with running(daemon, ROOT / "tests" / "bench" / "echo-python.py", PORT=str(port)):
        content = os.urandom(4 << 20)
        assert await soon(until_listening(("127.0.0.1", port), content)) == content


async def until_listening(address, content):
    """The program gives no sign of its own that it listens."""
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return await echoed(address, content)
        await asyncio.sleep(0.01)
