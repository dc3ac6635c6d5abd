"""Sessions: finding the broker, requests, errors, the end."""
import asyncio

import msgpack
import netbroker
import pytest

from .peers import DATA_PLANES, DEADLINE, echo, noise, plain_server, serve_script, soon

pytestmark = pytest.mark.asyncio


async def test_no_broker_says_where_and_what_to_start(folder):
    path = folder / "nobody.sock"
    with pytest.raises(netbroker.NoBrokerError) as caught:
        await netbroker.connect(path)
    assert str(path) in str(caught.value) and "netbroker serve" in str(caught.value)


async def test_dead_socket_file_is_no_broker(folder, start_broker):
    broker = start_broker()
    broker.kill()
    with pytest.raises(netbroker.NoBrokerError):
        await netbroker.connect(broker.path)


async def test_no_place_to_look_for_it(monkeypatch):
    monkeypatch.delenv("NETBROKER_SOCKET", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(netbroker.NoBrokerError, match="NETBROKER_SOCKET"):
        await netbroker.connect()


async def test_the_data_plane_is_one_of_two(daemon, monkeypatch):
    async with netbroker.connect(daemon.path) as session:
        assert session.data_plane == "inline"
    monkeypatch.setenv("NETBROKER_DATA_PLANE", "attach")
    async with netbroker.connect(daemon.path) as session:
        assert session.data_plane == "attach" and "channel" in session.features
    async with netbroker.connect(daemon.path, data_plane="inline") as session:
        assert session.data_plane == "inline"
    with pytest.raises(ValueError, match="data_plane must be one of inline, attach, not 'other'"):
        netbroker.connect(daemon.path, data_plane="other")
    monkeypatch.setenv("NETBROKER_DATA_PLANE", "other")
    with pytest.raises(ValueError, match=r"\$NETBROKER_DATA_PLANE must be one of inline, attach, not 'other'"):
        netbroker.connect(daemon.path)


async def test_a_broker_without_channels_is_too_old(folder):
    async def script(reader, writer):
        pass

    server, path = await serve_script(folder, script)
    with pytest.raises(netbroker.BrokerError, match="no channels"):
        await netbroker.connect(path, data_plane="attach")
    server.close()


async def test_environment_names_the_place(daemon, monkeypatch):
    monkeypatch.setenv("NETBROKER_SOCKET", str(daemon.path))
    async with netbroker.connect() as session:
        assert await session.ping(n=1) == {"n": 1}
    monkeypatch.delenv("NETBROKER_SOCKET")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    assert netbroker.default_path() == "/nowhere/netbroker.sock"


async def test_hello_tells_limits(session):
    assert session.limits["maxWrite"] == session.max_write == 1 << 20
    assert session.broker["name"] and session.name


async def test_requests_in_one_go_are_answered_each(session):
    answers = await asyncio.gather(*(session.request("session.ping", 0, {"n": n}) for n in range(1000)))
    assert [answer["n"] for answer in answers] == list(range(1000))


async def test_unknown_method(session):
    with pytest.raises(netbroker.BrokerError) as caught:
        await session.request("session.nonsense", 0)
    assert caught.value.code == "ERR_NB_UNKNOWN_METHOD"


async def test_unknown_option_is_a_value_error(session):
    with pytest.raises(ValueError) as caught:
        await session.request("server.create", session.new_target(), {"keepalive": True})
    assert (caught.value.code, caught.value.argument) == ("ERR_NB_UNKNOWN_OPTION", "keepalive")


async def test_failed_command_reaches_the_listener(session):
    failed = asyncio.get_running_loop().create_future()
    session.on("error", failed.set_result)
    session.notify("server.create", session.new_target(), {"keepalive": True})
    error = await soon(failed)
    assert (error.code, error.method) == ("ERR_NB_UNKNOWN_OPTION", "server.create")


async def test_failed_command_without_listener_reaches_the_loop(session):
    failed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.set_result(context["exception"]))
    session.notify("session.nonsense", 0)
    assert (await soon(failed)).code == "ERR_NB_UNKNOWN_METHOD"


async def test_what_cannot_be_packed_harms_no_other_frame(session):
    before = session.request("session.ping", 0, {"n": 1})
    with pytest.raises(TypeError):
        session.request("session.ping", 0, {"n": object()})
    assert await before == {"n": 1}
    assert await session.ping(n=2) == {"n": 2}


async def test_cancelled_request_leaves_the_session_alone(session):
    request = session.request("session.ping", 0, {"n": 1})
    request.cancel()
    assert await session.ping(n=2) == {"n": 2}


async def test_closing_fails_what_is_open(daemon):
    session = await netbroker.connect(daemon.path)
    server = await netbroker.Server.create(session)
    await server.listen(0, "127.0.0.1")
    socket = await netbroker.Socket.open(session, **{k: v for k, v in (await server.address()).items() if k == "port"})
    closing = asyncio.ensure_future(server.close())
    await session.ping()
    await session.close()
    with pytest.raises(netbroker.SessionLost):
        await soon(closing)
    with pytest.raises(netbroker.SessionLost):
        await soon(socket.info())
    assert session.is_closed
    await soon(session.wait_closed())


