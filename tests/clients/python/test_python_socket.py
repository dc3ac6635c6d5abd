"""The broker's sockets and servers, method by method."""
import asyncio
import errno

import netbroker
import pytest
from netbroker import Server, Socket

from .peers import echo, noise, plain_server, soon

pytestmark = pytest.mark.asyncio


async def listening(session, **options):
    server = await Server.create(session, **options)
    address = await server.listen(0, "127.0.0.1")
    return server, address["port"]


async def pair(session, **options):
    """Two sockets that are connected to each other, and the server between them."""
    server, port = await listening(session, **options)
    client = await Socket.open(session, port, "127.0.0.1", allow_half_open=True)
    async for event in server:
        if event.name == "connection":
            return server, client, event.body["socket"]


async def stop(server, *sockets):
    for socket in sockets:
        await soon(socket.destroy())
    await soon(server.close())
    await server.release()


async def collect(socket, name="close"):
    """Events up to `name`, data joined."""
    events, data = [], bytearray()
    while not events or events[-1].name != name:
        event = await soon(socket.__anext__())
        if event.name == "data":
            data += event.body
        else:
            events.append(event)
    return events, data


async def test_a_conversation(session):
    server, client, accepted = await pair(session, allow_half_open=True)
    assert await client.write(b"abc") == 3
    assert await client.write("défg", "latin1") == 7
    await client.end(b"!")
    events, data = await collect(accepted, "end")
    assert data == b"abcd\xe9fg!"
    await accepted.end(b"bye")
    events, data = await collect(client)
    assert data == b"bye" and [event.name for event in events] == ["connect", "ready", "end", "close"]
    assert events[-1].body == {"had_error": False, "bytes_read": 3, "bytes_written": 8}
    with pytest.raises(StopAsyncIteration):
        await client.__anext__()
    await stop(server)


async def test_create_then_connect(session):
    async with plain_server(echo) as address:
        socket = await Socket.create(session, read_chunk=1000)
        assert (await socket.info())["pending"]
        ends = await socket.connect(address["port"], address["host"], no_delay=True, timeout=60_000)
        assert (ends["remote_address"], ends["remote_port"]) == (address["host"], address["port"])
        info = await socket.info()
        assert (info["ready_state"], info["timeout"], info["kind"]) == ("open", 60_000, "tcp")
        assert (await socket.address())["port"] == ends["local_port"]
        await socket.write(noise(50_000))
        sizes = []
        while sum(sizes) < 50_000:
            event = await soon(socket.__anext__())
            if event.name == "data":
                sizes.append(len(event.body))
        assert max(sizes) <= 1000
        await socket.destroy()


async def test_onread_bounds_the_chunks(session):
    async with plain_server(echo) as address:
        socket = await Socket.open(session, address["port"], address["host"], onread=100)
        await socket.write(noise(1000))
        sizes = []
        while sum(sizes) < 1000:
            event = await soon(socket.__anext__())
            if event.name == "data":
                sizes.append(len(event.body))
        assert max(sizes) <= 100
        await socket.destroy()


async def test_reconnect_on_the_same_id(session):
    async with plain_server(echo) as address:
        socket = await Socket.create(session, auto_release=False)
        for content in (b"first", b"second"):
            await socket.connect(address["port"], address["host"])
            await socket.end(content)
            events, data = await collect(socket)
            assert data == content and events[-1].name == "close"
        await socket.release()


async def test_refused_connection_is_raised_and_told(session):
    server, port = await listening(session)
    await stop(server)
    socket = await Socket.create(session)
    with pytest.raises(ConnectionRefusedError):
        await socket.connect(port, "127.0.0.1")
    events, _ = await collect(socket)
    assert [event.name for event in events] == ["error", "close"]
    assert isinstance(events[0].body, ConnectionRefusedError) and events[1].body["had_error"]


