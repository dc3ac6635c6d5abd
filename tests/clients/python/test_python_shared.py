"""The session of those who name none, groups, and processes that fork."""
import asyncio
import os

import netbroker
import pytest

from .peers import echo, plain_server, soon

pytestmark = pytest.mark.asyncio


@pytest.fixture
def at_daemon(daemon, monkeypatch):
    monkeypatch.setenv("NETBROKER_SOCKET", str(daemon.path))


def session_of(writer):
    return writer.get_extra_info("netbroker").session


async def finish(writer):
    writer.close()
    await soon(writer.wait_closed())


async def test_connections_and_servers_of_a_loop_share_one_session(at_daemon):
    server = await soon(netbroker.start_server(echo, "127.0.0.1", 0))
    host, port = server.sockets[0].getsockname()
    pairs = await soon(asyncio.gather(*(netbroker.open_connection(host, port) for _ in range(5))))
    assert {session_of(writer) for _, writer in pairs} == {server.session}
    for _, writer in pairs:
        await finish(writer)
    assert not server.session.is_closed
    server.close()
    await soon(server.wait_closed())
    await soon(server.session.wait_closed())


async def test_the_next_after_the_last_opens_another(at_daemon):
    async with plain_server(echo) as address:
        sessions = []
        for _ in range(2):
            _, writer = await soon(netbroker.open_connection(**address))
            sessions.append(session_of(writer))
            await finish(writer)
            await soon(sessions[-1].wait_closed())
        assert sessions[0] is not sessions[1]


async def test_one_that_fails_leaves_the_session_to_the_others(at_daemon):
    async with plain_server(echo) as address:
        reader, writer = await soon(netbroker.open_connection(**address))
        with pytest.raises(OSError):
            await soon(netbroker.open_connection(path="/nonexistent"))
        opening = asyncio.ensure_future(netbroker.open_connection(**address))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        writer.write(b"hello")
        assert await soon(reader.readexactly(5)) == b"hello"
        session = session_of(writer)
        await finish(writer)
        await soon(session.wait_closed())


async def test_alone_one_that_fails_or_is_cancelled_leaves_nothing(at_daemon, daemon):
    held = daemon.open_fds()
    with pytest.raises(OSError):
        await soon(netbroker.open_connection(path="/nonexistent"))
    opening = asyncio.ensure_future(netbroker.open_connection("127.0.0.1", 9))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    async def until_left():
        while daemon.open_fds() > held:
            await asyncio.sleep(0.01)

    await soon(until_left())


async def test_sessions_of_a_group_share_a_listener(daemon):
    async with netbroker.connect(str(daemon.path), group="ours") as first, netbroker.connect(
            str(daemon.path), group="ours") as second, netbroker.connect(str(daemon.path)) as stranger:  # fmt: skip
        told = asyncio.Queue()
        servers = []
        for name, session in (("first", first), ("second", second)):

            def connected(reader, writer, name=name):
                told.put_nowait(name)
                writer.close()

            servers.append(await soon(netbroker.start_server(connected, "127.0.0.1", 0, session=session)))
        (host, port), other = (server.sockets[0].getsockname() for server in servers)
        assert other == (host, port)
        with pytest.raises(OSError, match="EADDRINUSE"):
            await soon(netbroker.start_server(connected, host, port, session=stranger))
        seen = []
        for _ in range(4):
            _, writer = await asyncio.open_connection(host, port)
            seen.append(await soon(told.get()))
            writer.close()
        assert sorted(seen) == ["first", "first", "second", "second"]
        for server in servers:
            server.close()
            await soon(server.wait_closed())


async def test_a_child_leaves_its_parents_session_alone(session):
    async with plain_server(echo) as address:
        reader, writer = await soon(netbroker.open_connection(session=session, **address))
        child = os.fork()
        if child == 0:
            writer.write(b"from the child")
            session.abort()
            os._exit(0 if session.is_closed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        writer.write(b"hello")
        assert await soon(reader.readexactly(5)) == b"hello"
        await finish(writer)
