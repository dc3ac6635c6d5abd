"""Servers as the protocol has them: each method of the schema is one coroutine."""
from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, TypedDict, Union

from .actor import Remote
from .block_list import BlockList, id_of
from .names import StrPath, from_body, to_body, to_path
from .session import Session
from .socket import Address, Endpoints, Socket


class Peer(TypedDict):
    """Who connected to a Unix path, as the kernel says."""

    uid: int
    gid: int
    pid: int


class Connection(Endpoints, total=False):
    """The body of the event `connection`."""

    socket: Socket  # the program's; its events begin now
    peer: Peer  # Unix paths only


class ServerInfo(Address, total=False):
    listening: bool
    max_connections: int
    connections: int
    refed: bool


class Server(Remote):
    """One server of the session.

    Events: `listening`, `connection` (a `Connection`), `drop` (Endpoints of one
    that was turned away, and the `rule` of a block list, if that was why), `error`, `close`. Methods raise BrokerError, and
    SessionLost when the session ends before the answer.
    """

    noun = "server"
    _read_window: Optional[int] = None  # of its connections; None: the session's

    @classmethod
    async def create(
        cls,
        session: Session,
        *,
        allow_half_open: Optional[bool] = None,
        pause_on_connect: Optional[bool] = None,
        no_delay: Optional[bool] = None,
        keep_alive: Optional[bool] = None,
        keep_alive_initial_delay: Optional[float] = None,
        max_connections: Optional[int] = None,
        drop_max_connection: Optional[bool] = None,
        read_chunk: Optional[int] = None,
        high_water_mark: Optional[int] = None,
        read_window: Optional[int] = None,
        block_list: Optional[BlockList] = None,
        socket_options: Optional[Mapping[str, Union[bool, int]]] = None,
    ) -> "Server":
        """A new server, not listening; the options hold for the sockets it accepts.

        keep_alive_initial_delay: milliseconds; read_chunk, read_window and high_water_mark:
        bytes; max_connections: None is no limit, 0 turns everyone away.
        Connections from addresses on block_list are dropped.
        socket_options are those of `Socket.set_options`.
        """
        server = cls(session, session.new_target())
        server._read_window = read_window
        session.add(server.target, server)
        await server._request(
            "create",
            allow_half_open=allow_half_open,
            pause_on_connect=pause_on_connect,
            no_delay=no_delay,
            keep_alive=keep_alive,
            keep_alive_initial_delay=keep_alive_initial_delay,
            max_connections=max_connections,
            drop_max_connection=drop_max_connection,
            read_chunk=read_chunk,
            high_water_mark=high_water_mark,
            read_window=read_window,
            block_list=id_of(block_list),
            socket_options=socket_options and to_body(**socket_options),
        )
        return server

    async def listen(
        self,
        port: Optional[int] = None,
        host: Optional[str] = None,
        *,
        path: Optional[StrPath] = None,
        backlog: Optional[int] = None,
        exclusive: Optional[bool] = None,
        readable_all: Optional[bool] = None,
        writable_all: Optional[bool] = None,
        ipv6_only: Optional[bool] = None,
        reuse_port: Optional[bool] = None,
        block_list: Optional[BlockList] = None,
    ) -> Address:
        """Listens and says where: on a port (0 or None: any) or on a Unix path.

        Without host: all addresses. backlog: connections waiting (511).
        block_list: instead of that of `create`. Raises
        OSError subclasses as the system's bind and listen would.
        """
        self._is_over = False
        address = await self._request(
            "listen",
            port=port,
            host=host,
            path=None if path is None else to_path(path),
            backlog=backlog,
            exclusive=exclusive,
            readable_all=readable_all,
            writable_all=writable_all,
            ipv6_only=ipv6_only,
            reuse_port=reuse_port,
            block_list=id_of(block_list),
        )
        return from_body(address)  # type: ignore[return-value]

    async def close(self) -> None:
        """Stops listening; returns when all its connections have ended."""
        await self._request("close")

    async def address(self) -> Address:
        """Where it listens; empty when it does not."""
        return from_body(await self._request("address") or {})  # type: ignore[return-value]

    async def get_connections(self) -> int:
        """How many of its connections are open."""
        connections: Dict[str, int] = await self._request("getConnections")
        return connections["count"]

    async def set(self, max_connections: Optional[int] = None, drop_max_connection: Optional[bool] = None) -> None:
        """Limits the connections that are open at a time; None: no limit."""
        await self._request("set", max_connections=max_connections, drop_max_connection=drop_max_connection)

    async def info(self) -> ServerInfo:
        return from_body(await self._request("info"))  # type: ignore[return-value]

    def _convert(self, verb: str, body: Any) -> Any:
        converted = super()._convert(verb, body)
        if verb == "connection":
            socket = Socket(self.session, converted["socket"], self._read_window)
            self.session.add(socket.target, socket)
            converted["socket"] = socket
        return converted