async def test_listeners(session):
    server, client, accepted = await pair(session)
    received, closed = bytearray(), asyncio.get_running_loop().create_future()
    accepted.on("data", received.extend)
    accepted.on("close", closed.set_result)
    await client.write(b"one")
    await client.end(b"two")
    assert (await soon(closed))["bytes_read"] == 6 and received == b"onetwo"
    await collect(client)
    await stop(server)


async def test_a_listener_gets_what_was_held_for_it(session):
    server, client, accepted = await pair(session)
    await client.write(b"early")
    for _ in range(20):
        await session.ping()
    received = bytearray()
    accepted.on("data", received.extend)
    assert received == b"early"
    await stop(server, client, accepted)


async def test_listener_that_fails_harms_nobody(session):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    server, client, accepted = await pair(session)
    accepted.on("data", lambda data: 1 / 0)
    closed = asyncio.get_running_loop().create_future()
    accepted.on("close", closed.set_result)
    await client.end(b"x")
    await soon(closed)
    assert [type(error) for error in reported] == [ZeroDivisionError]
    await collect(client)
    await stop(server)


async def test_data_held_for_an_iteration_is_bounded(session):
    server, client, accepted = await pair(session)
    content = noise(32 << 20)
    writing = asyncio.ensure_future(write_all(session, client, content))
    while (await soon(accepted.info()))["bytes_read"] < session.read_window:
        pass
    assert (await accepted.info())["bytes_read"] < 2 * session.read_window and not writing.done()
    events, data = await collect(accepted, "end")
    assert data == content
    await soon(writing)
    await stop(server, client, accepted)


async def write_all(session, socket, content):
    for start in range(0, len(content), session.max_write):
        await socket.write(content[start : start + session.max_write])
    await socket.end()


async def test_pause_is_a_fence(session):
    server, client, accepted = await pair(session)
    received = bytearray()
    accepted.on("data", received.extend)
    await accepted.pause()
    await client.write(b"while paused")
    assert not received
    assert (await accepted.info())["paused"]
    closed = asyncio.get_running_loop().create_future()
    accepted.on("close", closed.set_result)
    await accepted.resume()
    await client.end()
    await soon(closed)
    assert received == b"while paused"
    await collect(client)
    await stop(server)


async def test_settings(session):
    server, client, accepted = await pair(session)
    await client.set_no_delay()
    await client.set_no_delay(False)
    await client.set_keep_alive(True, 5000)
    await client.set_timeout(20)
    async for event in client:
        if event.name == "timeout":
            break
    await client.set_timeout(0)
    assert (await client.info())["timeout"] == 0
    await stop(server, client, accepted)


async def test_encoding(session):
    server, client, accepted = await pair(session)
    await accepted.set_encoding("hex")
    await client.write(b"\x01\xff")
    event = await soon(accepted.__anext__())
    assert event == ("data", "01ff")
    await accepted.set_encoding()
    await client.write(b"\x01\xff")
    assert await soon(accepted.__anext__()) == ("data", b"\x01\xff")
    with pytest.raises(ValueError) as caught:
        await client.write("x", "klingon")
    assert caught.value.code == "ERR_UNKNOWN_ENCODING"
    await stop(server, client, accepted)


async def test_reset(session):
    server, client, accepted = await pair(session)
    await client.reset_and_destroy()
    events, _ = await collect(accepted)
    assert isinstance(events[0].body, ConnectionResetError)
    await stop(server)


async def test_destroy_with_an_error(session):
    server, client, accepted = await pair(session)
    await client.destroy(ValueError("my reason"))
    events, _ = await collect(client)
    assert events[-2].name == "error" and events[-2].body.message == "my reason"
    await collect(accepted)
    await stop(server)


async def test_a_closed_socket(session):
    server, client, accepted = await pair(session)
    await client.destroy()
    await client.destroy()
    with pytest.raises(OSError) as caught:
        await client.write(b"x")
    assert caught.value.errno == errno.EBADF
    await stop(server, accepted)


