"""A transport whose bytes travel in a Unix stream of their own, a channel of the broker's.

The event loop's own transport carries them, flow control and all. The session keeps
the commands, and tells how the connection ended.
"""
from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import msgpack

from .errors import BrokerError, SessionLost, from_map
from .session import Session
from .transport import SocketTransport

Payload = Union[bytes, bytearray, memoryview]

# The connection has failed meanwhile; its event `close` says so, too.
TOO_LATE = ("ERR_NB_BUSY", "ERR_SOCKET_CLOSED", "ERR_NB_NO_SUCH_TARGET", "ERR_NB_TOKEN")


class ChannelTransport(SocketTransport, asyncio.Protocol):
    """The program's transport, and the protocol of the stream that carries its bytes.

    What is written counts as buffered until the stream has taken it. The program is
    told of an end when the stream has ended and the session has said what end it is.
    """

    def __init__(
        self, session: Session, target: int, protocol: asyncio.BaseProtocol, extra: Optional[Dict[str, Any]] = None
    ) -> None:
        super().__init__(session, target, protocol, extra)
        self._stream: Optional[asyncio.Transport] = None  # from its attaching until it is lost
        self._early: List[bytes] = []  # data from before the stream's
        self._reading_paused = False
        self._stream_ended = False  # it has given all its bytes, or there is none
        self._peer_ended = False  # and the protocol does not know
        self._is_over = False  # the broker has let go of the socket
        self._error: Optional[BaseException] = None

    # ---- opening ----

    async def connect(self, body: Mapping[str, Any]) -> None:
        try:
            await self._begin(await self._session.request("net.createConnection", self._target, body))
        except BaseException:
            self.abort()
            raise

    def accept(self, body: Mapping[str, Any]) -> None:
        asyncio.ensure_future(self._begin(body)).add_done_callback(self._on_begun)

    def _on_begun(self, beginning: "asyncio.Future[None]") -> None:
        error = None if beginning.cancelled() else beginning.exception()
        if error is not None and not self._session.is_closed:
            self._session.report("a connection could not have a channel", error)
        if error is not None or beginning.cancelled():
            self.abort()

    async def _begin(self, endpoints: Mapping[str, Any]) -> None:
        try:
            async with self._session.attaching:
                await self._attach()
        except BrokerError as error:
            if error.code not in TOO_LATE:
                raise
            self._stream_ended = True
        self._tell_made(endpoints)
        self._release()

    async def _attach(self) -> None:
        channel = await self._session.request("socket.channel", self._target)
        loop: Any = self._loop
        dial = getattr(loop, "native_unix_connection", loop.create_unix_connection)
        stream, attachment = await dial(Attachment, self._session.path)
        self._stream = stream
        rest = await attachment.attach(channel["token"], self)
        if rest:
            self._early.append(rest)

    # ---- the session's events ----

    def on_event(self, name: str, body: Any) -> None:
        if name == "socket.data":
            self._early.append(body)
        elif name == "socket.end":
            self._peer_ended = True
        elif name == "socket.error":
            self._error = from_map(body)
        elif name == "socket.close":
            self._is_over = True
        self._settle()

    def on_session_lost(self, error: SessionLost) -> None:
        self._lose(error)

    # ---- the stream's calls ----

    def data_received(self, data: bytes) -> None:
        self._tell_data(data)

    def eof_received(self) -> bool:
        self._end_stream(None)
        return True

    def connection_lost(self, error: Optional[BaseException]) -> None:
        self._stream = None
        self._end_stream(error)

    def pause_writing(self) -> None:
        self._session.guard(self._protocol.pause_writing)

    def resume_writing(self) -> None:
        self._session.guard(self._protocol.resume_writing)

    # ---- the end ----

    def _end_stream(self, error: Optional[BaseException]) -> None:
        self._stream_ended = True
        self._error = self._error or error
        self._settle()

    def _settle(self) -> None:
        if not self._stream_ended or self._early or not self._was_opened:
            return
        if self._peer_ended and self._error is None:
            self._peer_ended = False
            self._tell_eof()
        if self._is_over:
            self._lose(self._error)

    def _lose(self, error: Optional[BaseException]) -> None:
        self._stream_ended = True
        self._early.clear()
        if self._stream is not None:
            self._stream.abort()
        self._tell_lost(error)

    def close(self) -> None:
        """Sends what was written, ends and closes; nothing more is received."""
        if self._closing:
            return
        self._closing = self._eof = True
        self._early.clear()
        stream = self._usable_stream()
        if stream is not None:
            stream.close()
        if self._is_over:
            self._loop.call_soon(self._lose, self._error)

    def _force_close(self, error: Optional[BaseException]) -> None:
        self._closing = self._eof = True
        if self._session.remove(self._target):
            if not self._is_over:
                self._destroy()
            self._loop.call_soon(self._lose, error)

    def is_closing(self) -> bool:
        return self._closing or (self._was_opened and (self._stream is None or self._stream.is_closing()))

    def _usable_stream(self) -> Optional[asyncio.Transport]:
        """None in a child of the process, too: there it is the parent's, as the session is."""
        return None if self._session.is_closed else self._stream

    # ---- reading ----

    def is_reading(self) -> bool:
        return not self._reading_paused and not self._closing

    def pause_reading(self) -> None:
        """No more data is delivered, beginning with the next; idempotent."""
        if self._closing or self._reading_paused:
            return
        self._reading_paused = True
        if self._stream is not None and not self._stream_ended:
            self._stream.pause_reading()

    def resume_reading(self) -> None:
        """What was held back is delivered first, in the next turn of the loop; idempotent."""
        if self._closing or not self._reading_paused:
            return
        self._reading_paused = False
        self._loop.call_soon(self._release)

    def _release(self) -> None:
        """Delivers what came before the stream, then lets that flow; it was paused."""
        while self._early and self.is_reading():
            self._tell_data(self._early.pop(0))
        if not self._early and self.is_reading() and self._stream is not None and not self._stream_ended:
            self._stream.resume_reading()
        self._settle()

    # ---- writing ----

    def write(self, data: Payload) -> None:
        """Takes `data` at once; copied if need be. Dropped when closing."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data: expected a bytes-like object, got {type(data).__name__}")
        if self._closing or not data:
            return
        if self._eof:
            raise RuntimeError("cannot call write() after write_eof()")
        stream = self._usable_stream()
        if stream is not None:
            stream.write(data)

    def write_eof(self) -> None:
        """Ends this side after what was written; the other side goes on."""
        if self._eof or self._closing:
            return
        self._eof = True
        stream = self._usable_stream()
        if stream is not None:
            stream.write_eof()

    def get_write_buffer_size(self) -> int:
        """Bytes that the stream has not taken."""
        return 0 if self._stream is None else self._stream.get_write_buffer_size()

    def get_write_buffer_limits(self) -> Tuple[int, int]:
        return (0, 0) if self._stream is None else self._stream.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: Optional[int] = None, low: Optional[int] = None) -> None:
        """In bytes."""
        if self._stream is not None:
            self._stream.set_write_buffer_limits(high, low)


class Attachment(asyncio.Protocol):
    """A connection to the broker, on its way to be a channel."""

    _stream: asyncio.Transport

    def __init__(self) -> None:
        self._head = b""
        self._attached: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def attach(self, token: str, channel: asyncio.Protocol) -> bytes:
        """From now on the stream, paused, is `channel`'s. Returns what has come behind the broker's answer.

        Raises BrokerError, or SessionLost when the broker closed the stream before.
        """
        self._stream.write(msgpack.packb((0, 1, "session.attach", (0, {"token": token}))))
        try:
            rest = await self._attached
        except BaseException:
            self._stream.abort()
            raise
        self._stream.set_protocol(channel)
        return rest

    def connection_made(self, stream: asyncio.BaseTransport) -> None:
        self._stream = stream  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._head += data
        unpacker = msgpack.Unpacker()
        unpacker.feed(self._head)
        for frame in unpacker:
            self._stream.pause_reading()
            failure = frame[2] if frame[0] == 1 else frame[2][1]
            self._settle(self._head[unpacker.tell() :], None if failure is None else from_map(failure))
            return

    def connection_lost(self, error: Optional[BaseException]) -> None:
        lost = SessionLost("the broker closed a channel before it began")
        lost.__cause__ = error
        self._settle(b"", lost)

    def _settle(self, rest: bytes, error: Optional[BaseException]) -> None:
        if self._attached.done():
            return
        if error is None:
            self._attached.set_result(rest)
        else:
            self._attached.set_exception(error)
