"""Connections whose bytes have a stream of their own: what is so with channels only."""
import asyncio
import contextlib
import os

import netbroker
import pytest
from netbroker.channel import ChannelTransport

from .peers import echo, noise, plain_server, soon

pytestmark = pytest.mark.asyncio

MANY = 60


@pytest.fixture
def data_plane():
    return "attach"


async def finish(writer):
    writer.close()
    await soon(writer.wait_closed())


async def test_bytes_go_around_the_session(session):
    async with plain_server(echo) as address:
        reader, writer = await netbroker.open_connection(session=session, **address)
        assert isinstance(writer.transport, ChannelTransport)
        with pytest.raises(netbroker.BrokerError) as refused:  # by frames there is nothing any more
            await session.request("socket.write", writer.get_extra_info("netbroker").target, b"x")
        assert refused.value.code == "ERR_NB_BUSY"
        writer.write(b"around")
        assert await soon(reader.readexactly(6)) == b"around"
        await finish(writer)


async def test_there_may_be_more_channels_than_sessions(start_broker):
    """Each channel begins as a session of the broker's."""
    broker = start_broker("--limit", "maxSessions=20")
    async with netbroker.connect(broker.path, data_plane="attach") as session, plain_server(echo) as address:
        opening = [netbroker.open_connection(session=session, **address) for _ in range(MANY)]
        streams = await soon(asyncio.gather(*opening))
        for reader, writer in streams:
            writer.write(b"one of many")
        for reader, writer in streams:
            assert await soon(reader.readexactly(11)) == b"one of many"
            await finish(writer)


async def test_no_room_for_a_channel(start_broker):
    """A connection that cannot have one is none: the program and the peer hear of it."""
    broker = start_broker("--limit", "maxSessions=1")
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with netbroker.connect(broker.path, data_plane="attach") as session:
        async with plain_server(echo) as address:
            with pytest.raises((netbroker.BrokerError, netbroker.SessionLost)):
                await soon(netbroker.open_connection(session=session, **address))
        async with await netbroker.start_server(echo, "127.0.0.1", 0, session=session) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            with contextlib.suppress(ConnectionResetError):
                assert await soon(reader.read()) == b""
            writer.close()
            assert [type(error) for error in reported] in ([netbroker.BrokerError], [netbroker.SessionLost])
        assert (await session.info())["sockets"] == 0


async def test_what_came_before_the_channel_is_the_first(session):
    async def greet(reader, writer):
        writer.write(b"welcome, ")
        writer.write(await reader.readexactly(1))
        writer.close()

    class Slow(ChannelTransport):
        """Asks for its channel when there is something to read."""

        async def _attach(self):
            while not self._early:
                await session.ping()
            await super()._attach()

    async with plain_server(greet) as address:
        protocol = Collector()
        transport = Slow(session, session.new_target(), protocol)
        await soon(transport.connect(address))
        transport.write(b"f")
        assert await soon(protocol.all) == b"welcome, f"


class Collector(asyncio.Protocol):
    """`all` is what came until the end."""

    def __init__(self):
        self.got, self.all = [], asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.got.append(data)

    def connection_lost(self, error):
        self.all.set_result(b"".join(self.got))


async def test_the_broker_is_killed_while_nothing_is_read(start_broker):
    broker = start_broker()
    async with plain_server(echo) as address:
        session = await netbroker.connect(broker.path, data_plane="attach")
        transport, protocol = await netbroker.create_connection(Collector, session=session, **address)
        transport.pause_reading()
        transport.write(noise(1 << 20))
        broker.kill()
        await asyncio.wait_for(protocol.all, 1)
        assert transport.is_closing()
        await soon(session.close())


async def test_nothing_of_it_stays_open(session, daemon):
    async def round_trip(address):
        reader, writer = await netbroker.open_connection(session=session, **address)
        writer.write(b"x")
        await soon(reader.readexactly(1))
        await finish(writer)

    async with plain_server(echo) as address:
        await round_trip(address)
        ours, brokers = len(os.listdir("/proc/self/fd")), daemon.open_fds()
        for _ in range(20):
            await round_trip(address)
        await session.ping()
        assert len(os.listdir("/proc/self/fd")) <= ours and daemon.open_fds() <= brokers
