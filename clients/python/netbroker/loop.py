"""Event loops whose connections and servers live in the broker: asyncio programs run over it unmodified.

`install()` puts it under a whole program; `on_broker(Loop)` makes a loop class for
those who choose their own. Both work with asyncio's loops and with uvloop's.
"""
from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import stat
from functools import lru_cache
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union

from . import streams
from .opening import connect
from .serving import BrokerServer
from .session import Session
from .tls import secured, secured_factory, start_tls
from .transport import SocketTransport

Made = Tuple[asyncio.BaseTransport, asyncio.BaseProtocol]
ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class BrokerLoopMixin:
    """What makes a loop use the broker; stands before a loop class among the bases.

    All connections and servers of the loop share one session, which is opened with
    the first and opened anew when the broker was lost. Sockets that the program made
    itself (`sock=`), datagrams, pipes and the sock_... methods stay the system's.
    """

    _session: Optional["asyncio.Future[Session]"] = None

    async def broker_session(self) -> Session:
        """The session that the loop's connections share. Raises NoBrokerError when no broker answers."""
        opening = self._session
        if opening is None or _is_over(opening):
            opening = self._session = asyncio.ensure_future(_open())
        return await asyncio.shield(opening)

    # ---- connections ----

    async def create_connection(
        self,
        protocol_factory: ProtocolFactory,
        host: Optional[str] = None,
        port: Union[int, str, None] = None,
        *,
        ssl: Any = None,
        family: int = 0,
        sock: Optional[socket.socket] = None,
        local_addr: Optional[Tuple[str, int]] = None,
        server_hostname: Optional[str] = None,
        ssl_handshake_timeout: Optional[float] = None,
        ssl_shutdown_timeout: Optional[float] = None,
        **others: Any,
    ) -> Made:
        """As asyncio's. The broker resolves the host and races its addresses, whatever `others` say of that."""
        if sock is not None:
            return await super().create_connection(  # type: ignore[misc,no-any-return]
                protocol_factory, ssl=ssl, sock=sock, server_hostname=server_hostname,
                ssl_handshake_timeout=ssl_handshake_timeout, **others,
            )  # fmt: skip
        if host is None and port is None:
            raise ValueError("host and port was not specified and no sock specified")
        if server_hostname is None and ssl:
            if not host:
                raise ValueError("You must set server_hostname when using ssl without a host")
            server_hostname = host

        async def make(factory: ProtocolFactory) -> Made:
            return await streams.create_connection(
                factory, host, port if port is None else int(port),
                session=await self.broker_session(), local_addr=local_addr, family=family,
            )  # fmt: skip

        return await secured(make, protocol_factory, ssl, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)

    async def create_unix_connection(
        self,
        protocol_factory: ProtocolFactory,
        path: Union[str, bytes, "os.PathLike[str]", None] = None,
        *,
        ssl: Any = None,
        sock: Optional[socket.socket] = None,
        server_hostname: Optional[str] = None,
        ssl_handshake_timeout: Optional[float] = None,
        ssl_shutdown_timeout: Optional[float] = None,
    ) -> Made:
        """As asyncio's; a relative path is the program's."""
        if path is None or sock is not None:
            return await super().create_unix_connection(  # type: ignore[misc,no-any-return]
                protocol_factory, path, ssl=ssl, sock=sock, server_hostname=server_hostname)  # fmt: skip
        if ssl and server_hostname is None:
            raise ValueError("you have to pass server_hostname when using ssl")

        where = _absolute(path)

        async def make(factory: ProtocolFactory) -> Made:
            return await streams.create_connection(factory, path=where, session=await self.broker_session())

        return await secured(make, protocol_factory, ssl, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)

    async def native_unix_connection(self, protocol_factory: ProtocolFactory, path: str) -> Made:
        """The loop's own: how the broker itself is reached."""
        made: Made = await super().create_unix_connection(protocol_factory, path)  # type: ignore[misc]
        return made

    async def start_tls(
        self,
        transport: Any,
        protocol: asyncio.BaseProtocol,
        sslcontext: Any,
        *,
        server_side: bool = False,
        server_hostname: Optional[str] = None,
        ssl_handshake_timeout: Optional[float] = None,
        ssl_shutdown_timeout: Optional[float] = None,
    ) -> Any:
        """As asyncio's."""
        if not isinstance(transport, SocketTransport):
            return await super().start_tls(  # type: ignore[misc]
                transport, protocol, sslcontext, server_side=server_side, server_hostname=server_hostname,
                ssl_handshake_timeout=ssl_handshake_timeout,
            )  # fmt: skip
        return await start_tls(
            transport, protocol, sslcontext, server_side, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)

    # ---- servers ----

    async def create_server(
        self,
        protocol_factory: ProtocolFactory,
        host: Union[str, Sequence[str], None] = None,
        port: Optional[int] = None,
        *,
        family: int = socket.AF_UNSPEC,
        sock: Optional[socket.socket] = None,
        backlog: int = 100,
        ssl: Any = None,
        reuse_port: Optional[bool] = None,
        ssl_handshake_timeout: Optional[float] = None,
        ssl_shutdown_timeout: Optional[float] = None,
        start_serving: bool = True,
        **others: Any,
    ) -> Any:
        """As asyncio's. Without start_serving it takes its port only when it starts."""
        if sock is not None:
            return await super().create_server(  # type: ignore[misc]
                protocol_factory, sock=sock, backlog=backlog, ssl=ssl, ssl_handshake_timeout=ssl_handshake_timeout,
                start_serving=start_serving, **others,
            )  # fmt: skip
        hosts: List[Optional[str]] = [host or None] if host is None or isinstance(host, str) else list(host)
        if family == socket.AF_INET:
            hosts = [one or "0.0.0.0" for one in hosts]
        options: Dict[str, Any] = {"port": port, "backlog": backlog, "reuse_port": reuse_port}
        if family == socket.AF_INET6:
            hosts = [one or "::" for one in hosts]
            options["ipv6_only"] = True
        factory = secured_factory(protocol_factory, ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        return await self._serve(factory, [{"host": one, **options} for one in hosts], start_serving)

    async def create_unix_server(
        self,
        protocol_factory: ProtocolFactory,
        path: Union[str, bytes, "os.PathLike[str]", None] = None,
        *,
        sock: Optional[socket.socket] = None,
        backlog: int = 100,
        ssl: Any = None,
        ssl_handshake_timeout: Optional[float] = None,
        ssl_shutdown_timeout: Optional[float] = None,
        start_serving: bool = True,
    ) -> Any:
        """As asyncio's: a socket file that was left at the path is replaced."""
        if path is None or sock is not None:
            return await super().create_unix_server(  # type: ignore[misc]
                protocol_factory, path, sock=sock, backlog=backlog, ssl=ssl, start_serving=start_serving)  # fmt: skip
        where = _absolute(path)
        _remove_stale_socket(where)
        factory = secured_factory(protocol_factory, ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        return await self._serve(factory, [{"path": where, "backlog": backlog}], start_serving)

    async def _serve(self, factory: ProtocolFactory, places: List[Dict[str, Any]], start_serving: bool) -> BrokerServer:
        server = BrokerServer(self.broker_session, factory, places)
        if start_serving:
            await server.start_serving()
        return server

    # ---- the rest ----

    async def shutdown_asyncgens(self) -> None:
        """The last thing that asyncio.run() does in the loop: the session ends here, and leaves nothing open."""
        await super().shutdown_asyncgens()  # type: ignore[misc]
        opening, self._session = self._session, None
        if opening is not None and not _is_over(opening):
            await (await opening).close()

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """A name that is none of an address is its own answer: the broker resolves it when it is connected to."""
        if not _is_name(host) or isinstance(port, str) and not port.isdigit():
            return await super().getaddrinfo(host, port, **options)  # type: ignore[misc]
        family = options.get("family") or socket.AF_INET
        name = host.decode() if isinstance(host, bytes) else host
        end = (name, int(port or 0)) if family == socket.AF_INET else (name, int(port or 0), 0, 0)
        return [(family, options.get("type") or socket.SOCK_STREAM, socket.IPPROTO_TCP, "", end)]

    async def sendfile(self, transport: Any, *arguments: Any, **options: Any) -> Any:
        """Not there for the broker's transports, so programs send files as they would without it."""
        if isinstance(transport, SocketTransport):
            raise NotImplementedError("sendfile is not available over the broker")
        return await super().sendfile(transport, *arguments, **options)  # type: ignore[misc]


@lru_cache(maxsize=None)
def on_broker(loop_class: Type[asyncio.AbstractEventLoop]) -> Type[asyncio.AbstractEventLoop]:
    """The loop class with the broker under it; one that has it already is given back."""
    if issubclass(loop_class, BrokerLoopMixin):
        return loop_class
    return type(f"Broker{loop_class.__name__}", (BrokerLoopMixin, loop_class), {})


def install() -> None:
    """Puts the broker under every event loop that asyncio makes from now on.

    The loops stay of the class that they were: call it behind `uvloop.install()`.
    """
    policy = asyncio.get_event_loop_policy()
    probe = policy.new_event_loop()
    probe.close()
    asyncio.set_event_loop_policy(_policy_of(type(policy), on_broker(type(probe))))  # type: ignore[arg-type]


def _policy_of(
    policy_class: Type[asyncio.AbstractEventLoopPolicy], loop_class: Type[asyncio.AbstractEventLoop]
) -> asyncio.AbstractEventLoopPolicy:
    def new_event_loop(self: Any) -> asyncio.AbstractEventLoop:
        return loop_class()

    policy: asyncio.AbstractEventLoopPolicy = type("BrokerEventLoopPolicy", (policy_class,), {"new_event_loop": new_event_loop})()
    return policy


async def _open() -> Session:
    return await connect()


def _is_over(opening: "asyncio.Future[Session]") -> bool:
    if not opening.done():
        return False
    return opening.cancelled() or opening.exception() is not None or opening.result().is_closed


def _is_name(host: Any) -> bool:
    if not host or not isinstance(host, (str, bytes)):
        return False
    try:
        ipaddress.ip_address(os.fsdecode(host).partition("%")[0])
    except ValueError:
        return True
    return False


def _absolute(path: Union[str, bytes, "os.PathLike[str]"]) -> Union[str, bytes]:
    """Relative paths are the program's, abstract ones nobody's."""
    where = os.fspath(path)
    return where if where[:1] in ("\0", b"\0") else os.path.abspath(where)


def _remove_stale_socket(path: Union[str, bytes]) -> None:
    """As asyncio does before it binds."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)
    except (FileNotFoundError, ValueError):  # none, or an abstract one
        pass
