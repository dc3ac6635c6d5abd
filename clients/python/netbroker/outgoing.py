"""Bytes of one socket on their way out.

A write is a request whose answer says that the kernel has its bytes; until then
they are in flight. One exception saves most of the answers: up to SLACK bytes
may be under way unasked, as they might in a kernel's buffer.

    write -> queue -> in flight -> kernel
                ^ as the session's window allows
"""
from __future__ import annotations

from collections import deque
from typing import Any, Callable, Deque, Union

from .session import Failure, Session

Payload = Union[bytes, bytearray, memoryview]

SLACK = 16 * 1024  # bytes sent without asking when they have reached the kernel
CHUNK = 64 * 1024  # bytes of payload in one frame, unless maxWrite is less
WORTH_SPARING = 8 * 1024  # bytes of a payload above which copying costs more than care


class Outgoing:
    """The bytes that one socket has yet to bring to the kernel.

    `moved` is called whenever some have left the queue or reached the kernel.
    """

    def __init__(self, session: Session, target: int, moved: Callable[[], None]) -> None:
        self.slack = SLACK
        self.in_flight = 0  # of the bytes asked for, those that no kernel has yet
        self.requests = 0  # writes that are not answered
        self.queued = 0
        self._queue: Deque[Payload] = deque()
        self._asked = 0  # bytes sent up to the last request's end
        self._unasked = 0  # bytes sent since
        self._session = session
        self._target = target
        self._window = session.window
        self._moved = moved
        self._chunk = min(CHUNK, session.max_write)

    def write(self, data: bytes) -> None:
        """Takes `data`, which is not empty: sends it, or the rest of it later."""
        size = len(data)
        if not self.queued and size <= self._chunk and self._window.room(self, size) == size:
            self._send(data, size)
        else:
            self._queue.append(data if size <= self._chunk else memoryview(data))
            self.queued += size
            self.send_queued()

    def send_queued(self) -> None:
        """Sends as much of the queue as the windows allow."""
        queue = self._queue
        while queue:
            piece = queue[0]
            size = self._window.room(self, min(len(piece), self._chunk))
            if not size:
                return
            if size == len(piece):
                queue.popleft()
            else:
                view = memoryview(piece)
                queue[0], piece = view[size:], view[:size]
            self.queued -= size
            self._send(piece, size)
        self._moved()

    def drop(self) -> None:
        """Forgets everything: the socket is gone."""
        self._queue.clear()
        self._window.forget(self)
        in_flight, self.in_flight = self.in_flight, 0
        self.queued = self.requests = 0
        self._window.release(in_flight)

    def _send(self, data: Payload, size: int) -> None:
        params, payload = ((self._target, data), b"") if size < WORTH_SPARING else ((self._target, b""), data)
        unasked = self._unasked + size
        if unasked < self.slack and not self.requests and not self.queued:
            self._unasked = unasked
            self._session.send((2, "socket.write", params), payload)
            return
        self._unasked = 0
        self._asked += unasked
        self.requests += 1
        self.in_flight += unasked
        self._window.in_flight += unasked
        self._session.call(self._on_written, "socket.write", params, payload)

    def _on_written(self, failure: Failure, result: Any) -> None:
        if failure is not None or not self.requests:
            return
        self.requests -= 1
        in_flight = max(self._asked - result["bytesWritten"], 0)
        arrived, self.in_flight = self.in_flight - in_flight, in_flight
        self._window.release(arrived)
        if self._queue:
            self.send_queued()
        self._moved()
