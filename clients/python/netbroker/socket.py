"""Sockets as the protocol has them: each method of the schema is one coroutine.

For byte streams in asyncio's own shape see `netbroker.streams`.
"""
from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, TypedDict, Union

from .actor import Event, Remote
from .block_list import BlockList, id_of
from .credit import ReadCredit
from .errors import BrokerError
from .flow import WriteGate
from .names import StrPath, from_body, to_body, to_path
from .session import Session

HELD_HIGH = 256 * 1024  # bytes held for an iteration at which the socket is paused


class Endpoints(TypedDict, total=False):
    """Both ends of a TCP connection; empty for Unix sockets. Families: `IPv4`, `IPv6`."""

    local_address: str
    local_port: int
    local_family: str
    remote_address: str
    remote_port: int
    remote_family: str


class Address(TypedDict, total=False):
    """Where a socket or server is bound: the first three, or a path; or nothing."""

    address: str
    family: str
    port: int
    path: str


class SocketInfo(Endpoints, total=False):
    """All that the broker knows of a socket; sizes in bytes, `timeout` in milliseconds."""

    ready_state: str  # opening, open, readOnly, writeOnly, closed
    pending: bool
    connecting: bool
    destroyed: bool
    paused: bool
    refed: bool
    timeout: float
    bytes_read: int
    bytes_written: int  # queued bytes included
    buffer_size: int  # queued bytes
    writable_high_water_mark: int
    writable_need_drain: bool
    allow_half_open: bool
    encoding: str
    kind: str  # tcp or pipe
    server: int  # id of the server that accepted it


def error_fields(error: BaseException) -> Dict[str, str]:
    """An exception as an error map of the wire."""
    return {"code": getattr(error, "code", "") or type(error).__name__, "message": str(error)}