async def test_write_over_the_limit(session):
    server, client, accepted = await pair(session)
    with pytest.raises(netbroker.BrokerError) as caught:
        await client.write(bytes(session.max_write + 1))
    assert (caught.value.code, caught.value.limit) == ("ERR_NB_LIMIT", "maxWrite")
    assert await client.write(b"lives") == 5
    await stop(server, client, accepted)


async def test_idle_when_nothing_is_referenced(session):
    idle = asyncio.get_running_loop().create_future()
    session.on("idle", lambda body: idle.done() or idle.set_result(body))
    server, _ = await listening(session)
    assert (await server.info())["refed"]
    await server.unref()
    await soon(idle)
    await server.ref()
    await stop(server)


async def test_server(session):
    server, client, accepted = await pair(session)
    address = await server.address()
    info = await server.info()
    assert address["address"] == "127.0.0.1" and info["listening"] and info["port"] == address["port"]
    assert await server.get_connections() == 1
    await server.set(max_connections=1)
    with pytest.raises(netbroker.BrokerError) as caught:
        await server.listen(0)
    assert caught.value.code == "ERR_SERVER_ALREADY_LISTEN"
    turned_away = await Socket.open(session, address["port"], "127.0.0.1")
    async for event in server:
        if event.name == "drop":
            assert event.body["local_port"] == address["port"]
            break
    await collect(turned_away)
    await stop(server, client, accepted)


async def test_server_closes_after_its_connections(session):
    server, client, accepted = await pair(session)
    closing = asyncio.ensure_future(server.close())
    await session.ping()
    assert not closing.done()
    await client.destroy()
    await collect(accepted)
    await soon(closing)
    await server.release()


async def test_unix_path(session, folder):
    server = await Server.create(session)
    assert await server.listen(path=folder / "a.sock") == {"path": str(folder / "a.sock")}
    client = await Socket.open(session, path=folder / "a.sock")
    async for event in server:
        if event.name == "connection":
            assert set(event.body["peer"]) == {"uid", "gid", "pid"}
            break
    assert await client.address() == {}
    await stop(server, client, event.body["socket"])
    assert not (folder / "a.sock").exists()


async def test_session_lost_ends_iterations_and_tells_listeners(daemon):
    session = await netbroker.connect(daemon.path)
    server, client, accepted = await pair(session)
    told = []
    accepted.on("error", told.append)
    accepted.on("close", told.append)
    waiting = asyncio.ensure_future(collect(client))
    await session.ping()
    session.abort()
    events, _ = await soon(waiting)
    assert isinstance(events[-2].body, netbroker.SessionLost) and events[-1].name == "close"
    assert isinstance(told[0], netbroker.SessionLost) and told[1] == {"had_error": True}


async def connect_by_name(session, port, **answer):
    """Connects a socket to a name that the program looks up; returns the socket and how it ended."""
    socket = await Socket.create(session)
    connecting = asyncio.ensure_future(socket.connect(port, "db.test", lookup=True, auto_select_family_attempt_timeout=60000))
    request = (await soon(socket.__anext__())).body
    assert request == {"host": "db.test", "family": 0, "hints": 32, "all": True}
    await soon(socket.lookup_result(**answer))
    return socket, connecting


async def test_a_lookup_by_the_program(session):
    server, port = await listening(session)
    found = [{"address": "127.0.0.9", "family": 4}, {"address": "127.0.0.1"}]
    socket, connecting = await connect_by_name(session, port, addresses=found)
    assert (await soon(connecting))["remote_address"] == "127.0.0.1"
    await stop(server, socket)


async def test_a_lookup_that_fails(session):
    error = OSError("not here")
    error.code = "ENOTFOUND"
    _, connecting = await connect_by_name(session, 1, error=error)
    with pytest.raises(netbroker.BrokerError, match="not here"):
        await soon(connecting)
