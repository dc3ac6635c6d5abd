"""asyncio's streams, transports and servers, with the sockets at the broker.

The functions carry asyncio's names and take its arguments; each also takes
`session`, the session to work in. Without one they share the loop's, which is opened
with the first of them and ends with the last.

As in asyncio, TCP connections have TCP_NODELAY set unless `no_delay=False`.
"""
from __future__ import annotations

import asyncio
import os
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import Any, Awaitable, Callable, Dict, Mapping, NamedTuple, Optional, Tuple, Type, Union

from .block_list import BlockList, id_of
from .channel import ChannelTransport
from .errors import SessionLost, from_map
from .inline import InlineTransport
from .names import StrPath, to_body, to_path
from .session import Session
from .shared import working_in
from .transport import SocketTransport

TRANSPORTS: Dict[str, Type[SocketTransport]] = {"inline": InlineTransport, "attach": ChannelTransport}  # by data plane
DEFAULT_LIMIT = 64 * 1024  # bytes, of a StreamReader's buffer

ProtocolFactory = Callable[[], asyncio.BaseProtocol]
Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]
OnConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Union[None, Awaitable[None]]]


# ---- connections ----


async def create_connection(
    protocol_factory: ProtocolFactory,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    path: Optional[StrPath] = None,
    session: Optional[Session] = None,
    local_addr: Optional[Tuple[str, int]] = None,
    family: int = 0,
    no_delay: bool = True,
    keep_alive: Optional[bool] = None,
    keep_alive_initial_delay: Optional[float] = None,
    block_list: Optional[BlockList] = None,
) -> Tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Connects to host and port, or to a Unix path; returns transport and protocol.

    local_addr: address and port to connect from. family: AF_INET, AF_INET6 or 0.
    keep_alive_initial_delay: milliseconds. block_list: of the same session; an
    address on it is a BrokerError. Raises OSError subclasses as the system's
    connect would, gaierror when the name cannot be resolved.
    """
    body = to_body(
        port=None if path is not None else port,
        host=None if path is not None else host,
        path=None if path is None else to_path(path),
        local_address=local_addr[0] if local_addr else None,
        local_port=local_addr[1] if local_addr else None,
        family={int(AF_INET): 4, int(AF_INET6): 6}.get(family),
        no_delay=no_delay,
        keep_alive=keep_alive,
        keep_alive_initial_delay=keep_alive_initial_delay,
        block_list=id_of(block_list),
        allow_half_open=True,
    )
    async with working_in(session) as share:
        protocol = protocol_factory()
        extra = {"peername": os.fsdecode(path)} if path is not None else {}
        session = share.session
        transport = TRANSPORTS[session.data_plane](session, session.new_target(), protocol, extra)
        transport.on_lost = share.leave
        await transport.connect(body)
    return transport, protocol


async def open_connection(
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    path: Optional[StrPath] = None,
    session: Optional[Session] = None,
    limit: int = DEFAULT_LIMIT,
    **options: Any,
) -> Streams:
    """Connects and returns (reader, writer); `options` as for `create_connection`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await create_connection(lambda: protocol, host, port, path=path, session=session, **options)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def open_unix_connection(path: StrPath, **options: Any) -> Streams:
    """`open_connection(path=path)`."""
    return await open_connection(path=path, **options)


# ---- servers ----


async def create_server(
    protocol_factory: ProtocolFactory,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    path: Optional[StrPath] = None,
    session: Optional[Session] = None,
    backlog: int = 511,
    ipv6_only: Optional[bool] = None,
    reuse_port: Optional[bool] = None,
    max_connections: Optional[int] = None,
    no_delay: bool = True,
    keep_alive: Optional[bool] = None,
    keep_alive_initial_delay: Optional[float] = None,
    block_list: Optional[BlockList] = None,
) -> "StreamServer":
    """Listens on host (None: all addresses) and port (None or 0: any), or on a Unix path.

    Each connection gets a protocol of its own from `protocol_factory`.
    keep_alive_initial_delay: milliseconds. block_list: of the same session; who is
    on it is turned away. Raises OSError subclasses as the system's bind and listen
    would.
    """
    created = to_body(
        allow_half_open=True,
        no_delay=no_delay,
        keep_alive=keep_alive,
        keep_alive_initial_delay=keep_alive_initial_delay,
        max_connections=max_connections,
        block_list=id_of(block_list),
    )
    listening = to_body(
        port=None if path is not None else port or 0,
        host=None if path is not None else host,
        path=None if path is None else to_path(path),
        backlog=backlog,
        ipv6_only=ipv6_only,
        reuse_port=reuse_port or None,
    )
    async with working_in(session) as share:
        if share.session.data_plane == "attach":
            created["pauseOnConnect"] = True  # until there is a channel
        server = StreamServer(share.session, protocol_factory)
        await server.listen(created, listening)
    server.closed.add_done_callback(share.leave)
    return server