class Socket(Remote):
    """One socket of the session.

    Events: `lookupRequest` `lookup` `connectionAttempt` `connectionAttemptFailed`
    `connectionAttemptTimeout` `connect` `ready` `data` `drain` `end` `timeout` `error`
    `offerExpired` `close`, bodies as in the protocol. Methods raise BrokerError, and SessionLost
    when the session ends before the answer.

    `Socket(session, target)` is a handle for an id that exists, without its
    events; use `Socket.create` or `Socket.open` for a new one.
    """

    noun = "socket"

    def __init__(self, session: Session, target: int, read_window: Optional[int] = None) -> None:
        super().__init__(session, target)
        self._auto_release = True  # `close` ends the id
        self._held_bytes = 0
        self._held_back = False  # paused by us, for want of a reader
        self._paused = False  # paused by the program
        self._read_window = session.read_window if read_window is None else read_window
        self._reads_each = False  # with onread, each piece of data is asked for
        self._credit = self._new_credit()
        self._gate = WriteGate(session.budget)

    # ---- making one ----

    @classmethod
    async def create(
        cls,
        session: Session,
        *,
        allow_half_open: Optional[bool] = None,
        auto_release: Optional[bool] = None,
        read_chunk: Optional[int] = None,
        onread: Optional[int] = None,
        high_water_mark: Optional[int] = None,
        encoding: Optional[str] = None,
        block_list: Optional[BlockList] = None,
        read_window: Optional[int] = None,
        type_of_service: Optional[int] = None,
        socket_options: Optional[Mapping[str, Union[bool, int]]] = None,
    ) -> "Socket":
        """A new socket, not connected.

        read_chunk, onread (both: the largest `data`) and high_water_mark are in bytes. With `auto_release=False` the
        id outlives `close`, so that the socket can be connected again. read_window: bytes of `data` that come
        ahead of what the program has taken (0: any number). Addresses on
        block_list are not connected to. socket_options are those of `set_options`.
        """
        socket = cls._new(session)
        socket._auto_release = auto_release is not False
        read_window = socket._read_with(read_window, onread, encoding)
        await socket._request(
            "create",
            allow_half_open=allow_half_open,
            auto_release=auto_release,
            read_chunk=read_chunk,
            onread=_on_read(onread),
            high_water_mark=high_water_mark,
            encoding=encoding,
            read_window=read_window,
            block_list=id_of(block_list),
            type_of_service=type_of_service,
            socket_options=socket_options and to_body(**socket_options),
        )
        return socket

    @classmethod
    async def open(
        cls,
        session: Session,
        port: Optional[int] = None,
        host: Optional[str] = None,
        *,
        path: Optional[StrPath] = None,
        **options: Any,
    ) -> "Socket":
        """`create` and `connect` in one round trip; options of both, as there."""
        socket = cls._new(session)
        options["read_window"] = socket._read_with(
            options.get("read_window"), options.get("onread"), options.get("encoding")
        )
        options["onread"] = _on_read(options.get("onread"))
        options["block_list"] = id_of(options.get("block_list"))
        options["socket_options"] = options.get("socket_options") and to_body(**options["socket_options"])
        body = to_body(port=port, host=host, path=None if path is None else to_path(path), **options)
        try:
            await session.request("net.createConnection", socket.target, body)
        except BaseException:
            socket._forget()
            raise
        return socket

    @classmethod
    async def adopt(
        cls, session: Session, token: str, *, auto_release: Optional[bool] = None, read_window: Optional[int] = None
    ) -> "Socket":
        """Takes over a socket that another session has offered; see `offer`. `info()` tells how far it has come."""
        socket = cls._new(session)
        socket._auto_release = auto_release is not False
        try:
            read_window = socket._read_with(read_window, None, None)
            adopted = await socket._request("adopt", token=token, auto_release=auto_release, read_window=read_window)
            socket._credit.begin_at(adopted["bytesRead"])
        except BaseException:
            socket._forget()
            raise
        return socket

    @classmethod
    def _new(cls, session: Session) -> "Socket":
        socket = cls(session, session.new_target())
        session.add(socket.target, socket)
        return socket

    def _read_with(self, window: Optional[int], onread: Optional[int], encoding: Optional[str]) -> Optional[int]:
        """Fits the credit to the options of a creation; returns the `read_window` to ask for."""
        if window is None and encoding is not None:
            window = 0  # text does not tell how many bytes it was
        if window is not None:
            self._read_window = window
        if onread is not None:
            self._read_window, self._reads_each = onread, True
        self._credit = self._new_credit()
        return window

    def _new_credit(self) -> ReadCredit:
        return ReadCredit(self.session, self.target, self._read_window, self._reads_each)

    def _forget(self) -> None:
        self.session.remove(self.target)
        self.session.notify("socket.destroy", self.target)

    # ---- the schema's methods ----

    async def connect(
        self,
        port: Optional[int] = None,
        host: Optional[str] = None,
        *,
        path: Optional[StrPath] = None,
        local_address: Optional[str] = None,
        local_port: Optional[int] = None,
        family: Optional[int] = None,
        hints: Optional[int] = None,
        no_delay: Optional[bool] = None,
        keep_alive: Optional[bool] = None,
        keep_alive_initial_delay: Optional[float] = None,
        timeout: Optional[float] = None,
        onread: Optional[int] = None,
        block_list: Optional[BlockList] = None,
        lookup: Optional[bool] = None,
        auto_select_family: Optional[bool] = None,
        auto_select_family_attempt_timeout: Optional[int] = None,
    ) -> Endpoints:
        """Connects to host (default `localhost`) and port, or to a Unix path.

        family: 0, 4 or 6. keep_alive_initial_delay and timeout: milliseconds;
        timeout is that of `set_timeout`. onread: bytes of the largest `data`.
        block_list: instead of that of `create`. With `lookup` the event
        `lookupRequest` asks for the addresses of host: answer with `lookup_result`.
        All addresses are tried, a further one every auto_select_family_attempt_timeout
        milliseconds (250); with `auto_select_family=False` only the first is.
        Raises OSError subclasses as the system's connect would, gaierror when
        the name cannot be resolved.
        """
        self._is_over = False
        self._read_with(None, onread, None)
        return from_body(  # type: ignore[return-value]
            await self._request(
                "connect",
                port=port,
                host=host,
                path=None if path is None else to_path(path),
                local_address=local_address,
                local_port=local_port,
                family=family,
                hints=hints,
                no_delay=no_delay,
                keep_alive=keep_alive,
                keep_alive_initial_delay=keep_alive_initial_delay,
                timeout=timeout,
                onread=_on_read(onread),
                block_list=id_of(block_list),
                lookup=lookup,
                auto_select_family=auto_select_family,
                auto_select_family_attempt_timeout=auto_select_family_attempt_timeout,
            )
        )

    async def lookup_result(
        self,
        address: Optional[str] = None,
        family: Optional[int] = None,
        *,
        addresses: Optional[Sequence[Mapping[str, Any]]] = None,
        error: Optional[BaseException] = None,
    ) -> None:
        """Answers a `lookupRequest`: with an address, with several ({"address": ..., "family": 4 or 6} each), or why there is none."""
        fields = None if error is None else error_fields(error)
        await self._request("lookupResult", address=address, family=family, addresses=addresses, error=fields)

    async def write(self, data: Union[bytes, bytearray, memoryview, str], encoding: Optional[str] = None) -> int:
        """Writes at most `session.max_write` bytes; returns when the kernel has them.

        Waits before where other writes have filled the socket's window.

        The result is the number of payload bytes given to the kernel since the
        connection began. `encoding` is that of a str: utf8 (default), utf16le,
        latin1, ascii, base64, base64url, hex.
        """
        written: Dict[str, int] = await self._payload("write", data, encoding)
        return written["bytesWritten"]

    async def end(self, data: Union[bytes, bytearray, memoryview, str] = b"", encoding: Optional[str] = None) -> None:
        """Writes `data`, then ends this side; returns when the FIN has been sent."""
        await self._payload("end", data, encoding)

    async def _payload(self, verb: str, data: Any, encoding: Optional[str]) -> Any:
        options = [] if encoding is None else [{"encoding": encoding}]
        size = 2 * len(data.encode()) if isinstance(data, str) else len(data)  # at most; of text in any encoding
        return await self._gate.request(
            size, lambda: self.session.request(f"socket.{verb}", self.target, data, *options)
        )

    async def destroy(self, error: Optional[BaseException] = None) -> None:
        """Closes at once, unless it is closed; `error` is what the `error` event will tell."""
        fields = None if error is None else error_fields(error)
        try:
            await self._request("destroy", error=fields)
        except BrokerError as failure:
            if failure.code != "ERR_NB_NO_SUCH_TARGET":
                raise

    async def reset_and_destroy(self) -> None:
        """Closes with a TCP reset."""
        await self._request("resetAndDestroy")

    async def pause(self) -> None:
        """Stops reading; when this returns, no more `data` will come."""
        self._paused = True
        await self._request("pause")

    async def resume(self) -> None:
        self._paused = False
        if not self._held_back:
            await self._request("resume")

    async def offer(self, ttl: Optional[int] = None, unshift: Union[bytes, str, None] = None) -> str:
        """Freezes the socket and returns a token, by which another session of the same user can `adopt` it.

        ttl: seconds, after which it is this session's again (event `offerExpired`), paused. unshift: the last bytes
        that came as `data`, as many as the program has not used: the adopter gets them first. `close` then says
        `transferred`.
        """
        token: str = (await self._request("offer", ttl=ttl, unshift=unshift))["token"]
        return token

    async def set_encoding(self, encoding: Optional[str] = None) -> None:
        """`data` becomes str, decoded by the broker; None: bytes again.

        From then on nothing but `pause` holds the peer back for listeners: text does not tell how many bytes it was.
        """
        if encoding is not None:
            self._credit.lift()
        await self._request("setEncoding", encoding=encoding)

    async def set_keep_alive(self, enable: bool = False, initial_delay: float = 0, interval: Optional[float] = None,
                             count: Optional[int] = None) -> None:
        """Probes after `initial_delay`, then up to `count` (10), `interval` (1000) apart.

        Milliseconds, cut to whole seconds; an initial_delay of 0 keeps what is set.
        """
        await self._request("setKeepAlive", enable=enable, initial_delay=initial_delay, interval=interval, count=count)

    async def set_no_delay(self, no_delay: bool = True) -> None:
        await self._request("setNoDelay", no_delay=no_delay)

    async def set_timeout(self, timeout: float) -> None:
        """`timeout` comes after so many milliseconds of silence; 0: never. Closes nothing."""
        await self._request("setTimeout", timeout=timeout)

    async def set_type_of_service(self, tos: int) -> None:
        """Marks the packets: 0..255."""
        await self._request("setTypeOfService", tos=tos)

    async def get_type_of_service(self) -> int:
        return await self._request("getTypeOfService")  # type: ignore[no-any-return]

    async def set_options(
        self,
        *,
        no_delay: Optional[bool] = None,
        keep_alive: Optional[bool] = None,
        keep_alive_initial_delay: Optional[int] = None,
        keep_alive_interval: Optional[int] = None,
        keep_alive_count: Optional[int] = None,
        type_of_service: Optional[int] = None,
        time_to_live: Optional[int] = None,
        priority: Optional[int] = None,
        receive_buffer_size: Optional[int] = None,
        send_buffer_size: Optional[int] = None,
        user_timeout: Optional[int] = None,
        not_sent_low_water: Optional[int] = None,
        max_segment_size: Optional[int] = None,
    ) -> None:
        """Options of the kernel's socket; times in milliseconds. Without a connection they are kept for the next."""
        await self._request(
            "setOptions",
            no_delay=no_delay,
            keep_alive=keep_alive,
            keep_alive_initial_delay=keep_alive_initial_delay,
            keep_alive_interval=keep_alive_interval,
            keep_alive_count=keep_alive_count,
            type_of_service=type_of_service,
            time_to_live=time_to_live,
            priority=priority,
            receive_buffer_size=receive_buffer_size,
            send_buffer_size=send_buffer_size,
            user_timeout=user_timeout,
            not_sent_low_water=not_sent_low_water,
            max_segment_size=max_segment_size,
        )

    async def get_options(self) -> Dict[str, Union[bool, int]]:
        """Those that the socket has; without a connection those that are kept."""
        return from_body(await self._request("getOptions"))

    async def bind(self, host: Optional[str] = None, port: Union[int, str, None] = None, ipv6_only: Optional[bool] = None,
                   reuse_port: Optional[bool] = None) -> Address:
        """Takes a local address to connect from later; the result is the address."""
        return from_body(await self._request("bind", host=host, port=port, ipv6_only=ipv6_only,  # type: ignore[return-value]
                                             reuse_port=reuse_port))

    async def address(self) -> Address:
        """The local address; empty for Unix sockets and before the connection."""
        return from_body(await self._request("address"))  # type: ignore[return-value]

    async def info(self) -> SocketInfo:
        return from_body(await self._request("info"))  # type: ignore[return-value]

    # ---- held data is bounded ----

    def on_event(self, name: str, body: Any) -> None:
        if name != "socket.flushed":  # the answers of the writes tell it
            super().on_event(name, body)

    def _happened(self, event: Event) -> None:
        super()._happened(event)
        if event.name == "close" and self._auto_release:
            self.session.remove(self.target)
        if event.name == "data" and self._listeners:
            self._credit.used(len(event.body))
        elif event.name == "data":
            self._held_bytes += len(event.body)
            if self._held_bytes > HELD_HIGH and not self._held_back:
                self._held_back = True
                self.session.notify("socket.pause", self.target)

    def _taken(self, event: Event) -> None:
        if event.name == "data":
            self._held_bytes -= len(event.body)
            self._credit.used(len(event.body))
            if self._held_back and self._held_bytes <= HELD_HIGH // 2:
                self._held_back = False
                if not self._paused:
                    self.session.notify("socket.resume", self.target)


def _on_read(size: Optional[int]) -> Optional[Dict[str, int]]:
    return None if size is None else {"size": size}
