"""A transport whose bytes travel in the frames of the session.

What is written counts as buffered until the broker has given it to the kernel, and
data counts as read when the protocol has it.
"""
from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Dict, Mapping, Optional, Tuple

from .credit import ReadCredit
from .errors import SessionLost, from_map
from .outgoing import Outgoing, Payload
from .session import Failure, Session
from .transport import SocketTransport

WRITE_HIGH = 256 * 1024  # bytes buffered at which the protocol is told to pause


class InlineTransport(SocketTransport):
    """While reading is paused, what is on its way is held here: at most the session's `read_window`."""

    def __init__(
        self, session: Session, target: int, protocol: asyncio.BaseProtocol, extra: Optional[Dict[str, Any]] = None
    ) -> None:
        super().__init__(session, target, protocol, extra)
        self._error: Optional[Exception] = None

        self._reading_paused = False
        self._held: Deque[Tuple[str, Any]] = deque()  # events that came while paused
        self._credit = ReadCredit(session, target, session.read_window)
        self._peer_ended = False

        self._outgoing = Outgoing(session, target, self._moved)
        self._end_sent = False
        self._finished = False  # the kernel has all bytes and the FIN
        self._protocol_paused = False
        self._high, self._low = WRITE_HIGH, WRITE_HIGH // 4

    # ---- opening ----

    async def connect(self, body: Mapping[str, Any]) -> None:
        try:
            self._tell_made(await self._session.request("net.createConnection", self._target, body))
        except BaseException:
            self.abort()
            raise

    def accept(self, body: Mapping[str, Any]) -> None:
        self._tell_made(body)

    # ---- events ----

    def on_event(self, name: str, body: Any) -> None:
        if name == "socket.data" and not self._reading_paused and not self._held:
            self._deliver(body)
        elif name == "socket.flushed":
            self._outgoing.flushed(body)
        elif name == "socket.connect":
            self._tell_made(body)
        elif name == "socket.error":
            self._error = from_map(body)
        elif name == "socket.close" and (self._error is not None or self._closing):
            self._lose(self._error)
        elif self._reading_paused or self._held:
            self._held.append((name, body))
        else:
            self._handle(name, body)

    def on_session_lost(self, error: SessionLost) -> None:
        self._lose(error)

    def _handle(self, name: str, body: Any) -> None:
        """One of the events that must wait while reading is paused."""
        if name == "socket.data":
            self._deliver(body)
        elif name == "socket.end":
            self._peer_ended = True
            self._tell_eof()
        elif name == "socket.close":
            self._lose(None)

    def _deliver(self, data: bytes) -> None:
        self._credit.used(len(data))
        self._tell_data(data)

    def _lose(self, error: Optional[BaseException]) -> None:
        self._end_sent = True
        self._protocol_paused = False
        self._held.clear()
        self._outgoing.drop()
        self._tell_lost(error)

    # ---- reading ----

    def is_reading(self) -> bool:
        return not self._reading_paused and not self._closing

    def pause_reading(self) -> None:
        """No more data is delivered, beginning with the next; idempotent."""
        if not self._closing:
            self._reading_paused = True

    def resume_reading(self) -> None:
        """What was held back is delivered first, in the next turn of the loop; idempotent."""
        if self._closing or not self._reading_paused:
            return
        self._reading_paused = False
        if self._held:
            self._loop.call_soon(self._release_held)

    def _release_held(self) -> None:
        held = self._held
        while held and not self._reading_paused and not self._closing:
            self._handle(*held.popleft())

    # ---- writing ----

    def write(self, data: Payload) -> None:
        """Takes `data` at once; copied unless it is bytes. Dropped when closing."""
        if not isinstance(data, bytes):
            if not isinstance(data, (bytearray, memoryview)):
                raise TypeError(f"data: expected a bytes-like object, got {type(data).__name__}")
            data = bytes(data)
        if self._closing or not data:
            return
        if self._eof:
            raise RuntimeError("cannot call write() after write_eof()")
        self._outgoing.write(data)
        self._maybe_pause_protocol()

    def _maybe_pause_protocol(self) -> None:
        if not self._protocol_paused and self.get_write_buffer_size() > self._high:
            self._protocol_paused = True
            self._session.guard(self._protocol.pause_writing)

    def _moved(self) -> None:
        """Some bytes went on their way, or have arrived in the kernel."""
        if self._eof and not self._end_sent and not self._outgoing.queued:
            self._send_end()
        if self._protocol_paused and self.get_write_buffer_size() <= self._low:
            self._protocol_paused = False
            self._session.guard(self._protocol.resume_writing)

    def write_eof(self) -> None:
        """Ends this side after what was written; the other side goes on."""
        if self._eof or self._closing:
            return
        self._eof = True
        self._moved()

    def _send_end(self) -> None:
        self._end_sent = True
        if self._closing and self._peer_ended:
            self._session.notify("socket.end", self._target)
        else:
            self._session.call(self._on_finished, "socket.end", (self._target,))

    def _on_finished(self, failure: Failure, result: Any) -> None:
        self._finished = True
        if self._closing:
            self._destroy()

    # ---- the buffer ----

    def get_write_buffer_size(self) -> int:
        """Bytes that no kernel has yet."""
        return self._outgoing.ahead + self._outgoing.queued

    def get_write_buffer_limits(self) -> Tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: Optional[int] = None, low: Optional[int] = None) -> None:
        """In bytes. With `high=0` drain() waits until the kernel has all."""
        if high is None:
            high = WRITE_HIGH if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low
        self._maybe_pause_protocol()

    # ---- the end ----

    def close(self) -> None:
        """Sends what was written, ends and closes; nothing more is received."""
        if self._closing:
            return
        self._closing = self._eof = True
        if self._held and self._held[-1][0] == "socket.close":
            self._loop.call_soon(self._lose, None)
            return
        self._reading_paused = False
        while self._held:  # dropped, so that the peer goes on until it reads what was written
            self._handle(*self._held.popleft())
        if self._finished:
            self._destroy()
        else:
            self._moved()

    def _force_close(self, error: Optional[BaseException]) -> None:
        self._closing = self._eof = self._end_sent = True
        if self._session.remove(self._target):
            self._destroy()
            self._loop.call_soon(self._lose, error)