async def start_server(
    client_connected_cb: OnConnected,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    limit: int = DEFAULT_LIMIT,
    **options: Any,
) -> "StreamServer":
    """Calls `client_connected_cb(reader, writer)` for each connection.

    A coroutine runs as a task of its own. `options` as for `create_server`.
    """
    loop = asyncio.get_running_loop()

    def factory() -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=limit, loop=loop)
        return asyncio.StreamReaderProtocol(reader, client_connected_cb, loop=loop)

    return await create_server(factory, host, port, **options)


async def start_unix_server(client_connected_cb: OnConnected, path: StrPath, **options: Any) -> "StreamServer":
    """`start_server(path=path)`."""
    return await start_server(client_connected_cb, path=path, **options)


class ListeningSocket(NamedTuple):
    """As much of a listening socket as programs ask asyncio's servers for."""

    family: int
    name: Any

    def getsockname(self) -> Any:
        """(address, port), with two zeros more for IPv6; or the Unix path."""
        return self.name


class StreamServer(asyncio.AbstractServer):
    """A server whose connections are asyncio transports; made by `create_server`.

    `close()` stops listening and leaves the connections alone; `wait_closed()`
    waits for those too.
    """

    def __init__(self, session: Session, protocol_factory: ProtocolFactory) -> None:
        self.session = session
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # connections and all
        self._protocol_factory = protocol_factory
        self._target = session.new_target()
        self._address: Mapping[str, Any] = {}
        self._is_serving = False
        session.add(self._target, self)

    async def listen(self, created: Dict[str, Any], listening: Dict[str, Any]) -> None:
        """Creates and listens in one go; bodies as on the wire."""
        session, target = self.session, self._target
        requests = [
            session.request("server.create", target, created),
            session.request("server.listen", target, listening),
        ]
        try:
            _, self._address = await asyncio.gather(*requests)
        except BaseException:
            await asyncio.gather(*requests, return_exceptions=True)
            session.remove(target)
            session.notify("server.release", target)
            raise
        self._is_serving = True

    def on_event(self, name: str, body: Any) -> None:
        if name == "server.connection":
            self._accept(body)
        elif name in ("server.error", "session.error"):
            self.session.report("a server failed", from_map(body))

    def on_session_lost(self, error: SessionLost) -> None:
        self._is_serving = False
        self._finish()

    def _accept(self, body: Mapping[str, Any]) -> None:
        try:
            protocol = self._protocol_factory()
        except Exception as error:
            self.session.report("protocol_factory() failed", error)
            self.session.notify("socket.destroy", body["socket"])
            return
        extra = {"sockname": self._address.get("path", "")}
        TRANSPORTS[self.session.data_plane](self.session, body["socket"], protocol, extra).accept(body)

    # ---- asyncio.AbstractServer ----

    @property
    def sockets(self) -> Tuple[ListeningSocket, ...]:
        if not self._is_serving:
            return ()
        path = self._address.get("path")
        if path is not None:
            return (ListeningSocket(AF_UNIX, path),)
        name = (self._address["address"], self._address["port"])
        if self._address["family"] == "IPv4":
            return (ListeningSocket(AF_INET, name),)
        return (ListeningSocket(AF_INET6, (*name, 0, 0)),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.closed.get_loop()

    def is_serving(self) -> bool:
        return self._is_serving

    async def start_serving(self) -> None:
        """It serves from the beginning; for asyncio's sake."""

    async def serve_forever(self) -> None:
        """Returns when the server has been closed; when cancelled, closes it."""
        try:
            await asyncio.shield(self.closed)
        finally:
            self.close()

    def close(self) -> None:
        if self._is_serving:
            self._is_serving = False
            self.session.call(lambda failure, result: self._finish(), "server.close", (self._target,))

    async def wait_closed(self) -> None:
        """Returns when the server was closed and all its connections have ended."""
        await asyncio.shield(self.closed)

    def _finish(self) -> None:
        self.session.remove(self._target)
        self.session.notify("server.release", self._target)
        if not self.closed.done():
            self.closed.set_result(None)

