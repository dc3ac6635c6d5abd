"""Bytes of one socket on their way out: from the queue, as the windows allow, ahead of the kernel, into the kernel."""
from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Union

from .session import Session

Payload = Union[bytes, bytearray, memoryview]

CHUNK = 64 * 1024  # bytes of payload in one frame, unless maxWrite is less
WORTH_SPARING = 8 * 1024  # bytes of a payload above which copying costs more than care


class Outgoing:
    """The bytes that one socket has yet to bring to the kernel.

    `moved` is called whenever some have left the queue or reached the kernel.
    """

    def __init__(self, session: Session, target: int, moved: Callable[[], None]) -> None:
        self.ahead = 0  # sent, and no kernel has them yet
        self.queued = 0
        self._queue: Deque[Payload] = deque()
        self._sent = 0  # offset
        self._session = session
        self._target = target
        self._budget = session.budget
        self._moved = moved
        self._chunk = min(CHUNK, session.max_write)

    def write(self, data: bytes) -> None:
        """Takes `data`, which is not empty: sends it, or the rest of it later."""
        size = len(data)
        if not self.queued and size <= self._chunk and self._budget.room(self, size) == size:
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
            size = self._budget.room(self, min(len(piece), self._chunk))
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

    def flushed(self, offset: int) -> None:
        """The kernel has the bytes up to there."""
        arrived = self.ahead - (self._sent - offset)
        if arrived <= 0:
            return
        self.ahead -= arrived
        self._budget.release(arrived)
        if self._queue:
            self.send_queued()
        self._moved()

    def drop(self) -> None:
        """Forgets everything: the socket is gone."""
        self._queue.clear()
        self._budget.forget(self)
        ahead, self.ahead = self.ahead, 0
        self.queued = 0
        self._budget.release(ahead)

    def _send(self, data: Payload, size: int) -> None:
        self._sent += size
        self.ahead += size
        self._budget.take(size)
        if size < WORTH_SPARING:
            self._session.send((2, "socket.write", (self._target, data)))
        else:
            self._session.send((2, "socket.write", (self._target, b"")), data)
