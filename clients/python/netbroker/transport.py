"""asyncio's transport over one socket of the broker, whichever way its bytes take: what both have in common."""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, Mapping, Optional

from .errors import SessionLost
from .session import Session
from .socket import Socket
from .transport_socket import TransportSocket


class SocketTransport(asyncio.Transport):
    """A connection that the broker holds; made by the functions of `netbroker.streams`.

    Everything that asyncio says of a transport holds. `get_extra_info` knows
    `peername`, `sockname`, `peercred` (who connected to a Unix path: uid, gid,
    pid), `socket` (names and options, as asyncio's) and `netbroker` (a `Socket`,
    for keep-alive, timeouts and the like).
    """

    def __init__(
        self, session: Session, target: int, protocol: asyncio.BaseProtocol, extra: Optional[Dict[str, Any]] = None
    ) -> None:
        super().__init__()
        self._extra_info: Dict[str, Any] = {"sockname": "", "peername": "", **(extra or {})}
        self.on_lost: Optional[Callable[[], None]] = None  # called once, after connection_lost
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._protocol: Any
        self._receiver: Any  # whose data_received() takes what comes
        self._was_opened = False
        self._open = False  # connection_made was called, connection_lost was not
        self._closing = False
        self._eof = False  # nothing more may be written
        self.set_protocol(protocol)
        session.add(target, self)

    # ---- opening: what a kind of transport does for it ----

    async def connect(self, body: Mapping[str, Any]) -> None:
        """Connects as net.createConnection does; connection_made was called when it returns."""
        raise NotImplementedError

    def accept(self, body: Mapping[str, Any]) -> None:
        """Begins with a connection that a server's event `body` has told of."""
        raise NotImplementedError

    def _force_close(self, error: Optional[BaseException]) -> None:
        """As abort(), but the protocol is told the error; asyncio's TLS calls it by this name."""
        raise NotImplementedError

    def on_event(self, name: str, body: Any) -> None:
        raise NotImplementedError

    # ---- the protocol's calls ----

    def _tell_made(self, endpoints: Mapping[str, Any]) -> None:
        """It is connected, `endpoints` being what the broker says of it; idempotent."""
        if self._was_opened:
            return
        self._was_opened = self._open = True
        for key, side in (("sockname", "local"), ("peername", "remote")):
            self._extra_info[key] = _socket_name(side, endpoints, self._extra_info[key])
        if "peer" in endpoints:
            self._extra_info["peercred"] = endpoints["peer"]
        if not self._session.guard(self._protocol.connection_made, self):
            self.abort()

    def _tell_data(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._receiver.data_received(data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._session.report("protocol.data_received() failed", error)
            self._force_close(error)

    def _tell_eof(self) -> None:
        if self._closing or not self._open:
            return
        try:
            keep_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._session.report("protocol.eof_received() failed", error)
            self._force_close(error)
            return
        if not keep_open:
            self.close()

    def _tell_lost(self, error: Optional[BaseException]) -> None:
        """The connection is gone; the protocol hears of it once."""
        self._session.remove(self._target)
        self._closing = self._eof = True
        if self._open:
            self._open = False
            self._session.guard(self._protocol.connection_lost, error)
            if self.on_lost is not None:
                self.on_lost()

    def on_session_lost(self, error: SessionLost) -> None:
        self._tell_lost(error)

    # ---- asyncio.Transport ----

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        """Closes at once; what was not yet sent is dropped."""
        self._force_close(None)

    def _destroy(self) -> None:
        self._session.notify("socket.destroy", self._target)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "netbroker":
            return Socket(self._session, self._target)
        if name == "socket" and self._was_opened:
            return self._socket()
        return self._extra_info.get(name, default)

    def _socket(self) -> TransportSocket:
        if "socket" not in self._extra_info:
            names = self._extra_info["sockname"], self._extra_info["peername"]
            self._extra_info["socket"] = TransportSocket(*names, self._set_options)
        socket: TransportSocket = self._extra_info["socket"]
        return socket

    def _set_options(self, options: Dict[str, Any]) -> None:
        self._session.call(lambda failure, result: None, "socket.setOptions", (self._target, options))

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._receiver = BufferFiller(protocol) if isinstance(protocol, asyncio.BufferedProtocol) else protocol

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open" if self._open else "opening"
        return f"<{type(self).__name__} {self._target} {state} peer={self.get_extra_info('peername')!r}>"


class BufferFiller:
    """Gives data to a BufferedProtocol, in as many pieces as its buffers ask for."""

    def __init__(self, protocol: asyncio.BufferedProtocol) -> None:
        self._protocol = protocol

    def data_received(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            buffer = memoryview(self._protocol.get_buffer(len(rest))).cast("B")
            size = min(len(buffer), len(rest))
            if not size:
                raise RuntimeError("get_buffer() returned an empty buffer")
            buffer[:size] = rest[:size]
            self._protocol.buffer_updated(size)
            rest = rest[size:]


def _socket_name(side: str, endpoints: Mapping[str, Any], fallback: Any) -> Any:
    """What the socket module would call this end: a tuple, or a path."""
    address = endpoints.get(side + "Address")
    if address is None:
        return fallback
    name = (address, endpoints.get(side + "Port", 0))
    return name if endpoints.get(side + "Family") == "IPv4" else (*name, 0, 0)