async def test_close_twice(daemon):
    session = await netbroker.connect(daemon.path)
    await soon(session.close())
    await soon(session.close())


@pytest.mark.parametrize("data_plane", DATA_PLANES)
async def test_written_bytes_survive_the_close(daemon, data_plane):
    received = asyncio.get_running_loop().create_future()

    async def collect(reader, writer):
        received.set_result(await reader.read())
        writer.close()

    content = noise(3 << 20)
    async with plain_server(collect) as address:
        async with netbroker.connect(daemon.path, data_plane=data_plane) as session:
            _, writer = await netbroker.open_connection(session=session, **address)
            writer.write(content)
            await writer.drain()
        got = await soon(received)
    assert content.startswith(got) and len(content) - len(got) <= 256 << 10


@pytest.mark.parametrize("data_plane", DATA_PLANES)
async def test_killed_broker_ends_every_stream(start_broker, data_plane):
    broker = start_broker()
    async with plain_server(echo) as address:
        session = await netbroker.connect(broker.path, data_plane=data_plane)
        streams = [await netbroker.open_connection(session=session, **address) for _ in range(8)]
        moving = asyncio.Event()

        async def pump(reader, writer):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

        async def drink(reader, writer):
            while await reader.read(65536):
                moving.set()

        jobs = [asyncio.ensure_future(job(*stream)) for stream in streams for job in (pump, drink)]
        await soon(moving.wait())
        broker.kill()
        results = await asyncio.wait_for(asyncio.gather(*jobs, return_exceptions=True), 1)
        assert all(isinstance(result, ConnectionError) for result in results if result is not None), results
        for _, writer in streams:
            with pytest.raises(ConnectionError):
                await soon(writer.wait_closed())
        with pytest.raises(netbroker.SessionLost):
            await session.ping()
        await soon(session.close())


async def test_stopped_broker_announces_itself(start_broker):
    broker = start_broker()
    session = await netbroker.connect(broker.path)
    closing = asyncio.get_running_loop().create_future()
    session.on("closing", closing.set_result)
    broker.terminate()
    assert "deadline" in await soon(closing)
    await soon(session.close())
    await asyncio.get_running_loop().run_in_executor(None, broker.wait)


async def test_two_sessions_cannot_see_each_other(daemon, session):
    server = await netbroker.Server.create(session)
    async with netbroker.connect(daemon.path) as other:
        with pytest.raises(netbroker.BrokerError) as caught:
            await netbroker.Server(other, server.target).info()
        assert caught.value.code == "ERR_NB_NO_SUCH_TARGET"
    await server.release()


async def test_frames_cut_at_each_byte(folder):
    frames = msgpack.packb([2, "session.idle", [0]]) + msgpack.packb([2, "session.closing", [0, {"reason": "x"}]])

    async def script(reader, writer):
        for byte in frames:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    server, path = await serve_script(folder, script)
    session = await netbroker.connect(path)
    closing = asyncio.get_running_loop().create_future()
    idle = []
    session.on("idle", idle.append)
    session.on("closing", closing.set_result)
    session.notify("session.ping", 0, {})
    assert await soon(closing) == {"reason": "x"} and idle == [None]
    await soon(session.close())
    server.close()


@pytest.mark.parametrize(
    "rubbish",
    [b"\xc1", msgpack.packb("text"), msgpack.packb([2]), msgpack.packb([2, "socket.data", []]), b"\xdd\xff\xff\xff\xff" * 9],
)
async def test_what_cannot_be_understood_ends_the_session(folder, rubbish):
    async def script(reader, writer):
        writer.write(rubbish)
        await reader.read()

    server, path = await serve_script(folder, script)
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    session = await netbroker.connect(path)
    with pytest.raises(netbroker.SessionLost):
        await asyncio.wait_for(session.request("session.ping", 0, {}), DEADLINE)
    assert len(reported) == 1
    server.close()


async def test_last_word_of_the_broker_is_the_cause(folder):
    async def script(reader, writer):
        body = {"code": "ERR_NB_SHUTDOWN", "message": "going down", "fatal": True}
        writer.write(msgpack.packb([2, "session.error", [0, body]]))

    server, path = await serve_script(folder, script)
    session = await netbroker.connect(path)
    with pytest.raises(netbroker.SessionLost) as caught:
        await soon(session.request("session.ping", 0, {}))
    assert caught.value.__cause__.code == "ERR_NB_SHUTDOWN"
    server.close()


async def test_unknown_events_and_fields_are_ignored(folder):
    async def script(reader, writer):
        writer.write(msgpack.packb([2, "socket.invented", [77, {"x": 1}]]))
        writer.write(msgpack.packb([2, "session.invented", [0, {"x": 1}]]))
        writer.write(msgpack.packb([1, 4242, None, {}]))
        writer.write(msgpack.packb([2, "session.closing", [0, {"reason": "x", "invented": 1}]]))
        await reader.read()

    server, path = await serve_script(folder, script)
    session = await netbroker.connect(path)
    closing = asyncio.get_running_loop().create_future()
    session.on("closing", closing.set_result)
    session.notify("session.ping", 0, {})
    assert (await soon(closing))["reason"] == "x"
    await soon(session.close())
    server.close()
